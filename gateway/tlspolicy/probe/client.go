package probe

import (
	"bufio"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/internal/x509x"
)

func (c *ClientCertificate) addAuthority(der []byte) {
	name := safetext.Line(x509x.Name(der), 500)
	if !slices.Contains(c.Authorities, name) {
		c.Authorities = append(c.Authorities, name)
	}
}

// common is a profile with everything that the server accepts and this program speaks.
func (r *Report) common() tlspolicy.Profile {
	p := tlspolicy.Profile{Resumption: true}
	for _, s := range r.scans {
		spoken := slices.DeleteFunc(slices.Clone(s.suites), func(id uint16) bool { return tlspolicy.SpeaksSuite(id) == "" })
		if !s.accepted || s.version < hello.TLS10 || len(spoken) == 0 {
			continue
		}
		if p.MinVersion == 0 {
			p.MinVersion = s.version
		}
		p.MaxVersion = s.version
		for _, id := range spoken {
			if !slices.Contains(p.Suites, id) {
				p.Suites = append(p.Suites, id)
			}
		}
	}
	for _, name := range r.Accepted.Groups { // in the server's order
		if g, err := tlsnames.ParseGroup(name); err == nil && tlspolicy.SpeaksGroup(tls.CurveID(g)) {
			p.Groups = append(p.Groups, tls.CurveID(g))
		}
	}
	return p
}

// attempt is a handshake that was tried with a profile.
type attempt struct {
	state   tlspolicy.State
	err     error  // why it was not finished, or why the server ended the connection after it
	refused bool   // by an alert after the client had shown its certificate, or none
	said    string // the server's first line, or the status of its answer
	body    string // how its answer goes on
}

// finish learns by whole handshakes what hellos do not show: whether a client certificate is needed, or taken, the certificates of
// TLS 1.3, and whether sessions are resumed.
func (p *prober) finish(ctx context.Context, r *Report) {
	profile := r.common()
	if profile.Engine() == "" {
		r.Handshake = &Handshake{Failure: "this program speaks none of the cipher suites"}
		r.say("suite", Bad, "this gateway cannot reach the server: it speaks none of the cipher suites that are accepted", "have the server accept one of those that siegel tls list shows")
		return
	}
	sessions := tls.NewLRUClientSessionCache(1)
	bare := p.try(ctx, r, profile, nil, sessions)
	if p.options.Certificate != nil {
		sessions = tls.NewLRUClientSessionCache(1) // those of a client without one are not gone on with
		shown := p.try(ctx, r, profile, p.options.Certificate, sessions)
		r.ClientCertificate.Shown = shown.state.Shown
		r.ClientCertificate.Taken = r.ClientCertificate.Shown && shown.err == nil
		r.judgeShown(shown, p.options.Certificate)
		r.handshake(shown)
	} else {
		r.handshake(bare)
	}
	r.needed(bare)
	if r.Handshake.Failure == "" && !(r.needsCertificate() && p.options.Certificate == nil) {
		again := p.try(ctx, r, profile, p.options.Certificate, sessions)
		r.Handshake.Resumes = again.err == nil && again.state.Resumed
	}
}

// strangeCurve is the curve of a client's key where the server speaks nothing newer than TLS 1.2 and does not have it among its groups.
func (r *Report) strangeCurve(own *tls.Certificate) string {
	signer, ok := own.PrivateKey.(crypto.Signer)
	if !ok || len(r.Accepted.Groups) == 0 || slices.Contains(r.Accepted.Versions, tlsnames.VersionName(hello.TLS13)) {
		return ""
	}
	curve := curveName(signer.Public())
	if slices.Contains(r.Accepted.Groups, curve) {
		return ""
	}
	return curve
}

func (r *Report) needsCertificate() bool {
	return r.ClientCertificate.Required != nil && *r.ClientCertificate.Required
}

