package pathtest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
)

// crl is a list of revoked certificates that is to be made (RFC 5280, 5.1).
type crl struct {
	issuer     []byte
	this, next time.Time // next zero: none
	key        crypto.Signer
	revoked    []*node
	entry      []pkix.Extension // of each entry
	owners     map[*node][]byte // the certificateIssuer of entries
	extensions []pkix.Extension
	spoil      bool
}

// listOption makes something odd about a list.
type listOption func(*crl)

// list makes a list of n's.
func (n *node) list(options ...listOption) []byte {
	l := crl{issuer: n.subject, this: Now().AddDate(0, 0, -1), next: Now().AddDate(0, 0, 6), key: n.key, extensions: []pkix.Extension{authorityKeyID(n.key), listNumber(1)}}
	for _, o := range options {
		o(&l)
	}
	how := method{}.of(l.key)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddBytes(how.identifier)
		b.AddBytes(l.issuer)
		b.AddASN1UTCTime(l.this)
		if !l.next.IsZero() {
			b.AddASN1UTCTime(l.next)
		}
		if len(l.revoked) > 0 {
			b.AddASN1(cbasn1.SEQUENCE, l.entries)
		}
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { addExtensions(b, l.extensions) })
	})
	return signed(b.BytesOrPanic(), how, l.key, l.spoil)
}

func (l *crl) entries(b *cryptobyte.Builder) {
	for _, n := range l.revoked {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(n.cert.SerialNumber)
			b.AddASN1UTCTime(l.this.Add(-time.Hour))
			all := l.entry
			if owner := l.owners[n]; owner != nil { // RFC 5280, 5.3.3
				all = append(all[:len(all):len(all)], sequence(ce(29), true, cryptobyte.BuilderContinuation(directory(owner))))
			}
			if len(all) > 0 {
				addExtensions(b, all)
			}
		})
	}
}

func revokes(n ...*node) listOption { return func(l *crl) { l.revoked = n } }

func holds(e pkix.Extension) listOption {
	return func(l *crl) { l.extensions = append(l.extensions, e) }
}

// because gives each entry a reason (RFC 5280, 5.3.1).
func because(reason int) listOption {
	return func(l *crl) {
		l.entry = append(l.entry, pkix.Extension{Id: ce(21), Value: must(asn1.Marshal(asn1.Enumerated(reason)))})
	}
}

func listNumber(n int64) pkix.Extension {
	return extension(ce(20), false, func(b *cryptobyte.Builder) { b.AddASN1Int64(n) })
}

func when(this, next time.Time) listOption {
	return func(l *crl) { l.this, l.next = this, next }
}

// scope is issuingDistributionPoint (RFC 5280, 5.2.5).
type scope struct {
	point                               general
	relative                            bool // point is attributes below the name of the list's issuer
	users, authorities, indirect, attrs bool
	reasons                             []byte // a BIT STRING, without its tag
}

func (s scope) extension() pkix.Extension {
	return sequence(ce(28), true, func(b *cryptobyte.Builder) {
		if s.point != nil {
			place(b, s.point, s.relative)
		}
		for i, flag := range []bool{s.users, s.authorities, len(s.reasons) > 0, s.indirect, s.attrs} {
			if !flag {
				continue
			}
			b.AddASN1(implicit(uint8(i+1)), func(b *cryptobyte.Builder) {
				if i == 2 {
					b.AddBytes(s.reasons)
				} else {
					b.AddUint8(0xff)
				}
			})
		}
	})
}

// point is a distribution point (RFC 5280, 4.2.1.13).
type point struct {
	name     general
	relative bool // name is attributes below the name of the issuer, of the certificate or of the list
	reasons  []byte
	issuer   []byte // of the list, by name
}

// place writes a DistributionPointName.
func place(b *cryptobyte.Builder, name general, relative bool) {
	kind := map[bool]uint8{false: 0, true: 1}[relative]
	b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1(explicit(kind), cryptobyte.BuilderContinuation(name)) })
}

