package bundle

import (
	"crypto"
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Public is the public half of a private key; nil where it has none.
func Public(key crypto.PrivateKey) crypto.PublicKey {
	if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return k.Public()
	}
	return nil
}

// Identity joins a certificate and its private key.
func Identity(c *x509.Certificate, chain []*x509.Certificate, private crypto.PrivateKey) certs.Identity {
	id := certs.Identity{Certificate: c, Chain: chain}
	if signer, ok := private.(crypto.Signer); ok {
		id.Key = signer
	} else {
		id.Agreement = private
	}
	return id
}

// KeyID is the encoding in which public keys compare; empty for a kind that has none.
func KeyID(key crypto.PublicKey) string {
	der, err := x509x.MarshalPublicKey(key)
	if err != nil {
		return ""
	}
	return string(der)
}
