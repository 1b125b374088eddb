package dane

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"github.com/siegel-mail/siegel/internal/dns"
)

// Certificate usages, selectors and matching types (RFC 7218).
const (
	UsageTA       = 2 // DANE-TA: the record is of an authority
	UsageEE       = 3 // DANE-EE: the record is of the server itself
	SelectorCert  = 0 // of the whole certificate
	SelectorSPKI  = 1 // of its public key
	MatchFull     = 0 // the thing itself
	MatchSHA2_256 = 1
	MatchSHA2_512 = 2
)

// usable tells whether a record can authenticate a mail server: usages 0 and 1 cannot (RFC 7672, 3.1.3), nor can
// what is unknown or malformed (RFC 6698, 4.1). A key or certificate in full counts as soon as it has the form of one:
// that its kind is unknown here must not turn authentication off.
func usable(r dns.TLSA) bool {
	if r.Usage != UsageTA && r.Usage != UsageEE || r.Selector > SelectorSPKI {
		return false
	}
	switch r.MatchingType {
	case MatchFull:
		var outer asn1.RawValue
		rest, err := asn1.Unmarshal(r.Data, &outer)
		return err == nil && len(rest) == 0 && outer.Class == asn1.ClassUniversal && outer.Tag == asn1.TagSequence && outer.IsCompound
	case MatchSHA2_256:
		return len(r.Data) == sha256.Size
	case MatchSHA2_512:
		return len(r.Data) == sha512.Size
	}
	return false
}

// agile leaves out the digests that are not the strongest for their usage and selector (RFC 7671, 9). What stands
// there in full stays.
func agile(records []dns.TLSA) []dns.TLSA {
	type kind struct{ usage, selector uint8 }
	strongest := map[kind]uint8{}
	for _, r := range records {
		k := kind{r.Usage, r.Selector}
		strongest[k] = max(strongest[k], r.MatchingType)
	}
	return slices.DeleteFunc(records, func(r dns.TLSA) bool {
		return r.MatchingType != MatchFull && r.MatchingType != strongest[kind{r.Usage, r.Selector}]
	})
}

// matches tells whether a record is of a certificate.
func matches(r dns.TLSA, c *x509.Certificate) bool {
	return bytes.Equal(Of(c, r.Usage, r.Selector, r.MatchingType).Data, r.Data)
}

// Of makes the record of a certificate, as an administrator publishes it. The numbers must be of those named here.
func Of(c *x509.Certificate, usage, selector, matchingType uint8) dns.TLSA {
	r := dns.TLSA{Usage: usage, Selector: selector, MatchingType: matchingType, Data: c.Raw}
	if selector == SelectorSPKI {
		r.Data = c.RawSubjectPublicKeyInfo
	}
	switch matchingType {
	case MatchSHA2_256:
		sum := sha256.Sum256(r.Data)
		r.Data = sum[:]
	case MatchSHA2_512:
		sum := sha512.Sum512(r.Data)
		r.Data = sum[:]
	}
	return r
}