func points(all ...point) pkix.Extension {
	return sequence(ce(31), false, func(b *cryptobyte.Builder) {
		for _, p := range all {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if p.name != nil {
					place(b, p.name, p.relative)
				}
				if len(p.reasons) > 0 {
					b.AddASN1(implicit(1), func(b *cryptobyte.Builder) { b.AddBytes(p.reasons) })
				}
				if p.issuer != nil {
					b.AddASN1(explicit(2), cryptobyte.BuilderContinuation(directory(p.issuer)))
				}
			})
		}
	})
}

func pointAt(address string) pkix.Extension { return points(point{name: uri(address)}) }

// lists are of RFC 5280, 6.3.3, without scopes.
func lists(m *maker) {
	const rule = "6.3.3: "
	root := m.root("Root")
	ca := root.authority("CA")
	leaf := ca.leaf()
	other := ca.leaf()
	rootList, good := root.list(), ca.list(revokes(other))
	add := func(name string, want certs.Status, e string, lists ...[]byte) {
		m.add(rule+name, want, leaf, []*node{root}, []*node{ca}, openssl(e), func(c *Case) { c.Lists, c.Go = lists, "lists" })
	}
	const unknown = certs.StatusUntrusted
	add("nobody is revoked", certs.StatusValid, "", rootList, good)
	add("the leaf is", certs.StatusRevoked, "", rootList, ca.list(revokes(other, leaf)))
	add("the authority is", certs.StatusRevoked, "", root.list(revokes(ca)), good)
	for reason := range 11 {
		if reason != 7 && reason != 8 { // 8, removeFromCRL, is for lists of differences
			add(fmt.Sprint("the leaf is, for the reason ", reason), certs.StatusRevoked, "", rootList, ca.list(revokes(leaf), because(reason)))
		}
	}
	add("no list of the authority", unknown, "", rootList)
	add("no list of the root", unknown, "", good)
	add("a list that has ended", unknown, "", rootList, ca.list(when(Now().AddDate(0, 0, -9), Now().AddDate(0, 0, -2))))
	add("a list that has ended, and one that has not", certs.StatusValid, "", rootList, ca.list(when(Now().AddDate(0, 0, -9), Now().AddDate(0, 0, -2))), good)
	add("a list of the future", unknown, "", rootList, ca.list(when(Now().AddDate(0, 0, 1), Now().AddDate(0, 0, 8))))
	add("a list without an end", certs.StatusValid, "", rootList, ca.list(when(Now().AddDate(0, 0, -9), time.Time{})))
	add("a list of another text", unknown, "", rootList, ca.list(func(l *crl) { l.spoil = true }))
	add("a list by another key", unknown, "", rootList, ca.list(func(l *crl) { l.key = m.key("Mallory") }))
	add("a list by the root in the name of the authority", unknown, "", rootList, root.list(func(l *crl) { l.issuer = ca.subject }))
	add("a list of another authority", unknown, "", rootList, root.authority("CA 2").list())
	odd := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 9}, Value: []byte{5, 0}}
	critical := odd
	critical.Critical = true
	add("an unknown extension", certs.StatusValid, "", rootList, ca.list(holds(odd)))
	add("an unknown critical extension", unknown, "", rootList, ca.list(holds(critical)))
	add("an unknown critical extension of an entry", unknown, "", rootList, ca.list(revokes(other), func(l *crl) { l.entry = []pkix.Extension{critical} }))
	add("differences alone", unknown, "", rootList, ca.list(holds(pkix.Extension{Id: ce(27), Critical: true, Value: []byte{2, 1, 1}})))
	silent := root.authority("CA", with(usage(x509.KeyUsageCertSign)))
	quiet := func(c *Case) { c.Lists, c.Go = [][]byte{rootList, ca.list(revokes(leaf))}, "lists" }
	m.add(rule+"an authority that may not sign lists", unknown, leaf, []*node{root}, []*node{silent}, quiet)
	m.add(rule+"an authority that may not sign lists, beside its certificate that lets it", certs.StatusRevoked, leaf, []*node{root}, []*node{silent, ca}, quiet)
	m.add(rule+"the same, the other way round", certs.StatusRevoked, leaf, []*node{root}, []*node{ca, silent}, quiet)
	m.add(rule+"the same, nobody revoked", certs.StatusValid, leaf, []*node{root}, []*node{silent, ca}, func(c *Case) { c.Lists, c.Go, c.OpenSSL = [][]byte{rootList, good}, "lists", "lists-one-path" })
	m.add(rule+"an anchor is not looked for", certs.StatusValid, leaf, []*node{ca}, nil, func(c *Case) { c.Lists, c.Go, c.OpenSSL = [][]byte{good}, "lists", "anchor-list" })
}

