package pathtest

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"time"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
)

func spoil(t *template) { t.spoil = true }

// by has another key sign.
func by(k crypto.Signer) option { return func(t *template) { t.signer = k } }

// keyed gives a certificate the key of a name.
func (m *maker) keyed(name string) option {
	return func(t *template) {
		if t.root {
			t.signer = m.key(name)
		}
		t.key = m.key(name)
		with(keyID(t.key))(t)
	}
}

// makes is how a certificate signs others.
func makes(how method) option { return func(t *template) { t.own = how } }

// signedBy is how the signature of a certificate is made.
func signedBy(how method) option { return func(t *template) { t.method = how } }

// signatures are of RFC 5280, 6.1.3, a (1).
func signatures(m *maker) {
	const rule = "6.1.3 a1: "
	m.plain(rule+"all signatures are right", certs.StatusValid, world{})
	m.plain(rule+"the leaf's is of another text", certs.StatusUntrusted, world{leaf: []option{spoil}})
	m.plain(rule+"the authority's is of another text", certs.StatusUntrusted, world{ca: []option{spoil}})
	m.plain(rule+"an anchor's own proves nothing", certs.StatusValid, world{root: []option{spoil}})
	m.plain(rule+"the leaf's is by another key", certs.StatusUntrusted, world{leaf: []option{by(m.key("Mallory"))}})
	m.plain(rule+"the authority's is by another key", certs.StatusUntrusted, world{ca: []option{by(m.key("Mallory"))}})
	m.plain(rule+"the leaf's is by itself", certs.StatusUntrusted, world{leaf: []option{by(m.key("Alice"))}})
	root := m.root("Root")
	m.add(rule+"an anchor as leaf", certs.StatusValid, root, []*node{root}, nil, func(c *Case) { c.Purpose = certs.Any })
	m.add(rule+"a self-signed leaf that is no anchor", certs.StatusUntrusted, m.root("Alone").leaf(), []*node{root}, nil)
	leaf := root.authority("CA").leaf()
	m.add(rule+"a leaf that is an anchor", certs.StatusValid, leaf, []*node{leaf}, nil)
}

// algorithms are the kinds of keys and signatures.
func algorithms(m *maker) {
	const rule = "algorithms: "
	for _, kind := range []string{"P-256", "P-384", "P-521", "Ed25519", "RSA-2048", "RSA-3072", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"} {
		key := m.keyed(kind + " CA")
		go1 := ""
		if kind[0] == 'b' {
			go1 = "brainpool"
		}
		m.plain(rule+kind, certs.StatusValid, world{ca: []option{key}}, golang(go1))
		m.plain(rule+kind+", with a signature of another text", certs.StatusUntrusted, world{ca: []option{key}, leaf: []option{spoil}})
	}
	rsa := m.keyed("RSA-2048 CA")
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		m.plain(rule+"RSA with "+hash.String(), certs.StatusValid, world{ca: []option{rsa, makes(method{hash: hash})}})
		for _, salt := range []int{1, 20, hash.Size(), 90} {
			other := ""
			if salt != hash.Size() {
				other = "pss-salt"
			}
			m.plain(fmt.Sprintf("%sRSASSA-PSS with %v and a salt of %d", rule, hash, salt), certs.StatusValid, world{ca: []option{rsa, makes(method{hash: hash, salt: salt})}}, golang(other))
		}
		m.plain(rule+"RSASSA-PSS with "+hash.String()+" of another text", certs.StatusUntrusted, world{ca: []option{rsa, makes(method{hash: hash, salt: 32})}, leaf: []option{spoil}})
		m.plain(rule+"ECDSA with "+hash.String(), certs.StatusValid, world{ca: []option{makes(method{hash: hash})}})
	}
	m.plain(rule+"SHA-1 with RSA", certs.StatusWeak, world{ca: []option{rsa, makes(method{hash: crypto.SHA1})}})
	m.plain(rule+"MD5 with RSA", certs.StatusWeak, world{ca: []option{rsa, makes(method{hash: crypto.MD5})}})
	m.plain(rule+"SHA-1 with ECDSA", certs.StatusWeak, world{ca: []option{makes(method{hash: crypto.SHA1})}})
	m.plain(rule+"SHA-1 above the authority", certs.StatusWeak, world{root: []option{makes(method{hash: crypto.SHA1})}})
	m.plain(rule+"SHA-1 on an anchor", certs.StatusValid, world{root: []option{signedBy(method{hash: crypto.SHA1})}})
	m.plain(rule+"an authority with RSA of 1024 bits", certs.StatusWeak, world{ca: []option{m.keyed("RSA-1024 CA")}}, golang("strength"))
	m.plain(rule+"a leaf with RSA of 1024 bits", certs.StatusWeak, world{leaf: []option{m.keyed("RSA-1024 Alice")}}, golang("strength"))
	m.plain(rule+"a leaf on P-224", certs.StatusWeak, world{leaf: []option{m.keyed("P-224 Alice")}}, both("strength"))
}

