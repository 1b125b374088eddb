package smime

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/net/idna"

	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// mailbox is one entry of an address list (RFC 5322, 3.4).
type mailbox struct {
	name string // everything shown beside the address: phrase and comments
	addr string
}

// author returns the address of the single From mailbox of a message. Where there is none, or where
// programs may show different ones, problem says why.
func author(h entity.Header) (addr, problem string) {
	values := h.Values("From")
	if len(values) != 1 {
		return "", fmt.Sprintf("the message has %d From fields", len(values))
	}
	list, ok := mailboxes(values[0])
	if !ok {
		return "", "the From field cannot be read without doubt"
	}
	if len(list) != 1 {
		return "", fmt.Sprintf("the From field has %d addresses", len(list))
	}
	if other := shownAddress(list[0]); other != "" {
		return "", "the name in the From field shows another address"
	}
	if name := encword.Parse(list[0].name); !name.Sure() && strings.ContainsFunc(name.String(), mayHide) {
		return "", "the name in the From field is in a charset that is not known"
	}
	return list[0].addr, ""
}

// mailboxes reads an address list; ok is false where it has groups, an address without "@", anything
// unfinished or anything else that programs read differently.
func mailboxes(v string) (list []mailbox, ok bool) {
	p := mailboxParser{rest: v, ok: true}
	for p.rest != "" && p.ok {
		p.step()
	}
	p.finish()
	return p.list, p.ok
}

type mailboxParser struct {
	rest  string
	list  []mailbox
	ok    bool
	name  strings.Builder // quoted strings and comments
	plain strings.Builder // what stands outside of both
	angle string
	has   bool // angle was read
}

func (p *mailboxParser) step() {
	c := p.rest[0]
	switch c {
	case '"':
		text, raw := p.enclosed('"')
		p.name.WriteString(" " + text + " ")
		if strings.HasPrefix(p.rest, "@") { // a quoted local part
			p.plain.WriteString(raw)
		}
	case '(':
		text, _ := p.enclosed(')')
		p.name.WriteString(" " + text + " ")
	case '<':
		if p.has {
			p.ok = false
			return
		}
		p.angle, p.has = p.inAngle(), true
	case ',':
		p.rest = p.rest[1:]
		p.finish()
	case ':', ';', '>', ')':
		p.ok = false
	default:
		p.plain.WriteByte(c)
		p.rest = p.rest[1:]
	}
}

// enclosed reads a quoted string, or a comment with those in it, and returns its text and its raw form.
func (p *mailboxParser) enclosed(end byte) (text, raw string) {
	var b strings.Builder
	for i, depth := 1, 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c == '(' && end == ')':
			depth++
		case c == end:
			if depth--; depth == 0 {
				raw, p.rest = p.rest[:i+1], p.rest[i+1:]
				return b.String(), raw
			}
		default:
			b.WriteByte(c)
		}
	}
	p.ok, p.rest = false, ""
	return "", ""
}

// inAngle reads <addr-spec>. Routes (RFC 5322, 4.4) are not taken.
func (p *mailboxParser) inAngle() string {
	for i, quoted := 1, false; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			p.ok = false
			return ""
		case c == '>' && !quoted:
			addr := p.rest[1:i]
			p.rest = p.rest[i+1:]
			return addr
		}
	}
	p.ok, p.rest = false, ""
	return ""
}

// finish ends one entry of the list.
func (p *mailboxParser) finish() {
	plain := strings.TrimSpace(p.plain.String())
	m := mailbox{name: p.name.String(), addr: plain}
	if p.has {
		m.name, m.addr = m.name+" "+plain, p.angle
	}
	empty := !p.has && plain == "" && strings.TrimSpace(m.name) == ""
	p.name.Reset()
	p.plain.Reset()
	p.angle, p.has = "", false
	if empty {
		return
	}
	m.addr = strings.TrimSpace(m.addr)
	local, domain := split(m.addr)
	if local == "" || domain == "" || strings.ContainsAny(domain, "\"@<>()[],;:\\ \t") || strings.ContainsFunc(m.addr, unicode.IsControl) ||
		(local[0] != '"' && strings.ContainsAny(local, "\"@<>()[],;:\\ \t")) {
		p.ok = false
		return
	}
	p.list = append(p.list, m)
}

