package configs

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

func (k *checker) policy() {
	unique := k.unique("rules")
	decided := map[mail.Direction]map[string]string{mail.Outgoing: {}, mail.Internal: {}, mail.Incoming: {}}
	for i := range k.Policy.Rules {
		name := k.Policy.Rules[i].Name
		dotted := entryKey("policy.rules", name, i)
		if k.numbered(i) {
			dotted = entryKey("policy.rules", "", i)
		}
		unique(name, dotted)
		k.rule(&k.Policy.Rules[i], dotted, decided)
	}
	k.levels()
	k.groupsDirectory()
	k.defaultTerms()
	k.tags()
	k.labels()
	k.needsCertificates()
}

// rule judges one rule. decided has, for each direction and key, the rule before it that says it for every message.
func (k *checker) rule(r *Rule, dotted string, decided map[mail.Direction]map[string]string) {
	if r.Name == policy.ByFlag || r.Name == policy.ByDefault || r.Name == policy.ByEarlier || r.Name == policy.ByKind {
		k.fail(dotted+".name", "%s is what a decision without a rule is called; choose another name", r.Name)
	}
	said := k.saidIn(&r.Protection, &r.Handling, dotted)
	if r.Quarantine != "" {
		said = append(said, "quarantine")
	}
	if len(said) == 0 {
		k.fail(dotted, "this rule says nothing; give it sign or encrypt, or say how with profile and the like")
	}
	if (r.From != nil && len(r.From) == 0) || (r.To != nil && len(r.To) == 0) {
		k.fail(dotted, "a list without entries matches nothing; leave from or to away for all addresses")
	}
	if r.Kinds != nil && len(r.Kinds) == 0 {
		k.fail(dotted+".kinds", "a list without entries matches nothing; leave kinds away for all messages")
	}
	k.conditions(r, dotted)
	k.ruleLabels(r, dotted)
	k.direction(r, said, dotted)
	k.protection(&r.Protection, r.Direction, dotted)
	k.handling(&r.Handling, said, dotted)
	if r.Direction == mail.Outgoing && !r.DryRun {
		k.lowered(r.Sign, r.Encrypt, r.Enforce, dotted)
	}
	if d := decided[r.Direction]; d != nil {
		k.ruleReach(r, dotted, said, d)
	}
}

// numbered reports whether a rule got its name from its place.
func (k *checker) numbered(i int) bool {
	_, named := k.origins[entryKey("policy.rules", k.Policy.Rules[i].Name, i)]
	return !named
}

// ruleReach warns of a rule that earlier rules for all addresses leave nothing to decide. decided has, for each key, the
// rule that says it for every message.
func (k *checker) ruleReach(r *Rule, dotted string, said []string, decided map[string]string) {
	open := slices.ContainsFunc(said, func(key string) bool { return decided[key] == "" || slices.Contains(r.Enforce, key) })
	if len(said) > 0 && !open {
		k.warn(dotted, "this rule decides nothing: the rule %s before it matches every message; put special rules first", shorten(decided[said[0]]))
	}
	if r.conditional() || r.DryRun {
		return
	}
	for _, key := range said {
		if decided[key] == "" {
			decided[key] = r.Name
		}
	}
}

// needsCertificates warns where a rule demands what cannot be done unless somebody imports certificates.
func (k *checker) needsCertificates() {
	if k.Certificates.Folder != "" || k.Certificates.Issue.CA != "none" {
		return
	}
	d := k.Policy.Default
	demanded := d.Sign == policy.Require || d.Encrypt == policy.Require
	for _, r := range k.Policy.Rules {
		demanded = demanded || r.Sign == policy.Require || r.Encrypt == policy.Require
	}
	for _, l := range slices.Concat(k.Policy.Senders, k.Policy.Recipients) {
		demanded = demanded || l.Sign == policy.Require || l.Encrypt == policy.Require
	}
	if demanded {
		k.warn("policy", "mail that must be signed or encrypted is refused until certificates are imported (siegel certs import), since neither certificates.folder nor certificates.issue is given")
	}
}
