package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/x509"
	"math/big"
	"sync"

	"github.com/siegel-mail/siegel/internal/x509x"
	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// agreeing are the parties whose keys are neither signing keys nor of crypto/x509, made once for all tests.
var agreeing = sync.OnceValue(func() map[string]party {
	made := map[string]party{}
	for _, name := range []string{"bp256", "bp384", "bp512", "x25519", "x25519b"} {
		switch key := testKeys()[name].(type) {
		case *ecdsa.PrivateKey:
			made[name] = withKey(name, &key.PublicKey, key)
		case *ecdh.PrivateKey:
			made[name] = withKey(name, key.PublicKey(), key)
		}
	}
	return made
})

// withKey is a party whose certificate was signed by nobody.
func withKey(name string, public crypto.PublicKey, private crypto.PrivateKey) party {
	spki, err := x509x.MarshalPublicKey(public)
	if err != nil {
		panic(err)
	}
	return party{name: name, cert: exchange(parties()["p256"].cert, name, spki), own: private}
}

// exchange is c with a serial number and a key of its own.
func exchange(c *x509.Certificate, name string, spki []byte) *x509.Certificate {
	s := cryptobyte.String(c.Raw)
	var body, tbs, version, issuer, validity, subject, rest cryptobyte.String
	var serial big.Int
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !body.ReadASN1(&tbs, cryptobyte_asn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&version, contextTag(0)) || !tbs.ReadASN1Integer(&serial) || !tbs.ReadASN1Element(&rest, cryptobyte_asn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&issuer, cryptobyte_asn1.SEQUENCE) || !tbs.ReadASN1Element(&validity, cryptobyte_asn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&subject, cryptobyte_asn1.SEQUENCE) || !tbs.SkipASN1(cryptobyte_asn1.SEQUENCE) {
		panic("not a certificate")
	}
	own := new(big.Int).SetBytes([]byte(name))
	der := sequence(sequence(version, integer(own), rest, issuer, validity, subject, spki, tbs), body)
	id := sha1.Sum([]byte(name))
	cert, err := x509x.ParseCertificate(bytes.Replace(der, c.SubjectKeyId, id[:], 1))
	if err != nil {
		panic(err)
	}
	return cert
}

// marshalPrivateKey is x509.MarshalPKCS8PrivateKey that knows Brainpool (RFC 5958, RFC 5915).
func marshalPrivateKey(key crypto.PrivateKey) ([]byte, error) {
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !x509x.Brainpool(ec.Curve) {
		return x509.MarshalPKCS8PrivateKey(key)
	}
	spki, err := x509x.MarshalPublicKey(&ec.PublicKey)
	if err != nil {
		return nil, err
	}
	how := keyAlgorithm(&x509.Certificate{RawSubjectPublicKeyInfo: spki})
	//lint:ignore SA1019 the curve is none of the standard library's
	secret := ec.D.FillBytes(make([]byte, fieldSize(ec.Curve)))
	return sequence(smallInteger(0), how.encode(), octetString(sequence(smallInteger(1), octetString(secret),
		tlv(tagContextCons|1, bitString(x509x.MarshalPoint(&ec.PublicKey)))))), nil
}
