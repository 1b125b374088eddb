package smtpin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// proof is what a client certificate has shown: a name, or why there is none.
type proof struct {
	name string // one of Certificates.Names
	err  error
}

// What a certificate can lack besides a chain.
var (
	errNoCertificate = errors.New("smtpin: the client has shown no certificate")
	errOtherName     = errors.New("smtpin: the client's certificate bears none of the names that are allowed")
)

// askCertificate asks clients for a certificate and lets go on who has none, or another: who may not send
// learns so from a reply rather than from a handshake that fails. The authorities are not listed, since
// some clients then choose none.
func askCertificate(c *tls.Config) *tls.Config {
	c = c.Clone()
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequestClientCert
	}
	if other := c.GetConfigForClient; other != nil { // what it puts in the place of c asks as well
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			config, err := other(hello)
			if config == nil || err != nil {
				return nil, err
			}
			return askCertificate(config), nil
		}
	}
	return c
}

// verify judges what the client has shown. It is asked at each handshake, a resumed one too.
func (c *Certificates) verify(state tls.ConnectionState, now time.Time) proof {
	switch {
	case c == nil:
		return proof{}
	case len(state.PeerCertificates) == 0:
		return proof{err: errNoCertificate}
	}
	leaf, between := state.PeerCertificates[0], x509.NewCertPool()
	for _, other := range state.PeerCertificates[1:] {
		between.AddCert(other)
	}
	// QUIRK: a certificate made for servers is taken from a client too, since mail servers show the only one
	// they have and public authorities no longer issue any for clients.
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.Roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return proof{err: err}
	}
	for _, want := range c.Names {
		for _, has := range leaf.DNSNames {
			if strings.EqualFold(want, has) {
				return proof{name: want}
			}
		}
	}
	return proof{err: errOtherName}
}

// refusal is the reply to MAIL without the proof. A certificate that is out of its time is soon renewed: mail
// waits for that. The same goes for TLS that was not begun, which clients do when TLS fails.
func (p proof) refusal(secured bool) error {
	var invalid x509.CertificateInvalidError
	switch {
	case !secured:
		return status.Say(nil, 530, "5.7.0", texts.DoorTLSCertificate, texts.Values{})
	case errors.As(p.err, &invalid) && invalid.Reason == x509.Expired:
		return status.Say(p.err, 454, "4.7.0", texts.DoorCertificateTime, texts.Values{})
	case errors.Is(p.err, errNoCertificate):
		return status.Say(p.err, 550, "5.7.1", texts.DoorCertificateNone, texts.Values{})
	}
	return status.Say(p.err, 550, "5.7.1", texts.DoorCertificateOther, texts.Values{})
}
