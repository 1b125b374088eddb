package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/purview"
)

// obscured is the subject that encrypted mail shows on its outside (RFC 9788, 2.2.1).
const obscured = "[...]"

// tags judges the words of subjects.
func (k *checker) tags() {
	t, d, asked := k.Policy.Tags, k.Config.DeMail.Tags, map[string]string{}
	for _, list := range []struct {
		key  string
		tags []string
	}{
		{"policy.tags.encrypt", t.Encrypt}, {"policy.tags.sign", t.Sign}, {"policy.tags.tls", t.TLS}, {"policy.tags.plain", t.Plain},
		{"policy.tags.no_sign", t.NoSign}, {"policy.tags.no_encrypt", t.NoEncrypt}, {"demail.tags.dispatch", d.Dispatch},
		{"demail.tags.receipt", d.Receipt}, {"demail.tags.retrieve", d.Retrieve}, {"demail.tags.authoritative", d.Authoritative}, {"demail.tags.private", d.Private},
	} {
		for i, tag := range list.tags {
			folded := strings.ToLower(tag)
			switch other := asked[folded]; {
			case strings.TrimSpace(tag) == "":
				k.failMember(list.key, i, "an empty tag would stand in every subject; remove it")
			case tag == obscured:
				k.failMember(list.key, i, "%s is the subject that encrypted mail shows on its outside, so that every answer to it would ask; choose another tag", obscured)
			case other != "" && other != list.key:
				k.failMember(list.key, i, "%s asks for two things; give each its own tag", shorten(tag))
			}
			asked[folded] = list.key
		}
	}
	for _, set := range t.Sets {
		for _, tag := range set.Tags() {
			if folded := strings.ToLower(tag); asked[folded] == "" {
				asked[folded] = "the tags of " + string(set)
			}
		}
	}
	k.marks(asked)
}

// marks warns of marks that ask for something, where they come back in an answer.
func (k *checker) marks(asked map[string]string) {
	p, m := k.Policy.MarkSubject, k.Config.DeMail.Incoming.MarkSubject
	for _, m := range []struct{ key, text string }{
		{"policy.mark_subject.encrypted", p.Encrypted}, {"policy.mark_subject.signed", p.Signed}, {"policy.mark_subject.invalid", p.Invalid}, {"policy.mark_subject.unsigned", p.Unsigned}, {"policy.mark_subject.unopened", p.Unopened},
		{"policy.mark_subject.doubtful", p.Doubtful}, {"demail.incoming.mark_subject.verified", m.Verified},
		{"demail.incoming.mark_subject.intact", m.Intact}, {"demail.incoming.mark_subject.unverified", m.Unverified},
	} {
		if by := asked[strings.ToLower(m.text)]; by != "" && m.text != "" {
			k.warn(m.key, "this mark is also one of %s, so who answers or forwards such a message may ask for it without knowing; choose another", by)
		}
	}
}

// labels judges the names for what is classified.
func (k *checker) labels() {
	unique := k.unique("labels")
	for i := range k.Policy.Labels {
		l := &k.Policy.Labels[i]
		dotted := entryKey("policy.labels", l.Name, i)
		unique(l.Name, dotted)
		if len(l.Sensitivity)+len(l.Classification)+len(l.Purview)+len(l.Header) == 0 {
			k.fail(dotted, "no message would bear this label; give it sensitivity, classification, purview or header")
		}
		for j, value := range l.Classification {
			if strings.TrimSpace(value) == "" {
				k.failMember(dotted+".classification", j, "an empty classification is none; remove it")
			}
		}
		for j := range l.Purview {
			k.purview(&l.Purview[j], entryKey(dotted+".purview", "", j))
		}
		for j, header := range l.Header {
			if fault := labelHeader(header); fault != "" {
				k.failMember(dotted+".header", j, "%s", fault)
			}
		}
	}
}

// ruleLabels holds that the labels of a rule are there, and that somebody is believed about them.
func (k *checker) ruleLabels(r *Rule, dotted string) {
	for _, list := range []struct {
		key   string
		given bool
	}{{"labels", r.Labels != nil}, {"flags", r.Flags != nil}} {
		if list.given && r.Direction == mail.Incoming {
			k.fail(dotted+"."+list.key, "nobody outside may ask or classify, so that this rule would never hold; use headers for what a sender outside wrote")
		}
	}
	if r.Labels != nil && len(r.Labels) == 0 {
		k.fail(dotted+".labels", "a list without entries matches nothing; leave labels away for all messages")
	}
	for i, name := range r.Labels {
		if !slices.ContainsFunc(k.Policy.Labels, func(l Label) bool { return strings.EqualFold(l.Name, name) }) {
			k.failMember(dotted+".labels", i, "there is no label %s under policy.labels; add it there, or write its name as it stands there", shorten(name))
		}
	}
}

// purview reads both numbers of a label, so that they can be compared.
func (k *checker) purview(p *PurviewLabel, dotted string) {
	for _, g := range []struct {
		key   string
		value *purview.GUID
	}{{".label", &p.Label}, {".tenant", &p.Tenant}} {
		if *g.value == "" {
			continue // told already
		}
		id, err := purview.ParseGUID(string(*g.value))
		if err != nil {
			k.fail(dotted+g.key, "%s is no GUID; write it as in f42aa342-8706-4288-bd11-ebb85995028c", shorten(string(*g.value)))
			continue
		}
		*g.value = id
	}
}

// labelHeader says what is wrong with a field and its value; empty where nothing is.
func labelHeader(header string) string {
	name, value, ok := strings.Cut(header, ":")
	name = strings.TrimSpace(name)
	switch {
	case !ok || name == "" || strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return fmt.Sprintf("%s is no field with its value; write it as in \"X-Classification: secret\"", shorten(header))
	case strings.TrimSpace(value) == "":
		return fmt.Sprintf("%s has no value; write * for any", shorten(header))
	case strings.HasPrefix(strings.ToLower(name), "x-siegel-"):
		return "what begins with X-Siegel- asks for something of its own, and is no label; name another field"
	}
	return ""
}
