package policy

import "github.com/siegel-mail/siegel/gateway/mail"

// tlsLevel finds what a copy demands of the hops: what the first rule that says it wants, the sender's flag where the copy leaves the
// company, and what was in force before, whichever is strongest. by names what decided; it is empty where nothing is demanded.
func tlsLevel(dir mail.Direction, rules []*Rule, in *Input, r Recipient) (level mail.TLSLevel, by string) {
	to := lower(r.Address)
	for _, rule := range rules {
		if rule.TLS != "" && rule.isFor(in.Kind) && (rule.To == nil || rule.To.Match(to)) {
			level, by = rule.TLS, rule.Name
			break
		}
	}
	if raised := level.Raise(in.Flags.TLS); dir == mail.Outgoing && raised != level {
		level, by = raised, ByFlag
	}
	if raised := level.Raise(r.AtLeast.TLS); raised != level {
		level, by = raised, ByEarlier
	}
	return level, by
}
