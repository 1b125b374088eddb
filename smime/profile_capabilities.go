package smime

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Capabilities is what a program is known to read, of what a sender may choose between. The zero value knows
// nothing. Weak algorithms are not in it, so that nobody chooses them.
type Capabilities struct {
	Content []cms.Algorithm // content encryption, the preferred one first
	OAEP    bool            // RSAES-OAEP with SHA-256
	PSS     bool            // RSASSA-PSS
	Headers bool            // header protection (RFC 9788), which no list names: its own mail had it
}

// IsZero reports whether nothing is known.
func (c Capabilities) IsZero() bool {
	return len(c.Content) == 0 && !c.OAEP && !c.PSS && !c.Headers
}

// The object identifiers that are looked for in a list of capabilities.
const (
	oidCapabilities = "1.2.840.113549.1.9.15" // RFC 4262, 2: the extension, as the attribute
	oidOAEP         = "1.2.840.113549.1.1.7"  // RFC 3560, 5
	oidPSS          = "1.2.840.113549.1.1.10" // RFC 4056, 5
	oidMGF1         = "1.2.840.113549.1.1.8"
	oidSHA256       = "2.16.840.1.101.3.4.2.1"
)

// contentOf is the content encryption that a capability means; empty where it is none that is sent.
func contentOf(oid string) cms.Algorithm {
	switch oid { // RFC 3565, 5; RFC 5084, 3
	case "2.16.840.1.101.3.4.1.2":
		return cms.AES128CBC
	case "2.16.840.1.101.3.4.1.22":
		return cms.AES192CBC
	case "2.16.840.1.101.3.4.1.42":
		return cms.AES256CBC
	case "2.16.840.1.101.3.4.1.6":
		return cms.AES128GCM
	case "2.16.840.1.101.3.4.1.46":
		return cms.AES256GCM
	}
	return ""
}

// The most that is read of a list of capabilities.
const (
	maxCapabilityBytes = 16 << 10
	maxCapabilities    = 200
)

// ParseCapabilities reads SMIMECapabilities in DER (RFC 8551, 2.5.2). What is not known is passed over.
func ParseCapabilities(der []byte) (Capabilities, error) {
	var c Capabilities
	var list cryptobyte.String
	s := cryptobyte.String(der)
	if len(der) > maxCapabilityBytes || !s.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) || !s.Empty() {
		return Capabilities{}, errCapabilities
	}
	for n := 0; !list.Empty(); n++ {
		var one cryptobyte.String
		var oid asn1.ObjectIdentifier
		if n == maxCapabilities || !list.ReadASN1(&one, cryptobyte_asn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) {
			return Capabilities{}, errCapabilities
		}
		c.add(oid.String(), one)
	}
	return c, nil
}

var errCapabilities = fmt.Errorf("%w: a list of capabilities cannot be read", cms.ErrMalformed)

// add adds one capability.
func (c *Capabilities) add(oid string, parameters cryptobyte.String) {
	switch oid {
	case oidOAEP:
		c.OAEP = c.OAEP || isOAEPWithSHA256(parameters)
	case oidPSS:
		c.PSS = true
	default:
		if a := contentOf(oid); a != "" && !slices.Contains(c.Content, a) {
			c.Content = append(c.Content, a)
		}
	}
}

// isOAEPWithSHA256 reads the parameters of RSAES-OAEP in a capability (RFC 3560, 5). Without any, nothing is said of
// the hash; with the default ones it would be SHA-1, which is not sent.
func isOAEPWithSHA256(s cryptobyte.String) bool {
	if s.Empty() {
		return true
	}
	var body, mgf cryptobyte.String
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() || !readHash(&body, 0) {
		return false
	}
	var one cryptobyte.String
	var oid asn1.ObjectIdentifier
	return body.ReadASN1(&mgf, cryptobyte_asn1.Tag(1).ContextSpecific().Constructed()) && mgf.ReadASN1(&one, cryptobyte_asn1.SEQUENCE) && mgf.Empty() &&
		one.ReadASN1ObjectIdentifier(&oid) && oid.String() == oidMGF1 && readSHA256(&one)
}

// readHash takes [tag] EXPLICIT AlgorithmIdentifier of SHA-256 from s.
func readHash(s *cryptobyte.String, tag uint8) bool {
	var inner cryptobyte.String
	return s.ReadASN1(&inner, cryptobyte_asn1.Tag(tag).ContextSpecific().Constructed()) && readSHA256(&inner) && inner.Empty()
}

// readSHA256 takes the AlgorithmIdentifier of SHA-256 from s.
func readSHA256(s *cryptobyte.String) bool {
	var one cryptobyte.String
	var oid asn1.ObjectIdentifier
	return s.ReadASN1(&one, cryptobyte_asn1.SEQUENCE) && one.ReadASN1ObjectIdentifier(&oid) && oid.String() == oidSHA256
}

// CertificateCapabilities is what a certificate says its owner's program can do (RFC 4262); zero where it says
// nothing that can be read.
func CertificateCapabilities(cert *x509.Certificate) Capabilities {
	for _, e := range cert.Extensions {
		if e.Id.String() == oidCapabilities {
			c, err := ParseCapabilities(e.Value)
			if err != nil {
				return Capabilities{}
			}
			return c
		}
	}
	return Capabilities{}
}

// The words of the text form beside the algorithms.
const (
	wordOAEP    = "oaep"
	wordPSS     = "pss"
	wordHeaders = "headers"
)

// String is c in words, the content encryptions first: "aes256-gcm aes256-cbc oaep". ParseCapabilityText reads it.
func (c Capabilities) String() string {
	var words []string
	for _, a := range c.Content {
		words = append(words, string(a))
	}
	for _, w := range []struct {
		can  bool
		word string
	}{{c.OAEP, wordOAEP}, {c.PSS, wordPSS}, {c.Headers, wordHeaders}} {
		if w.can {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " ")
}

// ParseCapabilityText reads what String wrote. Words that are not known are passed over: a later version may have written
// them.
func ParseCapabilityText(s string) Capabilities {
	var c Capabilities
	for w := range strings.FieldsSeq(s) {
		switch w {
		case wordOAEP:
			c.OAEP = true
		case wordPSS:
			c.PSS = true
		case wordHeaders:
			c.Headers = true
		default:
			if a := cms.Algorithm(w); Compatible.allows(a) && !slices.Contains(c.Content, a) {
				c.Content = append(c.Content, a)
			}
		}
	}
	return c
}