func split(addr string) (local, domain string) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return "", ""
	}
	return addr[:i], addr[i+1:]
}

// shownAddress finds an address in the name of a mailbox that is not the mailbox's own: programs that show
// the name alone would show it as the sender.
func shownAddress(m mailbox) string {
	for _, name := range []string{m.name, encword.Parse(m.name).String()} {
		name = strings.NewReplacer("\uff20", "@", "\ufe6b", "@").Replace(name)
		words := strings.FieldsFunc(name, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>()[]\"',;:", r)
		})
		for _, w := range words {
			if local, domain := split(w); local != "" && domain != "" && !sameAddress(w, m.addr) {
				return w
			}
		}
	}
	return ""
}

// mayHide tells whether a character may be a part of another one, "@" say, in a charset that is not known: as "+"
// is in UTF-7 and all above ASCII is in EBCDIC.
func mayHide(r rune) bool {
	return !(r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ._-", r)))
}

// sameAddress compares two addresses: domains without case and in their ASCII form (RFC 8550, 3), local
// parts without case in ASCII.
func sameAddress(a, b string) bool {
	al, ad := split(a)
	bl, bd := split(b)
	return al != "" && ad != "" && lowerASCII(unquote(al)) == lowerASCII(unquote(bl)) && asciiDomain(ad) == asciiDomain(bd)
}

// unquote takes the quotes off a local part.
func unquote(local string) string {
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	var b strings.Builder
	for i := 1; i < len(local)-1; i++ {
		if local[i] == '\\' && i+1 < len(local)-1 {
			i++
		}
		b.WriteByte(local[i])
	}
	return b.String()
}

// lowerASCII leaves other letters alone: folding them makes different addresses the same.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// maxDomain is the octets of a domain (RFC 5321, 4.5.3.1.2); the ASCII form of a longer one takes quadratic time.
const maxDomain = 255

func asciiDomain(d string) string {
	if len(d) > maxDomain {
		return lowerASCII(d)
	}
	if a, err := idna.Lookup.ToASCII(d); err == nil {
		d = a
	}
	return lowerASCII(d)
}

// addresses are those a certificate is for: rfc822Name and SmtpUTF8Mailbox of the subject alternative names,
// and emailAddress of the subject (RFC 8550, 3; RFC 8398).
func addresses(c *x509.Certificate) []string {
	all := append([]string(nil), c.EmailAddresses...)
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			all = append(all, utf8Mailboxes(e.Value)...)
		}
	}
	for _, n := range c.Subject.Names {
		if s, ok := n.Value.(string); ok && n.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}) {
			all = append(all, s)
		}
	}
	return all
}

// utf8Mailboxes reads the otherNames of type id-on-SmtpUTF8Mailbox from a SubjectAltName.
func utf8Mailboxes(san []byte) []string {
	var all []string
	names := cryptobyte.String(san)
	if !names.ReadASN1(&names, cryptobyte_asn1.SEQUENCE) {
		return nil
	}
	for !names.Empty() {
		var name, value cryptobyte.String
		var tag cryptobyte_asn1.Tag
		var oid asn1.ObjectIdentifier
		if !names.ReadAnyASN1(&name, &tag) {
			break
		}
		if tag != cryptobyte_asn1.Tag(0).ContextSpecific().Constructed() || !name.ReadASN1ObjectIdentifier(&oid) ||
			!oid.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}) ||
			!name.ReadASN1(&value, cryptobyte_asn1.Tag(0).ContextSpecific().Constructed()) ||
			!value.ReadASN1(&value, cryptobyte_asn1.UTF8String) {
			continue
		}
		if utf8.Valid(value) {
			all = append(all, string(value))
		}
	}
	return all
}
