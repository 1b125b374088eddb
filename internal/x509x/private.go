package x509x

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrPrivateKey is returned for bytes that are no private key of a kind known here.
var ErrPrivateKey = errors.New("x509x: not a private key of a known kind")

// ParsePrivateKey reads an unencrypted private key in DER: PKCS#8 (RFC 5958), PKCS#1 or SEC 1 (RFC 5915), of
// the kinds that crypto/x509 knows and, beyond it, RSASSA-PSS keys as *rsa.PrivateKey and keys on named
// Brainpool curves as *ecdsa.PrivateKey. What is done with the latter is not in constant time: see Brainpool.
// The error is that of crypto/x509, or ErrPrivateKey.
func ParsePrivateKey(der []byte) (crypto.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return key, nil
	}
	if key, ok := privateKeyInfo(der); ok {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, ok := ecPrivateKey(der, nil); ok {
		return key, nil
	}
	if isPrivateKey(der) {
		return nil, err
	}
	return nil, ErrPrivateKey
}

// isPrivateKey reports whether der begins as PrivateKeyInfo does.
func isPrivateKey(der []byte) bool {
	input := cryptobyte.String(der)
	var info cryptobyte.String
	return input.ReadASN1(&info, cbasn1.SEQUENCE) && info.SkipASN1(cbasn1.INTEGER) && info.SkipASN1(cbasn1.SEQUENCE) && info.PeekASN1Tag(cbasn1.OCTET_STRING)
}

// privateKeyInfo reads a PrivateKeyInfo (RFC 5958, 2) of the kinds crypto/x509 refuses.
func privateKeyInfo(der []byte) (crypto.PrivateKey, bool) {
	input := cryptobyte.String(der)
	var info, algorithm, octets cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	ok := input.ReadASN1(&info, cbasn1.SEQUENCE) && input.Empty() && info.ReadASN1Integer(&version) && version <= 1 &&
		info.ReadASN1(&algorithm, cbasn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&oid) && info.ReadASN1(&octets, cbasn1.OCTET_STRING)
	switch {
	case !ok:
		return nil, false
	case oid.Equal(oidRSAPSS()):
		key, err := x509.ParsePKCS1PrivateKey(octets)
		return key, err == nil
	case oid.Equal(oidEC()):
		if c := namedCurve(algorithm); c != nil {
			key, ok := ecPrivateKey(octets, c)
			return key, ok
		}
	}
	return nil, false
}

// ecPrivateKey reads an ECPrivateKey (RFC 5915, 3), on the curve it names or, where it names none, on c. A
// public key beside it is not believed but computed.
func ecPrivateKey(der []byte, c elliptic.Curve) (*ecdsa.PrivateKey, bool) {
	input := cryptobyte.String(der)
	var key, secret, parameters cryptobyte.String
	var version int
	var named bool
	ok := input.ReadASN1(&key, cbasn1.SEQUENCE) && input.Empty() && key.ReadASN1Integer(&version) && version == 1 &&
		key.ReadASN1(&secret, cbasn1.OCTET_STRING) && key.ReadOptionalASN1(&parameters, &named, context(0).Constructed())
	if !ok || fips140.Enforced() {
		return nil, false
	}
	if named {
		own := namedCurve(parameters)
		if c != nil && own != c {
			return nil, false
		}
		c = own
	}
	if c == nil {
		return nil, false
	}
	return brainpoolPrivate(c, secret)
}
