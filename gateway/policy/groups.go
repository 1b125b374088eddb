package policy

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// isOf reports whether a rule is for the sender of in, as far as groups tell.
func (r *Rule) isOf(in *Input) bool {
	if in.From.IsNull() {
		return r.Groups == nil || r.Encrypt == Require
	}
	return r.Groups == nil || slices.ContainsFunc(r.Groups, func(name string) bool { return contains(in.Groups, name) })
}

// contains reports whether a name is among others; case does not matter.
func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// Groups returns the groups that rules name, each once.
func (p *Policy) Groups() []string {
	var all []string
	for _, rules := range p.rules {
		for _, r := range rules {
			all = join(all, r.Groups)
		}
	}
	slices.Sort(all)
	return all
}

// join adds what is not there yet.
func join(names, more []string) []string {
	for _, name := range more {
		if !contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Asks returns the groups on which the decisions on in hang, each once: those of the rules that would say something if From were in
// them. None: it does not matter in which groups From is. Groups, certificates and flags of in are not looked at.
func (p *Policy) Asks(in Input) []string {
	if !p.grouped || in.From.IsNull() {
		return nil
	}
	var asked []string
	for _, r := range in.Recipients {
		p.walk(&in, r, func(rule *Rule, sure bool) {
			if !sure {
				asked = join(asked, rule.Groups)
			}
		})
	}
	return asked
}

// walk tells in order of the rules for one recipient that say something which no rule before them says for sure. A rule is sure where it holds
// whatever groups the sender is in.
func (p *Policy) walk(in *Input, r Recipient, tell func(rule *Rule, sure bool)) {
	d := direction(in.Internal, r.Local)
	if d == mail.Incoming {
		return
	}
	from, to := lower(in.From), lower(r.Address)
	var sign, encrypt Level
	var terms Terms
	for i := range p.rules[d] {
		rule := &p.rules[d][i]
		if !rule.isFor(in.Kind) || !rule.isFrom(from) || rule.To != nil && !rule.To.Match(to) {
			continue
		}
		more := terms
		more.fill(rule.Terms)
		if more == terms && (sign != "" || rule.Sign == "") && (encrypt != "" || rule.Encrypt == "") {
			continue
		}
		sure := rule.Groups == nil || in.From.IsNull() && rule.Encrypt == Require
		if in.From.IsNull() && !sure {
			continue
		}
		tell(rule, sure)
		if sure {
			sign, encrypt, terms = level(sign, rule.Sign), level(encrypt, rule.Encrypt), more
		}
	}
}

// Least returns, for each recipient of in, the levels that hold whatever groups From is in: no decision on in, with whichever groups, has
// weaker ones. Without rules for groups they are those that are decided.
func (p *Policy) Least(in Input) []Levels {
	least := make([]Levels, len(in.Recipients))
	for i, r := range in.Recipients {
		least[i] = p.least(&in, r)
	}
	return least
}

func (p *Policy) least(in *Input, r Recipient) Levels {
	dir := direction(in.Internal, r.Local)
	if dir == mail.Incoming {
		return Levels{}
	}
	sign, encrypt, profile := lowest{kind: in.Kind}, lowest{kind: in.Kind}, smime.Profile("")
	weaker, decided := false, false // a rule for a group may choose another profile than TR03116, and a sure one has chosen
	p.walk(in, r, func(rule *Rule, sure bool) {
		signs, encrypts := rule.says(r)
		sign.take(signs, rule.names(in.Kind), sure)
		encrypt.take(encrypts, rule.names(in.Kind), sure)
		switch said := rule.Terms.Profile; {
		case decided || said == "":
		case sure:
			profile, decided = said, true
		default:
			weaker = weaker || said != smime.TR03116
		}
	})
	if !decided {
		profile = p.otherwise.Profile
	}
	if profile == "" || weaker {
		profile = smime.Compatible
	}
	otherwise := p.without(dir, r)
	l := Levels{Sign: sign.end(otherwise.Sign), Encrypt: encrypt.end(otherwise.Encrypt), Profile: profile}
	if dir == mail.Outgoing {
		l.Sign, _ = raise(l.Sign, "", in.Flags.Sign)
		l.Encrypt, _ = raise(l.Encrypt, "", in.Flags.Encrypt)
	}
	l.Sign, _ = stronger(l.Sign, "", r.AtLeast.Sign)
	l.Encrypt, _ = stronger(l.Encrypt, "", r.AtLeast.Encrypt)
	if r.AtLeast.Profile == smime.TR03116 {
		l.Profile = smime.TR03116
	}
	return l
}

// lowest is the weakest level that rules may come to.
type lowest struct {
	kind  Kind
	level Level
	done  bool // a sure rule has said it
}

// take notes what a rule says; named tells that it is made for the kind of the message, see Policy.levels.
func (l *lowest) take(said Level, named, sure bool) {
	if l.done || said == "" {
		return
	}
	if l.kind != "" && said == IfPossible && !named {
		said = Never
	}
	if l.level == "" || said.rank() < l.level.rank() {
		l.level = said
	}
	l.done = sure
}

// end is the level, where nothing was said for sure that of the defaults at most.
func (l *lowest) end(otherwise Level) Level {
	l.take(otherwise, false, true)
	return l.level
}
