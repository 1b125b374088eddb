package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// meeting is where a server and a profile meet, as far as this program speaks it.
type meeting struct {
	shared                   []uint16 // the versions that both have
	versions, suites, groups []uint16 // what a handshake could come to
	ungrouped                bool     // a suite is among them that needs no group
}

// meet finds what a connection by a profile could come to.
func (r *Report) meet(p tlspolicy.Profile) meeting {
	var m meeting
	for _, s := range slices.Backward(r.scans) {
		if !s.accepted || s.version < p.MinVersion || s.version > p.MaxVersion {
			continue
		}
		m.shared = append(m.shared, s.version)
		groups := s.groups
		if s.version < hello.TLS13 { // they were looked for in one version, for all of them
			groups = highest12(r.scans).groups
		}
		groups = slices.DeleteFunc(slices.Clone(groups), func(g uint16) bool {
			return !p.AllowsGroup(tls.CurveID(g)) || !tlspolicy.SpeaksGroup(tls.CurveID(g))
		})
		for _, id := range s.suites {
			if !p.Allows(id) || tlspolicy.SpeaksSuite(id) == "" {
				continue
			}
			free := s.version < hello.TLS13 && !agreement(id).Ephemeral
			m.ungrouped = m.ungrouped || free
			m.suites = add(m.suites, id)
			if len(groups) > 0 || free {
				m.versions = add(m.versions, s.version)
			}
		}
		m.groups = add(m.groups, groups...)
	}
	return m
}

func add(to []uint16, ids ...uint16) []uint16 {
	for _, id := range ids {
		if !slices.Contains(to, id) {
			to = append(to, id)
		}
	}
	return to
}

// possible reports whether a handshake could come about.
func (m meeting) possible() bool {
	return len(m.versions) > 0 && len(m.suites) > 0 && (len(m.groups) > 0 || m.ungrouped)
}

// rule is the verdict on one rule of a profile.
type rule struct {
	ok           bool
	text, remedy string
}

// rules holds what was learned against each rule of a profile.
func (r *Report) rules(p tlspolicy.Profile) []rule {
	m := r.meet(p)
	all := []rule{
		r.rule("version", len(m.shared) > 0, m.shared, tlsnames.VersionName, names(p.Versions(), tlsnames.VersionName), r.Accepted.Versions),
		r.rule("cipher suite", len(m.suites) > 0, m.suites, tlsnames.SuiteName, names(p.Suites, tlsnames.SuiteName), r.Accepted.Suites),
	}
	var groups []uint16
	for _, g := range p.Groups {
		groups = append(groups, uint16(g))
	}
	if len(r.Accepted.Groups) > 0 || !m.ungrouped {
		all = append(all, r.rule("group", len(m.groups) > 0 || m.ungrouped, m.groups, tlsnames.GroupName, names(groups, tlsnames.GroupName), r.Accepted.Groups))
	}
	return append(append(all, r.keyRules(p)...), r.clientRules(p)...)
}