// handshake notes how one went.
func (r *Report) handshake(a attempt) {
	h := &Handshake{}
	if a.state.Version != 0 {
		h.Version, h.Suite = tlsnames.VersionName(a.state.Version), tlsnames.SuiteName(a.state.Suite)
		h.Engine = string(a.state.Engine)
		if a.state.Group != 0 {
			h.Group = tlsnames.GroupName(uint16(a.state.Group))
		}
	}
	if a.err != nil {
		h.Failure = failureText(a.err)
	}
	r.Handshake = h
	if a.err != nil && !a.refused {
		r.say("protocol", Bad, "this gateway does not get through the handshake: "+h.Failure, "")
	}
	if a.err == nil && a.state.Engine == tlspolicy.UTLS {
		r.say("suite", Note, "this gateway reaches the server only with a cipher suite that needs utls, by a profile that has no other", "")
	}
}

func failureText(err error) string {
	var policy *tlspolicy.Error
	if errors.As(err, &policy) && policy.Err != nil && policy.Rule == tlspolicy.RuleHandshake {
		err = policy.Err
	}
	if code, ok := tlspolicy.Alert(err); ok {
		return tlsnames.AlertName(code)
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return plainCause(refusal.Err)
	}
	return plainCause(err)
}

// needed concludes whether the server does without a certificate, from a connection that showed none.
func (r *Report) needed(a attempt) {
	c := &r.ClientCertificate
	c.Requested = c.Requested || a.state.Asked
	if !c.Requested {
		return
	}
	yes, no := true, false
	status := httpStatus(a.said)
	switch {
	case a.refused:
		c.Required, c.Said = &yes, failureText(a.err)
	case a.err != nil:
		c.Said = failureText(a.err)
	case (status == 400 || status == 403) && strings.Contains(strings.ToLower(a.body), "certificate"), status == 495, status == 496:
		c.Required, c.Said = &yes, a.said // nginx, IIS: TLS comes up, and then nothing is served
	case a.said != "":
		c.Required, c.Said = &no, a.said
	}
}

// httpStatus is the code in the first line of an answer by HTTP; 0 where it is none.
func httpStatus(line string) (code int) {
	minor := 0
	if _, err := fmt.Sscanf(line, "HTTP/1.%1d %3d", &minor, &code); err != nil {
		return 0
	}
	return code
}

// judgeShown says what became of the certificate that was given to the probe.
func (r *Report) judgeShown(a attempt, own *tls.Certificate) {
	switch c := r.ClientCertificate; {
	case !c.Requested && !a.state.Asked:
		r.say("client certificate", Note, "the server does not ask for one; the one given was not shown", "")
	case !a.state.Shown && a.state.Asked:
		r.say("client certificate", Bad, "the one given was not shown: the server takes none of its authority or kind of key", "see the authorities and signatures that the server names")
	case a.err == nil:
		r.say("client certificate", Good, "the server takes the one given", "")
	default:
		remedy := "ask the server's administrator"
		if code, ok := tlspolicy.Alert(a.err); ok && remedies[code] != "" {
			remedy = remedies[code]
		}
		if curve := r.strangeCurve(own); curve != "" {
			remedy = "below TLS1.3 servers refuse keys on curves that are not among their groups (RFC 8422, 5.5), and this one is on " + curve + ": show a certificate with an RSA key, or with one on " + strings.Join(r.Accepted.Groups, " or ")
		}
		r.say("client certificate", Bad, "the server does not take the one given: "+failureText(a.err), remedy)
	}
}

// try shakes hands and says a first word, to see whether the server listens: in TLS 1.3 it refuses a client's certificate after the
// handshake only.
func (p *prober) try(ctx context.Context, r *Report, profile tlspolicy.Profile, shown *tls.Certificate, sessions tls.ClientSessionCache) attempt {
	var a attempt
	err := p.connection(ctx, func(ctx context.Context, raw net.Conn) error {
		conn, err := p.shake(ctx, raw, r, profile, shown, sessions, &a)
		if err != nil {
			a.refused = a.state.Asked && (isAlert(err) || errors.Is(cause(err), errHungUp))
			return err
		}
		wait := quiet
		if a.state.Asked {
			wait = quietAsked
		}
		a.said, a.body, err = p.word(conn, wait)
		if err != nil && a.state.Asked && isAlert(err) {
			a.refused = true
			return err
		}
		return nil
	})
	a.err = err
	return a
}

func isAlert(err error) bool {
	_, ok := tlspolicy.Alert(err)
	return ok
}

