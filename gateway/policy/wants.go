package policy

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// WantsTypes reports whether a rule looks at Input.ContentTypes, for which the whole message has to be read.
func (p *Policy) WantsTypes() bool {
	return slices.ContainsFunc(slices.Collect(p.all), func(r *rule) bool { return r.types != nil })
}

// Types are the media types that rules name, as they name them, each once. Given as Input.ContentTypes they fit those rules.
func (p *Policy) Types() (all []string) {
	for r := range p.all {
		for _, t := range r.types {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// WantsArrival reports whether anything is decided on mail from outside other than what becomes of its layers when they are opened: its size, copies, whether it
// waits for a person.
func (p *Policy) WantsArrival() bool {
	keys := keySet(0).with(KeyMaxSize, KeyArchive, KeyQuarantine)
	return p.saysAny(mail.Incoming, keys)
}

// WantsOpening reports whether anything is said of what becomes of mail from outside when its layers are opened, or of what it comes to then.
func (p *Policy) WantsOpening() bool {
	return p.saysAny(mail.Incoming, keySet(0).with(KeyDecrypt, KeyOnInvalid, KeyOnUnsigned, KeyOnUnopened, KeyMarkSubject, KeyQuarantine))
}

// WantsDeMail reports whether anything is said of how De-Mail is sent.
func (p *Policy) WantsDeMail() bool {
	return p.saysAny(mail.Outgoing, keySet(0).with(KeyDeMail, KeyDeMailOptions))
}

// saysAny reports whether a rule for a direction, or a level, says one of some keys.
func (p *Policy) saysAny(d mail.Direction, keys keySet) bool {
	says := func(l *layer) bool { return l.said&keys != 0 }
	return says(p.company) || p.senders.said&keys != 0 || p.recipients.said&keys != 0 ||
		slices.ContainsFunc(p.rules[d], func(r *rule) bool { return says(r.layer) })
}

// all yields the rules of all directions.
func (p *Policy) all(yield func(*rule) bool) {
	for _, rules := range p.rules {
		for _, r := range rules {
			if !yield(r) {
				return
			}
		}
	}
}