// rule is the verdict on a list: what both have, and what the server accepts besides.
func (r *Report) rule(what string, ok bool, both []uint16, name func(uint16) string, profile, accepted []string) rule {
	if !ok {
		return rule{false, fmt.Sprintf("no %s in common: the profile has %s, the server accepts %s", what, few(profile), orNothing(few(accepted))),
			"have the server accept one of the profile's, or use a profile that has one of the server's"}
	}
	text := fmt.Sprintf("%s in common: %s", count(len(both), what), few(names(both, name)))
	if len(both) == 0 {
		text = "no " + what + " is needed"
	}
	if more := len(accepted) - len(both); more > 0 {
		text += fmt.Sprintf("; %d more that the profile does not use", more)
	}
	return rule{true, text, ""}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// keyRules holds the certificates to the least sizes of keys.
func (r *Report) keyRules(p tlspolicy.Profile) []rule {
	var all []rule
	for _, c := range r.chains {
		for i, cert := range c.all {
			if cert == nil || i > 0 && isRoot(cert) {
				continue
			}
			if why := p.KeyTooSmall(cert); why != "" {
				all = append(all, rule{false, c.kind + ": " + place(i) + " has " + why, "have the server get a certificate with a larger key, or lower min_rsa or min_ec in a profile of your own"})
			}
		}
	}
	if len(all) == 0 && len(r.chains) > 0 {
		all = append(all, rule{true, "all keys of the certificates are large enough", ""})
	}
	return all
}

func (r *Report) clientRules(p tlspolicy.Profile) []rule {
	if p.ClientCertificate != tlspolicy.ClientRequired {
		return nil
	}
	if !r.ClientCertificate.Requested {
		return []rule{{false, "the server does not ask for a client certificate, which the profile wants shown", "have the server ask for it, or use a profile without client_certificate"}}
	}
	return []rule{{true, "the server asks for a client certificate", ""}}
}

// Fit holds the server against a profile, and shakes hands by it where that can be. It adds a verdict for each rule, and sets Fits. A
// server that is not reached fits nothing.
func (r *Report) Fit(ctx context.Context, profile tlspolicy.Profile, o Options) {
	fits := r.Reached
	for _, v := range r.rules(profile) {
		level := Good
		if !v.ok {
			level, fits = Bad, false
		}
		r.say("profile", level, v.text, v.remedy)
	}
	if fits {
		fits = r.fitHandshake(ctx, profile, o)
	}
	text, level := "a connection by the profile "+profile.Name+" is possible", Good
	if !fits {
		text, level = "no connection by the profile "+profile.Name+" is possible", Bad
	}
	r.say("profile", level, text, "")
	r.Fits = &fits
}

// fitHandshake shakes hands by the profile as the gateway does. Where nothing is missing but a client certificate, which nobody gave,
// that says nothing against the profile.
func (r *Report) fitHandshake(ctx context.Context, profile tlspolicy.Profile, o Options) bool {
	o = o.withDefaults()
	client := tlspolicy.Client{Profile: profile, Now: o.Now}
	if o.Certificate != nil {
		client.Certificates = []tls.Certificate{*o.Certificate}
	}
	state, err := Shake(ctx, r.target, o, func(ctx context.Context, raw net.Conn) (net.Conn, tlspolicy.State, error) {
		return client.Handshake(ctx, raw, r.target.name())
	})
	r.Connections++
	var policy *tlspolicy.Error
	switch {
	case err == nil:
		r.say("profile", Good, "a handshake by it comes to "+state.String(), "")
		return true
	case o.Certificate == nil && r.ClientCertificate.Requested && (r.ClientCertificate.Required == nil || r.needsCertificate()):
		if errors.As(err, &policy) && policy.Rule != tlspolicy.RuleHandshake && policy.Rule != tlspolicy.RuleClientCertificate {
			break
		}
		r.say("profile", Note, "the handshake was not finished, since the server wants a client certificate: "+failureText(err), "give it with --client-cert")
		return true
	}
	if errors.As(err, &policy) {
		r.say("profile", Bad, safetext.Line(policy.Text, 300), policy.Advice)
	} else {
		r.say("profile", Bad, "a handshake by it fails: "+failureText(err), "")
	}
	return false
}

// least is the built-in profile, the strictest first, by which the server can be reached; empty where there is none.
func (r *Report) least() (tlspolicy.Profile, bool) {
	for _, name := range tlspolicy.Builtins() {
		p, _ := tlspolicy.Builtin(name)
		broken := slices.ContainsFunc(r.rules(p), func(v rule) bool { return !v.ok })
		if !broken && r.meet(p).possible() {
			return p, true
		}
	}
	return tlspolicy.Profile{}, false
}

// inline writes a list of names as YAML.
func inline(all []string) string { return "[" + strings.Join(all, ", ") + "]" }
