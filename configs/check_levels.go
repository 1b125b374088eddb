package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// levels judges what holds for some senders, and for some recipients.
func (k *checker) levels() {
	for _, list := range []struct {
		name   string
		levels []PolicyLevel
	}{{"policy.senders", k.Policy.Senders}, {"policy.recipients", k.Policy.Recipients}} {
		taken := map[string]string{}
		for i := range list.levels {
			l := &list.levels[i]
			dotted := entryKey(list.name, "", i)
			k.levelFor(l, dotted, taken)
			said := k.saidIn(&l.Protection, &l.Handling, dotted)
			if len(said) == 0 {
				k.fail(dotted, "this entry says nothing; give it sign, encrypt or another key, or remove it")
			}
			k.protection(&l.Protection, mail.Outgoing, dotted)
			k.handling(&l.Handling, said, dotted)
			k.lowered(l.Sign, l.Encrypt, l.Enforce, dotted)
		}
	}
	d := &k.Policy.Default
	said := []string{"sign", "encrypt", "profile", "form", "encrypt_to_self", "on_missing"}
	p := Protection{OAEP: d.OAEP, Signature: d.Signature, HeaderProtection: d.HeaderProtection, Subject: d.Subject, Algorithm: k.Policy.Algorithm}
	k.handling(&d.Handling, append(said, k.saidIn(&p, &d.Handling, "policy.default")...), "policy.default")
	k.lowered(d.Sign, d.Encrypt, d.Enforce, "policy.default")
}

// levelFor judges for whom an entry is.
func (k *checker) levelFor(l *PolicyLevel, dotted string, taken map[string]string) {
	switch {
	case len(l.For) == 0 && len(l.Groups) == 0 && !k.broken[dotted+".for"]:
		k.fail(dotted, "this entry is for nobody; name addresses and domains by for, or groups by groups")
	case len(l.For) > 0 && l.Groups != nil:
		k.fail(dotted+".groups", "an entry is for addresses and domains or for groups, since groups go before domains and after addresses; make two entries")
	}
	for i, p := range l.For {
		text := p.String()
		switch other := taken[text]; {
		case text == "*":
			k.failMember(dotted+".for", i, "* is everybody; write what holds for everybody under policy.default")
		case text == "<>":
			k.failMember(dotted+".for", i, "<> is nobody, so that nothing can hold for it; write a rule")
		case other != "":
			k.failMember(dotted+".for", i, "%s has an entry already, %s; say all of it in one", shorten(text), other)
		default:
			taken[text] = dotted
		}
	}
	k.groupNames(l.Groups, dotted+".groups")
	for i, name := range l.Groups {
		folded := "group " + strings.ToLower(name)
		if other := taken[folded]; other != "" {
			k.failMember(dotted+".groups", i, "%s has an entry already, %s; say all of it in one", shorten(name), other)
		}
		taken[folded] = dotted
	}
}

// groupNames holds that names can be those of groups.
func (k *checker) groupNames(names []string, dotted string) {
	if names != nil && len(names) == 0 {
		k.fail(dotted, "a list without entries matches nobody; leave it away for everybody")
	}
	for i, name := range names {
		if err := ldap.CheckGroup(name); err != nil {
			k.failMember(dotted, i, "%s", err)
		}
	}
}

// protection holds that what a rule or a level says of protection can be done.
func (k *checker) protection(p *Protection, d mail.Direction, dotted string) {
	k.missing(p.OnMissing, d, dotted+".on_missing")
	if p.Subject == SubjectObscured && p.HeaderProtection == "false" {
		k.fail(dotted+".subject", "the subject can only be obscured where the header is protected; remove header_protection: false, or this")
	}
	profile, report, unless := p.Profile, k.fail, ""
	if profile == "" {
		profile, report = k.Policy.Default.Profile, k.warn
		unless = ", unless another rule gives it another profile"
	}
	if profile != smime.TR03116 {
		return
	}
	for key, value := range weakTerms(p.Algorithm, p.OAEP, p.Signature) {
		report(dotted+"."+key, "mail by this rule would be refused%s, since the profile %s does not allow %s: %s; remove it, or give the rule another profile",
			unless, profile, key, value)
	}
}

