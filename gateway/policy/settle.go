package policy

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// outcome is what counts for one recipient: what the layers come to, then what the sender's flags and an earlier decision make of it.
type outcome struct {
	result
	names   [numKeys]string
	moved   [numKeys]string // what moved a value after the layers had been settled: ByFlag, ByEarlier; empty: nothing
	before  Settings        // that
	lowered []Key
}

// settle decides every key. dry has the rules count that only tell.
func (w *walk) settle(d mail.Direction, layers []match, r *Recipient, dry bool) (o outcome) {
	o.result = resolve(layers, dry)
	o.before = o.Settings
	for i := range o.names {
		o.names[i] = o.name(i)
	}
	if d == mail.Incoming {
		return o
	}
	for _, i := range [...]int{atSign, atEncrypt, atTLS, atProfile, atMissing} {
		before := o.Settings
		by := w.move(i, &o.Settings, o.enforced.has(i), d, r)
		if by == "" {
			continue
		}
		o.names[i], o.moved[i] = by, by
		if by == ByFlag && (i == atSign || i == atEncrypt) && o.Settings.level(i).rank() < before.level(i).rank() {
			o.lowered = append(o.lowered, settings[i].key)
		}
	}
	return o
}

func (s *Settings) level(i int) Level {
	if i == atSign {
		return s.Sign
	}
	return s.Encrypt
}

// move lets the flags of the sender, and what was in force when the message was accepted, act on one key. by says which of them did; empty where none did.
func (w *walk) move(i int, s *Settings, enforced bool, d mail.Direction, r *Recipient) (by string) {
	flags := &w.in.Flags
	if d != mail.Outgoing {
		flags = &Flags{}
	}
	moved := func(changed bool, who string) {
		if changed {
			by = who
		}
	}
	switch i {
	case atSign:
		moved(flag(&s.Sign, flags.Sign, flags.TrySign, w.lowers(enforced, flags.NoSign || flags.Plain)), ByFlag)
		moved(raise(&s.Sign, r.AtLeast.Sign), ByEarlier)
	case atEncrypt:
		moved(flag(&s.Encrypt, flags.Encrypt, flags.TryEncrypt, w.lowers(enforced, flags.NoEncrypt || flags.Plain)), ByFlag)
		moved(raise(&s.Encrypt, r.AtLeast.Encrypt), ByEarlier)
	case atTLS:
		if !r.DeMail {
			moved(raiseTLS(&s.TLS, flags.TLS), ByFlag)
			moved(raiseTLS(&s.TLS, r.AtLeast.TLS), ByEarlier)
		}
	case atProfile:
		if r.AtLeast.Profile == smime.TR03116 && s.Terms.Profile != smime.TR03116 {
			s.Terms.Profile, by = smime.TR03116, ByEarlier
		}
	case atMissing:
		if m := s.Terms.Missing; flags.Encrypt && (m == SendTLS || m == SendPlain) { // what somebody asked to be encrypted is never sent otherwise
			s.Terms.Missing, by = Refuse, ByFlag
		}
		moved(s.Terms.Missing.raise(r.AtLeast), ByEarlier)
	}
	return by
}

// lowers reports whether a flag that lowers may act: on defaults, and by who may write under the single From address.
func (w *walk) lowers(enforced, flag bool) bool {
	return flag && !enforced && !w.in.From.IsNull() && w.in.MayUse
}

// flag lets flags act on a level. Whoever asks for both more and less gets more.
func flag(l *Level, must, try, lower bool) bool {
	switch {
	case must:
		return raise(l, Require)
	case try:
		return raise(l, IfPossible)
	case lower && l.rank() > Never.rank():
		*l = Never
		return true
	}
	return false
}

// raise can only make a protection stronger.
func raise(l *Level, to Level) bool {
	if to.rank() <= l.rank() {
		return false
	}
	*l = to
	return true
}

func raiseTLS(l *mail.TLSLevel, to mail.TLSLevel) bool {
	raised := l.Raise(to)
	changed := raised != *l
	*l = raised
	return changed
}
