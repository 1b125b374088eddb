package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// Policy decides what mail gets: by rules, in order, and by levels that inherit from each other. It is immutable and safe for concurrent use.
//
// Each key is decided on its own, and for each recipient on its own. A value is enforced, where its rule or level lists the key under Enforce, or a default.
// An enforced one goes before all defaults, wherever they stand, and among several the strongest counts. Among defaults the first rule that matches counts,
// else the nearest level: address, group, domain (the longest wildcard after the domain itself), company, factory; on the same step the recipient's before the
// sender's. A user raises anything and lowers defaults only.
type Policy struct {
	rules      map[mail.Direction][]*rule // in order
	company    *layer
	senders    *levels
	recipients *levels
	factories  map[factoryFor]*layer
	keys       map[mail.Direction]reach
	grouped    bool // a rule or a level is for a group
}

type factoryFor struct {
	direction mail.Direction
	deMail    bool
}

// reach are the keys that mean something for a direction.
type reach struct{ rules, levels keySet }

// New checks what a policy is made of and returns it. The error names every fault at once.
func New(c Config) (*Policy, error) {
	p := &Policy{rules: map[mail.Direction][]*rule{}, factories: map[factoryFor]*layer{}, keys: map[mail.Direction]reach{}}
	taken := map[string]bool{ByFlag: true, ByDefault: true, ByEarlier: true, ByKind: true}
	var faults []error
	for i, r := range c.Rules {
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule %d", i+1)
		}
		if r.Direction == "" {
			r.Direction = mail.Outgoing
		}
		ready, why := newRule(r)
		if taken[r.Name] {
			why = append(why, "this name is taken; give each rule a name of its own, other than "+ByFlag+", "+ByDefault+", "+ByEarlier+" and "+ByKind)
		}
		for _, text := range why {
			faults = append(faults, fmt.Errorf("policy: rule %q%s: %s", r.Name, at(r.Where), text))
		}
		taken[r.Name] = true
		p.rules[r.Direction] = append(p.rules[r.Direction], ready)
	}
	var wrong []error
	p.senders, wrong = newLevels(ofSenders, c.Senders)
	faults = append(faults, wrong...)
	p.recipients, wrong = newLevels(ofRecipients, c.Recipients)
	faults = append(faults, wrong...)
	for _, text := range c.Company.check() {
		faults = append(faults, fmt.Errorf("policy: the defaults of the company%s: %s", at(c.Company.Where), text))
	}
	p.company = newLayer(&c.Company, ByCompany, ByDefault)
	for _, d := range []mail.Direction{mail.Outgoing, mail.Internal, mail.Incoming} {
		p.factories[factoryFor{d, false}], p.factories[factoryFor{d, true}] = factory(d, false), factory(d, true)
		p.keys[d] = reach{keysFor(d, false), keysFor(d, true)}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p.grouped = len(p.Groups()) > 0
	return p, nil
}

// newRule also returns what is wrong with a rule.
func newRule(r Rule) (*rule, []string) {
	r.From, r.To, r.Kinds, r.Listeners = slices.Clone(r.From), slices.Clone(r.To), slices.Clone(r.Kinds), slices.Clone(r.Listeners)
	faults := append(r.check(), r.Settings.check()...)
	s := r.Settings
	out := &rule{
		Rule: r, layer: newLayer(&s, "rule "+r.Name, r.Name), groups: folded(r.Groups), toGroups: folded(r.ToGroups),
		labels: folded(r.Labels), types: folded(r.ContentTypes),
	}
	out.layer.kinds, out.layer.names = r.Kinds, r.To != nil || r.ToGroups != nil
	out.senders, out.recipients = r.Groups, r.ToGroups
	var err error
	if out.subject, err = newField(r.Subject); err != nil {
		faults = append(faults, err.Error())
	}
	for _, f := range r.Headers {
		ready, err := newField(f)
		if err == nil && f.Name == "" {
			err = errors.New("a condition on the header has no name of a field")
		}
		if err != nil {
			faults = append(faults, err.Error())
		}
		out.headers = append(out.headers, ready)
	}
	return out, faults
}

