package pathtest

import (
	"bytes"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/certs"
)

// policyTree validates policies by the tree of RFC 5280, 6.1.2 to 6.1.5, step by step as it is written there, without any thought for its
// size. The certificates begin below the anchor.
func policyTree(chain []*x509.Certificate, p certs.Policies) bool {
	n := len(chain)
	v := treeState{explicit: n + 1, inhibitAny: n + 1, mapping: n + 1, depth: 0}
	v.root = &treeNode{valid: anyPolicy, expected: []string{anyPolicy}}
	if p.Explicit {
		v.explicit = 0
	}
	if p.InhibitAny {
		v.inhibitAny = 0
	}
	if p.InhibitMapping {
		v.mapping = 0
	}
	for i, c := range chain {
		last := i == n-1
		v.depth = i + 1
		v.policies(c, last)
		if v.explicit == 0 && v.root == nil { // 6.1.3, f
			return false
		}
		if !last && !v.prepare(c) {
			return false
		}
	}
	if v.explicit != 0 { // 6.1.5, a
		v.explicit--
	}
	if chain[n-1].RequireExplicitPolicyZero { // 6.1.5, b
		v.explicit = 0
	}
	v.intersect(p.Initial)
	return v.explicit > 0 || v.root != nil
}

const anyPolicy = "2.5.29.32.0"

type treeNode struct {
	valid    string
	expected []string
	children []*treeNode
}

type treeState struct {
	root                          *treeNode // nil: NULL
	depth                         int
	explicit, inhibitAny, mapping int
}

// at returns the nodes of a depth.
func (v *treeState) at(depth int) []*treeNode {
	if v.root == nil {
		return nil
	}
	level := []*treeNode{v.root}
	for range depth {
		var next []*treeNode
		for _, n := range level {
			next = append(next, n.children...)
		}
		level = next
	}
	return level
}

// prune deletes nodes without children above the deepest level (6.1.3, d, 3).
func (v *treeState) prune() {
	var keep func(n *treeNode, depth int) bool
	keep = func(n *treeNode, depth int) bool {
		if depth == v.depth {
			return true
		}
		n.children = slices.DeleteFunc(n.children, func(c *treeNode) bool { return !keep(c, depth+1) })
		return len(n.children) > 0
	}
	if v.root != nil && !keep(v.root, 0) {
		v.root = nil
	}
}

// policies is 6.1.3, d and e.
func (v *treeState) policies(c *x509.Certificate, last bool) {
	if len(c.Policies) == 0 {
		v.root = nil
	}
	if v.root == nil {
		return
	}
	above := v.at(v.depth - 1)
	hasAny := false
	for _, id := range c.Policies {
		policy, found := id.String(), false
		if policy == anyPolicy {
			hasAny = true
			continue
		}
		for _, n := range above { // (1) (i)
			if slices.Contains(n.expected, policy) {
				n.children = append(n.children, &treeNode{valid: policy, expected: []string{policy}})
				found = true
			}
		}
		for _, n := range above { // (1) (ii)
			if !found && n.valid == anyPolicy {
				n.children = append(n.children, &treeNode{valid: policy, expected: []string{policy}})
			}
		}
	}
	if hasAny && (v.inhibitAny > 0 || !last && bytes.Equal(c.RawSubject, c.RawIssuer)) { // (2)
		for _, n := range above {
			for _, e := range n.expected {
				if !slices.ContainsFunc(n.children, func(c *treeNode) bool { return c.valid == e }) {
					n.children = append(n.children, &treeNode{valid: e, expected: []string{e}})
				}
			}
		}
	}
	v.prune()
}

// prepare is 6.1.4, a, b and h to j.
func (v *treeState) prepare(c *x509.Certificate) bool {
	mapped := map[string][]string{}
	for _, m := range c.PolicyMappings {
		from, to := m.IssuerDomainPolicy.String(), m.SubjectDomainPolicy.String()
		if from == anyPolicy || to == anyPolicy {
			return false
		}
		mapped[from] = append(mapped[from], to)
	}
	for from, to := range mapped {
		v.mapping1(from, to)
	}
	if !bytes.Equal(c.RawSubject, c.RawIssuer) { // h
		v.explicit, v.mapping, v.inhibitAny = max(0, v.explicit-1), max(0, v.mapping-1), max(0, v.inhibitAny-1)
	}
	if c.RequireExplicitPolicyZero || c.RequireExplicitPolicy > 0 { // i
		v.explicit = min(v.explicit, c.RequireExplicitPolicy)
	}
	if c.InhibitPolicyMappingZero || c.InhibitPolicyMapping > 0 {
		v.mapping = min(v.mapping, c.InhibitPolicyMapping)
	}
	if c.InhibitAnyPolicyZero || c.InhibitAnyPolicy > 0 { // j
		v.inhibitAny = min(v.inhibitAny, c.InhibitAnyPolicy)
	}
	return true
}

// mapping1 is 6.1.4, b, for one policy.
func (v *treeState) mapping1(from string, to []string) {
	if v.mapping > 0 {
		found := false
		for _, n := range v.at(v.depth) {
			if n.valid == from {
				n.expected, found = to, true
			}
		}
		for _, parent := range v.at(v.depth - 1) {
			if !found && parent.valid == anyPolicy && slices.ContainsFunc(parent.children, func(c *treeNode) bool { return c.valid == anyPolicy }) {
				parent.children = append(parent.children, &treeNode{valid: from, expected: to})
			}
		}
		return
	}
	for _, parent := range v.at(v.depth - 1) {
		parent.children = slices.DeleteFunc(parent.children, func(c *treeNode) bool { return c.valid == from })
	}
	v.prune()
}

// intersect is 6.1.5, g.
func (v *treeState) intersect(initial []x509.OID) {
	accepted := map[string]bool{}
	for _, id := range initial {
		accepted[id.String()] = true
	}
	if v.root == nil || len(initial) == 0 || accepted[anyPolicy] {
		return
	}
	there := map[string]bool{} // policies of the set of nodes whose parent is anyPolicy
	for depth := range v.depth {
		for _, n := range v.at(depth) {
			if n.valid == anyPolicy {
				n.children = slices.DeleteFunc(n.children, func(c *treeNode) bool {
					there[c.valid] = true
					return c.valid != anyPolicy && !accepted[c.valid]
				})
			}
		}
	}
	for _, n := range v.at(v.depth - 1) { // (3): anyPolicy at the end stands for what is accepted
		if n.valid == anyPolicy && slices.ContainsFunc(n.children, func(c *treeNode) bool { return c.valid == anyPolicy }) {
			for policy := range accepted {
				if !there[policy] {
					n.children = append(n.children, &treeNode{valid: policy})
				}
			}
			n.children = slices.DeleteFunc(n.children, func(c *treeNode) bool { return c.valid == anyPolicy })
		}
	}
	v.prune()
}
