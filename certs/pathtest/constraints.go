package pathtest

import (
	"encoding/asn1"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/certs"
)

// bound is one constraint and one name of its form.
type bound struct {
	constraint general
	name       general
	text       string // of both
	inside     bool
	openssl    string // where permitted
	excluded   string // where excluded
	odd        bool   // nobody judges it: neither permitted nor not excluded
}

func upn() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3} }

func utf8Mailbox(text string) general {
	return other(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}, text)
}

// forms are constraints of every form of RFC 5280, 4.2.1.10.
func forms() []bound {
	v4, v6 := "\x0a\x01\x02\x03", "\x20\x01\x0d\xb8"+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	net4, net6 := "\x0a\x01\x00\x00\xff\xff\x00\x00", "\x20\x01\x0d\xb8"+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"+"\xff\xff\xff\xff"+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	far4 := "\x0a\x02\x00\x00\xff\xff\x00\x00"
	var all []bound
	add := func(text string, constraint, name general, inside bool) {
		all = append(all, bound{constraint: constraint, name: name, text: text, inside: inside})
	}
	last := func() *bound { return &all[len(all)-1] }
	for _, c := range []struct {
		constraint, address string
		inside              bool
	}{
		{"alice@firma.example", "alice@firma.example", true}, {"alice@firma.example", "bob@firma.example", false}, {"alice@firma.example", "alice@FIRMA.example", true},
		{"alice@firma.example", "alice@x.firma.example", false},
		{"firma.example", "alice@firma.example", true}, {"firma.example", "alice@x.firma.example", false}, {"firma.example", "alice@notfirma.example", false}, {"FIRMA.example", "alice@firma.EXAMPLE", true},
		{".firma.example", "alice@firma.example", false}, {".firma.example", "alice@x.firma.example", true}, {".firma.example", "alice@y.x.firma.example", true}, {".firma.example", "alice@notfirma.example", false},
	} {
		add("rfc822Name "+c.constraint+", "+c.address, mail(c.constraint), mail(c.address), c.inside)
	}
	add("rfc822Name alice@firma.example, ALICE@firma.example", mail("alice@firma.example"), mail("ALICE@firma.example"), true)
	last().openssl, last().excluded = "local-part", "local-part"
	for _, c := range []struct {
		constraint, address string
		inside              bool
	}{
		{"firma.example", "älice@firma.example", true}, {"firma.example", "älice@other.example", false}, {".xn--frma-5pa.example", "alice@x.f\u00efrma.example", true},
		{"xn--frma-5pa.example", "älice@f\u00efrma.example", true}, {"firma.example", "älice@f\u00efrma.example", false},
	} {
		add("SmtpUTF8Mailbox "+c.constraint+", "+c.address, mail(c.constraint), utf8Mailbox(c.address), c.inside)
		if b := last(); c.constraint[0] == '.' {
			b.openssl, b.excluded = "utf8-domain", "utf8-domain"
		}
	}
	for _, c := range []struct {
		constraint, host string
		inside           bool
	}{
		{"firma.example", "firma.example", true}, {"firma.example", "www.firma.example", true}, {"firma.example", "notfirma.example", false}, {"firma.example", "WWW.Firma.Example", true},
		{"www.firma.example", "firma.example", false},
	} {
		add("dNSName "+c.constraint+", "+c.host, host(c.constraint), host(c.host), c.inside)
	}
	add("dNSName www.firma.example, *.firma.example", host("www.firma.example"), host("*.firma.example"), false)
	last().excluded = "wildcard"
	last().odd = true
	for _, c := range []struct {
		constraint, uri string
		inside          bool
	}{
		{"firma.example", "https://firma.example/a", true}, {"firma.example", "https://www.firma.example/a", false}, {".firma.example", "https://www.firma.example/a", true},
		{".firma.example", "https://firma.example/a", false}, {"firma.example", "https://alice@firma.example:8443/a", true}, {"firma.example", "https://FIRMA.example", true},
	} {
		add("uniformResourceIdentifier "+c.constraint+", "+c.uri, uri(c.constraint), uri(c.uri), c.inside)
		if strings.Contains(c.uri, "@") {
			last().openssl, last().excluded = "uri-user", "uri-user"
		}
	}
	add("uniformResourceIdentifier firma.example, one without a host", uri("firma.example"), uri("urn:x:firma.example"), false)
	last().odd = true
	add("iPAddress, 4 octets, within", ip(net4), ip(v4), true)
	add("iPAddress, 4 octets, without", ip(far4), ip(v4), false)
	add("iPAddress, 16 octets, within", ip(net6), ip(v6), true)
	add("iPAddress, 16 octets, without", ip(net6), ip("\x20\x02"+v6[2:]), false)
	add("iPAddress, one of 4 octets under one of 16", ip(net6), ip(v4), false)
	here := name("C", "DE", "O", "Firma")
	add("directoryName, the same", directory(here), directory(here), true)
	add("directoryName, below", directory(here), directory(name("C", "DE", "O", "Firma", "CN", "x")), true)
	add("directoryName, above", directory(here), directory(name("C", "DE")), false)
	add("directoryName, beside", directory(here), directory(name("C", "DE", "O", "Fremd", "CN", "x")), false)
	add("directoryName, in other letters", directory(here), directory(name("C", "DE", "O", "FIRMA ", "CN", "x")), true)
	add("directoryName, a part that only begins so", directory(here), directory(name("C", "DE", "O", "Firmament")), false)
	add("otherName", other(upn(), "x"), other(upn(), "x"), false)
	last().odd = true
	add("registeredID", registered(upn()), registered(upn()), false)
	last().odd = true
	return all
}

