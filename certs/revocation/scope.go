package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// reasons are a set of reasons of revocation (RFC 5280, 4.2.1.13): the bit of each is its place in ReasonFlags.
type reasons uint16

// allReasons are those that there are. The first place of ReasonFlags is not used.
const allReasons reasons = 0x1fe

// scope is what a list speaks of (RFC 5280, 5.2.5). The zero value is everything.
type scope struct {
	users, authorities, attributes, indirect bool
	partial                                  bool    // it speaks of some reasons only
	reasons                                  reasons // which
	named                                    bool    // it speaks of the certificates of one distribution point only
	point                                    names
}

// some are the reasons that it speaks of.
func (s scope) some() reasons {
	if s.partial {
		return s.reasons
	}
	return allReasons
}

// ofKind reports whether the list speaks of certificates such as c (RFC 5280, 6.3.3, b 2).
func (s scope) ofKind(c *x509.Certificate) bool {
	return !s.attributes && !(s.users && c.IsCA) && !(s.authorities && !c.IsCA)
}

// covers reports whether the list speaks of c, which names the point (RFC 5280, 6.3.3, b 2).
func (s scope) covers(c *x509.Certificate, p point) bool {
	switch {
	case !s.ofKind(c):
		return false
	case !s.named:
		return true
	case p.unread:
		return false
	case len(p.name.uris)+len(p.name.directory) == 0: // it has none
		return s.point.meets(names{directory: p.issuers})
	}
	return s.point.meets(p.name)
}

// same reports whether two lists speak of the same, as a list and one of differences to it must (RFC 5280, 5.2.4, c).
func (s scope) same(o scope) bool {
	return s.users == o.users && s.authorities == o.authorities && s.attributes == o.attributes && s.indirect == o.indirect &&
		s.partial == o.partial && s.reasons == o.reasons && s.named == o.named && slices.Equal(s.point.uris, o.point.uris) &&
		slices.EqualFunc(s.point.directory, o.point.directory, bytes.Equal)
}

// parseScope reads an IssuingDistributionPoint of a list of issuer's.
func parseScope(der, issuer []byte) (scope, error) {
	var s scope
	input := cryptobyte.String(der)
	var idp, name, flags cryptobyte.String
	ok := input.ReadASN1(&idp, cbasn1.SEQUENCE) && input.Empty() &&
		idp.ReadOptionalASN1(&name, &s.named, tagged(0).Constructed()) &&
		readFlag(&idp, tagged(1), &s.users) && readFlag(&idp, tagged(2), &s.authorities) &&
		idp.ReadOptionalASN1(&flags, &s.partial, tagged(3)) &&
		readFlag(&idp, tagged(4), &s.indirect) && readFlag(&idp, tagged(5), &s.attributes) && idp.Empty()
	if ok && s.partial {
		s.reasons, ok = readReasons(flags)
	}
	if !ok {
		return s, fmt.Errorf("%w: its issuing distribution point is malformed", ErrList)
	}
	if s.named {
		if s.point, ok = placeName(name, issuer); !ok || len(s.point.uris)+len(s.point.directory) == 0 {
			return s, fmt.Errorf("%w: its distribution point has no address", ErrList)
		}
	}
	return s, nil
}

func tagged(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// readFlag reads an implicitly tagged BOOLEAN DEFAULT FALSE.
func readFlag(s *cryptobyte.String, tag cbasn1.Tag, flag *bool) bool {
	var value cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&value, &present, tag) || present && len(value) != 1 {
		return false
	}
	*flag = present && value[0] != 0
	return true
}

// readReasons reads the contents of ReasonFlags, a BIT STRING.
func readReasons(b cryptobyte.String) (reasons, bool) {
	var all reasons
	if len(b) == 0 || b[0] > 7 {
		return 0, false
	}
	for i, octet := range b[1:] {
		for bit := range 8 {
			if n := 8*i + bit; octet&(0x80>>bit) != 0 && n < 16 {
				all |= 1 << n
			}
		}
	}
	return all & allReasons, true
}

// names are those of a place where lists are: addresses, and names of entries of a directory in DER.
type names struct {
	uris      []string
	directory [][]byte
}

// meets reports whether both have one in common.
func (n names) meets(o names) bool {
	return slices.ContainsFunc(n.uris, func(u string) bool { return slices.Contains(o.uris, u) }) ||
		slices.ContainsFunc(n.directory, func(d []byte) bool {
			return slices.ContainsFunc(o.directory, func(e []byte) bool { return x509x.SameName(d, e) })
		})
}

