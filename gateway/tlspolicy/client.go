package tlspolicy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/legacy"
)

// Verifier judges the chain that a server shows, its own certificate first and never empty. serverName is the name that was connected to, or
// an address. The error says to an administrator what is wrong. It is asked at resumed handshakes too, and at once from many goroutines.
type Verifier interface {
	Verify(serverName string, chain []*x509.Certificate, at time.Time) error
}

// VerifierFunc is a function as a Verifier.
type VerifierFunc func(serverName string, chain []*x509.Certificate, at time.Time) error

// Verify calls f.
func (f VerifierFunc) Verify(serverName string, chain []*x509.Certificate, at time.Time) error {
	return f(serverName, chain, at)
}

// Client makes TLS connections by a profile. It may be used from many goroutines and is not changed meanwhile.
type Client struct {
	Profile Profile
	// Verify judges the server's certificate; nil: any is taken.
	Verify Verifier
	// Certificates are shown to a server that asks: the first one that it takes. A key may be any crypto.Signer; one that cannot do
	// PSS says so by Certificate.SupportedSignatureAlgorithms.
	Certificates []tls.Certificate
	// Present, in place of Certificates, is asked for the certificate when a server asks for one. Its key may be away, as one on a card: an error
	// of Present, or of the key, ends the handshake with a *KeyError. The context is that of the handshake. It is shown whatever authorities the
	// server names.
	Present func(ctx context.Context) (tls.Certificate, error)
	// Sessions keeps what resumption needs; nil: each handshake is a whole one, as where the profile does not allow it. What is resumed is
	// judged as anew; where the profile wants our certificate to be shown, only sessions are resumed in which it was.
	Sessions   tls.ClientSessionCache
	NextProtos []string         // ALPN
	Now        func() time.Time // nil: time.Now
}

// Handshake brings up TLS over a connection and holds it to profile and verifier. On an error, which is an *Error or that of ctx, raw is of no
// further use; the caller closes it. serverName is what the server's certificate must bear, and is sent to it (RFC 6066, 3) unless it is
// an address.
func (c *Client) Handshake(ctx context.Context, raw net.Conn, serverName string) (net.Conn, State, error) {
	serverName = strings.TrimSuffix(serverName, ".")
	switch c.Profile.Engine() {
	case CryptoTLS:
		return c.standard(ctx, raw, serverName)
	case UTLS:
		return c.legacy(ctx, raw, serverName)
	}
	return nil, State{}, &Error{Rule: RuleProfile, Profile: c.Profile.Name, Text: "this build speaks none of the profile's cipher suites",
		Advice: "siegel tls list shows what it speaks"}
}

// Dial is Handshake after a connection by TCP, as http.Transport.DialTLSContext wants it.
func (c *Client) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	raw, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn, _, err := c.Handshake(ctx, raw, host)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// judge is the judgement of profile and verifier; early, before the group and the client's certificate are settled.
func (c *Client) judge(s State, early bool) error {
	p := c.Profile
	if early {
		p.ClientCertificate = ClientOptional
	}
	if err := p.Check(s); err != nil {
		return err
	}
	if c.Verify == nil || !early {
		return nil
	}
	if len(s.Chain) == 0 {
		return &Error{Rule: RuleCertificate, Profile: p.Name, State: s, Text: "the server shows no certificate"}
	}
	if err := c.Verify.Verify(s.ServerName, s.Chain, c.now()); err != nil {
		return &Error{Rule: RuleCertificate, Profile: p.Name, State: s, Text: "the server's certificate is not believed", Err: err}
	}
	return nil
}

// standard is Handshake by crypto/tls.
func (c *Client) standard(ctx context.Context, raw net.Conn, serverName string) (net.Conn, State, error) {
	var seen State // asked, shown
	config := c.Profile.clientConfig()
	config.ServerName, config.NextProtos, config.Time = serverName, c.NextProtos, c.Now
	config.InsecureSkipVerify = true // judge does it, at resumed handshakes too
	if c.Profile.Resumption && c.Sessions != nil {
		config.ClientSessionCache = c.Sessions
		if c.Profile.ClientCertificate == ClientRequired {
			config.ClientSessionCache = shownSessions{c.Sessions, &seen}
		}
	}
	own := ownKey{c: c, ctx: ctx}
	config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		chosen, err := own.choose(r)
		seen.Asked, seen.Shown = true, err == nil && len(chosen.Certificate) > 0
		return chosen, err
	}
	config.VerifyConnection = func(t tls.ConnectionState) error {
		seen.Resumed = t.DidResume
		return c.judge(c.state(t, serverName, seen), true)
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, State{}, own.failed(c.failed(ctx, err, c.state(conn.ConnectionState(), serverName, seen)))
	}
	s := c.state(conn.ConnectionState(), serverName, seen)
	if err := c.judge(s, false); err != nil {
		return nil, s, own.failed(err)
	}
	return conn, s, nil
}

func (c *Client) state(t tls.ConnectionState, serverName string, seen State) State {
	s := StateOf(t, false)
	s.ServerName, s.Asked, s.Shown = serverName, seen.Asked, seen.Shown
	if t.DidResume && c.Profile.ClientCertificate == ClientRequired { // it was in the session that goes on: see shownSessions
		s.Asked, s.Shown = true, true
	}
	return s
}

// failed is the error of a handshake; that of ctx where it ended.
func (c *Client) failed(ctx context.Context, err error, s State) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.Profile.handshakeError(err, s)
}

// legacy is Handshake by utls.
func (c *Client) legacy(ctx context.Context, raw net.Conn, serverName string) (net.Conn, State, error) {
	seen := State{Engine: UTLS, ServerName: serverName}
	of := func(t tls.ConnectionState, asked, shown bool) State {
		s := StateOf(t, false)
		s.Engine, s.ServerName, s.Asked, s.Shown = UTLS, serverName, asked, shown
		return s
	}
	own := ownKey{c: c, ctx: ctx}
	conn, result, err := legacy.Handshake(ctx, raw, legacy.Options{
		ServerName: serverName, Suites: c.Profile.offered(speaksUTLS), Groups: c.Profile.Groups,
		Choose: own.choose, NextProtos: c.NextProtos, Now: c.Now,
		Verify: func(t tls.ConnectionState) error { return c.judge(of(t, false, false), true) },
	})
	if err != nil {
		return nil, seen, own.failed(c.failed(ctx, err, seen))
	}
	s := of(result.State, result.Asked, result.Shown)
	if err := c.judge(s, false); err != nil {
		return nil, s, err
	}
	return conn, s, nil
}
