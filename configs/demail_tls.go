package configs

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// DeMailTLS is the TLS of one account.
type DeMailTLS struct {
	// The profile that it is held to. Where it is absent: `tls.default`. `de-mail-legacy` is for providers that have stayed with TLS 1.2 and
	// cipher suites of that time.
	Profile string `yaml:"profile" example:"de-mail-legacy"`
	// The certification authorities that are believed for the provider's server, PEM. An account has either these, `pins`, or `public_roots`.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/provider-ca.pem"`
	// What is believed in place of authorities and names: `key:sha256:HASH` for the server's public key, `cert:sha256:HASH` for its
	// certificate. With more than one, one of them.
	Pins []string `yaml:"pins" example:"[\"key:sha256:6f1c...\"]"`
	// Whether the authorities that the machine believes are believed for the provider, too: then anyone to whom one of them gives a
	// certificate for its name can take its place.
	PublicRoots bool `yaml:"public_roots" default:"false"`
	// The certificate, with its chain, that the gateway shows the provider, PEM.
	ClientCertificate Path `yaml:"client_certificate" example:"/etc/siegel/tls/de-mail.pem"`
	// The private key of the certificate: a PEM file; `card:NAME` for that of an entry of `smartcards`, a card or a token, and then
	// `client_certificate` may be absent, and the card's certificate is shown; or `vault:NAME:KEY` for that of an entry of `vault`. Where it is absent it
	// is looked for in the certificate's file.
	ClientKey KeyFile `yaml:"client_key" example:"\"card:de-mail\""`

	roots  *x509.CertPool
	pins   tlspolicy.Pins
	policy tlspolicy.Profile
	pair   *tls.Certificate
	card   *CardKey
	vault  *VaultKey
}

// Policy returns the profile that the connection is held to.
func (t DeMailTLS) Policy() tlspolicy.Profile { return t.policy }

// Roots returns the authorities of ca as they were when the configuration was read; nil stands for those of the machine, and counts only
// with public_roots.
func (t DeMailTLS) Roots() *x509.CertPool { return t.roots }

// Pinned returns the pins; nil: there are none.
func (t DeMailTLS) Pinned() tlspolicy.Pins { return t.pins }

// Pair returns the client certificate with a key that lies in a file, as they were when the configuration was read.
func (t DeMailTLS) Pair() (tls.Certificate, bool) {
	if t.pair == nil {
		return tls.Certificate{}, false
	}
	return *t.pair, true
}

// Card returns the key on a card or token that the gateway shows itself by.
func (t DeMailTLS) Card() (CardKey, bool) {
	if t.card == nil {
		return CardKey{}, false
	}
	return *t.card, true
}

// Vault returns the key in a vault that the gateway shows itself by.
func (t DeMailTLS) Vault() (VaultKey, bool) {
	if t.vault == nil {
		return VaultKey{}, false
	}
	return *t.vault, true
}

// VaultKey is a key in a vault that a client shows itself by.
type VaultKey struct {
	Reference vault.KeyReference
	Chain     []*x509.Certificate // the certificate and those above it
}
