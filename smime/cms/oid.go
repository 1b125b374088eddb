package cms

import (
	"encoding/asn1"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers, in the dotted form in which this package compares them.
const (
	// Content types: RFC 5652, 4 to 6; RFC 5083, 2; RFC 3274.
	oidData              = "1.2.840.113549.1.7.1"
	oidSignedData        = "1.2.840.113549.1.7.2"
	oidEnvelopedData     = "1.2.840.113549.1.7.3"
	oidAuthEnvelopedData = "1.2.840.113549.1.9.16.1.23"
	oidCompressedData    = "1.2.840.113549.1.9.16.1.9"
	oidZlib              = "1.2.840.113549.1.9.16.3.8"

	// Attributes: RFC 5652, 11; RFC 8551, 2.5; RFC 5035; RFC 6211.
	oidContentType          = "1.2.840.113549.1.9.3"
	oidMessageDigest        = "1.2.840.113549.1.9.4"
	oidSigningTime          = "1.2.840.113549.1.9.5"
	oidCapabilities         = "1.2.840.113549.1.9.15"
	oidEncryptionKey        = "1.2.840.113549.1.9.16.2.11"
	oidSigningCertificate   = "1.2.840.113549.1.9.16.2.12"
	oidSigningCertificateV2 = "1.2.840.113549.1.9.16.2.47"
	oidAlgorithmProtection  = "1.2.840.113549.1.9.52"

	// Digests: RFC 3370, RFC 5754.
	oidMD5    = "1.2.840.113549.2.5"
	oidSHA1   = "1.3.14.3.2.26"
	oidSHA224 = "2.16.840.1.101.3.4.2.4"
	oidSHA256 = "2.16.840.1.101.3.4.2.1"
	oidSHA384 = "2.16.840.1.101.3.4.2.2"
	oidSHA512 = "2.16.840.1.101.3.4.2.3"

	// Signatures: RFC 3370, RFC 5754, RFC 4056, RFC 5753, RFC 8419.
	oidRSA             = "1.2.840.113549.1.1.1"
	oidMD5WithRSA      = "1.2.840.113549.1.1.4"
	oidSHA1WithRSA     = "1.2.840.113549.1.1.5"
	oidSHA224WithRSA   = "1.2.840.113549.1.1.14"
	oidSHA256WithRSA   = "1.2.840.113549.1.1.11"
	oidSHA384WithRSA   = "1.2.840.113549.1.1.12"
	oidSHA512WithRSA   = "1.2.840.113549.1.1.13"
	oidPSS             = "1.2.840.113549.1.1.10"
	oidECPublicKey     = "1.2.840.10045.2.1"
	oidECDSAWithSHA1   = "1.2.840.10045.4.1"
	oidECDSAWithSHA224 = "1.2.840.10045.4.3.1"
	oidECDSAWithSHA256 = "1.2.840.10045.4.3.2"
	oidECDSAWithSHA384 = "1.2.840.10045.4.3.3"
	oidECDSAWithSHA512 = "1.2.840.10045.4.3.4"
	oidEd25519         = "1.3.101.112"
	oidDSA             = "1.2.840.10040.4.1"
	oidDSAWithSHA1     = "1.2.840.10040.4.3"
	oidDSAWithSHA224   = "2.16.840.1.101.3.4.3.1"
	oidDSAWithSHA256   = "2.16.840.1.101.3.4.3.2"

	// Key transport: RFC 3370, RFC 3560.
	oidOAEP       = "1.2.840.113549.1.1.7"
	oidMGF1       = "1.2.840.113549.1.1.8"
	oidPSpecified = "1.2.840.113549.1.1.9"

	// Key agreement: RFC 5753, 7.1.4; RFC 8418, 3; RFC 8410, 3; RFC 5480, 2.1.1.
	oidStdDHSHA1        = "1.3.133.16.840.63.0.2"
	oidStdDHSHA224      = "1.3.132.1.11.0"
	oidStdDHSHA256      = "1.3.132.1.11.1"
	oidStdDHSHA384      = "1.3.132.1.11.2"
	oidStdDHSHA512      = "1.3.132.1.11.3"
	oidCofactorDHSHA1   = "1.3.133.16.840.63.0.3"
	oidCofactorDHSHA224 = "1.3.132.1.14.0"
	oidCofactorDHSHA256 = "1.3.132.1.14.1"
	oidCofactorDHSHA384 = "1.3.132.1.14.2"
	oidCofactorDHSHA512 = "1.3.132.1.14.3"
	oidHKDFSHA256       = "1.2.840.113549.1.9.16.3.19"
	oidHKDFSHA384       = "1.2.840.113549.1.9.16.3.20"
	oidHKDFSHA512       = "1.2.840.113549.1.9.16.3.21"
	oidX25519           = "1.3.101.110"
	oidECDH             = "1.3.132.1.12"
	oidP256             = "1.2.840.10045.3.1.7"
	oidP384             = "1.3.132.0.34"
	oidP521             = "1.3.132.0.35"
	oidBrainpoolP256    = "1.3.36.3.3.2.8.1.1.7"
	oidBrainpoolP384    = "1.3.36.3.3.2.8.1.1.11"
	oidBrainpoolP512    = "1.3.36.3.3.2.8.1.1.13"

	// Key wrap: RFC 3565, 2.3.2.
	oidAES128Wrap = "2.16.840.1.101.3.4.1.5"
	oidAES192Wrap = "2.16.840.1.101.3.4.1.25"
	oidAES256Wrap = "2.16.840.1.101.3.4.1.45"

	// Content encryption: RFC 3565, RFC 5084, RFC 8103; RFC 3370, 5.1 and 5.2.
	oidAES128CBC = "2.16.840.1.101.3.4.1.2"
	oidAES192CBC = "2.16.840.1.101.3.4.1.22"
	oidAES256CBC = "2.16.840.1.101.3.4.1.42"
	oidAES128GCM = "2.16.840.1.101.3.4.1.6"
	oidAES192GCM = "2.16.840.1.101.3.4.1.26"
	oidAES256GCM = "2.16.840.1.101.3.4.1.46"

	oidChaCha20Poly1305 = "1.2.840.113549.1.9.16.3.18"
	oidDESEDE3CBC       = "1.2.840.113549.3.7"
	oidRC2CBC           = "1.2.840.113549.3.2"
)

// objectIdentifier is the element of a dotted object identifier of this package (X.690, 8.19).
func objectIdentifier(dotted string) []byte {
	out := make([]byte, 2, 16)
	first, place := 0, 0
	for arc := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil || n < 0 {
			panic("cms: " + dotted + " is no object identifier") // never: only constants come here
		}
		switch place++; place {
		case 1:
			first = n
		case 2:
			out = appendBase128(out, 40*first+n)
		default:
			out = appendBase128(out, n)
		}
	}
	out[0], out[1] = tagOID, byte(len(out)-2) // none of them is as long as 128
	return out
}

