package smtpin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
)

// authority issues client certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	a := authority{t: t, key: newKey(t)}
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "a CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, a.key)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a authority) sign(template *x509.Certificate, key crypto.Signer) *x509.Certificate {
	a.t.Helper()
	template.SerialNumber = big.NewInt(1)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	issuer := a.cert
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue makes a client's certificate with its key.
func (a authority) issue(template x509.Certificate) tls.Certificate {
	key := newKey(a.t)
	return tls.Certificate{Certificate: [][]byte{a.sign(&template, key).Raw}, PrivateKey: key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// certified is an internal listener that demands certificates for two names.
func certified(a authority) smtpin.Listener {
	l := listener(smtpin.Internal, serverTLS())
	l.Clients = &smtpin.Certificates{Roots: a.pool(), Names: []string{"*.shared.example", "ex.firma.example"}}
	return l
}

// Of all certificates only those open the door that are issued by the authority, are in their time, are made
// for TLS and bear one of the names themselves (invariant 4).
func TestClientCertificates(t *testing.T) {
	ours, strangers := newAuthority(t), newAuthority(t)
	named := func(names ...string) x509.Certificate { return x509.Certificate{DNSNames: names} }
	with := func(c x509.Certificate, change func(*x509.Certificate)) x509.Certificate { change(&c); return c }
	past := time.Now().Add(-time.Hour)
	h := &sink{}
	s := serve(t, options(t, h, certified(ours)))
	for what, c := range map[string]struct {
		cert *tls.Certificate
		want string // the reply to MAIL; 250: and this name
		name string
	}{
		"right":        {pointer(ours.issue(named("other.example", "EX.firma.example"))), "250 ", "ex.firma.example"},
		"wildcard":     {pointer(ours.issue(named("*.shared.example"))), "250 ", "*.shared.example"},
		"below it":     {pointer(ours.issue(named("a.shared.example"))), "550 5.7.1 Your client certificate may not", ""},
		"wildcard of":  {pointer(ours.issue(named("*.firma.example"))), "550 5.7.1 Your client certificate may not", ""},
		"no name":      {pointer(ours.issue(with(named(), func(c *x509.Certificate) { c.Subject.CommonName = "ex.firma.example" }))), "550 5.7.1 Your client", ""},
		"other issuer": {pointer(strangers.issue(named("ex.firma.example"))), "550 5.7.1 Your client certificate may not", ""},
		"ended": {pointer(ours.issue(with(named("ex.firma.example"), func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = past.Add(-time.Hour), past
		}))), "454 4.7.0 Your client certificate is not valid at this time", ""},
		"server's": {pointer(ours.issue(with(named("ex.firma.example"), func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}))), "250 ", "ex.firma.example"},
		"for mail": {pointer(ours.issue(with(named("ex.firma.example"), func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		}))), "550 5.7.1 Your client certificate may not", ""},
		"none": {nil, "550 5.7.1 This listener takes mail from clients that show", ""},
	} {
		t.Run(what, func(t *testing.T) {
			before := len(h.messages())
			p := dial(t, s, "internal")
			p.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<a@firma.example>", "530 5.7.0 ", "STARTTLS", "220 ")
			p.startTLS(showing(c.cert))
			p.say("EHLO c", "250 ", "MAIL FROM:<a@firma.example>", c.want)
			if c.name == "" {
				p.say("RCPT TO:<x@partner.example>", "50", "DATA", "50")
				if len(h.messages()) != before {
					t.Error("accepted")
				}
				return
			}
			p.say("RCPT TO:<x@partner.example>", "250 ", "DATA", "354 ", "x\r\n.", "250 ")
			if got := h.messages()[before].env.Client.Certificate; got != c.name {
				t.Errorf("known as %q, want %q", got, c.name)
			}
		})
	}
	for _, e := range h.recorded(track.Accepted) {
		if e.Client.Certificate == "" {
			t.Errorf("the record lacks the certificate: %+v", e.Client)
		}
	}
}