// listScopes are of RFC 5280, 6.3.3, b: what a list speaks of.
func listScopes(m *maker) {
	const rule = "6.3.3 b: "
	const unknown = certs.StatusUntrusted
	here, there := uri("http://crl.firma.example/a.crl"), uri("http://crl.firma.example/b.crl")
	someReasons := []byte{6, 0x40} // keyCompromise
	for _, revoked := range []bool{false, true} {
		hit := certs.StatusValid
		if revoked {
			hit = certs.StatusRevoked
		}
		for _, c := range []struct {
			name    string
			points  []point
			scope   scope
			want    certs.Status
			openssl string
		}{
			{"of users", nil, scope{users: true}, hit, ""},
			{"of authorities", nil, scope{authorities: true}, unknown, ""},
			{"of attributes", nil, scope{attrs: true}, unknown, ""},
			{"of the leaf's distribution point", []point{{name: here}}, scope{point: here}, hit, ""},
			{"of another distribution point", []point{{name: here}}, scope{point: there}, unknown, ""},
			{"of one of several distribution points", []point{{name: there}, {name: here}}, scope{point: here}, hit, ""},
			{"of a distribution point, and the leaf has none", nil, scope{point: here}, unknown, ""},
			{"of everything, and the leaf has a distribution point", []point{{name: here}}, scope{}, hit, ""},
			{"of users, at the leaf's distribution point", []point{{name: here}}, scope{point: here, users: true}, hit, ""},
			{"of some reasons", []point{{name: here}}, scope{point: here, reasons: someReasons}, map[bool]certs.Status{true: certs.StatusRevoked, false: unknown}[revoked], ""},
		} {
			root := m.root("Root")
			ca := root.authority("CA")
			var odd []option
			if c.points != nil {
				odd = append(odd, with(points(c.points...)))
			}
			leaf := ca.leaf(odd...)
			var o []listOption
			if revoked {
				o = append(o, revokes(leaf), because(1))
			}
			if c.scope.point != nil || c.scope.users || c.scope.authorities || c.scope.attrs || c.scope.reasons != nil {
				o = append(o, holds(c.scope.extension()))
			}
			text := rule + "a list " + c.name
			if revoked {
				text += ", with the leaf in it"
			}
			m.add(text, c.want, leaf, []*node{root}, []*node{ca}, openssl(c.openssl), func(k *Case) { k.Lists, k.Go = [][]byte{root.list(), ca.list(o...)}, "lists" })
		}
	}
	root := m.root("Root")
	ca := root.authority("CA")
	users, authorities := scope{users: true}.extension(), scope{authorities: true}.extension()
	m.add(rule+"an authority in a list of authorities", certs.StatusRevoked, ca.leaf(), []*node{root}, []*node{ca}, func(k *Case) {
		k.Lists, k.Go = [][]byte{root.list(revokes(ca), holds(authorities)), ca.list()}, "lists"
	})
	m.add(rule+"an authority in a list of users", unknown, ca.leaf(), []*node{root}, []*node{ca}, func(k *Case) {
		k.Lists, k.Go = [][]byte{root.list(revokes(ca), holds(users)), ca.list()}, "lists"
	})
	m.add(rule+"a list of users and one of authorities", certs.StatusValid, ca.leaf(), []*node{root}, []*node{ca}, func(k *Case) {
		k.Lists, k.Go = [][]byte{root.list(holds(authorities)), root.list(holds(users)), ca.list(holds(users)), ca.list(holds(authorities))}, "lists"
	})
}
