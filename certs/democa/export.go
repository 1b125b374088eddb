package democa

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/siegel-mail/siegel/certs"
)

// CertificatePEM returns a certificate as PEM.
func CertificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// KeyPEM returns a private key as unencrypted PKCS#8 in PEM.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// PKCS12 returns the identity with its chain and, if any, more authorities' certificates, encrypted with
// AES-256 under the password.
func PKCS12(id certs.Identity, password string, more ...*x509.Certificate) ([]byte, error) {
	return pkcs12.Modern2023.Encode(id.Key, id.Certificate, slices.Concat(id.Chain, more), password)
}