// constraintForms are of RFC 5280, 6.1.3, b and c: each form of name, permitted and excluded, in a leaf and in an authority.
func constraintForms(m *maker) {
	for _, f := range forms() {
		goNo := func(valid bool) string { // crypto/x509 refuses what it does not know
			if valid && goKnowsNot(f) {
				return "constraint-forms"
			}
			return ""
		}
		set := func(permitted bool, b bound) func(*Case) {
			e, want := b.openssl, b.inside
			if !permitted {
				e, want = b.excluded, !b.inside && !b.odd
			}
			return func(c *Case) {
				c.OpenSSL, c.Go = e, goNo(want)
				if strings.HasPrefix(f.text, "Smtp") {
					c.Go = "constraint-forms"
				}
				if goWiderThan(f) {
					c.Go = "constraint-bounds"
				}
			}
		}
		leaf := []option{with(san(f.name))}
		if isDirectory(f) { // the names of the test's own would be in the way
			leaf = append(leaf, named(name()))
		}
		m.plain("6.1.3 b: permitted: "+f.text, verdict(f.inside), world{ca: []option{with(bounds([]general{f.constraint}, nil))}, leaf: leaf}, set(true, f))
		m.plain("6.1.3 c: excluded: "+f.text, verdict(!f.inside && !f.odd), world{ca: []option{with(bounds(nil, []general{f.constraint}))}, leaf: leaf}, set(false, f))
		if isDirectory(f) {
			continue
		}
		m.plain("6.1.3 b: permitted, of an authority: "+f.text, verdict(f.inside), world{root: []option{with(bounds([]general{f.constraint}, nil))}, ca: leaf, leaf: []option{without(ce(17))}}, set(true, f))
		m.plain("6.1.3 c: excluded, of an authority: "+f.text, verdict(!f.inside && !f.odd), world{root: []option{with(bounds(nil, []general{f.constraint}))}, ca: leaf, leaf: []option{without(ce(17))}}, set(false, f))
	}
}

// goWiderThan reports where crypto/x509 takes a host for all below it, and compares local parts by case.
func goWiderThan(b bound) bool {
	for _, text := range []string{"alice@x.firma.example", "ALICE@firma.example", "https://www.firma.example/a"} {
		if strings.HasSuffix(b.text, text) && !strings.Contains(b.text, " .") {
			return true
		}
	}
	return false
}

func isDirectory(b bound) bool { return len(b.text) > 13 && b.text[:13] == "directoryName" }

func goKnowsNot(b bound) bool {
	return isDirectory(b) || b.text[:4] == "Smtp" || b.text == "otherName" || b.text == "registeredID"
}