// handling holds that what a rule or a level names is there, and that what it enforces is said.
func (k *checker) handling(h *Handling, said []string, dotted string) {
	if h.DeMail != "" && !slices.ContainsFunc(k.Config.DeMail.Senders, func(s DeMailSender) bool { return s.Name == h.DeMail }) {
		k.fail(dotted+".de_mail", "there is no entry %s under demail.senders; add it there, or write its name as it stands there", shorten(h.DeMail))
	}
	if len(h.DeMailOptions) > 0 {
		k.entitledTo(h, dotted+".de_mail_options")
	}
	for i, name := range h.Archive {
		if !slices.ContainsFunc(k.Config.Archives, func(a Archive) bool { return a.Name == name }) {
			k.failMember(dotted+".archive", i, "there is no archive %s under archives; add it there, or write its name as it stands there", shorten(name))
		}
	}
	for i, name := range h.Notify {
		k.notify(dotted+".notify", i, name)
	}
	for i, key := range h.Enforce {
		switch {
		case !slices.Contains(policy.Keys(), policy.Key(key)):
			k.failMember(dotted+".enforce", i, "%s is no key of a policy%s", shorten(key), didYouMean(key, keyNames()))
		case !slices.Contains(said, key):
			k.failMember(dotted+".enforce", i, "%s is not said here, so there is nothing to enforce; say it here, or leave it out", shorten(key))
		}
	}
}

func keyNames() (out []string) {
	for _, key := range policy.Keys() {
		out = append(out, string(key))
	}
	return out
}

// entitledTo holds that accounts may use the options that De-Mail always has.
func (k *checker) entitledTo(h *Handling, dotted string) {
	for _, s := range k.Config.DeMail.Senders {
		account, known := k.Config.DeMail.Account(s.Account)
		if !known || h.DeMail != "" && h.DeMail != s.Name {
			continue
		}
		if more := DeMailOptions(h.DeMailOptions).Without(DeMailOptions(account.Entitled)); len(more.Names()) > 0 {
			k.fail(dotted, "the account %s of the sender %s is not entitled to %s; remove it, or add it to entitled there", shorten(account.Name), shorten(s.Name), strings.Join(more.Names(), ", "))
			return
		}
	}
}

// lowered warns of what must be done and a user may set aside.
func (k *checker) lowered(sign, encrypt policy.Level, enforced []string, dotted string) {
	for _, l := range []struct {
		key   string
		level policy.Level
	}{{"sign", sign}, {"encrypt", encrypt}} {
		if l.level == policy.Require && !slices.Contains(enforced, l.key) {
			k.warn(dotted+"."+l.key, "a user can lower this by [plain] in the subject, since it is a default; write enforce: [%s] beside it if that must not be", l.key)
		}
	}
}

