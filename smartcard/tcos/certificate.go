package tcos

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"

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

// operations is what a key can do of what its place allows: RSA keys of 1024 to 2048 bits are known to work.
func operations(c *x509.Certificate, allowed smartcard.Operation) smartcard.Operation {
	public, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < 1024 || public.N.BitLen() > 2048 {
		return 0
	}
	return allowed
}
