package certs

import (
	"crypto/x509"
	"maps"
	"slices"
)

// Policies are what is asked of the certificate policies of a path (RFC 5280, 6.1.1, c and e to g). The zero value asks nothing:
// what authorities ask of each other by their policy constraints is obeyed even so.
type Policies struct {
	// Initial are the policies that are accepted; none: any.
	Initial []x509.OID
	// Explicit asks for an accepted policy in each path. Without it one is needed only where an authority asks for it.
	Explicit bool
	// InhibitMapping lets no authority declare policies of others to be its own.
	InhibitMapping bool
	// InhibitAny takes anyPolicy for none.
	InhibitAny bool
}

const (
	anyPolicy   = "2.5.29.32.0"
	maxPolicies = 500 // policies, and mappings, of one certificate
)

// policyNode is a node of the valid_policy_graph of RFC 9618, which takes the place of the tree of RFC 5280, 6.1.2: one for each policy of
// a certificate, whatever the ways to it, so that it grows no faster than the certificates.
type policyNode struct {
	policy   string
	expected []string // policies of the next certificate that are this one
	parents  []*policyNode
}

// policyLevel are the nodes of one depth, by their policy. What no node of the deepest level leads up to is as good as deleted: only
// that level is ever looked at, and at the end what lies above it.
type policyLevel map[string]*policyNode

// policyState is the state of RFC 5280, 6.1.2. The counters are those of the certificates that are left.
type policyState struct {
	level                       policyLevel // nil: NULL
	explicit, mapping, inhibits int
}

// faults judges the policies of a path.
func (p Policies) faults(chain []*x509.Certificate) []Fault {
	n := len(chain) - 1 // without the anchor
	if n == 0 {
		return nil
	}
	s := policyState{
		level:    policyLevel{anyPolicy: {policy: anyPolicy, expected: []string{anyPolicy}}},
		explicit: n + 1, mapping: n + 1, inhibits: n + 1,
	}
	for _, c := range []struct {
		is      bool
		counter *int
	}{{p.Explicit, &s.explicit}, {p.InhibitMapping, &s.mapping}, {p.InhibitAny, &s.inhibits}} {
		if c.is {
			*c.counter = 0
		}
	}
	for i := n - 1; i >= 0; i-- {
		c := chain[i]
		if len(c.Policies) > maxPolicies || len(c.PolicyMappings) > maxPolicies {
			return []Fault{policyFault(c, "has too many certificate policies")}
		}
		s.process(c, i == 0)
		if s.explicit == 0 && s.level == nil { // 6.1.3, f
			return []Fault{policyFault(c, "has no certificate policy that "+p.wanted()+" and its authorities stand for")}
		}
		if i == 0 {
			break
		}
		if !s.prepare(c) {
			return []Fault{policyFault(c, "maps certificate policies to or from anyPolicy, which is forbidden (RFC 5280, 6.1.4, a)")}
		}
	}
	if s.explicit > 0 {
		s.explicit--
	}
	if chain[0].RequireExplicitPolicyZero {
		s.explicit = 0
	}
	if s.explicit == 0 && !p.accepts(s.level.authority()) {
		return []Fault{policyFault(chain[0], "stands under no certificate policy that "+p.wanted()+": its path is for "+named(s.level.authority()))}
	}
	return nil
}

// wanted says which policies are accepted.
func (p Policies) wanted() string {
	if len(p.Initial) == 0 {
		return "is demanded by an authority"
	}
	var names []string
	for _, o := range p.Initial {
		names = append(names, o.String())
	}
	return "is accepted here (" + clean(list(names)) + ")"
}

func named(policies map[string]bool) string {
	if len(policies) == 0 {
		return "none"
	}
	return clean(list(slices.Sorted(maps.Keys(policies))))
}

func policyFault(c *x509.Certificate, what string) Fault {
	return flaw(StatusUntrusted, c, CheckPolicies, what, "ask the issuer for a certificate under an accepted policy, or accept its policy")
}

