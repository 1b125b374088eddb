package pathtest

import (
	"crypto/x509"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
)

// cn is the attribute of a name, alone.
func cn(text string) general {
	return func(b *cryptobyte.Builder) {
		whole := cryptobyte.String(name("CN", text))
		var parts, part cryptobyte.String
		if !whole.ReadASN1(&parts, cbasn1.SEQUENCE) || !parts.ReadASN1(&part, cbasn1.SET) {
			panic("not a name")
		}
		b.AddBytes(part)
	}
}

// owned gives entries their certificateIssuer; an entry without one has that of the entry before.
func owned(issuer []byte, all ...*node) listOption {
	return func(l *crl) {
		if l.owners == nil {
			l.owners = map[*node][]byte{}
		}
		for _, n := range all {
			l.owners[n] = issuer
		}
	}
}

// signs is a certificate of one who signs lists, and is no authority.
func signs(above *node, more ...option) *node {
	t := above.below(name("C", "DE", "O", "Pathtest", "CN", "Lists"), above.m.key("Lists"))
	t.extensions = append(t.extensions, usage(x509.KeyUsageCRLSign))
	return above.m.make(t, more)
}

// court is a path whose leaf is judged by lists of others than its issuer.
type court struct {
	m                             *maker
	root, ca, leaf, other, signer *node
	told                          [][]byte // lists of the authority and of the signer
}

func newCourt(m *maker, leafHas point, signerBy func(root, ca *node) *node) *court {
	root := m.root("Root")
	ca := root.authority("CA")
	c := &court{m: m, root: root, ca: ca, signer: signerBy(root, ca), told: [][]byte{root.list(), ca.list(holds(scope{point: signersOwn()}.extension()))}}
	var odd []option
	if leafHas.name != nil || leafHas.issuer != nil {
		odd = append(odd, with(points(leafHas)))
	}
	c.leaf, c.other = ca.leaf(odd...), ca.leaf(odd...)
	return c
}

// add adds a case of the court. What is told of the authority and the signer is there.
func (c *court) add(name string, want certs.Status, exception string, lists ...[]byte) {
	c.m.add(name, want, c.leaf, []*node{c.root}, []*node{c.ca, c.signer}, openssl(exception), func(k *Case) {
		k.Lists, k.Go = slices.Concat(c.told, lists), "lists"
	})
}

func byRoot(root, _ *node) *node { return signs(root) }

// byCA is one of whom a list of the authority's own tells.
func byCA(_, ca *node) *node { return signs(ca, with(points(point{name: signersOwn()}))) }

func signersOwn() general { return uri("http://crl.firma.example/signers.crl") }

// theLists is the name of the signer.
func theLists() []byte { return name("C", "DE", "O", "Pathtest", "CN", "Lists") }

