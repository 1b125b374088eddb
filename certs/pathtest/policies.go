package pathtest

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/certs"
)

// policyChain are the certificates below the root, each in the words of policyOptions.
type policyChain struct {
	name  string
	certs []string
}

func policyChains() []policyChain {
	return []policyChain{
		{"the same policy", []string{"p:A", "p:A"}},
		{"another policy", []string{"p:A", "p:B"}},
		{"no policy", []string{"", ""}},
		{"a policy in the authority alone", []string{"p:A", ""}},
		{"a policy in the leaf alone", []string{"", "p:A"}},
		{"any, then one", []string{"p:any", "p:A"}},
		{"one, then any", []string{"p:A", "p:any"}},
		{"any twice", []string{"p:any", "p:any"}},
		{"two, then one of them", []string{"p:A,B", "p:B"}},
		{"two, and one in common", []string{"p:A,B", "p:B,C"}},
		{"one and any", []string{"p:A,any", "p:B"}},
		{"mapped", []string{"p:A m:A>X", "p:X"}},
		{"mapped, and not used", []string{"p:A m:A>X", "p:A"}},
		{"mapped to two", []string{"p:A m:A>X,A>Y", "p:Y"}},
		{"two mapped to one", []string{"p:A,B m:A>X,B>X", "p:X"}},
		{"mapped, what is not there", []string{"p:B m:A>X", "p:X"}},
		{"mapped, under any", []string{"p:any m:A>X", "p:X"}},
		{"mapped, and any below", []string{"p:A m:A>X", "p:any"}},
		{"mapped from any", []string{"p:any m:any>X", "p:X"}},
		{"mapped to any", []string{"p:A m:A>any", "p:A"}},
		{"mapped twice", []string{"p:A m:A>X", "p:X m:X>Y", "p:Y"}},
		{"mapped, and mapping is inhibited above", []string{"p:A c:-/0", "p:A m:A>X", "p:X"}},
		{"mapped, and mapping is inhibited below", []string{"p:A c:-/1", "p:A m:A>X", "p:X"}},
		{"demanded at once", []string{"c:0/-", "p:A"}},
		{"demanded at once, and there", []string{"p:A c:0/-", "p:A"}},
		{"demanded later", []string{"p:A c:1/-", "p:A", "p:B"}},
		{"demanded after the end", []string{"c:2/-", "", ""}},
		{"demanded after one more", []string{"c:1/-", "", ""}},
		{"demanded by the leaf", []string{"", "c:0/-"}},
		{"demanded later by the leaf", []string{"", "c:1/-"}},
		{"any is inhibited", []string{"p:any i:0", "p:any"}},
		{"any is inhibited later", []string{"p:any i:1", "p:any", "p:A"}},
		{"any is inhibited, in a self-issued one it is not", []string{"p:any i:0", "p:any self", "p:A"}},
		{"any is inhibited, also in a self-issued leaf", []string{"p:any i:0", "p:any self"}},
		{"self-issued ones do not count", []string{"p:A c:1/-", "self", "p:A"}},
		{"three in a row", []string{"p:A,B", "p:A,B", "p:A"}},
		{"lost in the middle", []string{"p:A", "p:B", "p:A"}},
		{"lost, and demanded", []string{"p:A c:0/-", "p:B", "p:A"}},
	}
}

// policyInputs are inputs to the validation.
func policyInputs() []certs.Policies {
	oids := func(names ...string) (all []x509.OID) {
		for _, n := range names {
			all = append(all, must(x509.ParseOID(policy(n).String())))
		}
		return all
	}
	return []certs.Policies{
		{}, {Explicit: true}, {Explicit: true, Initial: oids("A")}, {Explicit: true, Initial: oids("X", "C")}, {Initial: oids("B")},
		{Explicit: true, Initial: oids("A"), InhibitMapping: true}, {Explicit: true, InhibitAny: true}, {Explicit: true, Initial: oids("any")},
	}
}

// policies are of RFC 5280, 6.1.2 to 6.1.5 and RFC 9618. What is due is told by policyTree, the algorithm of RFC 5280 to the letter.
func policies(m *maker) {
	for _, c := range policyChains() {
		root := m.root("Root")
		top, all := root, []*node(nil)
		for i, words := range c.certs {
			cn := fmt.Sprintf("CA %d", i)
			if strings.Contains(words, "self") {
				cn = cnOf(top)
			}
			odd := append(policyOptions(words), m.keyed(fmt.Sprintf("policy key %d", i)))
			if i < len(c.certs)-1 {
				top = top.authority(cn, odd...)
			} else {
				odd = append(odd, func(t *template) {
					if strings.Contains(words, "self") {
						t.subject = t.issuer
					}
				})
				top = top.leaf(odd...)
			}
			all = append(all, top)
		}
		for _, p := range policyInputs() {
			text := fmt.Sprintf("6.1.3 d: %s: accepted %v, explicit %v, mapping inhibited %v, any inhibited %v", c.name, p.Initial, p.Explicit, p.InhibitMapping, p.InhibitAny)
			m.add(text, verdict(policyTree(certificates(all), p)), top, []*node{root}, all[:len(all)-1], func(k *Case) {
				k.Policies = p
				if p.InhibitAny && c.name == "mapped, under any" {
					k.OpenSSL = "any-mapping"
				}
				if p.Explicit || p.InhibitMapping || p.InhibitAny {
					k.Go = "policy-inputs"
				}
			})
		}
	}
}

// policyOptions reads words: "p:A,B" policies, "m:A>X" mappings, "c:0/1" policy constraints with - for none, "i:0" inhibitAnyPolicy.
func policyOptions(words string) []option {
	var all []option
	for _, w := range strings.Fields(words) {
		kind, text, _ := strings.Cut(w, ":")
		switch kind {
		case "p":
			all = append(all, with(policiesOf(strings.Split(text, ",")...)))
		case "m":
			all = append(all, with(mappings(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '>' })...)))
		case "c":
			explicit, mapping, _ := strings.Cut(text, "/")
			all = append(all, with(policyConstraints(number(explicit), number(mapping))))
		case "i":
			all = append(all, with(inhibitAny(number(text))))
		}
	}
	return all
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