func between(from, until time.Time) option {
	return func(t *template) { t.from, t.until = from, until }
}

// validity is RFC 5280, 6.1.3, a (2).
func validity(m *maker) {
	const rule = "6.1.3 a2: "
	now, second := Now(), time.Second
	far := now.AddDate(25, 0, 0)
	for _, c := range []struct {
		name        string
		from, until time.Time
		want        certs.Status
		openssl     string
	}{
		{"long", now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0), certs.StatusValid, ""},
		{"expired by a second", now.AddDate(-1, 0, 0), now.Add(-second), certs.StatusExpired, ""},
		{"in its last second", now.AddDate(-1, 0, 0), now, certs.StatusValid, "last-second"},
		{"a second before its end", now.AddDate(-1, 0, 0), now.Add(second), certs.StatusValid, ""},
		{"in its first second", now, now.AddDate(1, 0, 0), certs.StatusValid, ""},
		{"a second too early", now.Add(second), now.AddDate(1, 0, 0), certs.StatusTime, ""},
		{"until after 2050", now.AddDate(-1, 0, 0), far, certs.StatusValid, ""},
		{"of the past century", now.AddDate(-70, 0, 0), now.AddDate(-50, 0, 0), certs.StatusExpired, ""},
	} {
		odd := []option{between(c.from, c.until)}
		m.plain(rule+"the leaf is "+c.name, c.want, world{leaf: odd}, openssl(c.openssl))
		m.plain(rule+"the authority is "+c.name, c.want, world{ca: odd}, openssl(c.openssl))
		m.plain(rule+"the anchor is "+c.name, c.want, world{root: odd}, openssl(c.openssl))
		m.plain(rule+"the leaf, in GeneralizedTime, is "+c.name, c.want, world{leaf: append(odd, func(t *template) { t.general = true })}, openssl(c.openssl))
	}
}

func named(subject []byte) option { return func(t *template) { t.subject = subject } }

func issuedBy(issuer []byte) option { return func(t *template) { t.issuer = issuer } }

// chaining is RFC 5280, 6.1.3, a (4), with the comparison of 7.1.
func chaining(m *maker) {
	const rule = "6.1.3 a4: "
	issuer := func(n []byte) world { return world{leaf: []option{issuedBy(n)}} }
	m.plain(rule+"the leaf names another issuer", certs.StatusUntrusted, issuer(name("C", "DE", "O", "Pathtest", "CN", "Other CA")))
	m.plain(rule+"the parts of the name in another order", certs.StatusUntrusted, issuer(name("O", "Pathtest", "C", "DE", "CN", "CA")))
	m.plain(rule+"a part of the name is missing", certs.StatusUntrusted, issuer(name("O", "Pathtest", "CN", "CA")))
	m.plain(rule+"a part of the name too many", certs.StatusUntrusted, issuer(name("C", "DE", "O", "Pathtest", "OU", "x", "CN", "CA")))
	m.plain(rule+"the name in capitals", certs.StatusValid, issuer(name("C", "DE", "O", "PATHTEST", "CN", "ca")), golang("names"))
	m.plain(rule+"the name with more blanks", certs.StatusValid, issuer(name("C", "DE", "O", "  Pathtest ", "CN", " CA")), golang("names"))
	m.plain(rule+"the name as PrintableString", certs.StatusValid, issuer(nameOf(cbasn1.PrintableString, "C", "DE", "O", "Pathtest", "CN", "CA")), golang("names"))
	m.plain(rule+"the name as TeletexString", certs.StatusValid, issuer(nameOf(cbasn1.T61String, "C", "DE", "O", "Pathtest", "CN", "CA")), golang("names"))
	m.plain(rule+"the authority names another issuer", certs.StatusUntrusted, world{ca: []option{issuedBy(name("CN", "Nobody"))}})
	empty := world{leaf: []option{named(name())}}
	m.plain(rule+"a leaf without a name", certs.StatusValid, empty)

	root := m.root("Root")
	ca := root.authority("CA")
	leaf := ca.leaf()
	twin := root.authority("CA", m.keyed("CA's twin"))
	m.add(rule+"two authorities of one name", certs.StatusValid, leaf, []*node{root}, []*node{twin, ca})
	m.add(rule+"two authorities of one name, the wrong one alone", certs.StatusUntrusted, leaf, []*node{root}, []*node{twin})
	m.add(rule+"an authority twice", certs.StatusValid, leaf, []*node{root}, []*node{ca, ca})
	deep := ca.authority("Deep CA")
	m.add(rule+"out of order", certs.StatusValid, deep.leaf(), []*node{root}, []*node{leaf, ca, root, deep})
	m.add(rule+"one missing", certs.StatusUntrusted, deep.leaf(), []*node{root}, []*node{deep})
	m.add(rule+"the anchor only sent along", certs.StatusUntrusted, leaf, nil, []*node{ca, root})
	m.add(rule+"an authority as anchor", certs.StatusValid, leaf, []*node{ca}, nil)
	wrongID := ca.leaf(with(authorityKeyID(m.key("Mallory"))))
	m.add(rule+"the key identifier of another authority", certs.StatusValid, wrongID, []*node{root}, []*node{ca}, openssl("key-identifier"))
	same := root.authority("Same key", m.keyed("Root"))
	m.add(rule+"two authorities with one key", certs.StatusValid, same.leaf(), []*node{root}, []*node{same})
}

