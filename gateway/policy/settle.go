package policy

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// outcome is what counts for one recipient: what the layers come to, then what the sender's flags and an earlier decision make of it.
type outcome struct {
	result
	names   [numKeys]string
	moves   [numKeys]moves
	before  Settings // those
	lowered []Key
}

// moves are the values that flags, then an earlier decision, made of what layers come to; empty where they changed nothing.
type moves struct{ flag, earlier string }

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
	for _, i := range movable {
		was := o.Settings
		if d == mail.Outgoing && w.flag(i, &o.Settings, o.enforced.has(i), r) {
			o.names[i], o.moves[i].flag = ByFlag, settings[i].text(&o.Settings)
			if (i == atSign || i == atEncrypt) && o.Settings.level(i).rank() < was.level(i).rank() {
				o.lowered = append(o.lowered, settings[i].key)
			}
		}
		if earlier(i, &o.Settings, r) {
			o.names[i], o.moves[i].earlier = ByEarlier, settings[i].text(&o.Settings)
		}
	}
	return o
}

// movable are the keys on which flags and earlier decisions act.
var movable = [...]int{atSign, atEncrypt, atTLS, atProfile, atMissing}

func (s *Settings) level(i int) Level {
	if i == atSign {
		return s.Sign
	}
	return s.Encrypt
}

// flag lets the flags of the sender act on one key of what leaves the company. It reports whether they changed it.
func (w *walk) flag(i int, s *Settings, enforced bool, r *Recipient) bool {
	f := &w.in.Flags
	switch i {
	case atSign:
		return wish(&s.Sign, f.Sign, f.TrySign, w.lowers(enforced, f.NoSign || f.Plain))
	case atEncrypt:
		return wish(&s.Encrypt, f.Encrypt, f.TryEncrypt, w.lowers(enforced, f.NoEncrypt || f.Plain))
	case atTLS:
		return !r.DeMail && raiseTLS(&s.TLS, f.TLS)
	case atMissing:
		if m := s.Terms.Missing; f.Encrypt && (m == SendTLS || m == SendPlain) { // what somebody asked to be encrypted is never sent otherwise
			s.Terms.Missing = Refuse
			return true
		}
	}
	return false
}

// earlier lets what was in force when a message was accepted act on one key. It reports whether that changed it.
func earlier(i int, s *Settings, r *Recipient) bool {
	switch i {
	case atSign:
		return raise(&s.Sign, r.AtLeast.Sign)
	case atEncrypt:
		return raise(&s.Encrypt, r.AtLeast.Encrypt)
	case atTLS:
		return !r.DeMail && raiseTLS(&s.TLS, r.AtLeast.TLS)
	case atProfile:
		if r.AtLeast.Profile == smime.TR03116 && s.Terms.Profile != smime.TR03116 {
			s.Terms.Profile = smime.TR03116
			return true
		}
	case atMissing:
		return s.Terms.Missing.raise(r.AtLeast)
	}
	return false
}

// lowers reports whether a flag that lowers may act: on defaults, and by who may write under the single From address.
func (w *walk) lowers(enforced, flag bool) bool {
	return flag && !enforced && !w.in.From.IsNull() && w.in.MayUse
}

// wish lets flags act on a level. Whoever asks for both more and less gets more.
func wish(l *Level, must, try, lower bool) bool {
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
