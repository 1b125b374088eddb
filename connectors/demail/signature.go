package demail

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Algorithm is how a digest is signed (3.4, 3.1.21).
type Algorithm string

// The algorithms, as X-de-mail-integrity names them.
const (
	Unsigned Algorithm = ""           // the digest itself stands there: it proves nothing against somebody who can write a header
	RSA      Algorithm = "rsa"        // RSASSA-PKCS1-v1_5 (RFC 5754, 3.2)
	ECDSA    Algorithm = "ec-dsa"     // with a DER value (RFC 5754, 3.3; RFC 3279, 2.2.3)
	PSS      Algorithm = "rsassa-pss" // RSASSA-PSS (RFC 4056) with MGF1 by the same hash
)

// Sizes of keys, in bits. Smaller ones are too weak, larger ones keep the machine busy.
const (
	minRSA = 2048
	maxRSA = 8192
	minEC  = 224 // below every curve that is known here
)

// maxCertificate bounds a certificate in DER.
const maxCertificate = 16 << 10

var (
	errNotSigned = errors.New("the signature does not fit: the message was changed, or another key made it")
	errKeyKind   = errors.New("the certificate's key does not make such signatures")
)

// parseBase64 reads base64 with blanks in it, as folding leaves them.
func parseBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s)
	if len(s) > base64.StdEncoding.EncodedLen(maxCertificate) {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrLimit, maxCertificate)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, errors.New("not base64")
	}
	return b, nil
}

// parseCertificate reads the one certificate that a signature is verified with.
func parseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := x509x.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("the certificate cannot be read")
	}
	return c, nil
}

// verify checks a signature of a digest by the key of a certificate, which it does not judge.
func verify(c *x509.Certificate, how Algorithm, hash crypto.Hash, digest, signature []byte) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return verifyRSA(c, key, how, hash, digest, signature)
	case *ecdsa.PublicKey:
		if how != ECDSA {
			return errKeyKind
		}
		if key.Curve.Params().BitSize < minEC {
			return errors.New("the certificate's key is too small")
		}
		if !ecdsa.VerifyASN1(key, digest, signature) {
			return errNotSigned
		}
		return nil
	}
	return errKeyKind
}

func verifyRSA(c *x509.Certificate, key *rsa.PublicKey, how Algorithm, hash crypto.Hash, digest, signature []byte) error {
	if n := key.N.BitLen(); n < minRSA || n > maxRSA {
		return fmt.Errorf("the certificate's key has %d bits, not %d to %d", n, minRSA, maxRSA)
	}
	restriction, err := x509x.RestrictionOf(c)
	if err != nil {
		return errKeyKind
	}
	switch how {
	case RSA:
		if restriction.PSSOnly {
			return errKeyKind
		}
		err = rsa.VerifyPKCS1v15(key, hash, digest, signature)
	case PSS:
		// The field does not say how long the salt is. RFC 4056, 3 wants it as long as the hash, and OpenSSL makes it longer if not told.
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: hash}
		if restriction.Parameters != nil {
			if !restriction.Allows(x509x.PSS{Hash: hash, MGFHash: hash, SaltLength: hash.Size()}) {
				return errKeyKind
			}
			options.SaltLength = hash.Size()
		}
		err = rsa.VerifyPSS(key, hash, digest, signature, options)
	default:
		return errKeyKind
	}
	if err != nil {
		return errNotSigned
	}
	return nil
}

// sign makes what verify checks.
func sign(key crypto.Signer, how Algorithm, hash crypto.Hash, digest []byte) ([]byte, error) {
	var options crypto.SignerOpts = hash
	fits := false
	switch key.Public().(type) {
	case *rsa.PublicKey:
		fits = how == RSA || how == PSS
		if how == PSS {
			options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
	case *ecdsa.PublicKey:
		fits = how == ECDSA
	}
	if !fits {
		return nil, fmt.Errorf("%w: %T by %q", ErrKey, key.Public(), how)
	}
	return key.Sign(rand.Reader, digest, options)
}
