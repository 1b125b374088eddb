package certs

import (
	"crypto/x509"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// constraints are what an authority's names may be (RFC 5280, 4.2.1.10).
type constraints struct{ permitted, excluded []subtree }

// subtree is one name of them, and all that are below it.
type subtree struct {
	generalName
	odd bool // of a form, or with distances, that are not known: nothing of its form can be judged (RFC 5280, 4.2.1.10)
}

// maxComparisons bounds the names that are compared with subtrees in one path.
const maxComparisons = 250_000

// constraintsOf reads the extension; nil where there is none. It is false where it cannot be read.
func constraintsOf(c *x509.Certificate) (*constraints, bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidNameConstraints()) {
			n := &constraints{}
			return n, n.read(e.Value)
		}
	}
	return nil, true
}

func (n *constraints) read(der []byte) bool {
	input := cryptobyte.String(der)
	var outer, permitted, excluded cryptobyte.String
	var has bool
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	return input.ReadASN1(&outer, cbasn1.SEQUENCE) && input.Empty() &&
		outer.ReadOptionalASN1(&permitted, &has, tag(0)) && outer.ReadOptionalASN1(&excluded, &has, tag(1)) && outer.Empty() &&
		readSubtrees(permitted, &n.permitted) && readSubtrees(excluded, &n.excluded)
}

func readSubtrees(list cryptobyte.String, into *[]subtree) bool {
	for !list.Empty() {
		var one, base cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) {
			return false
		}
		rest := one
		if !rest.ReadAnyASN1(&base, &tag) {
			return false
		}
		n, ok := readName(&one)
		if !ok {
			return false
		}
		t := subtree{generalName: n, odd: !one.Empty()} // minimum is 0 and left out, and there is no maximum
		switch n.form {
		case formMail:
			t.key, t.odd = mailSubtree(n.text), t.odd || tag != cbasn1.Tag(1).ContextSpecific()
		case formHost, formURI:
			t.key = hostSubtree(n.text)
		case formIP:
			t.odd = t.odd || len(base) != 8 && len(base) != 32
		case formDirectory:
			t.odd = t.odd || n.key == ""
		default:
			t.odd = true
		}
		*into = append(*into, t)
	}
	return true
}

// mailSubtree is a constraint as covers compares it: a mailbox, a host, or with a leading dot a domain; "" where it is none of them.
func mailSubtree(text string) string {
	local, domain, isMailbox := strings.Cut(text, "@")
	if !isMailbox {
		return hostSubtree(text)
	}
	if !plainLocal(local) || strings.HasPrefix(domain, ".") || hostSubtree(domain) == "" {
		return ""
	}
	return AddressKey(text)
}

// plainLocal reports whether a local part is written in the one way that there is for it (RFC 5321, 4.1.2), and no pattern.
func plainLocal(local string) bool { return local != "" && !strings.ContainsAny(local, "\"\\*@ \t") }

// hostSubtree is a host, or with a leading dot a domain, as it is compared; "" where the text is neither.
func hostSubtree(text string) string {
	key := fold(text)
	for label := range strings.SplitSeq(strings.TrimPrefix(key, "."), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return ""
		}
	}
	return key
}

// covers reports whether a name is in the subtree.
func (t subtree) covers(n generalName) bool {
	switch t.form {
	case formMail:
		domain := n.key[strings.LastIndexByte(n.key, '@')+1:]
		if strings.Contains(t.key, "@") {
			return n.key == t.key
		}
		return hostWithin(domain, t.key)
	case formHost:
		return t.text == "" || t.key != "" && (n.key == t.key || strings.HasSuffix(n.key, "."+strings.TrimPrefix(t.key, ".")))
	case formURI:
		return hostWithin(n.key, t.key)
	case formIP:
		return ipWithin([]byte(n.key), []byte(t.key))
	case formDirectory:
		return len(t.rdns) <= len(n.rdns) && slices.Equal(t.rdns, n.rdns[:len(t.rdns)])
	}
	return false
}

// hostWithin compares a host with a constraint: one host, or with a leading dot those below a domain but not the domain itself.
func hostWithin(host, constraint string) bool {
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(host, constraint)
	}
	return host == constraint
}

// ipWithin compares an address with an address and its mask.
func ipWithin(ip, network []byte) bool {
	if len(network) != 2*len(ip) {
		return false
	}
	for i, b := range ip {
		if (b^network[i])&network[len(ip)+i] != 0 {
			return false
		}
	}
	return true
}

// excludes is covers for what is forbidden, where doubt forbids: names and subtrees that cannot be compared, a wildcard that stands for hosts
// in the subtree, a mailbox that may be the same in other words, and a subtree that is empty, by which some mean everything.
func (t subtree) excludes(n generalName) bool {
	if n.key == "" || t.key == "" || t.covers(n) {
		return true
	}
	switch {
	case t.form == formHost && strings.HasPrefix(n.key, "*."):
		return strings.HasSuffix("."+strings.TrimPrefix(t.key, "."), n.key[1:])
	case t.form == formMail:
		at := strings.LastIndexByte(n.key, '@')
		return !plainLocal(n.key[:at]) && strings.HasSuffix(t.key, n.key[at:])
	}
	return false
}

// allow reports whether a name is within all bounds of its form, permitted and not excluded.
func (n *constraints) allow(name generalName) bool {
	same := func(t subtree) bool { return t.form == name.form }
	if slices.ContainsFunc(n.excluded, func(t subtree) bool { return same(t) && (t.odd || t.excludes(name)) }) {
		return false
	}
	if slices.ContainsFunc(n.permitted, func(t subtree) bool { return same(t) && t.odd }) {
		return false
	}
	return !slices.ContainsFunc(n.permitted, same) ||
		name.key != "" && slices.ContainsFunc(n.permitted, func(t subtree) bool { return same(t) && t.covers(name) })
}

// constraintFaults applies the constraints of each authority to the names of all certificates below it (RFC 5280, 6.1.3, b and c).
// Those that an authority made for itself are not held to them but at the end of the path.
func constraintFaults(chain []*x509.Certificate) []Fault {
	var found []Fault
	compared := 0
	names := make([][]generalName, len(chain))
	for above := len(chain) - 1; above > 0; above-- {
		ca := chain[above]
		bounds, ok := constraintsOf(ca)
		if !ok {
			return append(found, flaw(StatusUntrusted, ca, CheckConstraints, "has name constraints that cannot be read", "ask the issuer for another one"))
		}
		if bounds == nil {
			continue
		}
		for i := above - 1; i >= 0; i-- {
			c := chain[i]
			if i > 0 && selfIssued(c) {
				continue
			}
			if names[i] == nil {
				if names[i], ok = namesOf(c); !ok {
					return append(found, flaw(StatusUntrusted, c, CheckConstraints, "has names that cannot be read, and its authorities may issue for some only", "ask the issuer for another one"))
				}
			}
			if compared += len(names[i]) * (len(bounds.permitted) + len(bounds.excluded)); compared > maxComparisons {
				return append(found, flaw(StatusUntrusted, ca, CheckConstraints, "has too many name constraints", "ask the issuer for another one"))
			}
			if at := slices.IndexFunc(names[i], func(n generalName) bool { return !bounds.allow(n) }); at >= 0 {
				what := "bears " + clean(names[i][at].text) + ", which the name constraints of " + subjectName(ca) + " forbid"
				found = append(found, flaw(StatusUntrusted, c, CheckConstraints, what, "ask the issuer for another one"))
			}
		}
	}
	return found
}
