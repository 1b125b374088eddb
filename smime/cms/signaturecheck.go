package cms

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 old mail is signed with it: it is verified, never written, and always weak
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

const (
	minRSABits  = 1024 // crypto/rsa computes with no smaller key
	maxRSABits  = 8192 // of a key from a message: larger ones cost more time than any signer needs
	goodRSABits = 2048 // RFC 8551, 4.1 and 4.2
	goodECBits  = 250  // of a curve; P-224 is under it, as it is under TR-03116-4, 2.1
	maxDSABits  = 4096
	maxDSAGroup = 256 // bits of q (FIPS 186-4, 4.2)
)

// verify checks signature under the key of c. message is what was signed, of which digest is the hash; it is nil
// where only the digest is at hand.
func (s signatureSpec) verify(c *x509.Certificate, message, digest, signature []byte) error {
	ok := false
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if err := s.checkRSA(c, key); err != nil {
			return err
		}
		switch s.scheme {
		case schemeRSA:
			ok = rsa.VerifyPKCS1v15(key, s.digest.hash, digest, signature) == nil
		case schemePSS:
			ok = rsa.VerifyPSS(key, s.digest.hash, digest, signature, &rsa.PSSOptions{SaltLength: s.saltLength()}) == nil
		}
	case *ecdsa.PublicKey:
		ok = s.scheme == schemeECDSA && ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		if message == nil {
			return fmt.Errorf("%w: Ed25519 without signed attributes", ErrUnsupported)
		}
		ok = s.scheme == schemeEd25519 && ed25519.Verify(key, message, signature)
	case *dsa.PublicKey:
		if key.P.BitLen() > maxDSABits || key.Q.BitLen() > maxDSAGroup {
			return fmt.Errorf("%w: DSA key of %d and %d bits", ErrUnsupported, key.P.BitLen(), key.Q.BitLen())
		}
		ok = s.scheme == schemeDSA && verifyDSA(key, digest, signature)
	default:
		return fmt.Errorf("%w: the signer's kind of key", ErrUnsupported)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// checkRSA says why no signature of s under key is looked at.
func (s signatureSpec) checkRSA(c *x509.Certificate, key *rsa.PublicKey) error {
	if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
		return fmt.Errorf("%w: RSA key of %d bits", ErrUnsupported, n)
	}
	only, err := x509x.RestrictionOf(c)
	if err != nil {
		return fmt.Errorf("%w: the certificate restricts its key in an unknown way", ErrUnsupported)
	}
	used := x509x.PSS{Hash: s.digest.hash, MGFHash: s.digest.hash, SaltLength: s.salt}
	if only.PSSOnly && (s.scheme != schemePSS || !only.Allows(used)) { // RFC 4055, 1.2 and 3.3
		return fmt.Errorf("%w: the certificate does not allow its key this kind of signature", ErrSignature)
	}
	return nil
}

// saltLength is the salt in the form rsa.PSSOptions wants: 0 has another meaning there.
func (s signatureSpec) saltLength() int {
	if s.salt == 0 {
		return rsa.PSSSaltLengthAuto
	}
	return s.salt
}

// verifyDSA checks a Dss-Sig-Value (RFC 3279, 2.2.2). A digest longer than q is cut (FIPS 186-4, 4.7).
func verifyDSA(key *dsa.PublicKey, digest, signature []byte) bool {
	var body cryptobyte.String
	r, s := new(big.Int), new(big.Int)
	in := cryptobyte.String(signature)
	if !in.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1Integer(r) || !body.ReadASN1Integer(s) || !body.Empty() {
		return false
	}
	return dsa.Verify(key, digest[:min(len(digest), key.Q.BitLen()/8)], r, s)
}

// weak reports whether nobody should rely on a signature of this kind under this key.
func (s signatureSpec) weak(public crypto.PublicKey) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < goodRSABits {
			return true
		}
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize < goodECBits {
			return true
		}
	}
	return s.digest.weak || s.scheme == schemeDSA
}