// placeName reads a DistributionPointName: one that is relative to that of the issuer of the list is put behind it (RFC 5280, 4.2.1.13).
// No issuer: it is not known, or there are several.
func placeName(name cryptobyte.String, issuer []byte) (names, bool) {
	var inner cryptobyte.String
	if name.PeekASN1Tag(tagged(1).Constructed()) {
		if !name.ReadASN1(&inner, tagged(1).Constructed()) || !name.Empty() || inner.Empty() || issuer == nil {
			return names{}, false
		}
		whole, ok := below(issuer, inner)
		return names{directory: [][]byte{whole}}, ok
	}
	if !name.ReadASN1(&inner, tagged(0).Constructed()) || !name.Empty() {
		return names{}, false
	}
	return namesIn(inner)
}

// below is a name with one more part, of which the attributes are given.
func below(issuer []byte, attributes cryptobyte.String) ([]byte, bool) {
	var parts cryptobyte.String
	input := cryptobyte.String(issuer)
	if !input.ReadASN1(&parts, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, false
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(parts)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	})
	whole, err := b.Bytes()
	return whole, err == nil
}

// generalNames reads GeneralNames (RFC 5280, 4.2.1.6).
func generalNames(der cryptobyte.String) (names, bool) {
	var all cryptobyte.String
	if !der.ReadASN1(&all, cbasn1.SEQUENCE) || !der.Empty() {
		return names{}, false
	}
	return namesIn(all)
}

func namesIn(all cryptobyte.String) (n names, ok bool) {
	for !all.Empty() {
		var name, inner cryptobyte.String
		var tag cbasn1.Tag
		if !all.ReadAnyASN1(&name, &tag) {
			return n, false
		}
		switch tag {
		case tagged(6):
			n.uris = append(n.uris, string(name))
		case tagged(4).Constructed():
			if !name.ReadASN1Element(&inner, cbasn1.SEQUENCE) || !name.Empty() {
				return n, false
			}
			n.directory = append(n.directory, inner)
		}
	}
	return n, true
}

// point is a place that a certificate names for lists about it (RFC 5280, 4.2.1.13).
type point struct {
	name    names
	unread  bool // its name is not understood
	partial bool
	reasons reasons  // where partial
	issuers [][]byte // names of others than the certificate's issuer who sign its lists
}

// signer is the name of who signs its lists, where there is one: the certificate's issuer, unless it names others.
func (p point) signer(issuer []byte) []byte {
	switch len(p.issuers) {
	case 0:
		return issuer
	case 1:
		return p.issuers[0]
	}
	return nil
}

// admits reports whether a list is by one who signs lists of the point (RFC 5280, 6.3.3, b 1).
func (p point) admits(l *List, issuer []byte) bool {
	own := x509x.SameName(l.issuer, issuer)
	if len(p.issuers) == 0 {
		return own
	}
	return (own || l.scope.indirect) && slices.ContainsFunc(p.issuers, func(n []byte) bool { return x509x.SameName(n, l.issuer) })
}

func (p point) some() reasons {
	if p.partial {
		return p.reasons
	}
	return allReasons
}

// Of a certificate: what is beyond is not asked.
const (
	maxPoints = 8
	maxURIs   = 4
)

// points are those of a certificate. One without a name that is understood stays without.
func points(c *x509.Certificate) []point {
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 31}) {
			return parsePoints(e.Value, c.RawIssuer)
		}
	}
	return nil
}

// parsePoints reads CRLDistributionPoints of a certificate of issuer's, and FreshestCRL (5.2.6), which has the same form; nothing where
// that is malformed.
func parsePoints(der, issuer []byte) []point {
	input := cryptobyte.String(der)
	var all cryptobyte.String
	if !input.ReadASN1(&all, cbasn1.SEQUENCE) {
		return nil
	}
	var found []point
	for !all.Empty() && len(found) < maxPoints {
		var one, name, flags, issuers cryptobyte.String
		var hasName, hasIssuers bool
		var p point
		ok := all.ReadASN1(&one, cbasn1.SEQUENCE) && one.ReadOptionalASN1(&name, &hasName, tagged(0).Constructed()) &&
			one.ReadOptionalASN1(&flags, &p.partial, tagged(1)) && one.ReadOptionalASN1(&issuers, &hasIssuers, tagged(2).Constructed()) && one.Empty()
		if ok && p.partial {
			p.reasons, ok = readReasons(flags)
		}
		if ok && hasIssuers {
			var n names
			n, ok = namesIn(issuers)
			p.issuers = n.directory
		}
		if ok && hasName {
			var understood bool
			p.name, understood = placeName(name, p.signer(issuer))
			p.unread = !understood
			p.name.uris = p.name.uris[:min(len(p.name.uris), maxURIs)]
		}
		if !ok {
			return nil
		}
		found = append(found, p)
	}
	return found
}
