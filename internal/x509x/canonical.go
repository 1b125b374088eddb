package x509x

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/unicode/norm"
)

// maxRDNs bounds the parts of a name that is compared.
const maxRDNs = 200

// CanonicalName gives the parts of a distinguished name in DER, the first one first, in a form in which names that are the same by
// RFC 5280, 7.1 are equal: text of whatever kind in normal form, in lower case and with single blanks, attributes of one part in order. What is
// no text is compared as it is. It is false for what is no name, or one of more than 200 parts.
func CanonicalName(der []byte) ([]string, bool) {
	input := cryptobyte.String(der)
	var name cryptobyte.String
	if !input.ReadASN1(&name, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, false
	}
	var rdns []string
	for !name.Empty() {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) || set.Empty() || len(rdns) == maxRDNs {
			return nil, false
		}
		var attributes []string
		for !set.Empty() {
			a, ok := canonicalAttribute(&set)
			if !ok {
				return nil, false
			}
			attributes = append(attributes, a)
		}
		slices.Sort(attributes)
		rdns = append(rdns, strings.Join(attributes, ""))
	}
	return rdns, true
}

// NameKey is CanonicalName in one string, for comparison. A name that cannot be read is the same only as itself.
func NameKey(der []byte) string {
	rdns, ok := CanonicalName(der)
	if !ok {
		return "?" + string(der)
	}
	var b strings.Builder
	for _, r := range rdns {
		b.WriteString(lengthOf(r))
		b.WriteString(r)
	}
	return b.String()
}

// SameName reports whether two names in DER are the same by RFC 5280, 7.1.
func SameName(a, b []byte) bool { return bytes.Equal(a, b) || NameKey(a) == NameKey(b) }

// canonicalAttribute is self-delimiting: one attribute is never the beginning of others.
func canonicalAttribute(set *cryptobyte.String) (string, bool) {
	var attribute, oid, value, element cryptobyte.String
	var tag cbasn1.Tag
	if !set.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		return "", false
	}
	element = attribute
	if !attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() {
		return "", false
	}
	text, ok := decodeText(tag, value)
	if ok {
		text = "t" + canonicalText(text)
	} else {
		text = "d" + string(element)
	}
	return lengthOf(string(oid)) + string(oid) + lengthOf(text) + text, true
}

func lengthOf(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
}

// canonicalText is text as it is compared (RFC 4518, 2, as far as it matters): normal form, lower case, single blanks within and none around.
func canonicalText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		s = norm.NFKC.String(strings.ToLower(norm.NFKC.String(s)))
	} else { // in normal form
		s = strings.ToLower(s)
	}
	return strings.Join(strings.Fields(s), " ")
}

// decodeText reads a DirectoryString or IA5String (RFC 5280, 4.1.2.4); text that is malformed is none.
func decodeText(tag cbasn1.Tag, value []byte) (string, bool) {
	const numeric, visible, universal, bmp = cbasn1.Tag(18), cbasn1.Tag(26), cbasn1.Tag(28), cbasn1.Tag(30)
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, numeric, visible:
		return string(value), utf8.Valid(value)
	case cbasn1.T61String: // as everybody has it: Latin-1
		runes := make([]rune, len(value))
		for i, b := range value {
			runes[i] = rune(b)
		}
		return string(runes), true
	case bmp:
		if len(value)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(value)/2)
		for i := 0; i < len(value); i += 2 {
			units = append(units, binary.BigEndian.Uint16(value[i:]))
		}
		return string(utf16.Decode(units)), true
	case universal:
		if len(value)%4 != 0 {
			return "", false
		}
		var b strings.Builder
		for i := 0; i < len(value); i += 4 {
			r := binary.BigEndian.Uint32(value[i:])
			if r > utf8.MaxRune {
				return "", false
			}
			b.WriteRune(rune(r))
		}
		return b.String(), true
	}
	return "", false
}
