package tcos

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/siegel-mail/siegel/smartcard"
)

// certificate reads the file of a certificate: in DER, or wrapped as an attribute: SEQUENCE { OBJECT IDENTIFIER, certificate }. nil where
// it holds none.
func certificate(file []byte) *x509.Certificate {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(file, &outer); err != nil || !sequence(outer) {
		return nil
	}
	if c, err := x509.ParseCertificate(outer.FullBytes); err == nil {
		return c
	}
	var name asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(outer.Bytes, &name)
	if err != nil {
		return nil
	}
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(rest, &inner); err != nil || !sequence(inner) {
		return nil
	}
	c, err := x509.ParseCertificate(inner.FullBytes)
	if err != nil {
		return nil
	}
	return c
}

func sequence(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagSequence && v.IsCompound
}

// operations is what a key can do of what its place allows: RSA keys of 1024 to 2048 bits are known to work, and keys on curves sign. How
// they agree on a secret is not known.
func operations(c *x509.Certificate, allowed smartcard.Operation) smartcard.Operation {
	switch public := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := public.N.BitLen(); n >= 1024 && n <= 2048 {
			return allowed
		}
	case *ecdsa.PublicKey:
		if allowed&smartcard.PadRSA != 0 {
			return smartcard.SignEC
		}
	}
	return 0
}

// signatureValue is a signature as an ECDSA-Sig-Value (RFC 3279, 2.2.3). Cards give it so, or r and s one after the other.
func signatureValue(c *x509.Certificate, out []byte) ([]byte, error) {
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: a signature by a curve with another key", smartcard.ErrAnswer)
	}
	if half := (public.Params().N.BitLen() + 7) / 8; len(out) == 2*half {
		r, s := new(big.Int).SetBytes(out[:half]), new(big.Int).SetBytes(out[half:])
		return asn1.Marshal(struct{ R, S *big.Int }{r, s})
	}
	return out, nil
}
