package policy_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

// refused stands for every refusal.
var refused = new(texts.Said)

// reference is the rule of precedence written as it is explained, without a thought for speed.
func reference(rules []policy.Rule, defaults policy.Settings, in policy.Input, r policy.Recipient) policy.Decision {
	d := policy.Decision{Recipient: r.Address}
	switch {
	case !in.Internal:
		d.Direction = mail.Incoming
	case r.Local:
		d.Direction = mail.Internal
	default:
		d.Direction = mail.Outgoing
	}
	if r.DeMail {
		if rules, defaults.Sign = referenceDeMail(rules), policy.Never; defaults.Encrypt != policy.Require {
			defaults.Encrypt = policy.Never
		}
	}
	key := func(say func(policy.Rule) policy.Level, otherwise policy.Level, flag bool, earlier policy.Level) (policy.Level, string) {
		level, by, named := policy.Never, policy.ByDefault, false
		if d.Direction == mail.Outgoing {
			level = policy.IfPossible
			if otherwise != "" {
				level = otherwise
			}
		}
		for i := len(rules) - 1; i >= 0; i-- { // the first one wins: it overwrites the later ones
			rule := rules[i]
			direction := rule.Direction
			if direction == "" {
				direction = mail.Outgoing
			}
			kind := rule.Kinds == nil || slices.Contains(rule.Kinds, in.Kind)
			matches := kind && direction == d.Direction && referenceGroup(rule, in) && (rule.From == nil || rule.From.Match(in.From) || in.From.IsNull() && rule.Encrypt == policy.Require) && (rule.To == nil || rule.To.Match(r.Address))
			if matches && say(rule) != "" {
				level, by, named = say(rule), rule.Name, slices.Contains(rule.Kinds, in.Kind)
			}
		}
		if in.Kind != "" && level == policy.IfPossible && !named {
			level, by = policy.Never, policy.ByKind
		}
		if flag && d.Direction == mail.Outgoing && level != policy.Require {
			level, by = policy.Require, policy.ByFlag
		}
		order := []policy.Level{"", policy.Never, policy.IfPossible, policy.Require}
		if d.Direction != mail.Incoming && slices.Index(order, earlier) > slices.Index(order, level) {
			level, by = earlier, policy.ByEarlier
		}
		return level, by
	}
	sign, by := key(func(r policy.Rule) policy.Level { return r.Sign }, defaults.Sign, in.Flags.Sign, r.AtLeast.Sign)
	d.SignRule, d.Sign = by, sign == policy.Require || (sign == policy.IfPossible && in.CanSign)
	encrypt, by := key(func(r policy.Rule) policy.Level { return r.Encrypt }, defaults.Encrypt, in.Flags.Encrypt, r.AtLeast.Encrypt)
	d.EncRule, d.Encrypt = by, encrypt == policy.Require || (encrypt == policy.IfPossible && r.CanEncrypt)
	if d.Direction != mail.Incoming {
		d.Terms, d.ProRule = referenceTerms(rules, defaults, in, r, d.Direction)
		d.Levels = policy.Levels{Sign: sign, Encrypt: encrypt, Profile: d.Terms.Profile}
	}
	if d.Direction == mail.Incoming && !r.Local || sign == policy.Require && !in.CanSign || encrypt == policy.Require && !r.CanEncrypt ||
		d.Encrypt && r.Unfit.ID != "" || d.Sign && r.UnfitSigner.ID != "" {
		d.Refusal = refused
	}
	return d
}

// referenceDeMail are rules as if they had been written for De-Mail alone.
func referenceDeMail(rules []policy.Rule) []policy.Rule {
	rules = slices.Clone(rules)
	for i := range rules {
		if rules[i].To != nil {
			continue
		}
		rules[i].Sign = ""
		if rules[i].Encrypt == policy.IfPossible {
			rules[i].Encrypt = policy.Never
		}
	}
	return rules
}

// referenceTerms looks for each key on its own.
func referenceTerms(rules []policy.Rule, defaults policy.Settings, in policy.Input, r policy.Recipient, d mail.Direction) (t policy.Terms, by string) {
	t, by = policy.Terms{Profile: smime.Compatible}, policy.ByDefault
	all := append(slices.Clone(rules), policy.Rule{Name: policy.ByDefault, Direction: d, Settings: policy.Settings{Terms: defaults.Terms}})
	slices.Reverse(all) // the first one wins: it overwrites the later ones
	for _, rule := range all {
		direction := rule.Direction
		if direction == "" {
			direction = mail.Outgoing
		}
		if direction != d || !referenceGroup(rule, in) || rule.From != nil && !rule.From.Match(in.From) && !(in.From.IsNull() && rule.Encrypt == policy.Require) || rule.To != nil && !rule.To.Match(r.Address) ||
			rule.Kinds != nil && !slices.Contains(rule.Kinds, in.Kind) {
			continue
		}
		if rule.Terms.Profile != "" {
			t.Profile, by = rule.Terms.Profile, rule.Name
		}
		if rule.Terms.Wish.OAEP != smime.NotSaid {
			t.Wish.OAEP = rule.Terms.Wish.OAEP
		}
		if rule.Terms.ToSelf != smime.NotSaid {
			t.ToSelf = rule.Terms.ToSelf
		}
	}
	if r.AtLeast.Profile == smime.TR03116 && t.Profile != smime.TR03116 {
		t.Profile, by = smime.TR03116, policy.ByEarlier
	}
	return t, by
}