// process reads the policies of a certificate (RFC 5280, 6.1.3, d and e; RFC 9618, 5.3).
func (s *policyState) process(c *x509.Certificate, last bool) {
	if len(c.Policies) == 0 || s.level == nil {
		s.level = nil
		return
	}
	above := map[string][]*policyNode{} // by the policies that are expected
	for _, n := range s.level {
		for _, e := range n.expected {
			above[e] = append(above[e], n)
		}
	}
	next, hasAny := policyLevel{}, false
	for _, o := range c.Policies {
		policy := o.String()
		if policy == anyPolicy {
			hasAny = true
			continue
		}
		parents := above[policy]
		if n := s.level[anyPolicy]; len(parents) == 0 && n != nil {
			parents = []*policyNode{n}
		}
		if len(parents) > 0 {
			next[policy] = &policyNode{policy, []string{policy}, parents}
		}
	}
	if hasAny && (s.inhibits > 0 || !last && selfIssued(c)) {
		for policy, parents := range above {
			if next[policy] == nil {
				next[policy] = &policyNode{policy, []string{policy}, parents}
			}
		}
	}
	s.put(next)
}

func (s *policyState) put(l policyLevel) {
	if s.level = l; len(l) == 0 {
		s.level = nil
	}
}

// prepare reads what an authority says about the policies of the next certificate (RFC 5280, 6.1.4, a, b and h to j). It is false for a
// forbidden mapping.
func (s *policyState) prepare(c *x509.Certificate) bool {
	mapped := map[string][]string{}
	for _, m := range c.PolicyMappings {
		from, to := m.IssuerDomainPolicy.String(), m.SubjectDomainPolicy.String()
		if from == anyPolicy || to == anyPolicy {
			return false
		}
		mapped[from] = append(mapped[from], to)
	}
	if s.level != nil {
		s.mapTo(mapped)
	}
	if !selfIssued(c) {
		for _, counter := range []*int{&s.explicit, &s.mapping, &s.inhibits} {
			if *counter > 0 {
				*counter--
			}
		}
	}
	lower := func(counter *int, to int, zero bool) {
		if (to > 0 || zero) && to < *counter {
			*counter = to
		}
	}
	lower(&s.explicit, c.RequireExplicitPolicy, c.RequireExplicitPolicyZero)
	lower(&s.mapping, c.InhibitPolicyMapping, c.InhibitPolicyMappingZero)
	lower(&s.inhibits, c.InhibitAnyPolicy, c.InhibitAnyPolicyZero)
	return true
}

// mapTo applies mappings, or where they are inhibited deletes what they are of (RFC 9618, 5.4).
func (s *policyState) mapTo(mapped map[string][]string) {
	for from, to := range mapped {
		n, everything := s.level[from], s.level[anyPolicy]
		switch {
		case s.mapping == 0:
			delete(s.level, from)
		case n != nil:
			n.expected = to
		case everything != nil:
			s.level[from] = &policyNode{from, to, []*policyNode{everything}}
		}
	}
	s.put(s.level)
}

// authority is the authority-constrained policy set (RFC 9618, 5.5): the policies, as the authority next to the anchor calls them, for
// which the path is valid.
func (l policyLevel) authority() map[string]bool {
	set, seen := map[string]bool{}, map[*policyNode]bool{}
	if l[anyPolicy] != nil {
		set[anyPolicy] = true
	}
	var up func(n *policyNode)
	up = func(n *policyNode) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, p := range n.parents {
			if p.policy == anyPolicy && n.policy != anyPolicy {
				set[n.policy] = true
			}
			up(p)
		}
	}
	for _, n := range l {
		up(n)
	}
	return set
}

// accepts reports whether a policy of the path is accepted (RFC 9618, 5.5, g, 6).
func (p Policies) accepts(set map[string]bool) bool {
	if len(p.Initial) == 0 || set[anyPolicy] {
		return len(set) > 0
	}
	return slices.ContainsFunc(p.Initial, func(o x509.OID) bool { return set[o.String()] || o.String() == anyPolicy && len(set) > 0 })
}
