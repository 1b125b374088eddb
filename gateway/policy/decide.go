package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Defaults are the levels for outgoing mail where no rule says. Empty ones are IfPossible. Internal mail
// has no protection unless a rule says so.
type Defaults struct {
	Sign    Level
	Encrypt Level
}

// Policy is a set of rules in order. It is immutable and safe for concurrent use.
type Policy struct {
	rules    map[mail.Direction][]Rule // in order
	defaults map[mail.Direction]Defaults
}

// New checks the rules and returns the policy they make. For each of signing and encryption the first
// matching rule that says it decides. The error names every faulty rule at once.
func New(rules []Rule, defaults Defaults) (*Policy, error) {
	p := &Policy{rules: map[mail.Direction][]Rule{}}
	names := map[string]bool{ByFlag: true, ByDefault: true, ByEarlier: true}
	var faults []error
	for i, r := range rules {
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule %d", i+1)
		}
		if r.Direction == "" {
			r.Direction = mail.Outgoing
		}
		faults = append(faults, r.check(names[r.Name]))
		names[r.Name] = true
		r.From, r.To = slices.Clone(r.From), slices.Clone(r.To)
		p.rules[r.Direction] = append(p.rules[r.Direction], r)
	}
	p.defaults = map[mail.Direction]Defaults{
		mail.Outgoing: {level(defaults.Sign, IfPossible), level(defaults.Encrypt, IfPossible)},
		mail.Internal: {Never, Never},
	}
	if d := p.defaults[mail.Outgoing]; d.Sign.rank() == 0 || d.Encrypt.rank() == 0 {
		faults = append(faults, errors.New("policy: the defaults for sign and encrypt must be never, if-possible or require"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return p, nil
}

func level(l, otherwise Level) Level {
	if l == "" {
		return otherwise
	}
	return l
}

func (r Rule) check(taken bool) error {
	fault := func(text string) error { return fmt.Errorf("policy: rule %q: %s", r.Name, text) }
	switch {
	case taken:
		return fault("this name is taken; give each rule a name of its own, other than " + ByFlag + ", " + ByDefault + " and " + ByEarlier)
	case r.Direction == mail.Incoming:
		return fault("incoming mail is neither signed nor encrypted; use the direction outgoing or internal")
	case r.Direction != mail.Outgoing && r.Direction != mail.Internal:
		return fault(fmt.Sprintf("%q is no direction; write outgoing or internal", r.Direction))
	case r.Sign != "" && r.Sign.rank() == 0, r.Encrypt != "" && r.Encrypt.rank() == 0:
		return fault("sign and encrypt must be never, if-possible or require")
	case r.Sign == "" && r.Encrypt == "":
		return fault("it says neither sign nor encrypt and would do nothing; add one or remove the rule")
	}
	return nil
}

// Decide returns one decision for each recipient of in, in their order. A user's flags raise to Require
// what leaves the company and lower nothing; what stays inside (Internal) they leave to the rules, since
// the company's server hands such a copy over as it is. A message from outside to a recipient who is not
// local is refused: nobody relays.
func (p *Policy) Decide(in Input) []Decision {
	candidates := map[mail.Direction][]*Rule{}
	decisions := make([]Decision, len(in.Recipients))
	for i, r := range in.Recipients {
		d := direction(in.Internal, r.Local)
		if d == mail.Incoming {
			decisions[i] = incoming(r)
			continue
		}
		rules, ok := candidates[d]
		if !ok {
			rules = p.from(d, in.From)
			candidates[d] = rules
		}
		decisions[i] = p.one(d, rules, &in, r)
	}
	return decisions
}

func direction(internal, local bool) mail.Direction {
	switch {
	case !internal:
		return mail.Incoming
	case local:
		return mail.Internal
	}
	return mail.Outgoing
}

func incoming(r Recipient) Decision {
	d := Decision{Recipient: r.Address, Direction: mail.Incoming, SignRule: ByDefault, EncRule: ByDefault}
	if !r.Local {
		d.Refusal = refuseRelay(r.Address)
	}
	return d
}

// from returns the rules of a direction that hold for a sender.
func (p *Policy) from(d mail.Direction, sender mail.Address) []*Rule {
	all := p.rules[d]
	sender = lower(sender)
	held := make([]*Rule, 0, len(all))
	for i := range all {
		if all[i].From == nil || all[i].From.Match(sender) {
			held = append(held, &all[i])
		}
	}
	return held
}

// lower spares each pattern the folding of case, where it is plain.
func lower(a mail.Address) mail.Address {
	if a.IsASCII() {
		a.Local = strings.ToLower(a.Local)
	}
	return a
}

// one decides on one recipient of a message from inside.
func (p *Policy) one(dir mail.Direction, rules []*Rule, in *Input, r Recipient) Decision {
	d := Decision{Recipient: r.Address, Direction: dir}
	sign, encrypt := p.levels(dir, rules, r.Address, &d)
	if dir == mail.Outgoing {
		sign, d.SignRule = raise(sign, d.SignRule, in.Flags.Sign)
		encrypt, d.EncRule = raise(encrypt, d.EncRule, in.Flags.Encrypt)
	}
	sign, d.SignRule = stronger(sign, d.SignRule, r.AtLeast.Sign)
	encrypt, d.EncRule = stronger(encrypt, d.EncRule, r.AtLeast.Encrypt)
	d.Levels = Levels{Sign: sign, Encrypt: encrypt}
	d.Sign = sign == Require || sign == IfPossible && in.CanSign
	d.Encrypt = encrypt == Require || encrypt == IfPossible && r.CanEncrypt
	switch {
	case d.Encrypt && !r.CanEncrypt:
		d.Refusal = refuseUnencrypted(r, d.EncRule)
	case d.Sign && !in.CanSign:
		d.Refusal = refuseUnsigned(in, r.Address, d.SignRule)
	}
	return d
}

// levels finds, for each key on its own, the first rule that says it, else the default.
func (p *Policy) levels(dir mail.Direction, rules []*Rule, to mail.Address, d *Decision) (sign, encrypt Level) {
	to = lower(to)
	for _, r := range rules {
		news := sign == "" && r.Sign != "" || encrypt == "" && r.Encrypt != ""
		if !news || r.To != nil && !r.To.Match(to) {
			continue
		}
		if sign == "" && r.Sign != "" {
			sign, d.SignRule = r.Sign, r.Name
		}
		if encrypt == "" && r.Encrypt != "" {
			encrypt, d.EncRule = r.Encrypt, r.Name
		}
		if sign != "" && encrypt != "" {
			break
		}
	}
	if sign == "" {
		sign, d.SignRule = p.defaults[dir].Sign, ByDefault
	}
	if encrypt == "" {
		encrypt, d.EncRule = p.defaults[dir].Encrypt, ByDefault
	}
	return sign, encrypt
}

// stronger applies a level of before: it can only make a protection stronger.
func stronger(l Level, by string, earlier Level) (Level, string) {
	if earlier.rank() > l.rank() {
		return earlier, ByEarlier
	}
	return l, by
}

// raise applies a user's flag: it can only make a protection stronger.
func raise(l Level, by string, flag bool) (Level, string) {
	if flag && l.rank() < Require.rank() {
		return Require, ByFlag
	}
	return l, by
}
