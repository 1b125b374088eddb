package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Policy is a set of rules in order. It is immutable and safe for concurrent use.
type Policy struct {
	rules     map[mail.Direction][]Rule // in order
	defaults  map[mail.Direction]Settings
	otherwise Terms // where no rule says
	grouped   bool  // a rule is for groups
}

// New checks the rules and returns the policy they make. For each of signing and encryption the first
// matching rule that says it decides. The error names every faulty rule at once.
func New(set Config) (*Policy, error) {
	rules, defaults := set.Rules, set.Company
	p := &Policy{rules: map[mail.Direction][]Rule{}, otherwise: defaults.Terms}
	names := map[string]bool{ByFlag: true, ByDefault: true, ByEarlier: true, ByKind: true}
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
		r.From, r.Groups, r.To, r.Kinds = slices.Clone(r.From), slices.Clone(r.Groups), slices.Clone(r.To), slices.Clone(r.Kinds)
		p.grouped = p.grouped || r.Groups != nil
		p.rules[r.Direction] = append(p.rules[r.Direction], r)
	}
	p.defaults = map[mail.Direction]Settings{
		mail.Outgoing: {Sign: level(defaults.Sign, IfPossible), Encrypt: level(defaults.Encrypt, IfPossible)},
		mail.Internal: {Sign: Never, Encrypt: Never},
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
		return fault("this name is taken; give each rule a name of its own, other than " + ByFlag + ", " + ByDefault + ", " + ByEarlier + " and " + ByKind)
	case r.Direction == mail.Incoming:
		return fault("incoming mail is neither signed nor encrypted; use the direction outgoing or internal")
	case r.Direction != mail.Outgoing && r.Direction != mail.Internal:
		return fault(fmt.Sprintf("%q is no direction; write outgoing or internal", r.Direction))
	case r.Sign != "" && r.Sign.rank() == 0, r.Encrypt != "" && r.Encrypt.rank() == 0:
		return fault("sign and encrypt must be never, if-possible or require")
	case r.TLS != "" && r.TLS != mail.TLSRequired && r.TLS != mail.TLSVerified:
		return fault("tls must be required or verified")
	case r.Sign == "" && r.Encrypt == "" && r.TLS == "" && r.Terms == (Terms{}):
		return fault("it says nothing and would do nothing; add sign, encrypt or another key, or remove the rule")
	case r.checkTerms() != "":
		return fault(r.checkTerms())
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
			rules = p.from(d, &in)
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

// from returns the rules of a direction that hold for a sender. Mail without a single author may be anybody's: rules that
// demand encryption of somebody hold for it, so that nobody gets around them by a second address in From.
func (p *Policy) from(d mail.Direction, in *Input) []*Rule {
	all := p.rules[d]
	sender := lower(in.From)
	held := make([]*Rule, 0, len(all))
	for i := range all {
		if all[i].isFrom(sender) && all[i].isOf(in) {
			held = append(held, &all[i])
		}
	}
	return held
}

// isFrom reports whether a rule is for a sender, as far as the address tells.
func (r *Rule) isFrom(sender mail.Address) bool {
	return r.From == nil || r.From.Match(sender) || sender.IsNull() && r.Encrypt == Require
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
	d.Terms, d.ProRule = p.terms(rules, in.Kind, r)
	sign, encrypt := p.levels(dir, rules, in.Kind, r, &d)
	if dir == mail.Outgoing {
		sign, d.SignRule = raise(sign, d.SignRule, in.Flags.Sign)
		encrypt, d.EncRule = raise(encrypt, d.EncRule, in.Flags.Encrypt)
	}
	sign, d.SignRule = stronger(sign, d.SignRule, r.AtLeast.Sign)
	encrypt, d.EncRule = stronger(encrypt, d.EncRule, r.AtLeast.Encrypt)
	if !r.DeMail { // the connection to a provider is protected as its account says
		d.TLS, d.TLSRule = tlsLevel(dir, rules, in, r)
	}
	d.Levels = Levels{Sign: sign, Encrypt: encrypt, Profile: d.Terms.Profile, TLS: d.TLS}
	d.Sign = sign == Require || sign == IfPossible && in.CanSign
	d.Encrypt = encrypt == Require || encrypt == IfPossible && r.CanEncrypt
	ask := d.asks(r)
	switch {
	case d.Encrypt && !r.CanEncrypt && !ask:
		d.Refusal = refuseUnencrypted(r, d.EncRule)
	case d.Sign && !in.CanSign:
		d.Refusal = refuseUnsigned(in, r.Address, d.SignRule)
	case d.Encrypt && r.Unfit.ID != "":
		d.Refusal = refuse(texts.EncryptImpossible, r.Address, r.Unfit, d.EncRule)
	case d.Sign && r.UnfitSigner.ID != "":
		d.Refusal = refuse(texts.SignImpossible, r.Address, r.UnfitSigner, d.SignRule)
	}
	if ask && d.Refusal == nil {
		d.Ask, d.AskRule = true, missingRule(rules, in.Kind, r)
	}
	return d
}

// levels finds, for each key on its own, the first rule that says it, else the default. What is only wanted where it is
// possible is not done to a message of a kind that would not be understood any more, unless the rule names the kind.
func (p *Policy) levels(dir mail.Direction, rules []*Rule, kind Kind, recipient Recipient, d *Decision) (sign, encrypt Level) {
	to, otherwise := lower(recipient.Address), p.without(dir, recipient)
	say := func(level *Level, by *string, said Level, name string, named bool) {
		if *level == "" && said != "" {
			*level, *by = said, name
			if kind != "" && said == IfPossible && !named {
				*level, *by = Never, ByKind
			}
		}
	}
	for _, r := range rules {
		news := sign == "" && r.Sign != "" || encrypt == "" && r.Encrypt != ""
		if !news || !r.isFor(kind) || r.To != nil && !r.To.Match(to) {
			continue
		}
		signs, encrypts := r.says(recipient)
		say(&sign, &d.SignRule, signs, r.Name, r.names(kind))
		say(&encrypt, &d.EncRule, encrypts, r.Name, r.names(kind))
		if sign != "" && encrypt != "" {
			break
		}
	}
	say(&sign, &d.SignRule, otherwise.Sign, ByDefault, false)
	say(&encrypt, &d.EncRule, otherwise.Encrypt, ByDefault, false)
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