// appendBase128 appends n in groups of seven bits, all but the last marked.
func appendBase128(out []byte, n int) []byte {
	for shift := 28; shift > 0; shift -= 7 {
		if n>>shift != 0 {
			out = append(out, 0x80|byte(n>>shift))
		}
	}
	return append(out, byte(n&0x7f))
}

// algorithm is an AlgorithmIdentifier (RFC 5280, 4.1.1.2).
type algorithm struct {
	oid        string
	parameters []byte // the element, nil where absent
}

// encode is a as an element.
func (a algorithm) encode() []byte { return sequence(objectIdentifier(a.oid), a.parameters) }

// plain reports whether a has no parameters, or NULL.
func (a algorithm) plain() bool {
	return len(a.parameters) == 0 || string(a.parameters) == string(null())
}

// same reports whether a and b mean the same. Absent parameters and NULL are the same (RFC 8933, 3; RFC 5754, 2).
func (a algorithm) same(b algorithm) bool {
	return a.oid == b.oid && (a.plain() && b.plain() || string(a.parameters) == string(b.parameters))
}

// readAlgorithm takes an AlgorithmIdentifier from the front of s.
func readAlgorithm(s *cryptobyte.String, a *algorithm) bool {
	return readAlgorithmAs(s, a, cryptobyte_asn1.SEQUENCE)
}

// readAlgorithmAs is readAlgorithm for one with an implicit tag.
func readAlgorithmAs(s *cryptobyte.String, a *algorithm, tag cryptobyte_asn1.Tag) bool {
	var body cryptobyte.String
	if !s.ReadASN1(&body, tag) || !readOID(&body, &a.oid) {
		return false
	}
	a.parameters = nil
	if body.Empty() {
		return true
	}
	var parameters cryptobyte.String
	var any cryptobyte_asn1.Tag
	if !body.ReadAnyASN1Element(&parameters, &any) || !body.Empty() {
		return false
	}
	a.parameters = parameters
	return true
}

// readOID takes an OBJECT IDENTIFIER in dotted form.
func readOID(s *cryptobyte.String, out *string) bool {
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return false
	}
	*out = oid.String()
	return true
}

// parseAlgorithm reads der, which must be one AlgorithmIdentifier and nothing else.
func parseAlgorithm(der []byte) (algorithm, error) {
	var a algorithm
	s := cryptobyte.String(der)
	if !readAlgorithm(&s, &a) || !s.Empty() {
		return algorithm{}, malformed("an algorithm cannot be read")
	}
	return a, nil
}

// parseOID reads der, which must be one OBJECT IDENTIFIER and nothing else.
func parseOID(der []byte) (string, error) {
	var oid string
	s := cryptobyte.String(der)
	if !readOID(&s, &oid) || !s.Empty() {
		return "", malformed("an object identifier cannot be read")
	}
	return oid, nil
}

// contentTypeName is "data" for id-data and the dotted form for every other content type.
func contentTypeName(oid string) string {
	if oid == oidData {
		return "data"
	}
	return oid
}