// conditions judges what a rule is for.
func (k *checker) conditions(r *Rule, dotted string) {
	k.groupNames(r.FromGroups, dotted+".from_groups")
	k.groupNames(r.ToGroups, dotted+".to_groups")
	switch {
	case r.FromGroups != nil && r.Direction == mail.Incoming:
		k.fail(dotted+".from_groups", "nobody outside is in a group of the company; name the groups of the recipients by to_groups")
	case r.ToGroups != nil && r.Direction == mail.Outgoing:
		k.fail(dotted+".to_groups", "nobody outside is in a group of the company; name the groups of the senders by from_groups, or give the rule another direction")
	}
	for key, list := range map[string][]string{"listener": r.Listener, "content_types": r.ContentTypes, "flags": r.Flags} {
		if list != nil && len(list) == 0 {
			k.fail(dotted+"."+key, "a list without entries matches nothing; leave %s away for all messages", key)
		}
	}
	if r.Headers != nil && len(r.Headers) == 0 {
		k.fail(dotted+".headers", "a list without entries is no condition; leave headers away for all messages")
	}
	for i, name := range r.Listener {
		if name != pickupListener && !slices.ContainsFunc(k.Listeners, func(l Listener) bool { return l.Name == name }) {
			k.failMember(dotted+".listener", i, "there is no listener %s; write its name as it stands under listeners", shorten(name))
		}
	}
	for i, t := range r.ContentTypes {
		if main, sub, ok := strings.Cut(t, "/"); !ok || main == "" || sub == "" || strings.Contains(main, "*") || strings.Contains(sub, "*") && sub != "*" {
			k.failMember(dotted+".content_types", i, `this is no media type; write it as application/pdf, or "image/*" for all of a kind`)
		}
	}
	if r.SizeUnder != 0 && r.SizeOver+1 >= r.SizeUnder {
		k.fail(dotted+".size_under", "no message is larger than size_over and smaller than this")
	}
	k.expression(r.SubjectMatches, dotted+".subject_matches")
	for i := range r.Headers {
		at := entryKey(dotted+".headers", r.Headers[i].Name, i)
		k.expression(r.Headers[i].Matches, at+".matches")
		if strings.ContainsAny(r.Headers[i].Name, ": \t") {
			k.fail(at+".name", "this is no name of a field; write it without the colon, as in X-Project")
		}
	}
}

// pickupListener is what the folder for applications is called.
const pickupListener = "pickup"

// expression holds that a text is a regular expression.
func (k *checker) expression(text, dotted string) {
	if len(text) > 1000 {
		k.fail(dotted, "a regular expression has at most 1000 characters")
	} else if _, err := regexp.Compile(text); err != nil {
		k.fail(dotted, "this is no regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
}

// direction holds that what a rule says means something for its direction.
func (k *checker) direction(r *Rule, said []string, dotted string) {
	if r.Direction == "" {
		return
	}
	for _, key := range said {
		if !policy.Means(policy.Key(key), r.Direction) {
			k.fail(dotted+"."+key, "this means nothing for %s mail; remove it, or make a rule for another direction", r.Direction)
		}
	}
	if r.DryRun && len(r.Enforce) > 0 {
		k.warn(dotted+".enforce", "the rule only tells what it would do; remove dry_run where it is to count")
	}
}

// saidIn are the keys by which a rule or a level says something, those too whose values could not be read.
func (k *checker) saidIn(p *Protection, h *Handling, dotted string) []string {
	var out []string
	for _, s := range []struct {
		key  string
		said bool
	}{
		{"sign", p.Sign != ""}, {"encrypt", p.Encrypt != ""}, {"profile", p.Profile != ""}, {"algorithm", p.Algorithm != ""},
		{"oaep", p.OAEP != ""}, {"signature", p.Signature != ""}, {"header_protection", p.HeaderProtection != ""},
		{"subject", p.Subject != ""}, {"form", p.Form != ""}, {"encrypt_to_self", p.EncryptToSelf != ""}, {"on_missing", p.OnMissing != ""},
		{"tls", h.TLS != ""}, {"de_mail", h.DeMail != ""}, {"de_mail_options", len(h.DeMailOptions) > 0}, {"decrypt", h.Decrypt != ""},
		{"on_invalid", h.OnInvalid != ""}, {"on_unsigned", h.OnUnsigned != ""}, {"on_unopened", h.OnUnopened != ""},
		{"mark_subject", h.MarkSubject != ""}, {"max_size", h.MaxSize != 0}, {"archive", len(h.Archive) > 0}, {"notify", len(h.Notify) > 0},
	} {
		if s.said || k.broken[fmt.Sprintf("%s.%s", dotted, s.key)] {
			out = append(out, s.key)
		}
	}
	return out
}