// check says what is wrong with the conditions of a rule, and with keys that are not for its direction.
func (r *Rule) check() (faults []string) {
	said := saidBy(&r.Settings)
	for _, k := range r.Kinds {
		if k != Meeting && k != TNEF {
			faults = append(faults, fmt.Sprintf("%q is no kind of message; write %s or %s", k, Meeting, TNEF))
		}
	}
	for _, f := range r.Flags {
		if !isFlag(f) {
			faults = append(faults, fmt.Sprintf("%q is no flag; write sign, encrypt, plain, no_sign, no_encrypt, tls or de_mail", f))
		}
	}
	switch stray := said &^ keysFor(r.Direction, false); {
	case wayOf(r.Direction) == 0:
		faults = append(faults, fmt.Sprintf("%q is no direction; write outgoing, internal or incoming", r.Direction))
	case said == 0:
		faults = append(faults, "it says nothing and would do nothing; add sign, encrypt or another key, or remove the rule")
	case r.Direction == mail.Incoming && r.Groups != nil:
		faults = append(faults, "nobody outside is in a group of the company; name the groups of the recipients")
	case r.Direction == mail.Outgoing && r.ToGroups != nil:
		faults = append(faults, "nobody outside is in a group of the company; name the groups of the senders")
	case r.Direction == mail.Incoming && stray&(1<<atSign|1<<atEncrypt) != 0:
		faults = append(faults, "incoming mail is neither signed nor encrypted; use the direction outgoing or internal")
	default:
		each(stray, func(i int) {
			faults = append(faults, fmt.Sprintf("%s means nothing for %s mail; remove it, or make a rule for another direction", settings[i].key, r.Direction))
		})
	}
	if r.SizeOver < 0 || r.SizeUnder < 0 || r.SizeUnder != 0 && r.SizeOver+1 >= r.SizeUnder {
		faults = append(faults, "no message is larger than size_over and smaller than size_under")
	}
	return faults
}

// check says what is wrong with values.
func (s *Settings) check() (faults []string) {
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	fault(s.Sign != "" && s.Sign.rank() == 0 || s.Encrypt != "" && s.Encrypt.rank() == 0, "sign and encrypt must be never, if-possible or require")
	fault(s.TLS != "" && s.TLS != mail.TLSRequired && s.TLS != mail.TLSVerified, "tls must be required or verified")
	m := s.Terms.Missing
	fault(m != "" && m.rank() == 0, "%q is not what may become of a message without a certificate; write %s, %s, %s or %s", m, Refuse, Ask, SendTLS, SendPlain)
	if s.Terms.Profile != "" {
		_, err := smime.ParseProfile(string(s.Terms.Profile))
		fault(err != nil, "%v", err)
	}
	for _, a := range []Action{s.OnInvalid, s.OnUnsigned, s.OnUnopened} {
		fault(a != "" && !slices.Contains([]Action{Accept, Mark, Quarantine, RefuseIt}, a), "%q is not what may become of a message; write accept, mark, quarantine or refuse", a)
	}
	fault(s.MaxSize < 0, "max_size is less than nothing")
	said := saidBy(s)
	for _, key := range s.Enforce {
		i := placeOf(key)
		fault(i < 0, "%q under enforce is no key", key)
		fault(i >= 0 && !said.has(i), "%s is under enforce and is not said here; say it, or leave it out", key)
	}
	return faults
}

// Groups returns the groups of the company's directory that rules and levels name, each once.
func (p *Policy) Groups() []string {
	all := join(slices.Clone(p.senders.names), p.recipients.names)
	for _, d := range []mail.Direction{mail.Outgoing, mail.Internal, mail.Incoming} {
		for _, r := range p.rules[d] {
			all = join(join(all, r.Rule.Groups), r.ToGroups)
		}
	}
	slices.SortFunc(all, strings.Compare)
	return all
}