// listSigners are of RFC 5280, 6.3.3, b 1 and f: lists that another than the issuer signs.
func listSigners(m *maker) {
	const rule = "6.3.3 b1, f: "
	const unknown = certs.StatusUntrusted
	here := uri("http://crl.firma.example/a.crl")
	delegated := point{name: here, issuer: theLists()}
	whole := holds(scope{point: here, indirect: true}.extension())
	for _, k := range []struct {
		name          string
		point         point
		signer        func(root, ca *node) *node
		list          []listOption
		good, revoked certs.Status
		openssl       string // says otherwise of good
	}{
		{"by another, whom the authority made", delegated, byCA, []listOption{whole}, certs.StatusValid, certs.StatusRevoked, ""},
		{"by another, whom the root made", delegated, byRoot, []listOption{whole}, certs.StatusValid, certs.StatusRevoked, ""},
		{"by another, of everything", delegated, byRoot, []listOption{holds(scope{indirect: true}.extension())}, certs.StatusValid, certs.StatusRevoked, ""},
		{"by another, that is not said to be indirect", delegated, byRoot, []listOption{holds(scope{point: here}.extension())}, unknown, unknown, ""},
		{"by another, that is not critically said to be indirect", delegated, byRoot, []listOption{func(l *crl) {
			e := scope{point: here, indirect: true}.extension()
			e.Critical = false
			holds(e)(l)
		}}, certs.StatusValid, certs.StatusRevoked, ""},
		{"by another, whom the leaf does not name", point{name: here}, byRoot, []listOption{whole}, unknown, unknown, ""},
		{"by another, of another distribution point", delegated, byRoot, []listOption{holds(scope{point: uri("http://crl.firma.example/b.crl"), indirect: true}.extension())}, unknown, unknown, ""},
		{"by another, of authorities", delegated, byRoot, []listOption{holds(scope{point: here, indirect: true, authorities: true}.extension())}, unknown, unknown, ""},
		{"by another, who may not sign lists", delegated, func(root, _ *node) *node { return signs(root, with(usage(x509.KeyUsageDigitalSignature))) }, []listOption{whole}, unknown, unknown, "list-path"},
		{"by another, whose certificate has ended", delegated, func(root, _ *node) *node {
			return signs(root, between(Now().AddDate(-2, 0, 0), Now().AddDate(-1, 0, 0)))
		}, []listOption{whole}, unknown, unknown, "list-path"},
		{"by another, with a signature of another key on its certificate", delegated, func(root, _ *node) *node { return signs(root, spoil) }, []listOption{whole}, unknown, unknown, ""},
		{"by another, whom another root made", delegated, func(root, _ *node) *node { return signs(root.m.root("Stranger")) }, []listOption{whole}, unknown, unknown, ""},
		{"by another, whom a user made", delegated, func(root, ca *node) *node { return signs(ca.leaf()) }, []listOption{whole}, unknown, unknown, ""},
		{"by another, and by another key", delegated, byRoot, []listOption{whole, func(l *crl) { l.key = m.key("Mallory") }}, unknown, unknown, ""},
		{"by another, that has ended", delegated, byRoot, []listOption{whole, when(Now().AddDate(0, 0, -9), Now().AddDate(0, 0, -2))}, unknown, certs.StatusRevoked, ""},
	} {
		c := newCourt(m, k.point, k.signer)
		c.add(rule+"a list "+k.name, k.good, k.openssl, c.signer.list(append(k.list, revokes(c.other), owned(c.ca.subject, c.other))...))
		c.add(rule+"a list "+k.name+", with the leaf in it", k.revoked, "", c.signer.list(append(k.list, revokes(c.other, c.leaf), owned(c.ca.subject, c.other, c.leaf))...))
	}
	c := newCourt(m, delegated, byRoot)
	c.signer = m.root("Root").authority("Nobody")
	c.add(rule+"a list by another, whose certificate is not there", unknown, "", signs(c.root).list(whole))
	c = newCourt(m, delegated, byRoot)
	c.told[0] = c.root.list(revokes(c.signer))
	c.add(rule+"a list by another, who is revoked", unknown, "", c.signer.list(whole))
	indirectEntries(m, delegated, whole)
	otherKeys(m)
}

// indirectEntries are of RFC 5280, 5.3.3 and 6.3.3, j: whose entries those of an indirect list are.
func indirectEntries(m *maker, delegated point, whole listOption) {
	const rule = "5.3.3: "
	c := newCourt(m, delegated, byRoot)
	add := func(name string, want certs.Status, o ...listOption) {
		c.add(rule+name, want, "", c.signer.list(append(o, whole)...))
	}
	add("the leaf's number, of the signer's own", certs.StatusValid, revokes(c.leaf))
	add("the leaf's number, of another authority", certs.StatusValid, revokes(c.leaf), owned(c.root.subject, c.leaf))
	add("the leaf, behind one that names the authority", certs.StatusRevoked, revokes(c.other, c.leaf), owned(c.ca.subject, c.other))
	add("the leaf, behind one that names another", certs.StatusValid, revokes(c.other, c.leaf), owned(c.root.subject, c.other))
	add("the leaf, of the authority, behind one of another", certs.StatusRevoked, revokes(c.other, c.leaf), owned(c.root.subject, c.other), owned(c.ca.subject, c.leaf))
	own := newCourt(m, point{}, byRoot)
	self := holds(scope{indirect: true}.extension())
	own.add(rule+"the authority's own indirect list, with the leaf in it", certs.StatusRevoked, "", own.ca.list(self, revokes(own.leaf)))
	own.add(rule+"the authority's own indirect list, with the leaf's number, of another", certs.StatusValid, "", own.ca.list(self, revokes(own.leaf), owned(own.root.subject, own.leaf)))
	own.add(rule+"an entry of another in a list that is not indirect", certs.StatusUntrusted, "entry-issuer", own.ca.list(revokes(own.other), owned(own.root.subject, own.other)))
}

