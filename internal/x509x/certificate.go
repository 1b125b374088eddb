package x509x

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ParseCertificate is x509.ParseCertificate for certificates of more kinds of keys: those on Brainpool
// curves, which crypto/x509 refuses, get an *ecdsa.PublicKey on the curve of package brainpool; RSASSA-PSS
// keys (RFC 4055, 1.2), which it leaves out, get an *rsa.PublicKey, and X25519 keys (RFC 8410) an
// *ecdh.PublicKey. Distribution points may bear names relative to an issuer's (RFC 5280, 4.2.1.13), which it refuses too.
// Everything else of the certificate is read by crypto/x509 and held to its rules; the
// error is its own where it refuses the certificate for another reason. Curves are named: one with
// parameters of its own is refused (RFC 5480, 2.1.1).
//
// The certificate is fit for x509.Certificate.Verify and CheckSignatureFrom, as leaf and as issuer. Those do not know that a
// PSS key may make no other signatures: RestrictionOf tells.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := parseKeys(der)
	if err != nil {
		if c, ok := parseRelative(der); ok {
			return c, nil
		}
	}
	return c, err
}

// parseKeys reads a certificate with whatever kind of key.
func parseKeys(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err == nil && c.PublicKey != nil {
		return c, nil
	}
	if err == nil {
		keyLeftOut(c)
		return c, nil
	}
	if fips140.Enforced() { // crypto/ecdsa panics there on these curves
		return nil, err
	}
	p, ok := takeApart(bytes.Clone(der))
	if !ok {
		return nil, err
	}
	key, ok := brainpoolKey(p.spki)
	if !ok {
		return nil, err
	}
	if c, err = x509.ParseCertificate(p.withKey(stand())); err != nil {
		return nil, err
	}
	c.Raw, c.RawTBSCertificate, c.RawSubjectPublicKeyInfo = p.whole, p.tbs, p.spki
	c.PublicKey, c.PublicKeyAlgorithm = key, x509.ECDSA
	return c, nil
}

// keyLeftOut gives c the key that crypto/x509 does not read. It stays nil where it cannot be read here.
func keyLeftOut(c *x509.Certificate) {
	oid, _, bits, ok := readSPKI(c.RawSubjectPublicKeyInfo)
	switch {
	case !ok:
	case oid.Equal(oidRSAPSS()):
		key, err := x509.ParsePKCS1PublicKey(bits)
		if _, paramsErr := restriction(c.RawSubjectPublicKeyInfo); err == nil && paramsErr == nil {
			c.PublicKey, c.PublicKeyAlgorithm = key, x509.RSA
		}
	default:
		if key, err := x509.ParsePKIXPublicKey(c.RawSubjectPublicKeyInfo); err == nil {
			if agreement, ok := key.(*ecdh.PublicKey); ok {
				c.PublicKey = agreement
			}
		}
	}
}

// MarshalPublicKey is x509.MarshalPKIXPublicKey that knows the Brainpool curves too. Keys are the same
// where their encodings are; whether an RSA key is for PSS only is not part of it.
func MarshalPublicKey(key crypto.PublicKey) ([]byte, error) {
	if der, ok := marshalBrainpool(key); ok {
		return der, nil
	}
	return x509.MarshalPKIXPublicKey(key)
}

// parts of a certificate. The slices are elements with their headers and share one array.
type parts struct {
	whole, tbs, spki []byte
	before, after    []byte // what stands in tbs around spki
	end              []byte // what follows tbs
}

func takeApart(der []byte) (parts, bool) {
	p := parts{whole: der}
	input := cryptobyte.String(der)
	var cert, tbs, inner, spki cryptobyte.String
	if !input.ReadASN1(&cert, cbasn1.SEQUENCE) || !input.Empty() || !cert.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return p, false
	}
	p.tbs, p.end = tbs, cert
	if !tbs.ReadASN1(&inner, cbasn1.SEQUENCE) {
		return p, false
	}
	rest := inner
	ok := rest.SkipOptionalASN1(context(0).Constructed()) && // version
		rest.SkipASN1(cbasn1.INTEGER) && rest.SkipASN1(cbasn1.SEQUENCE) && // serial number, signature
		rest.SkipASN1(cbasn1.SEQUENCE) && rest.SkipASN1(cbasn1.SEQUENCE) && rest.SkipASN1(cbasn1.SEQUENCE) // names, validity
	p.before = inner[:len(inner)-len(rest)]
	ok = ok && rest.ReadASN1Element(&spki, cbasn1.SEQUENCE)
	p.spki, p.after = spki, rest
	return p, ok
}

// withKey is the certificate with another key; its signature is then one of something else.
func (p parts) withKey(spki []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(p.before)
			b.AddBytes(spki)
			b.AddBytes(p.after)
		})
		b.AddBytes(p.end)
	})
	return b.BytesOrPanic()
}

// stand is the key that stands in while crypto/x509 reads the rest: the base point of P-256 (FIPS 186-4, D.1.2.3), which
// nobody is ever given.
func stand() []byte {
	der, err := hex.DecodeString("3059301306072a8648ce3d020106082a8648ce3d030107034200" +
		"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
	if err != nil {
		panic(err) // a constant
	}
	return der
}

// readSPKI takes a SubjectPublicKeyInfo apart (RFC 5280, 4.1.2.7): parameters is empty where they are absent.
func readSPKI(der []byte) (oid asn1.ObjectIdentifier, parameters, bits []byte, ok bool) {
	input := cryptobyte.String(der)
	var spki, algorithm cryptobyte.String
	ok = input.ReadASN1(&spki, cbasn1.SEQUENCE) && input.Empty() &&
		spki.ReadASN1(&algorithm, cbasn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&oid) &&
		spki.ReadASN1BitStringAsBytes(&bits) && spki.Empty()
	return oid, algorithm, bits, ok
}
