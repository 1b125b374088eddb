package x509x

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxName bounds the name of a certificate in text, in bytes.
const maxName = 1000

// attributeNames are the short names of RFC 4514, 3, and of what else stands in the names of people and
// their certificates, as OpenSSL calls it.
func attributeNames() map[string]string {
	return map[string]string{
		"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.9": "STREET",
		"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
		"1.2.840.113549.1.9.1": "emailAddress", "2.5.4.4": "SN", "2.5.4.42": "GN", "2.5.4.12": "title", "2.5.4.5": "serialNumber",
		"2.5.4.17": "postalCode", "2.5.4.65": "pseudonym", "2.5.4.46": "dnQualifier", "2.5.4.97": "organizationIdentifier",
	}
}

// Name writes the DER of a distinguished name as RFC 4514 does, the last part first: "emailAddress=bob@b.example,CN=Bob,C=DE".
// What cannot be read is "(unreadable)". It is text of a stranger, to be made safe before it is printed,
// and of 1000 bytes at most.
func Name(der []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "(unreadable)"
	}
	known := attributeNames()
	var b strings.Builder
	for i := len(rdns) - 1; i >= 0 && b.Len() <= maxName; i-- {
		if i < len(rdns)-1 {
			b.WriteByte(',')
		}
		for j := len(rdns[i]) - 1; j >= 0; j-- {
			writeAttribute(&b, known, rdns[i][j])
			if j > 0 {
				b.WriteByte('+')
			}
		}
	}
	return cutText(b.String())
}

// writeAttribute writes one attribute; a value that is no text, or whose type has no short name, is in
// hexadecimal (RFC 4514, 2.4).
func writeAttribute(b *strings.Builder, known map[string]string, a pkix.AttributeTypeAndValue) {
	oid := a.Type.String()
	text, isText := a.Value.(string)
	if short := known[oid]; short != "" && isText {
		b.WriteString(short + "=" + escape(text))
		return
	}
	der, err := asn1.Marshal(a.Value)
	if err != nil {
		b.WriteString(oid + "=(unreadable)")
		return
	}
	fmt.Fprintf(b, "%s=#%x", oid, der)
}

// escape makes a value one that is read back as it is (RFC 4514, 2.4).
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0:
			b.WriteString(`\00`)
		case strings.IndexByte(`"+,;<>\`, c) >= 0, c == ' ' && (i == 0 || i == len(s)-1), c == '#' && i == 0:
			b.Write([]byte{'\\', c})
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// cutText cuts s where it is too long, not within a character.
func cutText(s string) string {
	if len(s) <= maxName {
		return s
	}
	n := maxName
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
