package configs

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// TLSMode is how a listener does TLS.
type TLSMode string

// The modes of a listener.
const (
	TLSNone     TLSMode = "none"
	TLSStartTLS TLSMode = "starttls" // RFC 3207
	TLSImplicit TLSMode = "implicit" // RFC 8314, 3.3
)

// ListenerTLS is the TLS of one listener.
type ListenerTLS struct {
	// `none`, `starttls`, or `implicit` (TLS from the first byte). Where it is absent: `starttls` with a
	// certificate, `none` without one.
	Mode TLSMode `yaml:"mode" oneof:"none starttls implicit"`
	// The certificate and its chain, PEM. The files are looked at every ten seconds: a renewed certificate needs no reload.
	Certificate Path `yaml:"certificate" example:"/etc/siegel/tls/mail.pem"`
	// The private key of the certificate, PEM. Where it is absent it is looked for in the certificate's file.
	Key Path `yaml:"key" example:"/etc/siegel/tls/mail.key"`
	// Further certificates. A client gets the first, beginning with that of `certificate`, that bears the name which it asks for
	// (SNI) and has a key of a kind that it takes; where none does, the first whose key it takes.
	Certificates []ListenerCertificate `yaml:"certificates"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"bsi-tr-03108"`
	// Whether mail without TLS is refused. A submission listener always refuses it.
	Required bool `yaml:"required" default:"false"`
	// The names of which a client's certificate must bear one, as a DNS name among its subject alternative
	// names, before mail is taken: one condition more, besides `networks` and passwords. `"*.partner.example"`
	// is met by that very text in the certificate and by nothing else. An internal listener that has them may
	// do without `networks`.
	ClientNames []string `yaml:"client_names" example:"[exchange.firma.example]"`
	// The certification authorities believed for `client_names`, PEM. Where it is absent: those of the machine.
	ClientCA Path `yaml:"client_ca" example:"/etc/siegel/tls/clients-ca.pem"`

	pairs       []ListenerPair
	policy      tlspolicy.Profile
	clientRoots *x509.CertPool
}

// ClientRoots returns the authorities of client_ca as they were when the configuration was read; nil stands
// for those of the machine.
func (t ListenerTLS) ClientRoots() *x509.CertPool { return t.clientRoots }

// ListenerCertificate is one more certificate of a listener.
type ListenerCertificate struct {
	// The certificate and its chain, PEM.
	Certificate Path `yaml:"certificate" required:"yes" example:"/etc/siegel/tls/tochter.pem"`
	// The private key of the certificate, PEM. Where it is absent it is looked for in the certificate's file.
	Key Path `yaml:"key" example:"/etc/siegel/tls/tochter.key"`
}

// ListenerPair is a certificate with its key as they were when the configuration was read, and their files.
type ListenerPair struct {
	tls.Certificate
	CertificateFile, KeyFile string
}

// Policy returns the profile that its TLS is held to.
func (t ListenerTLS) Policy() tlspolicy.Profile { return t.policy }

// Pairs returns the certificates of the listener, that of certificate first; none where it has no TLS.
func (t ListenerTLS) Pairs() []ListenerPair { return t.pairs }
