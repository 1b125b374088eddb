package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/net/idna"
)

const (
	maxAddresses = 1000 // taken from one certificate
	maxDomain    = 255  // octets (RFC 5321, 4.5.3.1.2); the ASCII form of a longer one takes quadratic time
)

// Addresses returns the mail addresses a certificate bears: SAN rfc822Name, SmtpUTF8Mailbox (RFC 8398)
// and the subject's emailAddress (RFC 8550, 3), in this order, as they are written, each key once. The
// first thousand count.
func Addresses(c *x509.Certificate) []string {
	all, _ := AllAddresses(c)
	return all
}

// AllAddresses is Addresses, and tells whether that is all: whole is false where the certificate bears more of them, or one that cannot be
// compared. Whoever holds all of them to something must not pass over the others.
func AllAddresses(c *x509.Certificate) (all []string, whole bool) {
	seen := map[string]bool{}
	whole = true
	for _, list := range [][]string{c.EmailAddresses, smtpUTF8Mailboxes(c), subjectAddresses(c)} {
		for _, a := range list {
			key := AddressKey(a)
			if key == "" || seen[key] || len(all) == maxAddresses {
				whole = whole && (seen[key] || key == "" && !strings.Contains(a, "@"))
				continue
			}
			seen[key] = true
			all = append(all, a)
		}
	}
	return all, whole
}

// AddressKey is the form in which two addresses are compared: the local part and the domain in lower
// case (RFC 8550, 3), the domain in its ASCII form. Nothing beyond ASCII becomes ASCII, so that no address
// passes for another. A text that is no address gives "".
func AddressKey(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || !utf8.ValidString(address) {
		return ""
	}
	domain := fold(address[at+1:])
	if len(domain) > maxDomain {
		return ""
	}
	if !isASCII(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)                // RFC 8398, 5
		if err != nil || ascii == "" || len(ascii) > maxDomain { // of characters that are passed over there may be nothing left
			return ""
		}
		domain = ascii
	}
	return fold(address[:at]) + "@" + domain
}

// bears reports whether the certificate is for the address.
func bears(c *x509.Certificate, address string) bool {
	key := AddressKey(address)
	for _, a := range Addresses(c) {
		if key != "" && AddressKey(a) == key {
			return true
		}
	}
	return false
}

// fold is s in lower case, except that nothing beyond ASCII becomes ASCII: the Kelvin sign is no k.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		lower := unicode.ToLower(r)
		if r >= utf8.RuneSelf && lower < utf8.RuneSelf {
			return r
		}
		return lower
	}, s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func subjectAddresses(c *x509.Certificate) []string {
	oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1} // emailAddress, RFC 2985, 5.2.1
	var found []string
	for _, name := range c.Subject.Names {
		if s, ok := name.Value.(string); ok && name.Type.Equal(oid) {
			found = append(found, s)
		}
	}
	return found
}

func oidSmtpUTF8Mailbox() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}
}

func oidSAN() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 17} }

// smtpUTF8Mailboxes reads the otherNames of that kind (RFC 8398, 3). What is malformed is left out.
func smtpUTF8Mailboxes(c *x509.Certificate) []string {
	var found []string
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSAN()) {
			continue
		}
		names, list := cryptobyte.String(e.Value), cryptobyte.String(nil)
		if !names.ReadASN1(&list, cbasn1.SEQUENCE) {
			continue
		}
		for !list.Empty() {
			var name cryptobyte.String
			var tag cbasn1.Tag
			if !list.ReadAnyASN1(&name, &tag) {
				break
			}
			if s, ok := smtpUTF8Mailbox(name, tag); ok {
				found = append(found, s)
			}
		}
	}
	return found
}

func smtpUTF8Mailbox(name cryptobyte.String, tag cbasn1.Tag) (string, bool) {
	otherName := cbasn1.Tag(0).ContextSpecific().Constructed()
	var oid asn1.ObjectIdentifier
	var value, text cryptobyte.String
	ok := tag == otherName && name.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidSmtpUTF8Mailbox()) &&
		name.ReadASN1(&value, otherName) && value.ReadASN1(&text, cbasn1.UTF8String)
	return string(text), ok && utf8.Valid(text)
}
