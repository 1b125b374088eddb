package policy

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// layer is what one rule, one level or the factory says. Layers are not changed once made, and shared by all decisions.
type layer struct {
	*Settings
	by       string // as Source has it
	name     string // as Decision has it
	said     keySet
	enforced keySet
	kinds    []Kind // of messages that the rule names
	names    bool   // it names its recipients, so that it reaches De-Mail
	weakened keySet // keys that a kind of message has made weaker
	was      *layer // what it was before that
	// senders and recipients are the groups one of which they must be in for it.
	senders, recipients []string
}

func newLayer(s *Settings, by, name string) *layer {
	l := &layer{Settings: s, by: by, name: name, said: saidBy(s)}
	for _, key := range s.Enforce {
		if i := placeOf(key); i >= 0 {
			l.enforced |= 1 << i & l.said
		}
	}
	return l
}

// where is the place of a key in the configuration.
func (l *layer) where(key Key) string {
	if at := l.Lines[key]; at != "" {
		return at
	}
	return l.Where
}

func (l *layer) mode(i int) Mode {
	if l.enforced.has(i) {
		return ModeEnforced
	}
	return ModeDefault
}

// forMail is the layer as it is for one recipient of a message: itself, but for De-Mail, and for kinds of messages that protection breaks.
func (l *layer) forMail(kind Kind, r *Recipient) *layer {
	if r.DeMail && !l.names {
		l = l.unnamed()
	}
	if kind != "" && !slices.Contains(l.kinds, kind) && (l.Sign == IfPossible || l.Encrypt == IfPossible) {
		l = l.odd()
	}
	return l
}

// unnamed is the layer for De-Mail where it does not name its recipients. De-Mail is under way between providers whom the law holds to secrecy, so
// what is said for everybody does not reach it: but for a demand for encryption, whoever it is for (invariant 2).
func (l *layer) unnamed() *layer {
	const both = keySet(1<<atSign | 1<<atEncrypt)
	if l.said&both == 0 || l.said&both == 1<<atEncrypt && l.Encrypt == Require {
		return l
	}
	changed, s := *l, *l.Settings
	s.Sign = ""
	changed.said &^= 1 << atSign
	if s.Encrypt != "" && s.Encrypt != Require { // it says something, so that what comes after it does not count
		s.Encrypt = Never
		changed.enforced &^= 1 << atEncrypt
	}
	changed.Settings = &s
	return &changed
}

// odd is the layer for a message of a kind that would not be understood any more: what is only wanted where it is possible is not done to it.
func (l *layer) odd() *layer {
	changed, s := *l, *l.Settings
	changed.was = l
	if s.Sign == IfPossible {
		s.Sign = Never
		changed.weakened |= 1 << atSign
	}
	if s.Encrypt == IfPossible {
		s.Encrypt = Never
		changed.weakened |= 1 << atEncrypt
	}
	changed.Settings = &s
	return &changed
}

// match is a layer that holds for a recipient.
type match struct {
	*layer
	keys keySet // of the layer, those that count here
	sure bool   // it holds in whatever groups sender and recipient are
	dry  bool   // it is of a rule that only tells
	// demand: it is for some senders, and nobody knows whether for this one, so that it raises and does nothing else.
	demand bool
}

// enforces are the keys that are enforced by it here.
func (m *match) enforces() keySet { return m.keys & m.enforced }

// factory is what holds where not even the company says anything.
func factory(d mail.Direction, deMail bool) *layer {
	s := &Settings{}
	switch {
	case d == mail.Incoming:
		s.Decrypt, s.MarkSubject, s.OnInvalid, s.OnUnsigned, s.OnUnopened = yes, yes, Mark, Accept, Mark
	case d == mail.Internal || deMail:
		s.Sign, s.Encrypt, s.Terms = Never, Never, factoryTerms()
	default:
		s.Sign, s.Encrypt, s.Terms = IfPossible, IfPossible, factoryTerms()
	}
	l := newLayer(s, ByFactory, ByDefault)
	l.names = true // it is made for who it is for
	return l
}
