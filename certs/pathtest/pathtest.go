// Package pathtest makes certificates and lists of revoked ones for every rule of RFC 5280, 6, right and wrong ones, with the verdict that is
// due; it judges nothing. NIST's PKITS is the model. What it makes is the same each time, but for keys of RSA.
package pathtest

import (
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// Case is one certificate with what is known of it.
type Case struct {
	Name               string // the clause, and what is particular: "6.1.4 l: ..."
	Leaf               *x509.Certificate
	Anchors, Untrusted []*x509.Certificate
	Lists              [][]byte // CRLs in DER; where there are any, each certificate must be in the scope of one. Those of Untrusted may have signed them
	Policies           certs.Policies
	Purpose            certs.Purpose
	At                 time.Time
	Want               certs.Status
	// OpenSSL and Go name the exception by which openssl verify, and crypto/x509, say otherwise; empty: they agree.
	OpenSSL, Go string
}

// Now is the time of judgement where a case is not about time.
func Now() time.Time { return time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC) }

// Cases makes all of them.
func Cases() []Case {
	m := newMaker()
	for _, make := range []func(*maker){
		signatures, algorithms, validity, chaining, rollover, crossed, authorities, lengths, keyUsages, extKeyUsages, criticals,
		constraintForms, constraintRules, policies, lists, listScopes, listSigners, listPlaces,
	} {
		make(m)
	}
	return m.cases
}

// world is what most cases begin with: a root, an authority below it, and what is odd about them and a leaf.
type world struct{ root, ca, leaf []option }

// plain adds a case of a root, an authority and a leaf.
func (m *maker) plain(name string, want certs.Status, w world, more ...func(*Case)) {
	root := m.root("Root", w.root...)
	ca := root.authority("CA", w.ca...)
	m.add(name, want, ca.leaf(w.leaf...), []*node{root}, []*node{ca}, more...)
}

// add adds a case.
func (m *maker) add(name string, want certs.Status, leaf *node, anchors, untrusted []*node, more ...func(*Case)) {
	c := Case{Name: name, Leaf: leaf.cert, Anchors: certificates(anchors), Untrusted: certificates(untrusted), Purpose: certs.Sign, At: Now(), Want: want}
	for _, f := range more {
		f(&c)
	}
	m.cases = append(m.cases, c)
}

func certificates(nodes []*node) []*x509.Certificate {
	var all []*x509.Certificate
	for _, n := range nodes {
		all = append(all, n.cert)
	}
	return all
}

// verdict is valid, or where it is not, untrusted.
func verdict(valid bool) certs.Status {
	if valid {
		return certs.StatusValid
	}
	return certs.StatusUntrusted
}

// openssl and golang say why they say otherwise.
func openssl(exception string) func(*Case) { return func(c *Case) { c.OpenSSL = exception } }

func golang(exception string) func(*Case) { return func(c *Case) { c.Go = exception } }

func both(exception string) func(*Case) {
	return func(c *Case) { c.OpenSSL, c.Go = exception, exception }
}