// otherKeys are of authorities that sign lists with another key than certificates (RFC 5280, 6.3.3, f).
func otherKeys(m *maker) {
	const rule = "6.3.3 f: "
	named := func(above *node, more ...option) *node {
		return signs(above, append(more, named(name("C", "DE", "O", "Pathtest", "CN", "CA")))...)
	}
	for _, k := range []struct {
		name   string
		signer func(root, ca *node) *node
		good   bool
	}{
		{"the authority's other key, certified by the root", func(root, _ *node) *node { return named(root) }, true},
		{"the authority's other key, certified by itself", func(_, ca *node) *node { return named(ca, with(points(point{name: signersOwn()}))) }, true},
		{"the authority's other key, certified by a stranger", func(root, _ *node) *node { return named(root.m.root("Stranger")) }, false},
	} {
		c := newCourt(m, point{}, k.signer)
		good, revoked := certs.StatusValid, certs.StatusRevoked
		if !k.good {
			good, revoked = certs.StatusUntrusted, certs.StatusUntrusted
		}
		c.add(rule+"a list by "+k.name, good, "", c.signer.list(revokes(c.other)))
		c.add(rule+"a list by "+k.name+", with the leaf in it", revoked, "", c.signer.list(revokes(c.leaf)))
	}
}

// listPlaces are of RFC 5280, 6.3.3, b 2 and d: which list a distribution point means, and for which reasons.
func listPlaces(m *maker) {
	const rule = "6.3.3 b2, d: "
	const unknown = certs.StatusUntrusted
	here, there := uri("http://crl.firma.example/a.crl"), uri("http://crl.firma.example/b.crl")
	below := func(last string) general { return directory(name("C", "DE", "O", "Pathtest", "CN", "CA", "CN", last)) }
	belowLists := func(last string) general {
		return directory(name("C", "DE", "O", "Pathtest", "CN", "Lists", "CN", last))
	}
	some, rest := []byte{6, 0x40}, []byte{7, 0x3f, 0x80}
	for _, k := range []struct {
		name          string
		point         point
		own           bool // the list is the authority's
		scope         scope
		good, revoked certs.Status
		openssl       string // says otherwise of good
	}{
		{"relative name, the same", point{name: cn("1"), relative: true}, true, scope{point: cn("1"), relative: true}, certs.StatusValid, certs.StatusRevoked, ""},
		{"relative name, another", point{name: cn("1"), relative: true}, true, scope{point: cn("2"), relative: true}, unknown, unknown, ""},
		{"relative name, and a whole one that is the same", point{name: cn("1"), relative: true}, true, scope{point: below("1")}, certs.StatusValid, certs.StatusRevoked, ""},
		{"relative name, and a whole one that is another", point{name: cn("1"), relative: true}, true, scope{point: below("2")}, unknown, unknown, ""},
		{"whole name, and a relative one that is the same", point{name: below("1")}, true, scope{point: cn("1"), relative: true}, certs.StatusValid, certs.StatusRevoked, ""},
		{"relative name, and an address", point{name: cn("1"), relative: true}, true, scope{point: here}, unknown, unknown, ""},
		{"name of a directory, the same", point{name: below("1")}, true, scope{point: below("1")}, certs.StatusValid, certs.StatusRevoked, ""},
		{"name of a directory, another", point{name: below("1")}, true, scope{point: below("2")}, unknown, unknown, ""},
		{"name relative to another signer, the same", point{name: cn("1"), relative: true, issuer: theLists()}, false, scope{point: cn("1"), relative: true, indirect: true}, certs.StatusValid, certs.StatusRevoked, ""},
		{"name relative to another signer, another", point{name: cn("1"), relative: true, issuer: theLists()}, false, scope{point: cn("2"), relative: true, indirect: true}, unknown, unknown, ""},
		{"name relative to another signer, and a whole one that is the same", point{name: cn("1"), relative: true, issuer: theLists()}, false, scope{point: belowLists("1"), indirect: true}, certs.StatusValid, certs.StatusRevoked, ""},
		{"name relative to another signer, and a whole one relative to the authority", point{name: cn("1"), relative: true, issuer: theLists()}, false, scope{point: below("1"), indirect: true}, unknown, unknown, ""},
		{"signer without a place, and a list of that name", point{issuer: theLists()}, false, scope{point: directory(theLists()), indirect: true}, certs.StatusValid, certs.StatusRevoked, ""},
		{"signer without a place, and a list of another name", point{issuer: theLists()}, false, scope{point: below("1"), indirect: true}, unknown, unknown, "point-without-name"},
		{"signer without a place, and a list of everything", point{issuer: theLists()}, false, scope{indirect: true}, certs.StatusValid, certs.StatusRevoked, ""},
		{"other signer, and a list of the authority of the same place", point{name: here, issuer: theLists()}, true, scope{point: here}, unknown, unknown, ""},
		{"other signer, and a list of the authority of everything", point{name: here, issuer: theLists()}, true, scope{}, certs.StatusValid, certs.StatusRevoked, ""},
		{"distribution point of some reasons, and a list of it", point{name: here, reasons: some}, true, scope{point: here}, unknown, certs.StatusRevoked, ""},
		{"distribution point of some reasons, and a list of everything", point{name: here, reasons: some}, true, scope{}, certs.StatusValid, certs.StatusRevoked, "point-reasons"},
		{"distribution point of some reasons, and a list of others", point{name: here, reasons: some}, true, scope{point: here, reasons: rest}, unknown, unknown, ""},
		{"no distribution point, and a list of the authority's name", point{}, true, scope{point: directory(name("C", "DE", "O", "Pathtest", "CN", "CA"))}, certs.StatusValid, certs.StatusRevoked, "issuer-point"},
	} {
		c := newCourt(m, k.point, byRoot)
		by, owner := c.signer, owned(c.ca.subject, c.leaf, c.other)
		if k.own {
			by, owner = c.ca, func(*crl) {}
		}
		idp := func(*crl) {}
		if k.scope.point != nil || k.scope.indirect || k.scope.reasons != nil {
			idp = holds(k.scope.extension())
		}
		c.add(rule+k.name, k.good, k.openssl, by.list(idp, revokes(c.other), owner, because(1)))
		c.add(rule+k.name+", with the leaf in it", k.revoked, "", by.list(idp, revokes(c.leaf), owner, because(1)))
	}
	c := newCourt(m, point{name: here}, byRoot)
	part := func(reasons []byte, o ...listOption) []byte {
		return c.ca.list(append(o, holds(scope{point: here, reasons: reasons}.extension()))...)
	}
	c.add(rule+"two lists, of some reasons and of the others", certs.StatusValid, "", part(some), part(rest))
	c.add(rule+"two lists, of some reasons and of the others, with the leaf in the second", certs.StatusRevoked, "", part(some), part(rest, revokes(c.leaf), because(4)))
	c.add(rule+"two lists, of the same reasons", unknown, "", part(some), part(some))
	c.add(rule+"two lists, of some reasons and of the others, of which one has ended", unknown, "", part(some), part(rest, when(Now().AddDate(0, 0, -9), Now().AddDate(0, 0, -2))))
	c.leaf = c.ca.leaf(with(points(point{name: here, reasons: some}, point{name: there, reasons: rest})))
	at := func(g general, o ...listOption) []byte {
		return c.ca.list(append(o, holds(scope{point: g}.extension()))...)
	}
	c.add(rule+"two distribution points, of some reasons and of the others", certs.StatusValid, "", at(here), at(there))
	c.add(rule+"two distribution points, of some reasons and of the others, and a list of one", unknown, "", at(here))
	c.add(rule+"two distribution points, of some reasons and of the others, with the leaf in the second", certs.StatusRevoked, "", at(here), at(there, revokes(c.leaf), because(4)))
}
