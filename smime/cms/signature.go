package cms

import (
	"crypto"
	"fmt"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// scheme is a way of making signatures.
type scheme string

const (
	schemeRSA     scheme = "rsa"
	schemePSS     scheme = "rsapss"
	schemeECDSA   scheme = "ecdsa"
	schemeEd25519 scheme = "ed25519"
	schemeDSA     scheme = "dsa" // on receipt only, and weak
)

// signatureSpec is a scheme with everything its AlgorithmIdentifier says.
type signatureSpec struct {
	scheme scheme
	digest digestSpec
	salt   int // bytes, for PSS
}

// name is what [SignerResult] calls s.
func (s signatureSpec) name() string {
	if s.scheme == schemeEd25519 {
		return string(s.scheme)
	}
	return string(s.scheme) + "-" + s.digest.name
}

// signatureByOID returns the scheme of a signatureAlgorithm and the digest it names, if it names one.
func signatureByOID(oid string) (s scheme, digestOID string, ok bool) {
	switch oid {
	case oidRSA:
		return schemeRSA, "", true
	case oidMD5WithRSA:
		return schemeRSA, oidMD5, true
	case oidSHA1WithRSA:
		return schemeRSA, oidSHA1, true
	case oidSHA224WithRSA:
		return schemeRSA, oidSHA224, true
	case oidSHA256WithRSA:
		return schemeRSA, oidSHA256, true
	case oidSHA384WithRSA:
		return schemeRSA, oidSHA384, true
	case oidSHA512WithRSA:
		return schemeRSA, oidSHA512, true
	case oidPSS:
		return schemePSS, "", true
	}
	return signatureByOtherOID(oid)
}

// signatureByOtherOID is signatureByOID beyond RSA.
func signatureByOtherOID(oid string) (s scheme, digestOID string, ok bool) {
	switch oid {
	case oidECPublicKey: // QUIRK: some programs name the key instead of the signature
		return schemeECDSA, "", true
	case oidECDSAWithSHA1:
		return schemeECDSA, oidSHA1, true
	case oidECDSAWithSHA224:
		return schemeECDSA, oidSHA224, true
	case oidECDSAWithSHA256:
		return schemeECDSA, oidSHA256, true
	case oidECDSAWithSHA384:
		return schemeECDSA, oidSHA384, true
	case oidECDSAWithSHA512:
		return schemeECDSA, oidSHA512, true
	case oidEd25519:
		return schemeEd25519, "", true
	case oidDSA:
		return schemeDSA, "", true
	case oidDSAWithSHA1:
		return schemeDSA, oidSHA1, true
	case oidDSAWithSHA224:
		return schemeDSA, oidSHA224, true
	case oidDSAWithSHA256:
		return schemeDSA, oidSHA256, true
	}
	return "", "", false
}

// readSignature makes a signatureSpec of a signer info's digestAlgorithm and signatureAlgorithm. The digest
// the signature names, if it names one, must be the one of the attributes: no program signs otherwise,
// and two digests would be two ways to be fooled.
func readSignature(digest, signature algorithm) (signatureSpec, error) {
	s, named, ok := signatureByOID(signature.oid)
	if !ok {
		return signatureSpec{}, fmt.Errorf("%w: signature algorithm %s", ErrUnsupported, signature.oid)
	}
	d, ok := digestByOID(digest.oid)
	if !ok {
		return signatureSpec{}, fmt.Errorf("%w: digest algorithm %s", ErrUnsupported, digest.oid)
	}
	spec := signatureSpec{scheme: s, digest: d}
	if named != "" && named != digest.oid {
		return spec, malformed("the signature and the digest do not belong together")
	}
	if s == schemeEd25519 && d.hash != crypto.SHA512 { // RFC 8419, 2.3
		return spec, fmt.Errorf("%w: Ed25519 with %s", ErrUnsupported, d.name)
	}
	if s == schemePSS {
		return spec, spec.readPSS(signature.parameters)
	}
	if named == "" && s != schemeRSA && s != schemeEd25519 {
		return spec, nil // what names a kind of key may have the key's parameters
	}
	if !signature.plain() || !digest.plain() { // RFC 3370, 2 and 3; RFC 5754; RFC 8419, 2.2
		return spec, malformed("an algorithm has parameters that it should not have")
	}
	return spec, nil
}

// readPSS takes the parameters of RSASSA-PSS. Both digests must be the one of the attributes (RFC 4056, 3): for the
// content's the standard says so, for the mask's every program does so.
func (s *signatureSpec) readPSS(parameters []byte) error {
	p, err := x509x.ParsePSS(parameters)
	if err != nil {
		return malformed("RSASSA-PSS parameters cannot be read")
	}
	if p.Hash != s.digest.hash || p.MGFHash != s.digest.hash {
		return fmt.Errorf("%w: RSASSA-PSS with several digests", ErrUnsupported)
	}
	s.salt = p.SaltLength
	return nil
}