// constraintRules are what RFC 5280, 4.2.1.10 and 6.1.4, g say beside.
func constraintRules(m *maker) {
	const rule = "6.1.4 g: "
	only := func(domains ...string) option {
		var list []general
		for _, d := range domains {
			list = append(list, mail(d))
		}
		return with(bounds(list, nil))
	}
	m.plain(rule+"one of two that are permitted", certs.StatusValid, world{ca: []option{only("other.example", "firma.example")}})
	m.plain(rule+"none of two that are permitted", certs.StatusUntrusted, world{ca: []option{only("other.example", "third.example")}})
	m.plain(rule+"permitted by both authorities", certs.StatusValid, world{root: []option{only("firma.example")}, ca: []option{only("firma.example", "other.example")}})
	m.plain(rule+"permitted by the lower one alone", certs.StatusUntrusted, world{root: []option{only("other.example")}, ca: []option{only("firma.example")}})
	m.plain(rule+"permitted by the upper one alone", certs.StatusUntrusted, world{root: []option{only("firma.example")}, ca: []option{only("other.example")}})
	m.plain(rule+"permitted, and excluded more narrowly", certs.StatusUntrusted, world{ca: []option{with(bounds([]general{mail("firma.example")}, []general{mail("alice@firma.example")}))}})
	m.plain(rule+"permitted, and another excluded", certs.StatusValid, world{ca: []option{with(bounds([]general{mail("firma.example")}, []general{mail("bob@firma.example")}))}})
	m.plain(rule+"excluded above, permitted below", certs.StatusUntrusted, world{root: []option{with(bounds(nil, []general{mail("firma.example")}))}, ca: []option{only("firma.example")}})
	m.plain(rule+"a form of which there is no name", certs.StatusValid, world{ca: []option{with(bounds([]general{host("other.example")}, nil))}})
	m.plain(rule+"an unknown form of which there is no name", certs.StatusValid, world{ca: []option{with(bounds([]general{other(upn(), "x"), registered(upn())}, nil))}}, golang("constraint-forms"))
	m.plain(rule+"two addresses, one of them permitted", certs.StatusUntrusted, world{ca: []option{only("firma.example")}, leaf: []option{with(san(mail("alice@firma.example"), mail("alice@other.example")))}})
	m.plain(rule+"no address under a constraint on them", certs.StatusValid, world{ca: []option{only("firma.example")}, leaf: []option{without(ce(17))}})

	subject := func(address string) option {
		return named(name("C", "DE", "O", "Pathtest", "CN", "Alice", "emailAddress", address))
	}
	m.plain(rule+"an address in the subject, permitted", certs.StatusValid, world{ca: []option{only("firma.example")}, leaf: []option{without(ce(17)), subject("alice@firma.example")}})
	m.plain(rule+"an address in the subject, not permitted", certs.StatusUntrusted, world{ca: []option{only("firma.example")}, leaf: []option{without(ce(17)), subject("alice@other.example")}}, golang("subject-address"))
	m.plain(rule+"an address in the subject, excluded", certs.StatusUntrusted, world{ca: []option{with(bounds(nil, []general{mail("other.example")}))}, leaf: []option{without(ce(17)), subject("alice@other.example")}}, golang("subject-address"))
	m.plain(rule+"an address in the subject, not permitted, beside one that is", certs.StatusUntrusted, world{ca: []option{only("firma.example")}, leaf: []option{subject("alice@other.example")}}, golang("subject-address"))

	here := func(o string) option { return with(bounds([]general{directory(name("C", "DE", "O", o))}, nil)) }
	m.plain(rule+"a subject, permitted", certs.StatusValid, world{ca: []option{here("Pathtest")}}, golang("constraint-forms"))
	m.plain(rule+"a subject, not permitted", certs.StatusUntrusted, world{ca: []option{here("Fremd")}})
	m.plain(rule+"a subject, excluded", certs.StatusUntrusted, world{ca: []option{with(bounds(nil, []general{directory(name("C", "DE"))}))}})
	m.plain(rule+"the subject of an authority, not permitted", certs.StatusUntrusted, world{root: []option{here("Fremd")}, leaf: []option{named(name("C", "DE", "O", "Fremd", "CN", "Alice"))}})
	m.plain(rule+"no subject", certs.StatusValid, world{ca: []option{here("Fremd")}, leaf: []option{named(name())}}, golang("constraint-forms"))

	for _, atEnd := range []bool{false, true} {
		root := m.root("Root", with(bounds(nil, []general{directory(name("C", "DE", "O", "Pathtest", "CN", "CA"))})))
		ca := root.authority("CA 1", with(bounds(nil, []general{directory(name("C", "DE", "O", "Pathtest", "CN", "CA 1"))})))
		self := ca.authority("CA 1", m.keyed("CA 1's new key"))
		leaf := self.leaf()
		if atEnd {
			leaf = self.leaf(named(name("C", "DE", "O", "Pathtest", "CN", "CA 1")))
		}
		m.add(fmt.Sprintf("6.1.3 b: a self-issued certificate, at the end %v", atEnd), verdict(!atEnd), leaf, []*node{root}, []*node{ca, self}, golang(map[bool]string{false: "constraint-forms", true: ""}[atEnd]))
	}
}
