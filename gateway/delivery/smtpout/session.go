package smtpout

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// session is one connection while it is made: what was negotiated, and what went wrong with it.
type session struct {
	o      *Options
	d      *demand
	cache  tls.ClientSessionCache
	raw    net.Conn
	name   string // what the server calls itself
	state  tlspolicy.State
	judged error // what speaks against the certificate
	failed error // why there is no TLS
}

// options is how the connection is made.
func (s *session) options() smtpclient.Options {
	return smtpclient.Options{
		Hello: s.o.Hello, TLS: s.d.mode, Handshake: s.handshake, Implicit: s.o.Implicit, Timeouts: s.o.Timeouts,
		Dial: s.dial, Named: func(name string) { s.name = name }, Auth: s.o.Auth, Chunking: s.o.Chunking,
	}
}

func (s *session) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := s.o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, network, addr)
	if err == nil {
		s.raw = c
	}
	return c, err
}

func (s *session) handshake(ctx context.Context, raw net.Conn, _ string) (net.Conn, tls.ConnectionState, error) {
	client := tlspolicy.Client{
		Profile: s.d.security.profile(), Certificates: s.o.Certificates, Present: s.o.Present, Sessions: sessions{s.cache, s.d.key()}, Now: s.o.Now,
	}
	if s.d.verify != nil {
		client.Verify = tlspolicy.VerifierFunc(s.judge)
	}
	conn, state, err := client.Handshake(ctx, raw, s.d.name)
	if isOurs(err) {
		return nil, tls.ConnectionState{}, fmt.Errorf("%w: %w", smtpclient.ErrNotPlain, err)
	}
	if s.failed = err; err != nil {
		return nil, tls.ConnectionState{}, err
	}
	s.state = state
	return conn, state.Connection(), nil
}

// isOurs reports whether a connection came to nothing for want of our own key, which says nothing of the host.
func isOurs(err error) bool {
	var key *tlspolicy.KeyError
	return errors.As(err, &key)
}

// judge judges the chain, and lets it pass all the same where that is only reported.
func (s *session) judge(name string, chain []*x509.Certificate, at time.Time) error {
	s.judged = s.d.verify.Verify(name, chain, at)
	if s.d.lenient {
		return nil
	}
	return s.judged
}

// protection is the session for the record: "TLS1.3 TLS_AES_128_GCM_SHA256 X25519MLKEM768 verified by dane".
func (s *session) protection() string {
	if s.state.Version == 0 {
		return ""
	}
	text := s.state.String()
	switch {
	case s.d.verify == nil || s.judged != nil:
	case s.d.by == "":
		text += " verified"
	default:
		text += " verified by " + s.d.by
	}
	return text
}

// report hands on how the session fared, under each policy that applied. A connection that did not come so far says nothing of TLS, nor
// does one that goes without TLS by our own will.
func (s *session) report(c *smtpclient.Client, err error) {
	if s.d.domain == "" || s.d.mode == smtpclient.TLSNone {
		return
	}
	result, reason := outcome(s, c, err)
	if err != nil && result == tlsrpt.Success {
		return
	}
	for _, p := range s.d.reported {
		o := tlsrpt.Outcome{Domain: s.d.domain, Policy: p, Result: result, MX: s.d.name, HELO: s.name, Reason: reason}
		if s.raw != nil {
			o.SendingIP, o.ReceivingIP = addrOf(s.raw.LocalAddr()), addrOf(s.raw.RemoteAddr())
		}
		s.o.note(o)
	}
	for _, o := range s.d.early {
		s.o.note(o)
	}
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr()
	}
	return netip.Addr{}
}

// outcome classifies a session (RFC 8460, 4.3). Success with an error means that it says nothing of TLS.
func outcome(s *session, c *smtpclient.Client, err error) (tlsrpt.Result, string) {
	switch {
	case errors.Is(err, smtpclient.ErrNoTLS):
		return tlsrpt.NoSTARTTLS, ""
	case s.judged != nil:
		return classify(s.judged), s.judged.Error()
	case s.failed != nil:
		return classify(s.failed), s.failed.Error()
	case err != nil && stage(err) == smtpclient.StageTLS:
		return tlsrpt.Failed, err.Error()
	case err != nil:
		return tlsrpt.Success, ""
	case c.TLS() != nil:
		return tlsrpt.Success, ""
	}
	return tlsrpt.NoSTARTTLS, ""
}

// classify names the failure of a certificate or handshake.
func classify(err error) tlsrpt.Result {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, dane.ErrExpired), errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return tlsrpt.Expired
	case errors.Is(err, dane.ErrName), errors.As(err, &name):
		return tlsrpt.HostMismatch
	case errors.Is(err, dane.ErrNoMatch), errors.Is(err, dane.ErrNone):
		return tlsrpt.TLSAInvalid
	case errors.Is(err, dane.ErrChain), errors.As(err, &unknown), errors.As(err, &invalid):
		return tlsrpt.NotTrusted
	}
	return tlsrpt.Failed
}

// troubleType names why a promised MTA-STS policy cannot be had.
func troubleType(err error) tlsrpt.Result {
	switch {
	case errors.Is(err, mtasts.ErrCertificate):
		return tlsrpt.STSWebPKI
	case errors.Is(err, mtasts.ErrInvalid), errors.Is(err, mtasts.ErrRecord):
		return tlsrpt.STSInvalid
	}
	return tlsrpt.STSFetch
}

// byRecords authenticates by TLSA records.
type byRecords struct{ policy *dane.Policy }

// Verify implements tlspolicy.Verifier.
func (b byRecords) Verify(_ string, chain []*x509.Certificate, at time.Time) error {
	_, err := b.policy.Verify(chain, at)
	return err
}
