// Package x509x reads certificates and private keys of kinds that crypto/x509 refuses; it verifies nothing.
package x509x

import (
	"encoding/asn1"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrMalformed says that bytes are no certificate.
var ErrMalformed = errors.New("x509x: not a certificate")

// Info is what can be said of any certificate.
type Info struct {
	// Subject and Issuer are as in RFC 4514; a name that cannot be read is "(unreadable)". They are text
	// of a stranger, to be made safe before they are printed.
	Subject, Issuer       string
	RawSubject, RawIssuer []byte // DER
	Serial                *big.Int
	SubjectKeyID          []byte // nil where the certificate has none
	// KeyAlgorithm is the kind of the public key in words, "EC on brainpoolP256r1", or its object
	// identifier where that is not known here.
	KeyAlgorithm string
}

// Parse reads a DER certificate (RFC 5280, 4.1). It needs no more than the order of the fields to be
// right, keeps no reference to der and is safe to call at once. The error is ErrMalformed.
func Parse(der []byte) (Info, error) {
	var info Info
	var cert, tbs, spki cryptobyte.String
	input := cryptobyte.String(append([]byte(nil), der...))
	if !input.ReadASN1(&cert, cbasn1.SEQUENCE) || !input.Empty() || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return info, ErrMalformed
	}
	var issuer, subject cryptobyte.String
	info.Serial = new(big.Int)
	ok := tbs.SkipOptionalASN1(context(0).Constructed()) && // version
		tbs.ReadASN1Integer(info.Serial) &&
		tbs.SkipASN1(cbasn1.SEQUENCE) && // signature
		tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) &&
		tbs.SkipASN1(cbasn1.SEQUENCE) && // validity
		tbs.ReadASN1Element(&subject, cbasn1.SEQUENCE) &&
		tbs.ReadASN1(&spki, cbasn1.SEQUENCE)
	if !ok {
		return Info{}, ErrMalformed
	}
	info.RawIssuer, info.RawSubject = issuer, subject
	info.Issuer, info.Subject = Name(issuer), Name(subject)
	info.KeyAlgorithm = keyAlgorithm(spki)
	info.SubjectKeyID = subjectKeyID(tbs)
	return info, nil
}

func context(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// keyAlgorithm reads the algorithm of a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
func keyAlgorithm(spki cryptobyte.String) string {
	var algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !spki.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return "unreadable"
	}
	kind := word(oid)
	if kind != "EC" {
		return kind
	}
	var curve asn1.ObjectIdentifier
	if !algorithm.ReadASN1ObjectIdentifier(&curve) {
		return "EC on a curve of its own" // explicit parameters, RFC 5480, 2.1.1 forbids them
	}
	return "EC on " + word(curve)
}

// word is the name of an algorithm or curve, or its number.
func word(oid asn1.ObjectIdentifier) string {
	n := oid.String()
	names := map[string]string{
		"1.2.840.113549.1.1.1": "RSA", "1.2.840.113549.1.1.7": "RSAES-OAEP", "1.2.840.113549.1.1.10": "RSASSA-PSS",
		"1.2.840.10040.4.1": "DSA", "1.2.840.10046.2.1": "Diffie-Hellman", "1.2.840.10045.2.1": "EC",
		"1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.112": "Ed25519", "1.3.101.113": "Ed448",
		"1.2.840.10045.3.1.7": "P-256", "1.3.132.0.34": "P-384", "1.3.132.0.35": "P-521", "1.3.132.0.10": "secp256k1",
		"1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1", "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
		"2.16.840.1.101.3.4.3.17": "ML-DSA-44", "2.16.840.1.101.3.4.3.18": "ML-DSA-65", "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
		"2.16.840.1.101.3.4.4.1": "ML-KEM-512", "2.16.840.1.101.3.4.4.2": "ML-KEM-768", "2.16.840.1.101.3.4.4.3": "ML-KEM-1024",
	}
	if w, ok := names[n]; ok {
		return w
	}
	return n
}

// subjectKeyID looks for the extension (RFC 5280, 4.2.1.2) in what follows the public key.
func subjectKeyID(tbs cryptobyte.String) []byte {
	want := asn1.ObjectIdentifier{2, 5, 29, 14}
	var wrapped, list cryptobyte.String
	var present bool
	ok := tbs.SkipOptionalASN1(context(1)) && tbs.SkipOptionalASN1(context(2)) && // unique identifiers
		tbs.ReadOptionalASN1(&wrapped, &present, context(3).Constructed()) && present &&
		wrapped.ReadASN1(&list, cbasn1.SEQUENCE)
	for ok && !list.Empty() {
		var extension, value, id cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) {
			return nil
		}
		if !oid.Equal(want) {
			continue
		}
		if extension.SkipOptionalASN1(cbasn1.BOOLEAN) && extension.ReadASN1(&value, cbasn1.OCTET_STRING) &&
			value.ReadASN1(&id, cbasn1.OCTET_STRING) {
			return id
		}
		return nil
	}
	return nil
}
