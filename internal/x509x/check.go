package x509x

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
)

// ErrSignature is returned for a signature that the key did not make, or must not make.
var ErrSignature = errors.New("x509x: the signature is not one of this key, or of a kind that is not known here")

// CheckSignatureFrom is c.CheckSignatureFrom(parent) that takes RSASSA-PSS with a salt of any length, as OpenSSL makes it
// where it is not told otherwise, and that holds a key for RSASSA-PSS to the parameters in its certificate.
func CheckSignatureFrom(c, parent *x509.Certificate) error {
	if c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		if parent.Version == 3 && !parent.BasicConstraintsValid || parent.BasicConstraintsValid && !parent.IsCA ||
			parent.KeyUsage != 0 && parent.KeyUsage&x509.KeyUsageCertSign == 0 { // as crypto/x509 has it
			return x509.ConstraintViolationError{}
		}
		return checkPSS(parent, c.Raw, c.RawTBSCertificate, c.Signature)
	}
	if err := c.CheckSignatureFrom(parent); err != nil {
		return err
	}
	return allowed(parent, c.Raw)
}

// CheckListSignatureFrom is the same for a list of revoked certificates.
func CheckListSignatureFrom(crl *x509.RevocationList, parent *x509.Certificate) error {
	if crl.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		if parent.Version == 3 && !parent.BasicConstraintsValid || parent.BasicConstraintsValid && !parent.IsCA ||
			parent.KeyUsage != 0 && parent.KeyUsage&x509.KeyUsageCRLSign == 0 {
			return x509.ConstraintViolationError{}
		}
		return checkPSS(parent, crl.Raw, crl.RawTBSRevocationList, crl.Signature)
	}
	if err := crl.CheckSignatureFrom(parent); err != nil {
		return err
	}
	return allowed(parent, crl.Raw)
}

// allowed reports whether the certificate of a key lets it make the signature on signed (RFC 4055, 1.2 and 3.3).
func allowed(parent *x509.Certificate, signed []byte) error {
	r, err := RestrictionOf(parent)
	if err != nil || !r.PSSOnly {
		return err
	}
	if p, ok := outerPSS(signed); !ok || !r.Allows(p) {
		return ErrSignature
	}
	return nil
}

// checkPSS verifies RSASSA-PSS with SHA-2. crypto/rsa has one hash for the text and the mask.
func checkPSS(parent *x509.Certificate, signed, tbs, signature []byte) error {
	key, isRSA := parent.PublicKey.(*rsa.PublicKey)
	p, isPSS := outerPSS(signed)
	if !isRSA || !isPSS || p.Hash != p.MGFHash {
		return ErrSignature
	}
	switch p.Hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return ErrSignature
	}
	h := p.Hash.New()
	h.Write(tbs)
	if rsa.VerifyPSS(key, p.Hash, h.Sum(nil), signature, &rsa.PSSOptions{SaltLength: p.SaltLength}) != nil {
		return ErrSignature
	}
	return allowed(parent, signed)
}