func referenceGroup(rule policy.Rule, in policy.Input) bool {
	if rule.Groups == nil || in.From.IsNull() && rule.Encrypt == policy.Require {
		return true
	}
	for _, name := range rule.Groups {
		if !in.From.IsNull() && slices.Contains(in.Groups, name) {
			return true
		}
	}
	return false
}

func drawTerms(t *rapid.T) policy.Terms {
	answer := rapid.SampledFrom([]smime.Answer{smime.NotSaid, smime.NotSaid, smime.Yes, smime.No})
	return policy.Terms{
		Profile: genProfile.Draw(t, "profile"), Wish: smime.Wish{OAEP: answer.Draw(t, "oaep")}, ToSelf: answer.Draw(t, "to self"),
	}
}

var (
	genProfile = rapid.SampledFrom([]smime.Profile{"", "", smime.Compatible, smime.RFC8551, smime.TR03116})
	genKinds   = rapid.SampledFrom([][]policy.Kind{nil, nil, {policy.Meeting}, {policy.Meeting, policy.TNEF}})
	genGroups  = rapid.SampledFrom([][]string{nil, nil, {"legal"}, {"board"}, {"legal", "sales"}})
	genUnfit   = rapid.SampledFrom([]texts.Reason{{}, {}, {ID: texts.ReasonUnfit}})
	genLevel   = rapid.SampledFrom([]policy.Level{"", policy.Never, policy.IfPossible, policy.Require})
	genAddress = rapid.SampledFrom([]string{"a@x.example", "B@x.example", "a@y.example", "b@sub.y.example", "c@z.example"})
	genPattern = rapid.SampledFrom([]string{"a@x.example", "b@x.example", "@x.example", "@y.example", "@*.y.example", "*", "<>"})
)

func drawAddress(t *rapid.T, label string) mail.Address {
	a, err := mail.ParseAddress(genAddress.Draw(t, label))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func drawPatterns(t *rapid.T, label string) mail.Patterns {
	ps, err := mail.ParsePatterns(rapid.SliceOfN(genPattern, 0, 2).Draw(t, label)...)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func drawRules(t *rapid.T) []policy.Rule {
	var rules []policy.Rule
	for i := range rapid.IntRange(0, 8).Draw(t, "rules") {
		r := policy.Rule{
			Name:      "r" + string(rune('a'+i)),
			Direction: rapid.SampledFrom([]mail.Direction{"", mail.Outgoing, mail.Internal}).Draw(t, "direction"),
			From:      drawPatterns(t, "from"), To: drawPatterns(t, "to"),
			Kinds: genKinds.Draw(t, "kinds"), Groups: genGroups.Draw(t, "groups"),
			Settings: policy.Settings{Sign: genLevel.Draw(t, "sign"), Encrypt: genLevel.Draw(t, "encrypt"), Terms: drawTerms(t)},
		}
		if r.Sign == "" && r.Encrypt == "" && r.Terms == (policy.Terms{}) {
			r.Sign = policy.Never
		}
		rules = append(rules, r)
	}
	return rules
}

func TestDecideEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		defaults := policy.Settings{Sign: genLevel.Draw(t, "sign"), Encrypt: genLevel.Draw(t, "encrypt"), Terms: drawTerms(t)}
		p, err := policy.New(policy.Config{Rules: rules, Company: defaults})
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		got := p.Decide(in)
		if len(got) != len(in.Recipients) {
			t.Fatalf("%d decisions", len(got))
		}
		for i, d := range got {
			want := reference(rules, defaults, in, in.Recipients[i])
			if d.Refusal != nil {
				d.Refusal = refused
			}
			if terms := p.Terms(in)[i]; terms != d.Terms {
				t.Fatalf("recipient %d: terms %+v", i, terms)
			}
			if got := p.Least(in)[i]; len(p.Asks(in)) == 0 && got != d.Levels {
				t.Fatalf("recipient %d: least %+v, %+v", i, got, d.Levels)
			}
			d.Settings, d.Terms.Missing, d.Levels.Missing = policy.Settings{}, "", ""
			if !reflect.DeepEqual(d, want) {
				t.Fatalf("recipient %d: got %+v, want %+v", i, d, want)
			}
		}
	})
}

func drawInput(t *rapid.T) policy.Input {
	yes := rapid.Bool()
	in := policy.Input{
		Internal: rapid.IntRange(0, 9).Draw(t, "internal") > 0, CanSign: yes.Draw(t, "can sign"),
		Kind:  rapid.SampledFrom([]policy.Kind{"", policy.Meeting, policy.TNEF}).Draw(t, "kind"),
		Flags: policy.Flags{Sign: yes.Draw(t, "sign"), Encrypt: yes.Draw(t, "encrypt")},
	}
	in.Groups = rapid.SampledFrom([][]string{nil, {"legal"}, {"board", "sales"}, {"legal", "board", "sales"}}).Draw(t, "member of")
	if yes.Draw(t, "has From") {
		in.From = drawAddress(t, "From")
	}
	for range rapid.IntRange(0, 4).Draw(t, "recipients") {
		in.Recipients = append(in.Recipients, policy.Recipient{
			Address: drawAddress(t, "recipient"), Local: yes.Draw(t, "local"), DeMail: yes.Draw(t, "De-Mail"), CanEncrypt: yes.Draw(t, "can encrypt"),
			Unfit: genUnfit.Draw(t, "unfit"), UnfitSigner: genUnfit.Draw(t, "unfit signer"),
			AtLeast: policy.Levels{
				Sign: genLevel.Draw(t, "sign at least"), Encrypt: genLevel.Draw(t, "encrypt at least"), Profile: genProfile.Draw(t, "earlier profile"),
			}})
	}
	return in
}
