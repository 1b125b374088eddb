package x509x

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// parseRelative reads a certificate whose distribution points bear names relative to an issuer's (RFC 5280, 4.2.1.13), which
// crypto/x509 refuses: it is shown whole names in their place, among which it looks for addresses only.
func parseRelative(der []byte) (*x509.Certificate, bool) {
	shown, own := bytes.Clone(der), bytes.Clone(der)
	if !wholeNames(distributionPoints(shown)) {
		return nil, false
	}
	c, err := parseKeys(shown)
	p, ok := takeApart(own)
	if err != nil || !ok {
		return nil, false
	}
	c.Raw, c.RawTBSCertificate = p.whole, p.tbs
	for i, e := range c.Extensions {
		if e.Id.Equal(oidDistributionPoints()) {
			c.Extensions[i].Value = distributionPoints(own)
		}
	}
	return c, true
}

func oidDistributionPoints() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 31} }

// distributionPoints is the value of that extension, a part of der; nil where there is none.
func distributionPoints(der []byte) cryptobyte.String {
	p, ok := takeApart(der)
	tbs := cryptobyte.String(p.after)
	var wrapped, list cryptobyte.String
	ok = ok && tbs.SkipOptionalASN1(context(1)) && tbs.SkipOptionalASN1(context(2)) && // unique identifiers
		tbs.ReadASN1(&wrapped, context(3).Constructed()) && wrapped.ReadASN1(&list, cbasn1.SEQUENCE)
	for ok && !list.Empty() {
		var extension, value cryptobyte.String
		var id asn1.ObjectIdentifier
		if !list.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&id) ||
			!extension.SkipOptionalASN1(cbasn1.BOOLEAN) || !extension.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return nil
		}
		if id.Equal(oidDistributionPoints()) {
			return value
		}
	}
	return nil
}

// wholeNames alters relative names to whole ones by their tags alone, and reports whether there were any.
func wholeNames(value cryptobyte.String) bool {
	var all cryptobyte.String
	altered := false
	if !value.ReadASN1(&all, cbasn1.SEQUENCE) {
		return false
	}
	for !all.Empty() {
		var point, name, inner cryptobyte.String
		var has bool
		if !all.ReadASN1(&point, cbasn1.SEQUENCE) || !point.ReadOptionalASN1(&name, &has, context(0).Constructed()) {
			return false
		}
		whole := name
		if has && name.ReadASN1(&inner, context(1).Constructed()) && name.Empty() && relative(inner) {
			whole[0], altered = byte(context(0).Constructed()), true
		}
	}
	return altered
}

// relative reports whether a text is the attributes of a RelativeDistinguishedName.
func relative(attributes cryptobyte.String) bool {
	some := false
	for !attributes.Empty() {
		var attribute, value cryptobyte.String
		var id asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !attributes.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&id) || !attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() {
			return false
		}
		some = true
	}
	return some
}
