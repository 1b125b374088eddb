package configs

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// AdminTLS is the TLS of the pages under `admin.http`.
type AdminTLS struct {
	// The certificate and its chain, PEM. With it the pages are served by HTTPS alone. The files are looked at every ten seconds: a renewed
	// certificate needs no reload.
	Certificate Path `yaml:"certificate" example:"/etc/siegel/tls/admin.pem"`
	// The private key of the certificate, PEM. Where it is absent it is looked for in the certificate's file.
	Key Path `yaml:"key" example:"/etc/siegel/tls/admin.key"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"bsi-tr-02102-2"`
	// Certification authorities, PEM. Who shows no certificate of one of them, made for clients, is not let in; everybody who does may see all
	// pages, so name one that certifies nobody else. Where it is absent nobody is asked for a certificate.
	ClientCA Path `yaml:"client_ca" example:"/etc/siegel/tls/monitoring-ca.pem"`

	policy  tlspolicy.Profile
	pair    *tls.Certificate
	clients *x509.CertPool
}

// Enabled reports whether the pages are served by TLS.
func (t AdminTLS) Enabled() bool { return t.Certificate != "" }

// Policy returns the profile that its TLS is held to.
func (t AdminTLS) Policy() tlspolicy.Profile { return t.policy }

// Pair returns the certificate with its key as they were when the configuration was read, and false where there is none.
func (t AdminTLS) Pair() (tls.Certificate, bool) {
	if t.pair == nil {
		return tls.Certificate{}, false
	}
	return *t.pair, true
}

// Clients returns the authorities of client_ca as they were when the configuration was read; nil: nobody is asked for a certificate.
func (t AdminTLS) Clients() *x509.CertPool { return t.clients }
