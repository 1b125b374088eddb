package mailauth

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/dns"
)

// fetched is what DNS has under the name of a key.
type fetched struct {
	text   string
	status Status // Pass: text is a record to check with
	reason string
}

// fetchKey looks a key record up.
func (c *Checker) fetchKey(ctx context.Context, name string) fetched {
	const most = 8 << 10 // octets; a record with an RSA key of 4096 bits has 750
	texts, err := c.o.Resolver.LookupTXT(ctx, name)
	switch {
	case isNotFound(err):
		return fetched{status: PermError, reason: "no key"}
	case err != nil:
		return fetched{status: TempError, reason: "DNS does not answer for the key"}
	case len(texts) != 1: // RFC 6376, 3.6.2.2
		return fetched{status: PermError, reason: "not exactly one key record"}
	case len(texts[0]) > most:
		return fetched{status: Unacceptable, reason: "the key record is too long"}
	}
	return fetched{text: texts[0], status: Pass}
}

// useKey looks at the record that a signature will be checked with, and settles the signature where the record
// forbids what the library would not notice, or asks for too much work.
func (c *Checker) useKey(s *signature, k fetched) {
	if k.status != Pass {
		s.settle(k.status, k.reason)
		return
	}
	tags, err := parseTags(k.text)
	if err != nil {
		s.settle(PermError, "the key record is malformed")
		return
	}
	flags := strings.Split(squeeze(tags.get("t")), ":")
	s.result.Testing = slices.Contains(flags, "y")
	if slices.Contains(flags, "s") && !s.identityIsDomain() {
		s.settle(PermError, "the key is not for subdomains") // RFC 6376, 3.6.1
		return
	}
	if k := tags.get("k"); k != "" && k != "rsa" {
		return
	}
	if s.result.Bits, err = rsaBits(squeeze(tags.get("p"))); err != nil {
		return // the library says why
	}
	switch {
	case s.result.Bits < c.o.MinBits:
		s.settle(Unacceptable, "the key is too short")
	case s.result.Bits > c.o.MaxBits:
		s.settle(Unacceptable, "the key is too long")
	}
}

// identityIsDomain tells whether i= names the very domain of d=, as it does where it is not given.
func (s *signature) identityIsDomain() bool {
	identity, ok := s.tags.find("i")
	if !ok {
		return true
	}
	identity = squeeze(identity)
	name, err := dns.Name(identity[strings.LastIndexByte(identity, '@')+1:])
	return err == nil && name == s.result.Domain
}

var errKey = errors.New("not an RSA key")

// rsaBits is the size of a key as p= holds it (RFC 6376, 3.6.1, and erratum 3017).
func rsaBits(p string) (int, error) {
	der, err := base64.StdEncoding.DecodeString(p)
	if err != nil {
		return 0, err
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	if err == nil {
		return key.N.BitLen(), nil
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return 0, err
	}
	if key, ok := parsed.(*rsa.PublicKey); ok {
		return key.N.BitLen(), nil
	}
	return 0, errKey
}