// shake brings TLS up by crypto/tls, or where that cannot by utls.
func (p *prober) shake(ctx context.Context, raw net.Conn, r *Report, profile tlspolicy.Profile, shown *tls.Certificate, sessions tls.ClientSessionCache, a *attempt) (net.Conn, error) {
	if profile.Engine() == tlspolicy.UTLS {
		client, signs := tlspolicy.Client{Profile: profile, Now: p.options.Now}, false
		if shown != nil {
			client.Certificates = []tls.Certificate{watched(*shown, &signs)}
		}
		conn, state, err := client.Handshake(ctx, raw, p.target.name())
		a.state = state
		a.state.Asked, a.state.Shown = state.Asked || r.ClientCertificate.Requested, signs
		return conn, err
	}
	config := profile.ClientConfig()
	config.ServerName, config.InsecureSkipVerify, config.ClientSessionCache, config.Time = p.target.name(), true, sessions, p.options.Now
	if p.target.Protocol == HTTPS {
		config.NextProtos = []string{"http/1.1"}
	}
	asked, showed := false, false
	config.GetClientCertificate = func(q *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		r.asked13(q)
		if shown != nil && q.SupportsCertificate(shown) == nil {
			showed = true
			return shown, nil
		}
		return new(tls.Certificate), nil
	}
	config.VerifyPeerCertificate = func(der [][]byte, _ [][]*x509.Certificate) error { r.addChain(der); return nil }
	conn := tls.Client(raw, config)
	err := conn.HandshakeContext(ctx)
	state := conn.ConnectionState()
	a.state = tlspolicy.StateOf(state, false)
	a.state.Asked, a.state.Shown = asked, showed
	if state.DidResume {
		a.state.Asked, a.state.Shown = r.ClientCertificate.Requested, shown != nil
	}
	if r.Facts.Protocol == "" {
		r.Facts.Protocol = safetext.Line(state.NegotiatedProtocol, 255)
	}
	return conn, err
}

// witness is a key that tells that it was used: where a handshake ends badly, that is how it shows that a certificate was taken along.
type witness struct {
	crypto.Signer
	used *bool
}

// Sign signs.
func (w witness) Sign(rand io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	*w.used = true
	return w.Signer.Sign(rand, digest, o)
}

func watched(c tls.Certificate, used *bool) tls.Certificate {
	if key, ok := c.PrivateKey.(crypto.Signer); ok {
		c.PrivateKey = witness{key, used}
	}
	return c
}

// asked13 notes what a server asks of its clients, from a handshake.
func (r *Report) asked13(q *tls.CertificateRequestInfo) {
	c := &r.ClientCertificate
	c.Requested = true
	for _, name := range q.AcceptableCAs {
		c.addAuthority(name)
	}
	if len(c.Schemes) == 0 {
		for _, s := range q.SignatureSchemes {
			c.Schemes = append(c.Schemes, tlsnames.SchemeName(uint16(s)))
		}
	}
}

// How long a server that need not say anything is waited for: for the tickets of TLS 1.3, and where it asked for a certificate for its
// refusal.
const quiet, quietAsked = 300 * time.Millisecond, 2 * time.Second

// word says something harmless over TLS and reads the beginning of the answer.
func (p *prober) word(c net.Conn, wait time.Duration) (first, rest string, err error) {
	switch {
	case p.target.Protocol == HTTPS:
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: siegel-probe\r\nConnection: close\r\n\r\n", p.target.name())
	case p.target.Protocol == SMTP && !p.target.Implicit:
		fmt.Fprintf(c, "EHLO %s\r\n", p.options.Hello)
	case p.target.Protocol == LDAP: // a search of the root DSE, for nothing (RFC 4512, 5.1)
		io.WriteString(c, "\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x00")
	case p.target.Protocol == Plain:
		c.SetReadDeadline(time.Now().Add(wait))
	}
	r := bufio.NewReaderSize(io.LimitReader(c, 16<<10), 4096)
	if p.target.Protocol == LDAP {
		if _, err = r.Peek(1); err == nil {
			return "an answer by LDAP", "", nil
		}
		return "", "", err
	}
	line, err := r.ReadSlice('\n')
	if first = safetext.Line(strings.TrimRight(string(line), "\r\n"), 200); len(line) == 0 {
		return "", "", err
	}
	if status := httpStatus(first); status >= 400 {
		text, _ := io.ReadAll(r)
		rest = string(text)
	}
	return first, rest, nil
}