func pointer[T any](v T) *T { return &v }

// showing is a client's configuration with that certificate.
func showing(cert *tls.Certificate) *tls.Config {
	c := clientTLS().Clone()
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c
}

// A certificate is one condition more: the network and the sender are looked at all the same.
func TestClientCertificateIsNotEnough(t *testing.T) {
	ours := newAuthority(t)
	cert := pointer(ours.issue(x509.Certificate{DNSNames: []string{"ex.firma.example"}}))
	elsewhere := certified(ours)
	elsewhere.Name, elsewhere.Networks = "elsewhere", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	submission := listener(smtpin.Submission, serverTLS())
	submission.Clients = certified(ours).Clients
	anywhere := certified(ours)
	anywhere.Name, anywhere.Networks = "anywhere", nil
	s := serve(t, options(t, &sink{}, elsewhere, submission, anywhere))

	dial(t, s, "elsewhere").say("", "554 5.7.1 ", "", "")

	p := dial(t, s, "submission")
	p.say("", "220 ", "STARTTLS", "220 ")
	p.startTLS(showing(cert))
	p.say("EHLO c", "250 ", "MAIL FROM:<alice@firma.example>", "530 5.7.0 Authenticate first")

	p = dial(t, s, "anywhere")
	p.say("", "220 ", "STARTTLS", "220 ")
	p.startTLS(showing(cert))
	p.say("EHLO c", "250 ", "MAIL FROM:<eve@partner.example>", "550 5.7.1 You may not send from", "MAIL FROM:<a@firma.example>", "250 ")

	for _, l := range []smtpin.Listener{
		{Name: "a", Role: smtpin.Internal, Senders: patterns("@firma.example"), Clients: &smtpin.Certificates{}, TLSConfig: serverTLS()},
		{Name: "b", Role: smtpin.External, Clients: &smtpin.Certificates{Names: []string{"x"}}},
	} {
		if _, err := smtpin.New(options(t, &sink{}, l)); err == nil || !strings.Contains(err.Error(), "client certificates need") {
			t.Errorf("%s: %v", l.Name, err)
		}
	}
}

// A resumed session is judged by the certificate it began with, at the time of now.
func TestClientCertificateResumed(t *testing.T) {
	ours := newAuthority(t)
	h := &sink{}
	s := serve(t, options(t, h, certified(ours)))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := showing(pointer(ours.issue(x509.Certificate{DNSNames: []string{"ex.firma.example"}})))
		config.ClientSessionCache, config.MaxVersion = tls.NewLRUClientSessionCache(1), version
		for n := range 2 {
			p := dial(t, s, "internal")
			p.say("", "220 ", "STARTTLS", "220 ")
			p.startTLS(config)
			p.say("EHLO c", "250 ", "MAIL FROM:<a@firma.example>", "250 ", "QUIT", "221 ", "", "")
			if resumed := p.Conn.(*tls.Conn).ConnectionState().DidResume; resumed != (n == 1) {
				t.Errorf("%x: connection %d resumed: %v", version, n, resumed)
			}
		}
	}
}

// A client we did not write, with OpenSSL under it.
func TestClientCertificateOfSwaks(t *testing.T) {
	swaks := program(t, "swaks")
	ours := newAuthority(t)
	h := &sink{}
	s := serve(t, options(t, h, certified(ours)))
	for name, want := range map[string]string{"ex.firma.example": "250 2.0.0 queued as ", "ex.partner.example": "550 5.7.1 "} {
		cert := ours.issue(x509.Certificate{DNSNames: []string{name}})
		key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		for file, block := range map[string]*pem.Block{
			certFile: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
		} {
			if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := run(t, swaks, "--server", s.Addr("internal").String(), "--from", "a@firma.example", "--to", "x@partner.example",
			"--tls", "--tls-cert", certFile, "--tls-key", keyFile)
		if !strings.Contains(out, want) {
			t.Errorf("%s: %v: want %q in\n%s", name, err, want, out)
		}
	}
	if n := len(h.messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}
