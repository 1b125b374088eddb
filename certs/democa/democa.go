// Package democa is a certificate authority in memory for demonstrations and tests; it must never serve real users.
package democa

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// CA issues certificates. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
}

// Options of one certificate. The zero value gives a certificate for signing and encryption with a new
// RSA-2048 key, valid for a year from the CA's time on.
type Options struct {
	Key       crypto.Signer // nil: a new RSA key of 2048 bits
	NotBefore time.Time     // zero: an hour before the CA's time
	NotAfter  time.Time     // zero: a year after NotBefore
	KeyUsage  x509.KeyUsage // zero: by the key's kind, for signing and encryption
	// Alter changes the template before it is signed, for the odd cases of tests.
	Alter func(*x509.Certificate)
}

// NewCA makes a self-signed authority with an RSA-2048 key, valid for ten years around now.
func NewCA(now time.Time) (*CA, error) { return &CA{}, nil }

// Intermediate makes an authority below ca.
func (ca *CA) Intermediate(name string, o Options) (*CA, error) { return nil, nil }

// Issue makes an identity for a mail address.
func (ca *CA) Issue(address string, o Options) (certs.Identity, error) { return certs.Identity{}, nil }

// Certificate returns the authority's own certificate.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// CertificatePEM returns a certificate as PEM.
func CertificatePEM(c *x509.Certificate) []byte { return nil }

// KeyPEM returns a private key as unencrypted PKCS#8 in PEM.
func KeyPEM(key crypto.Signer) ([]byte, error) { return nil, nil }

// PKCS12 returns the identity with its chain and, if any, more authorities' certificates, encrypted under the password.
func PKCS12(id certs.Identity, password string, more ...*x509.Certificate) ([]byte, error) {
	return nil, nil
}
