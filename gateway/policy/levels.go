package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Whose levels they are.
const (
	ofSenders    = "sender"
	ofRecipients = "recipient"
)

// levels are the entries for senders, or for recipients, found by look-up: ten thousand addresses cost nothing.
type levels struct {
	addresses map[string]*layer // by Key
	anywhere  map[string]*layer // of one local part in all subdomains of a domain: "info@*.partner.example"
	domains   map[string]*layer
	subs      map[string]*layer // all subdomains of a domain
	groups    []grouped         // in the order of the configuration
	names     []string          // of all groups
	demands   [levelSteps][]*layer
	said      keySet // by any of them
}

// grouped is what members of one of some groups have.
type grouped struct {
	names []string // folded
	*layer
}

// levelSteps are the steps of inheritance between rules and the company: addresses, groups, domains.
const levelSteps = 3

// newLevels also returns what is wrong with the entries.
func newLevels(whose string, entries []Entry) (*levels, []error) {
	l := &levels{addresses: map[string]*layer{}, anywhere: map[string]*layer{}, domains: map[string]*layer{}, subs: map[string]*layer{}}
	var faults []error
	for i := range entries {
		e := &entries[i]
		fault := func(text string) {
			faults = append(faults, fmt.Errorf("policy: %s level %d%s: %s", whose, i+1, at(e.Where), text))
		}
		for _, text := range e.check() {
			fault(text)
		}
		s := e.Settings
		l.said |= saidBy(&s)
		for _, pattern := range e.For {
			if why := l.add(whose, pattern, &s); why != "" {
				fault(why)
			}
		}
		if e.Groups != nil {
			g := grouped{layer: l.newLayer(&s, whose+" group "+strings.Join(e.Groups, ", "), whose)}
			if whose == ofSenders {
				g.senders = e.Groups
			} else {
				g.recipients = e.Groups
			}
			for _, name := range e.Groups {
				if contains(l.names, name) {
					fault(fmt.Sprintf("the group %q has an entry already; give each group one", name))
				}
				g.names = append(g.names, strings.ToLower(name))
			}
			l.groups, l.names = append(l.groups, g), join(l.names, e.Groups)
		}
	}
	l.demand()
	return l, faults
}

func at(where string) string {
	if where == "" {
		return ""
	}
	return " (" + where + ")"
}

func (l *levels) newLayer(s *Settings, by, whose string) *layer {
	out := newLayer(s, by, by)
	out.names = whose == ofRecipients
	return out
}

// check says what is wrong with an entry.
func (e *Entry) check() (faults []string) {
	switch {
	case len(e.For) == 0 && len(e.Groups) == 0:
		faults = append(faults, "it is for nobody; give it addresses and domains, or groups")
	case len(e.For) > 0 && e.Groups != nil:
		faults = append(faults, "it is for addresses and for groups; make two entries of it, since groups go before domains and after addresses")
	}
	if e.Quarantine != "" {
		faults = append(faults, "quarantine is for rules alone, since it is an event and no property of people; write a rule")
	}
	if saidBy(&e.Settings) == 0 {
		faults = append(faults, "it says nothing and would do nothing; add a key, or remove it")
	}
	return append(faults, e.Settings.check()...)
}

// levelNamed takes apart what decided, as decisions name it, where it is a level: an address, a domain or a group, and its name.
func levelNamed(by string) (what, name string, ok bool) {
	words := strings.SplitN(by, " ", 3)
	if len(words) < 3 || words[0] != ofSenders && words[0] != ofRecipients {
		return "", "", false
	}
	what, name = words[1], words[2]
	return what, name, what == "address" || what == "group" || what == "domain"
}

// add is for one pattern; it says why that cannot be.
func (l *levels) add(whose string, p mail.Pattern, s *Settings) string {
	text := p.String()
	local, domain, _ := strings.Cut(text, "@")
	if i := strings.LastIndexByte(text, '@'); i >= 0 { // of a quoted local part, too
		local, domain = text[:i], text[i+1:]
	}
	sub, isSub := strings.CutPrefix(domain, "*.")
	to, key, what := l.domains, domain, " domain "+domain
	switch {
	case text == "*" || text == "<>":
		return text + " is no level; what holds for everybody is the company's"
	case local != "" && isSub:
		to, key, what = l.anywhere, text, " address "+text
	case local != "":
		to, key, what = l.addresses, text, " address "+text
	case isSub:
		to, key = l.subs, sub
	}
	if other := to[key]; other != nil {
		return fmt.Sprintf("%s has an entry already%s; give each one entry", text, at(other.Where))
	}
	to[key] = l.newLayer(s, whose+what, whose)
	return ""
}

// ofAddress tells of the first step: the address itself, then its local part in the nearest domain around its own.
func (l *levels) ofAddress(a mail.Address, tell func(*layer)) {
	if len(l.addresses) == 0 && len(l.anywhere) == 0 {
		return
	}
	key := a.Key()
	if found := l.addresses[key]; found != nil {
		tell(found)
	}
	if len(l.anywhere) == 0 {
		return
	}
	local := key[:strings.LastIndexByte(key, '@')]
	around(a.Domain, func(domain string) {
		if found := l.anywhere[local+"@*."+domain]; found != nil {
			tell(found)
		}
	})
}

// ofDomain tells of the third step: the domain itself, then the wildcards, the longest first.
func (l *levels) ofDomain(domain string, tell func(*layer)) {
	if found := l.domains[domain]; found != nil {
		tell(found)
	}
	if len(l.subs) == 0 {
		return
	}
	around(domain, func(domain string) {
		if found := l.subs[domain]; found != nil {
			tell(found)
		}
	})
}

// around calls f for each domain that a domain lies in, the nearest first.
func around(domain string, f func(domain string)) {
	for {
		i := strings.IndexByte(domain, '.')
		if i < 0 || strings.HasPrefix(domain, "[") {
			return
		}
		domain = domain[i+1:]
		f(domain)
	}
}

// demand collects, for each step, what holds for mail without a single author, which may be anybody's: the entries that demand encryption.
func (l *levels) demand() {
	for step, layers := range [levelSteps][]*layer{sorted(l.addresses, l.anywhere), {}, sorted(l.domains, l.subs)} {
		if step == 1 {
			for i := range l.groups {
				layers = append(layers, l.groups[i].layer)
			}
		}
		var so result
		for _, one := range layers {
			if so.grows(one) {
				l.demands[step] = append(l.demands[step], one)
			}
		}
	}
}

// grows reports whether a layer demands something that those before it do not.
func (r *result) grows(l *layer) (grown bool) {
	each(l.said&(demanding|1<<atEncrypt), func(i int) {
		enforced := l.enforced.has(i) && !r.enforced.has(i)
		switch {
		case i == atEncrypt && l.Encrypt != Require:
		case !r.has(i):
			r.take(i, l)
			grown = true
		case settings[i].raise(&r.Settings, l.Settings) || enforced:
			grown = true
		}
		if enforced {
			r.enforced |= 1 << i
		}
	})
	return grown
}

// sorted are layers in the order of their names, so that decisions do not hang on that of a map.
func sorted(maps ...map[string]*layer) (out []*layer) {
	for _, m := range maps {
		for _, l := range m {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b *layer) int { return strings.Compare(a.by, b.by) })
	return out
}