// rollover is of authorities that change their key, with certificates that they issue to themselves.
func rollover(m *maker) {
	const rule = "self-issued: "
	old := m.root("Root")
	newer := m.root("Root", m.keyed("Root's new key"))
	newWithOld := old.authority("Root", m.keyed("Root's new key"))
	oldWithNew := newer.authority("Root", m.keyed("Root"))
	under := func(n *node) (*node, *node) {
		ca := n.authority("CA")
		return ca.leaf(), ca
	}
	leafNew, caNew := under(newer)
	leafOld, caOld := under(old)
	m.add(rule+"the new key, by the old one", certs.StatusValid, leafNew, []*node{old}, []*node{caNew, newWithOld})
	m.add(rule+"the old key, by the new one", certs.StatusValid, leafOld, []*node{newer}, []*node{caOld, oldWithNew})
	m.add(rule+"the new key, unproven", certs.StatusUntrusted, leafNew, []*node{old}, []*node{caNew})
	m.add(rule+"both ways, and both anchors", certs.StatusValid, leafNew, []*node{old, newer}, []*node{caNew, newWithOld, oldWithNew})
	m.add(rule+"both ways, without an anchor", certs.StatusUntrusted, leafNew, nil, []*node{caNew, newWithOld, oldWithNew})
	expired := old.authority("Root", m.keyed("Root's new key"), between(Now().AddDate(-2, 0, 0), Now().AddDate(-1, 0, 0)))
	m.add(rule+"the proof expired", certs.StatusExpired, leafNew, []*node{old}, []*node{caNew, expired})
	wrong := old.authority("Root", m.keyed("Root's new key"), spoil)
	m.add(rule+"the proof forged", certs.StatusUntrusted, leafNew, []*node{old}, []*node{caNew, wrong})
	renewed := old.authority("CA", between(Now().AddDate(-3, 0, 0), Now().AddDate(3, 0, 0)))
	gone := old.authority("CA", between(Now().AddDate(-9, 0, 0), Now().AddDate(-3, 0, 0)))
	m.add(rule+"an authority renewed, with the old certificate beside it", certs.StatusValid, leafOld, []*node{old}, []*node{gone, renewed})
	m.add(rule+"an authority not renewed", certs.StatusExpired, leafOld, []*node{old}, []*node{gone})
}

// crossed is of authorities that certify each other.
func crossed(m *maker) {
	const rule = "cross-certificates: "
	a, b, bridge := m.root("Root A"), m.root("Root B"), m.root("Bridge")
	caB := b.authority("CA")
	leaf := caB.leaf()
	bByA, aByB := a.authority("Root B"), b.authority("Root A")
	m.add(rule+"by the other root", certs.StatusValid, leaf, []*node{a}, []*node{caB, bByA})
	m.add(rule+"in both directions", certs.StatusValid, leaf, []*node{a}, []*node{caB, aByB, bByA})
	m.add(rule+"in the wrong direction", certs.StatusUntrusted, leaf, []*node{a}, []*node{caB, aByB})
	toBridge, fromBridge, back := a.authority("Bridge"), bridge.authority("Root B"), bridge.authority("Root A")
	m.add(rule+"over a bridge", certs.StatusValid, leaf, []*node{a}, []*node{caB, back, fromBridge, toBridge})
	m.add(rule+"over a bridge that is broken", certs.StatusUntrusted, leaf, []*node{a}, []*node{caB, back, fromBridge})
	expired := a.authority("Root B", between(Now().AddDate(-2, 0, 0), Now().AddDate(-1, 0, 0)))
	m.add(rule+"one expired, one good", certs.StatusValid, leaf, []*node{a}, []*node{caB, expired, bByA})
	bound := a.authority("Root B", with(bounds([]general{mail("other.example")}, nil)))
	m.add(rule+"one constrained, one good", certs.StatusValid, leaf, []*node{a}, []*node{caB, bound, bByA}, openssl("one-path"))
	m.add(rule+"one constrained", certs.StatusUntrusted, leaf, []*node{a}, []*node{caB, bound})
	short := a.authority("Root B", with(basic(true, 0)))
	m.add(rule+"one too short, one good", certs.StatusValid, leaf, []*node{a}, []*node{caB, short, bByA}, openssl("one-path"))
	lame := a.authority("Root B", with(usage(x509.KeyUsageCRLSign)))
	m.add(rule+"one that may not issue, one good", certs.StatusValid, leaf, []*node{a}, []*node{caB, lame, bByA}, openssl("one-path"))
	m.add(rule+"both roots are anchors", certs.StatusValid, leaf, []*node{a, b}, []*node{caB, bByA, aByB})
}
