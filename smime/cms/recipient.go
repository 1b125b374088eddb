package cms

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Recipient is someone to encrypt for. The key in the certificate decides how the content key travels: an RSA
// key has it encrypted (RFC 5652, 6.2.1), a key on an elliptic curve agrees on a key to wrap it with
// (RFC 5652, 6.2.2; RFC 5753; RFC 8418).
type Recipient struct {
	Certificate *x509.Certificate
	OAEP        *OAEPOptions // nil: PKCS #1 v1.5. It means RSA keys only
}

// oaep are the parameters of RSAES-OAEP for r, nil where it is PKCS #1 v1.5. A certificate may have its key for OAEP
// alone, with parameters of its own (RFC 4055, 4.1).
func (r Recipient) oaep() (*rsa.OAEPOptions, error) {
	key := keyAlgorithm(r.Certificate)
	if key.oid != oidOAEP {
		if r.OAEP == nil {
			return nil, nil
		}
		return r.OAEP.withDefaults()
	}
	if len(key.parameters) == 0 {
		if r.OAEP == nil {
			r.OAEP = &OAEPOptions{}
		}
		return r.OAEP.withDefaults()
	}
	own, ok := readOAEP(key.parameters)
	if !ok {
		return nil, fmt.Errorf("%w: the parameters for the key of %s", ErrUnsupported, r.Certificate.Subject)
	}
	if r.OAEP != nil {
		asked, err := r.OAEP.withDefaults()
		if err != nil || !encodeOAEP(asked).same(encodeOAEP(own)) {
			return nil, fmt.Errorf("%w: the key of %s is for other parameters of RSAES-OAEP", ErrUnsupported, r.Certificate.Subject)
		}
	}
	return own, nil
}

// keyAlgorithm is the algorithm in the SubjectPublicKeyInfo of c (RFC 5280, 4.1), empty where that cannot be read.
func keyAlgorithm(c *x509.Certificate) algorithm {
	a, _, _ := readPublicKeyInfo(c)
	return a
}

func readPublicKeyInfo(c *x509.Certificate) (a algorithm, bits []byte, ok bool) {
	s := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !readAlgorithm(&body, &a) || !body.ReadASN1BitStringAsBytes(&bits) {
		return algorithm{}, nil, false
	}
	return a, bits, true
}

// rsaKey is the RSA key of c that encrypts, nil where it has none: a key for RSASSA-PSS does not (RFC 4055, 1.2).
// crypto/x509 does not read one for RSAES-OAEP.
func rsaKey(c *x509.Certificate) *rsa.PublicKey {
	a, bits, _ := readPublicKeyInfo(c)
	switch a.oid {
	case oidPSS:
		return nil
	case oidOAEP:
		key, err := x509.ParsePKCS1PublicKey(bits)
		if err != nil {
			return nil
		}
		return key
	}
	key, _ := c.PublicKey.(*rsa.PublicKey)
	return key
}
