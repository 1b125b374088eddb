package mailauth

import (
	"strings"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/smime/entity"
)

const signatureName = "DKIM-Signature"

// What a signature may ask of us. The library looks through the whole header for each name in h=.
const (
	maxSignature = 16 << 10 // octets of the field
	maxNames     = 200      // in h=
)

// signature is a DKIM-Signature field, read so far that we know whose key to look up and what it will cost to
// check.
type signature struct {
	field  entity.Field
	tags   tagList
	result DKIM
	key    string // the domain name of the key record
	done   bool   // result is final
}

// settle ends the matter without a look at the body.
func (s *signature) settle(status Status, reason string) {
	s.result.Status, s.result.Reason, s.done = status, reason, true
}

// readSignature reads the field and settles what cannot or need not be checked.
func readSignature(f entity.Field) *signature {
	s := &signature{field: f}
	if len(f.Raw) > maxSignature {
		s.settle(Unacceptable, "the signature is too long")
		return s
	}
	var err error
	if s.tags, err = parseTags(f.Value()); err != nil {
		s.settle(PermError, "the signature is malformed")
		return s
	}
	s.result.Algorithm = plainToken(squeeze(s.tags.get("a")))
	s.result.mark = plainToken(squeeze(s.tags.get("b")))
	s.result.mark = s.result.mark[:min(len(s.result.mark), 8)]
	domain, err := dns.Name(squeeze(s.tags.get("d")))
	if err != nil {
		s.settle(PermError, "the signature names no domain")
		return s
	}
	s.result.Domain = domain
	selector := squeeze(s.tags.get("s"))
	s.key, err = dns.Name(selector + "._domainkey." + domain)
	if err != nil {
		s.settle(PermError, "the signature names no selector")
		return s
	}
	s.result.Selector = strings.TrimSuffix(s.key, "._domainkey."+domain)
	s.result.Identifier = plainIdentifier(squeeze(s.tags.get("i")))
	switch names := strings.Count(s.tags.get("h"), ":"); {
	case names >= maxNames:
		s.settle(Unacceptable, "the signature covers too many fields")
	case s.tags.has("l"): // RFC 6376, 8.2: what is appended would pass for signed
		s.settle(Unacceptable, "the signature covers a part of the body only")
	}
	return s
}

// plainIdentifier is an i= that can be repeated as it is; empty where it cannot.
func plainIdentifier(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(local) > 64 || strings.Trim(local, atext) != "" {
		return ""
	}
	name, err := dns.Name(domain)
	if err != nil {
		return ""
	}
	return local + "@" + name
}

// atext is the characters of a plain local part (RFC 5322, 3.2.3) that nobody quotes and that mean nothing special in an
// Authentication-Results field.
const atext = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.#$%&'*+-/^_`{|}~"

// plainToken is s, if it is short and of the characters of algorithms and base64; else it is empty.
func plainToken(s string) string {
	const most = 2000
	if len(s) > most || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+/=") != "" {
		return ""
	}
	return s
}
