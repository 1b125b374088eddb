package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

func oidNameConstraints() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 30} }

// form is a kind of name (RFC 5280, 4.2.1.6), as constraints are about it. Other names are of one form each with their type.
type form string

const (
	formMail      form = "rfc822Name" // and SmtpUTF8Mailbox (RFC 9598, 6)
	formHost      form = "dNSName"
	formDirectory form = "directoryName"
	formURI       form = "uniformResourceIdentifier"
	formIP        form = "iPAddress"
	formOther     form = "otherName "
)

// generalName is one name of a certificate, in the form in which it is compared.
type generalName struct {
	form form
	text string   // as it is shown
	key  string   // empty: it cannot be compared, and is in no constraint's bounds
	rdns []string // of a directory name
}

// namesOf returns all names of a certificate that constraints may be about: of its subject and of its subjectAltName. It is false where they
// cannot be read.
func namesOf(c *x509.Certificate) ([]generalName, bool) {
	var all []generalName
	if rdns, ok := x509x.CanonicalName(c.RawSubject); !ok {
		return nil, false
	} else if len(rdns) > 0 {
		all = append(all, generalName{formDirectory, x509x.Name(c.RawSubject), "-", rdns})
	}
	for _, address := range subjectAddresses(c) {
		all = append(all, mailName(address))
	}
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSAN()) {
			continue
		}
		input, list := cryptobyte.String(e.Value), cryptobyte.String(nil)
		if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() {
			return nil, false
		}
		for !list.Empty() {
			n, ok := readName(&list)
			if !ok {
				return nil, false
			}
			all = append(all, n)
		}
	}
	return all, true
}

func mailName(address string) generalName {
	return generalName{form: formMail, text: address, key: AddressKey(address)}
}

// readName reads one GeneralName.
func readName(list *cryptobyte.String) (generalName, bool) {
	var name cryptobyte.String
	var tag cbasn1.Tag
	if !list.ReadAnyASN1(&name, &tag) {
		return generalName{}, false
	}
	form, ok := formOf(tag, name)
	n := generalName{form: form, text: string(name)}
	switch form {
	case formMail:
		if text, is := smtpUTF8Mailbox(name, tag); is {
			n.text = text
		}
		n.key = AddressKey(n.text)
	case formHost:
		n.key = strings.TrimSuffix(fold(n.text), ".")
	case formURI:
		n.key = uriHost(n.text)
	case formIP:
		n.key, n.text = n.text, "an IP address"
	case formDirectory:
		n.key, n.text = "-", x509x.Name(name)
		if n.rdns, ok = x509x.CanonicalName(name); !ok {
			n.key, ok = "", true
		}
	default:
		n.text = string(form)
	}
	return n, ok
}

// formOf tells the form of a GeneralName by its tag, and of an otherName by its type.
func formOf(tag cbasn1.Tag, name cryptobyte.String) (form, bool) {
	primitive := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	switch tag {
	case primitive(0).Constructed():
		var oid asn1.ObjectIdentifier
		if !name.ReadASN1ObjectIdentifier(&oid) {
			return "", false
		}
		if oid.Equal(oidSmtpUTF8Mailbox()) {
			return formMail, true
		}
		return formOther + form(oid.String()), true
	case primitive(1):
		return formMail, true
	case primitive(2):
		return formHost, true
	case primitive(3).Constructed():
		return "x400Address", true
	case primitive(4).Constructed():
		return formDirectory, true
	case primitive(5).Constructed():
		return "ediPartyName", true
	case primitive(6):
		return formURI, true
	case primitive(7):
		return formIP, true
	case primitive(8):
		return "registeredID", true
	}
	return "", false
}

// uriHost is the host of a URI by name; "" where it has none (RFC 5280, 4.2.1.10: it is then in nobody's bounds).
func uriHost(text string) string {
	u, err := url.Parse(text)
	if err != nil || strings.ContainsAny(u.Hostname(), "[]:%") {
		return ""
	}
	host := fold(u.Hostname())
	if strings.Trim(host, "0123456789.") == "" { // an address, or nothing
		return ""
	}
	return strings.TrimSuffix(host, ".")
}
