package pathtest

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
)

// The graph of RFC 9618 accepts what the tree of RFC 5280 accepts, whatever authorities say.
func TestPolicyGraphIsTree(t *testing.T) {
	m, r := newMaker(), rand.New(rand.NewPCG(5280, 9618))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	some := func() string {
		var names []string
		for _, n := range []string{"A", "B", "C", "any"} {
			if r.IntN(3) == 0 {
				names = append(names, n)
			}
		}
		return strings.Join(names, ",")
	}
	words := func() string {
		var all []string
		if p := some(); p != "" {
			all = append(all, "p:"+p)
		}
		for range r.IntN(3) {
			all = append(all, "m:"+pick("A", "B", "C")+">"+pick("A", "B", "C"))
		}
		if len(all) > 2 { // one extension of mappings
			all = all[:2]
		}
		all = append(all, pick("", "", "c:0/-", "c:1/-", "c:-/0", "c:1/1"), pick("", "", "", "i:0", "i:1"), pick("", "", "", "self"))
		return strings.Join(all, " ")
	}
	root := m.root("Root")
	accepted := 0
	const chains = 1500
	for range chains {
		top, all, said := root, []*node(nil), []string(nil)
		n := 2 + r.IntN(3)
		for i := range n {
			w := words()
			said = append(said, w)
			cn := fmt.Sprintf("CA %d", i)
			if strings.Contains(w, "self") && i > 0 {
				cn = cnOf(top)
			}
			odd := append(policyOptions(w), m.keyed(fmt.Sprintf("key %d", i)))
			if i < n-1 {
				top = top.authority(cn, odd...)
			} else {
				top = top.leaf(odd...)
			}
			all = append(all, top)
		}
		p := policyInputs()[r.IntN(len(policyInputs()))]
		v := certs.NewValidator([]*x509.Certificate{root.cert}, certificates(all[:n-1])).WithPolicies(p)
		got := v.Validate(t.Context(), top.cert, nil, certs.Sign, "", Now())
		want := policyTree(certificates(all), p)
		if got.Valid() != want {
			t.Errorf("%q with %+v: %s %q, the tree says %v", said, p, got.Status, got.Reasons, want)
		}
		if want {
			accepted++
		}
	}
	if accepted < chains/10 || accepted > chains*9/10 {
		t.Errorf("%d of %d are accepted: the chains prove little", accepted, chains)
	}
}

// A tree would grow to three to the twentieth nodes; the graph does not, and too many policies are refused.
func TestPolicyGraphIsBounded(t *testing.T) {
	m := newMaker()
	top := m.root("Root")
	anchor := []*x509.Certificate{top.cert}
	var between []*node
	for i := range 17 {
		everyone := "p:A,B,C m:A>A,A>B,A>C,B>A,B>B,B>C,C>A,C>B,C>C"
		top = top.authority(fmt.Sprintf("CA %d", i), policyOptions(everyone)...)
		between = append(between, top)
	}
	start := time.Now()
	v := certs.NewValidator(anchor, certificates(between)).WithPolicies(certs.Policies{Explicit: true})
	if r := v.Validate(t.Context(), top.leaf(policyOptions("p:B")...).cert, nil, certs.Sign, "", Now()); !r.Valid() || len(r.Chain) != 19 {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("it took %v", d)
	}
	leaf := m.root("Root").leaf(with(sequence(ce(32), false, func(b *cryptobyte.Builder) {
		for i := range 501 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 2, i})
			})
		}
	})))
	if r := certs.NewValidator(anchor, nil).Validate(t.Context(), leaf.cert, nil, certs.Sign, "", Now()); r.Status != certs.StatusUntrusted || !strings.Contains(r.Reasons[0], "too many certificate policies") {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
}

// Authorities that all certify each other make more paths than are ever walked: it ends soon, and the good one is found.
func TestCrossedBeyondMeasure(t *testing.T) {
	m := newMaker()
	const n = 9
	var all []*node
	roots := make([]*node, n)
	for i := range roots {
		roots[i] = m.root(fmt.Sprintf("CA %d", i))
	}
	for i, by := range roots {
		for j := range roots {
			if i != j {
				all = append(all, by.authority(fmt.Sprintf("CA %d", j)))
			}
		}
	}
	leaf := roots[0].leaf()
	start := time.Now()
	known := certs.NewValidator([]*x509.Certificate{roots[n-1].cert}, certificates(all))
	if r := known.Validate(t.Context(), leaf.cert, nil, certs.Sign, "", Now()); !r.Valid() {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
	none := certs.NewValidator([]*x509.Certificate{m.root("Nobody").cert}, certificates(all))
	if r := none.Validate(t.Context(), leaf.cert, nil, certs.Sign, "", Now()); r.Status != certs.StatusUntrusted {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("it took %v", d)
	}
}
