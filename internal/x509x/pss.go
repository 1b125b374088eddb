package x509x

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func oidRSAPSS() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} }
func oidMGF1() asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8} }

// ErrPSS is returned for RSASSA-PSS parameters that are malformed or of a kind that is not known here.
var ErrPSS = errors.New("x509x: RSASSA-PSS parameters that are not known")

// PSS are the parameters of RSASSA-PSS (RFC 4055, 3.1).
type PSS struct {
	Hash, MGFHash crypto.Hash
	SaltLength    int // of a key: the least
}

// KeyRestriction is what the certificate of an RSA key lets it be used for.
type KeyRestriction struct {
	PSSOnly    bool // RSASSA-PSS signatures, and neither other signatures nor encryption (RFC 4055, 1.2)
	Parameters *PSS // those a signature must have; nil: any
}

// RestrictionOf tells how the certificate restricts its key; the zero value where it does not. The error is ErrPSS for
// parameters that cannot be read, and the key must then not be used.
func RestrictionOf(c *x509.Certificate) (KeyRestriction, error) {
	return restriction(c.RawSubjectPublicKeyInfo)
}

// Allows reports whether a key may make, or have made, a PSS signature with the parameters (RFC 4055, 3.3).
func (r KeyRestriction) Allows(p PSS) bool {
	want := r.Parameters
	return want == nil || want.Hash == p.Hash && want.MGFHash == p.MGFHash && p.SaltLength >= want.SaltLength
}

// SignaturePSS returns the parameters of the certificate's own signature, and whether it is an RSASSA-PSS one
// whose parameters are known. crypto/x509 verifies it only where both hashes are the same SHA-2 and the salt is as
// long as they; CheckSignatureFrom with any salt.
func SignaturePSS(c *x509.Certificate) (PSS, bool) { return outerPSS(c.Raw) }

// outerPSS is SignaturePSS for anything signed in the form of X.509.
func outerPSS(der []byte) (PSS, bool) {
	outer := cryptobyte.String(der)
	var cert, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	ok := outer.ReadASN1(&cert, cbasn1.SEQUENCE) && cert.SkipASN1(cbasn1.SEQUENCE) &&
		cert.ReadASN1(&algorithm, cbasn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidRSAPSS())
	if !ok {
		return PSS{}, false
	}
	p, err := ParsePSS(algorithm)
	return p, err == nil
}

func restriction(spki []byte) (KeyRestriction, error) {
	oid, parameters, _, ok := readSPKI(spki)
	if !ok || !oid.Equal(oidRSAPSS()) {
		return KeyRestriction{}, nil
	}
	r := KeyRestriction{PSSOnly: true}
	if len(parameters) == 0 {
		return r, nil
	}
	p, err := ParsePSS(parameters)
	r.Parameters = &p
	return r, err
}

// maxSalt bounds the length of a salt: more fits into no RSA key that is used.
const maxSalt = 4096

// ParsePSS reads RSASSA-PSS-params in DER, with the defaults where fields are absent. The mask generation
// function is MGF1. The error is ErrPSS.
func ParsePSS(der []byte) (PSS, error) {
	p := PSS{Hash: crypto.SHA1, MGFHash: crypto.SHA1, SaltLength: 20}
	input := cryptobyte.String(der)
	var params, hash, mgf cryptobyte.String
	var hasHash, hasMGF bool
	trailer := 1
	ok := input.ReadASN1(&params, cbasn1.SEQUENCE) && input.Empty() &&
		params.ReadOptionalASN1(&hash, &hasHash, context(0).Constructed()) &&
		params.ReadOptionalASN1(&mgf, &hasMGF, context(1).Constructed()) &&
		params.ReadOptionalASN1Integer(&p.SaltLength, context(2).Constructed(), 20) &&
		params.ReadOptionalASN1Integer(&trailer, context(3).Constructed(), 1) && params.Empty()
	if !ok || trailer != 1 || p.SaltLength < 0 || p.SaltLength > maxSalt {
		return PSS{}, ErrPSS
	}
	if hasHash {
		if p.Hash, ok = hashOf(hash); !ok {
			return PSS{}, ErrPSS
		}
	}
	if hasMGF {
		var oid asn1.ObjectIdentifier
		var inner cryptobyte.String
		if !mgf.ReadASN1(&inner, cbasn1.SEQUENCE) || !mgf.Empty() || !inner.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidMGF1()) {
			return PSS{}, ErrPSS
		}
		if p.MGFHash, ok = hashOf(inner); !ok {
			return PSS{}, ErrPSS
		}
	}
	return p, nil
}

// hashOf reads the AlgorithmIdentifier of a hash; its parameters are absent or NULL (RFC 4055, 2.1).
func hashOf(s cryptobyte.String) (crypto.Hash, bool) {
	var inner, null cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !s.Empty() || !inner.ReadASN1ObjectIdentifier(&oid) {
		return 0, false
	}
	if !inner.Empty() && (!inner.ReadASN1(&null, cbasn1.NULL) || !null.Empty() || !inner.Empty()) {
		return 0, false
	}
	hash, ok := map[string]crypto.Hash{
		"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.4": crypto.SHA224, "2.16.840.1.101.3.4.2.1": crypto.SHA256,
		"2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
	}[oid.String()]
	return hash, ok
}
