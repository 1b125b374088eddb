package certs

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// purposeFaults checks the key usage (RFC 8550, 4.4.2) and the extended key usage (4.4.4) of a leaf.
func purposeFaults(c *x509.Certificate, p Purpose) []Fault {
	var found []Fault
	fault := func(check Check, what, advice string) {
		found = append(found, flaw(StatusPurpose, c, check, what, advice))
	}
	if !mailUsage(c) {
		fault(CheckExtKeyUsage, "is not for mail: its extended key usage lacks emailProtection", "ask the issuer for a certificate for mail")
	}
	switch p {
	case Any:
	case Sign:
		if !allows(c, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) {
			fault(CheckKeyUsage, "is not for signing: its key usage has neither digitalSignature nor nonRepudiation", "use the owner's certificate for signing")
		}
	case Encrypt:
		const other = "use the owner's certificate for encryption"
		usage, name := encryptionUsage(c)
		switch {
		case usage == 0:
			fault(CheckKeyUsage, "cannot be encrypted to: its key is of a kind that only signs or is not known here", other)
		case !allows(c, usage):
			fault(CheckKeyUsage, "is not for encryption: its key usage lacks "+name, other)
		}
	default:
		fault(CheckKeyUsage, "was asked for an unknown purpose", "ask for sign, encrypt or any")
	}
	return found
}

// ForEncryption reports whether a certificate, by its kind of key and what that may be used for, can be encrypted to; not whether it is valid.
func ForEncryption(c *x509.Certificate) bool { return len(purposeFaults(c, Encrypt)) == 0 }

// mailUsage reports whether the extended key usage lets c be used for mail; an absent one does.
func mailUsage(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// allows reports whether the key usage has one of the bits; an absent extension allows everything.
func allows(c *x509.Certificate, bits x509.KeyUsage) bool {
	keyUsage := asn1.ObjectIdentifier{2, 5, 29, 15}
	for _, e := range c.Extensions {
		if e.Id.Equal(keyUsage) {
			return c.KeyUsage&bits != 0
		}
	}
	return true
}

// encryptionUsage is the key usage by which a key of its kind is encrypted to; 0 where it cannot be.
func encryptionUsage(c *x509.Certificate) (x509.KeyUsage, string) {
	key := c.PublicKey
	if key == nil { // X25519, which crypto/x509 leaves out of certificates
		key, _ = x509.ParsePKIXPublicKey(c.RawSubjectPublicKeyInfo)
	}
	switch key.(type) {
	case *rsa.PublicKey:
		if r, err := x509x.RestrictionOf(c); err != nil || r.PSSOnly { // RFC 4055, 1.2
			return 0, ""
		}
		return x509.KeyUsageKeyEncipherment, "keyEncipherment"
	case *ecdsa.PublicKey, *ecdh.PublicKey:
		return x509.KeyUsageKeyAgreement, "keyAgreement"
	}
	return 0, ""
}
