package policy

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// walk finds the layers that hold for the recipients of one message. What depends on the message alone is found once for each direction.
type walk struct {
	p      *Policy
	in     *Input
	known  bool         // groups are known: else what hangs on one may hold, or not
	from   mail.Address // as in.From, with a local part that is folded where that is cheap
	groups []string     // folded
	rules  map[mail.Direction][]candidate
	found  []match        // of one recipient, used again for the next
	few    []mail.Address // the recipients, where they are few, as from; nil: they are many
	lower  string         // the subject in lower case, as far as it is looked at
	lines  []string       // the subjects of a message with several; nil: it has one or none
}

// fewRecipients are as many as are looked at before the rest of a rule is.
const fewRecipients = 4

// candidate is a rule that holds for a message, but for who gets it.
type candidate struct {
	*rule
	sure   bool
	demand bool   // see match
	keys   keySet // that hold
}

func (p *Policy) walk(in *Input, known bool) *walk {
	w := &walk{p: p, in: in, known: known, from: lower(in.From), groups: folded(in.Groups), rules: make(map[mail.Direction][]candidate, 1)}
	if strings.Contains(in.Subject, "\n") {
		w.lines = strings.SplitN(in.Subject, "\n", maxValues)
	}
	w.lower = strings.ToLower(in.Subject[:min(len(in.Subject), maxLooked)])
	if len(in.Recipients) <= fewRecipients {
		for _, r := range in.Recipients {
			w.few = append(w.few, lower(r.Address))
		}
	}
	return w
}

// forNobody reports whether a rule is surely for none of the recipients.
func (w *walk) forNobody(r *rule) bool {
	return r.To != nil && w.few != nil && !slices.ContainsFunc(w.few, r.To.Match)
}

// layers are those that hold for a recipient, in the order of precedence among defaults. They are valid until the next call.
func (w *walk) layers(d mail.Direction, r *Recipient) []match {
	w.found = w.found[:0]
	reach := w.p.keys[d]
	if r.DeMail { // the connection to a provider is protected as its account says
		reach.rules, reach.levels = reach.rules&^(1<<atTLS), reach.levels&^(1<<atTLS)
	}
	w.byRules(d, reach.rules, r)
	w.byLevels(reach.levels, r)
	w.add(w.p.company, reach.levels, r, true)
	w.add(w.p.factories[factoryFor{d, r.DeMail}], reach.rules, r, true)
	return w.found
}

// add notes a layer.
func (w *walk) add(l *layer, keys keySet, r *Recipient, sure bool) {
	l = l.forMail(w.in.Kind, r)
	if keys &= l.said; keys != 0 {
		w.found = append(w.found, match{layer: l, keys: keys, sure: sure})
	}
}

// byRules notes the rules.
func (w *walk) byRules(d mail.Direction, keys keySet, r *Recipient) {
	to := lower(r.Address)
	var groups []string
	if r.Groups != nil {
		groups = folded(r.Groups)
	}
	for _, c := range w.candidates(d) {
		if c.To != nil && !c.To.Match(to) {
			continue
		}
		holds, sure := w.member(c.toGroups, groups, r.Local)
		if !holds {
			continue
		}
		before := len(w.found)
		w.add(c.layer, keys&c.keys, r, c.sure && sure)
		if len(w.found) > before {
			w.found[before].dry, w.found[before].demand = c.DryRun, c.demand
		}
	}
}

// member tells whether a condition on groups holds, and whether that is sure; names are those of the condition. Who cannot be in any is in none.
func (w *walk) member(names, in []string, can bool) (holds, sure bool) {
	switch {
	case names == nil:
		return true, true
	case !can:
		return false, true
	case !w.known:
		return true, false
	}
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(in, name) }), true
}

// candidates are the rules for a message. Mail without a single author may be anybody's: the demand for encryption of rules for some senders holds for it, so that nobody
// gets around them by a second address in From. All else that these rules say, and of other rules for some senders what they demand, only raises.
func (w *walk) candidates(d mail.Direction) []candidate {
	if found, ok := w.rules[d]; ok {
		return found
	}
	var out []candidate
	for _, r := range w.p.rules[d] {
		switch anonymous := w.in.From.IsNull() && r.ofSome() && !r.isFromNobody(); {
		case w.forNobody(r), !anonymous && !r.isFrom(w.from), !w.fits(r):
		case anonymous:
			raises := demanding
			if r.layer.Encrypt == Require {
				out = append(out, candidate{r, true, false, 1 << atEncrypt})
				raises = ^keySet(1 << atEncrypt)
			}
			if r.said&raises != 0 {
				out = append(out, candidate{r, true, true, raises})
			}
		default:
			if holds, sure := w.member(r.groups, w.groups, w.in.Internal); holds {
				out = append(out, candidate{r, sure, false, ^keySet(0)})
			}
		}
	}
	w.rules[d] = out
	return out
}

// isFromNobody reports whether a rule names mail without an author.
func (r *Rule) isFromNobody() bool { return r.Groups == nil && r.From.Match(mail.Address{}) }

// byLevels notes the levels, from the nearest to the farthest; on each step the recipient's go first.
func (w *walk) byLevels(keys keySet, r *Recipient) {
	recipient := func(l *layer) { w.add(l, keys, r, true) }
	sender := recipient
	w.p.recipients.ofAddress(r.Address, recipient)
	w.bySender(0, keys, r, func() { w.p.senders.ofAddress(w.in.From, sender) })
	if r.Local {
		w.byGroups(w.p.recipients, r.Groups, keys, r)
	}
	if w.in.Internal { // nobody outside is in a group of the company
		w.bySender(1, keys, r, func() { w.byGroups(w.p.senders, w.groups, keys, r) })
	}
	w.p.recipients.ofDomain(r.Address.Domain, recipient)
	w.bySender(2, keys, r, func() { w.p.senders.ofDomain(w.in.From.Domain, sender) })
}

// bySender notes the levels of the sender on one step; of a sender whom nobody knows what any of them demands.
func (w *walk) bySender(step int, keys keySet, r *Recipient, known func()) {
	if !w.in.From.IsNull() {
		known()
		return
	}
	for _, l := range w.p.senders.demands[step] {
		if l.Encrypt == Require {
			w.add(l, keys&(1<<atEncrypt), r, true)
		}
		before := len(w.found)
		if w.add(l, keys&demanding, r, true); len(w.found) > before {
			w.found[before].demand = true
		}
	}
}

func (w *walk) byGroups(l *levels, in []string, keys keySet, r *Recipient) {
	if len(l.groups) == 0 {
		return
	}
	in = folded(in)
	for i := range l.groups {
		if holds, sure := w.member(l.groups[i].names, in, true); holds {
			w.add(l.groups[i].layer, keys, r, sure)
		}
	}
}

// direction of a copy.
func direction(internal, local bool) mail.Direction {
	switch {
	case !internal:
		return mail.Incoming
	case local:
		return mail.Internal
	}
	return mail.Outgoing
}
