package policy

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Asks returns the groups on which the decisions on in hang, as far as it is the sender who may be in them, each once: those of rules and levels that would say something if
// From were in one. None: it does not matter in which groups From is. Groups and certificates of in are not looked at.
func (p *Policy) Asks(in Input) []string {
	sender, _ := p.asks(&in, false)
	return sender
}

// AsksTo is Asks for the groups of each recipient, in their order; nil where no decision hangs on any. Only who is local can be in one.
func (p *Policy) AsksTo(in Input) [][]string {
	_, recipients := p.asks(&in, false)
	return recipients
}

// AsksDry are the groups of the sender, and of each recipient, on which hangs what rules that change nothing would do. Nothing may wait for them.
func (p *Policy) AsksDry(in Input) (sender []string, recipients [][]string) { return p.asks(&in, true) }

func (p *Policy) asks(in *Input, dry bool) (sender []string, recipients [][]string) {
	if !p.grouped {
		return nil, nil
	}
	w := p.walk(in, false)
	for i := range in.Recipients {
		r := &in.Recipients[i]
		d := direction(in.Internal, r.Local)
		if d == mail.Incoming && !r.Local {
			continue
		}
		var of []string
		w.matters(w.layers(d, r), dry, func(l *layer) {
			if !in.From.IsNull() {
				sender = join(sender, l.senders)
			}
			if r.Local {
				of = join(of, l.recipients)
			}
		})
		if of != nil {
			if recipients == nil {
				recipients = make([][]string, len(in.Recipients))
			}
			recipients[i] = of
		}
	}
	return sender, recipients
}

// matters tells of the layers that may hold or not, by groups, and change something where they do.
func (w *walk) matters(layers []match, dry bool, tell func(*layer)) {
	sure := resolve(slices.Collect(func(yield func(match) bool) {
		for _, m := range layers {
			if m.sure && !m.dry && m.enforces() != 0 && !yield(m) {
				return
			}
		}
	}), false)
	var passed keySet // keys that a sure default before says, and enforced ones that nothing enforced goes before any more
	var first keySet  // keys that a sure layer before enforces
	for i := range layers {
		m := &layers[i]
		if m.sure {
			if !m.dry && !m.demand {
				passed |= m.keys
				first |= m.enforces()
			}
			continue
		}
		if m.dry != dry {
			continue
		}
		matters := m.keys &^ m.enforced &^ sure.enforced &^ passed
		each(m.enforces(), func(k int) {
			if !first.has(k) || sure.with(k, m.layer) {
				matters |= 1 << k
			}
		})
		if matters != 0 || m.dry || m.demand {
			tell(m.layer)
		}
	}
}

// with reports whether an enforced value would change what is enforced already.
func (r *result) with(i int, l *layer) bool {
	raised := r.Settings
	return settings[i].raise(&raised, l.Settings)
}

// Least returns, for each recipient of in, the levels that hold whatever groups From and the recipient are in: no decision on in, with whichever groups, has
// weaker ones. Where nothing hangs on groups they are those that are decided.
func (p *Policy) Least(in Input) []Levels {
	w := p.walk(&in, false)
	least := make([]Levels, len(in.Recipients))
	for i := range in.Recipients {
		r := &in.Recipients[i]
		if d := direction(in.Internal, r.Local); d != mail.Incoming {
			least[i] = w.least(d, r)
		}
	}
	return least
}

func (w *walk) least(d mail.Direction, r *Recipient) Levels {
	layers := w.layers(d, r)
	var o outcome
	for _, i := range movable {
		weakest, found := Settings{}, false
		w.possible(i, layers, func(s Settings, enforced bool) {
			if d == mail.Outgoing {
				w.flag(i, &s, enforced, r)
			}
			earlier(i, &s, r)
			if raised := s; !found || settings[i].raise(&raised, &weakest) {
				weakest, found = s, true
			}
		})
		settings[i].take(&o.Settings, &weakest)
	}
	return o.levels()
}

// possible tells of each value that a key may come to, by groups: the one that is enforced for sure, at least; else each that may be enforced, and each default that
// no sure one goes before.
func (w *walk) possible(i int, layers []match, tell func(s Settings, enforced bool)) {
	tellOf := func(s Settings, enforced bool) {
		for k := range layers {
			if m := &layers[k]; m.demand && m.sure && !m.dry && m.keys.has(i) {
				settings[i].raise(&s, m.Settings)
			}
		}
		tell(s, enforced)
	}
	var sure result
	for k := range layers {
		if m := &layers[k]; m.sure && m.counts(false) && m.enforces().has(i) {
			sure.demand(i, m.layer)
		}
	}
	if sure.has(i) {
		tellOf(sure.Settings, true)
		for k := range layers { // and what it may be raised to, on which flags may act otherwise
			if m := &layers[k]; !m.sure && m.counts(false) && m.enforces().has(i) {
				raised := sure.Settings
				settings[i].raise(&raised, m.Settings)
				tellOf(raised, true)
			}
		}
		return
	}
	done := false
	for k := range layers {
		m := &layers[k]
		switch {
		case !m.keys.has(i) || !m.counts(false):
		case m.enforced.has(i):
			tellOf(*m.Settings, true)
		case !done:
			tellOf(*m.Settings, false)
			done = m.sure
		}
	}
	if !done {
		tellOf(Settings{}, false)
	}
}
