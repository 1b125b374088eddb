package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func patterns(t testing.TB, s ...string) mail.Patterns {
	t.Helper()
	p, err := mail.ParsePatterns(s...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustNew(t testing.TB, d policy.Settings, rules ...policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.New(policy.Config{Rules: rules, Company: d})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// short writes a decision in one line: what is done, by which rules, and whether it is refused.
func short(d policy.Decision) string {
	s := fmt.Sprintf("%s sign=%v(%s) encrypt=%v(%s)", d.Direction, d.Sign, d.SignRule, d.Encrypt, d.EncRule)
	if d.Refusal != nil {
		s += " refused"
	}
	return s
}

// Nobody gets around a rule that demands encryption of them by mail without a single From address.
func TestRuleForNoSingleAuthor(t *testing.T) {
	hr := policy.Rule{Name: "hr", From: patterns(t, "@hr.firma.example"), Settings: policy.Settings{Encrypt: policy.Require}}
	boss := policy.Rule{Name: "boss", From: patterns(t, "boss@firma.example"), Settings: policy.Settings{Sign: policy.Require}}
	in := policy.Input{Internal: true, Recipients: []policy.Recipient{{Address: address(t, "bob@partner.example")}}}
	if got := short(mustNew(t, policy.Settings{}, boss, hr).Decide(in)[0]); got != "outgoing sign=false(default) encrypt=true(hr) refused" {
		t.Error(got)
	}
}

// What a rule or a level says for some senders lowers nothing for mail without a single From address, and what it says of mail without a certificate, and of how strong
// encryption has to be, holds: else a second address in From would have the mail of one sent as the rule of another has it.
func TestNoSingleAuthorLowersNothing(t *testing.T) {
	machine := policy.Settings{Sign: policy.Never, Encrypt: policy.Require, TLS: mail.TLSRequired, Terms: policy.Terms{Missing: policy.SendPlain, Profile: smime.Compatible}, MaxSize: 500, Archive: []string{"machines"}}
	strict := policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Refuse, Profile: smime.TR03116}}
	lax := policy.Settings{Sign: policy.IfPossible, Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.SendPlain}}
	held := policy.Settings{Sign: policy.Require, Encrypt: policy.Require, TLS: mail.TLSVerified, Terms: policy.Terms{Missing: policy.Refuse, Profile: smime.RFC8551}, MaxSize: 100, Archive: []string{"all"}}
	in := policy.Input{Internal: true, Recipients: []policy.Recipient{{Address: address(t, "bob@partner.example")}}}
	one := func(c policy.Config) policy.Decision {
		p, err := policy.New(c)
		if err != nil {
			t.Fatal(err)
		}
		least := p.Least(in)[0]
		d := p.Decide(in)[0]
		if least != d.Levels {
			t.Errorf("at least %+v, and decided %+v", least, d.Levels)
		}
		return d
	}
	rule := policy.Rule{Name: "machine", From: patterns(t, "machine@firma.example"), Settings: machine}
	d := one(policy.Config{Rules: []policy.Rule{rule}, Company: held})
	if want := (policy.Levels{Sign: policy.Require, Encrypt: policy.Require, Profile: smime.RFC8551, TLS: mail.TLSVerified, Missing: policy.Refuse}); d.Levels != want || d.Settings.MaxSize != 100 || d.Refusal == nil {
		t.Errorf("by a rule for somebody else: %+v, %+v", d.Levels, d.Settings)
	}
	if !slices.Equal(d.Settings.Archive, []string{"all", "machines"}) {
		t.Errorf("archives %v", d.Settings.Archive)
	}
	boss := patterns(t, "boss@firma.example")
	for name, c := range map[string]policy.Config{
		"a level": {Senders: []policy.Entry{{For: boss, Settings: strict}}, Company: lax},
		"a rule":  {Rules: []policy.Rule{{Name: "boss", From: boss, Settings: strict}}, Company: lax},
		"a rule that leaves encryption to the company": {
			Rules:   []policy.Rule{{Name: "boss", From: boss, Settings: policy.Settings{Terms: strict.Terms}}},
			Company: lax,
		},
		"a level that leaves encryption to the company": {Senders: []policy.Entry{{For: boss, Settings: policy.Settings{Terms: strict.Terms}}}, Company: lax},
	} {
		if d := one(c); !d.Encrypt || d.Missed != "" || d.Refusal == nil || d.Terms.Profile != smime.TR03116 {
			t.Errorf("%s: it leaves: %+v", name, d)
		}
	}
}

func TestDecide(t *testing.T) {
	bank := policy.Rule{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require}}
	news := policy.Rule{Name: "news", From: patterns(t, "news@firma.example"), Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}
	boss := policy.Rule{Name: "boss", From: patterns(t, "boss@firma.example"), Settings: policy.Settings{Sign: policy.Require}}
	inside := policy.Rule{Name: "inside", Direction: mail.Internal, Settings: policy.Settings{Sign: policy.IfPossible}}
	rules := []policy.Rule{bank, news, boss, inside}
	out := func(from, to string, canSign, canEncrypt bool) policy.Input {
		return policy.Input{
			Internal: true, From: address(t, from), CanSign: canSign,
			Recipients: []policy.Recipient{{Address: address(t, to), CanEncrypt: canEncrypt}},
		}
	}
	with := func(in policy.Input, f policy.Flags) policy.Input { in.Flags = f; return in }
	local := func(in policy.Input) policy.Input { in.Recipients[0].Local = true; return in }
	outside := func(in policy.Input) policy.Input { in.Internal = false; return in }
	both := policy.Flags{Sign: true, Encrypt: true}

	for _, c := range []struct {
		name string
		in   policy.Input
		want string
	}{
		{"default, all at hand", out("a@firma.example", "b@x.example", true, true), "outgoing sign=true(default) encrypt=true(default)"},
		{"default, nothing at hand", out("a@firma.example", "b@x.example", false, false), "outgoing sign=false(default) encrypt=false(default)"},
		{"required and possible", out("a@firma.example", "b@BANK.example", true, true), "outgoing sign=true(default) encrypt=true(bank)"},
		{"required and not possible", out("a@firma.example", "b@bank.example", true, false), "outgoing sign=true(default) encrypt=true(bank) refused"},
		{"the earlier rule decides, each key on its own", out("news@firma.example", "b@bank.example", true, true), "outgoing sign=false(news) encrypt=true(bank)"},
		{"never", out("news@firma.example", "b@x.example", true, true), "outgoing sign=false(news) encrypt=false(news)"},
		{"a flag raises never", with(out("news@firma.example", "b@x.example", true, true), both), "outgoing sign=true(flag) encrypt=true(flag)"},
		{"a flag cannot be met", with(out("a@firma.example", "b@x.example", true, false), both), "outgoing sign=true(flag) encrypt=true(flag) refused"},
		{"a flag adds nothing to require", with(out("a@firma.example", "b@bank.example", true, true), both), "outgoing sign=true(flag) encrypt=true(bank)"},
		{"signature required and not possible", out("boss@firma.example", "b@x.example", false, true), "outgoing sign=true(boss) encrypt=true(default) refused"},
		{"internal by rule and default", local(out("a@firma.example", "c@firma.example", true, true)), "internal sign=true(inside) encrypt=false(default)"},
		{"a flag is for what leaves the company", local(with(out("a@firma.example", "c@firma.example", false, false), both)), "internal sign=false(inside) encrypt=false(default)"},
		{"incoming", outside(local(out("b@x.example", "a@firma.example", true, true))), "incoming sign=false(default) encrypt=false(default)"},
		{"incoming asks for nothing", outside(local(with(out("b@x.example", "a@firma.example", true, true), both))), "incoming sign=false(default) encrypt=false(default)"},
		{"nobody relays", outside(out("b@x.example", "c@y.example", true, true)), "incoming sign=false(default) encrypt=false(default) refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mustNew(t, policy.Settings{}, rules...).Decide(c.in)
			if len(got) != 1 || short(got[0]) != c.want {
				t.Errorf("got  %v\nwant %s", got, c.want)
			}
		})
	}
}

// Decisions come in the order of the recipients, each on its own.
// What was in force when a message was accepted counts where it is stronger than what the policy wants now,
// also for mail that stays inside.
func TestDecideAtLeast(t *testing.T) {
	never := mustNew(t, policy.Settings{Sign: policy.Never, Encrypt: policy.Never})
	strict := mustNew(t, policy.Settings{Sign: policy.Require, Encrypt: policy.Require})
	require, possible := policy.Levels{Sign: policy.Require, Encrypt: policy.Require}, policy.Levels{Encrypt: policy.IfPossible}
	for name, c := range map[string]struct {
		p       *policy.Policy
		atLeast policy.Levels
		can     bool
		want    string
	}{
		"the policy demands less":            {never, require, true, "outgoing sign=true(earlier) encrypt=true(earlier)"},
		"the policy demands less, and can't": {never, require, false, "outgoing sign=true(earlier) encrypt=true(earlier) refused"},
		"what was possible":                  {never, possible, false, "outgoing sign=false(default) encrypt=false(earlier)"},
		"the policy demands more":            {strict, possible, true, "outgoing sign=true(default) encrypt=true(default)"},
		"nothing was in force":               {never, policy.Levels{}, true, "outgoing sign=false(default) encrypt=false(default)"},
	} {
		d := c.p.Decide(policy.Input{Internal: true, CanSign: c.can, Recipients: []policy.Recipient{
			{Address: address(t, "b@x.example"), CanEncrypt: c.can, AtLeast: c.atLeast}}})
		if got := short(d[0]); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if refused := d[0].Refusal; refused != nil && refused.Values.Because != texts.BecauseEarlier {
			t.Errorf("%s: %+v", name, refused)
		}
	}
}

func TestDecideOrder(t *testing.T) {
	p := mustNew(t, policy.Settings{Encrypt: policy.Require})
	in := policy.Input{Internal: true, Recipients: []policy.Recipient{
		{Address: address(t, "a@x.example"), CanEncrypt: true},
		{Address: address(t, "b@firma.example"), Local: true},
		{Address: address(t, "c@x.example")},
	}}
	got := p.Decide(in)
	if len(got) != 3 || !got[0].Encrypt || got[1].Encrypt || got[2].Refusal == nil {
		t.Errorf("got %v", got)
	}
	for i, d := range got {
		if d.Recipient != in.Recipients[i].Address {
			t.Errorf("decision %d is for %s", i, d.Recipient)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		rule policy.Rule
		want string
	}{
		{"no level", policy.Rule{Name: "r", Settings: policy.Settings{Sign: "always"}}, "must be never, if-possible or require"},
		{"no direction", policy.Rule{Name: "r", Direction: "up", Settings: policy.Settings{Sign: policy.Never}}, `"up" is no direction`},
		{"incoming", policy.Rule{Name: "r", Direction: mail.Incoming, Settings: policy.Settings{Sign: policy.Never}}, "incoming mail is neither signed nor encrypted"},
		{"says nothing", policy.Rule{Name: "r"}, "would do nothing"},
		{"reserved name", policy.Rule{Name: "flag", Settings: policy.Settings{Sign: policy.Never}}, "this name is taken"},
		{"name twice", policy.Rule{Name: "first", Settings: policy.Settings{Sign: policy.Never}}, "this name is taken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := policy.Rule{Name: "first", Settings: policy.Settings{Sign: policy.Never}}
			_, err := policy.New(policy.Config{Rules: []policy.Rule{first, c.rule, {}}, Company: policy.Settings{Sign: "x"}})
			for _, want := range []string{c.want, `rule "rule 3"`, "the defaults"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not say %q", err, want)
				}
			}
		})
	}
}

func TestParseLevel(t *testing.T) {
	for in, want := range map[string]policy.Level{"never": policy.Never, "If possible": policy.IfPossible, "if_possible": policy.IfPossible, " REQUIRE ": policy.Require} {
		var l policy.Level
		if err := l.UnmarshalText([]byte(in)); err != nil || l != want {
			t.Errorf("%q: %q, %v", in, l, err)
		}
	}
	l := policy.Require
	if err := l.UnmarshalText(nil); err != nil || l != "" {
		t.Errorf("empty: %q, %v", l, err)
	}
	if err := l.UnmarshalText([]byte("perhaps")); err == nil || !strings.Contains(err.Error(), "if-possible") {
		t.Errorf("perhaps: %v", err)
	}
}

func TestRefusalTexts(t *testing.T) {
	in := policy.Input{Internal: true, From: address(t, "a@firma.example"), Flags: policy.Flags{Encrypt: true},
		Recipients: []policy.Recipient{{Address: address(t, "x@y.example")}}}
	for _, c := range []struct {
		name   string
		change func(*policy.Input)
		want   string
	}{
		{"flag", func(*policy.Input) {},
			"The message to x@y.example was not sent: it must be encrypted (as you asked), and no certificate of this recipient is known. Ask the recipient to send you a signed message. Or send it without asking for that. Help: your administrator."},
		{"rule", func(in *policy.Input) {
			in.Flags, in.Recipients[0].Address = policy.Flags{}, address(t, "x@bank.example")
			in.Recipients[0].Why = texts.ReasonExpired
		}, `The message to x@bank.example was not sent: it must be encrypted (rule "bank"), and the recipient's certificate has expired. Ask the recipient to send you a message signed with a new one. Help: your administrator.`},
		{"colleague", func(in *policy.Input) {
			in.Flags, in.Recipients[0].AtLeast.Encrypt = policy.Flags{}, policy.Require
			in.Recipients[0].Local = true
		}, "The message to x@y.example was not sent: it must be encrypted (by earlier rules), and this recipient inside the company has no certificate. Ask for one. Or send it again, by those of today. Help: your administrator."},
		{"sign", func(in *policy.Input) { in.Flags = policy.Flags{Sign: true} },
			"The message to x@y.example was not sent: it must be signed (as you asked), and there is no key to sign for a@firma.example. Ask for a certificate. Or send it without asking for that. Help: your administrator."},
		{"not yours", func(in *policy.Input) {
			in.Flags, in.WhyNotSign = policy.Flags{Sign: true}, texts.Reason{ID: texts.ReasonNotYours, Detail: "a@firma.example"}
		},
			"The message to x@y.example was not sent: it must be signed (as you asked), and the sending system may not send as a@firma.example. Send it from your own address. Or send it without asking for that. Help: your administrator."},
		{"no From", func(in *policy.Input) { in.Flags, in.From = policy.Flags{Sign: true}, mail.Address{} },
			"The message to x@y.example was not sent: it must be signed (as you asked), and it does not have exactly one sender (From). Send it from one address. Or send it without asking for that. Help: your administrator."},
		{"relay", func(in *policy.Input) { in.Internal = false },
			"The message to x@y.example was not taken: that address does not belong to this company, and this server passes nothing on to others. Check the address."},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := in
			in.Recipients = append([]policy.Recipient(nil), in.Recipients...)
			c.change(&in)
			p := mustNew(t, policy.Settings{}, policy.Rule{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require}})
			if got := refusal(p.Decide(in)[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// refusal is what the sender is told; empty where the message may be sent.
func refusal(d policy.Decision) string {
	if d.Refusal == nil {
		return ""
	}
	return (*texts.Texts)(nil).SMTP(d.Refusal.ID, d.Refusal.Values)
}

// A refusal says who demands what whatever the addresses and rules hold, and fits.
func TestRefusalBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, 200, 600).Draw(t, "rule")
		p, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: name, Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}}}})
		if err != nil {
			t.Skip(err)
		}
		to := mail.Address{Local: rapid.StringN(1, 90, 200).Draw(t, "local"), Domain: strings.Repeat("long.", 40) + "example"}
		in := policy.Input{Internal: true, From: to, CanSign: rapid.Bool().Draw(t, "can"),
			Recipients: []policy.Recipient{{Address: to, CanEncrypt: rapid.Bool().Draw(t, "can")}}}
		d := p.Decide(in)[0]
		if in.CanSign && in.Recipients[0].CanEncrypt != (d.Refusal == nil) {
			t.Fatalf("refusal %+v", d.Refusal)
		}
		if d.Refusal == nil {
			return
		}
		if text := refusal(d); len(text) > texts.MaxSMTP || strings.HasSuffix(text, "...") || d.Refusal.Values.Rule != name {
			t.Fatalf("%d characters: %s", len(text), text)
		}
	})
}

func BenchmarkDecide200Rules(b *testing.B) {
	var rules []policy.Rule
	for i := range 200 {
		r := policy.Rule{To: patterns(b, fmt.Sprintf("@partner%d.example", i), fmt.Sprintf("@*.partner%d.example", i)), Settings: policy.Settings{Encrypt: policy.Require}}
		if i%2 == 1 {
			r.From = patterns(b, fmt.Sprintf("user%d@firma.example", i), "@firma.example")
		}
		rules = append(rules, r)
	}
	p := mustNew(b, policy.Settings{}, rules...)
	in := policy.Input{Internal: true, From: address(b, "Some.User@firma.example"), CanSign: true,
		Recipients: []policy.Recipient{{Address: address(b, "Some.One@elsewhere.example"), CanEncrypt: true}}}
	for b.Loop() {
		p.Decide(in)
	}
}

func ExamplePolicy_Decide() {
	bank, _ := mail.ParsePatterns("@bank.example")
	p, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "bank", To: bank, Settings: policy.Settings{Encrypt: policy.Require}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	to, _ := mail.ParseAddress("clerk@bank.example")
	for _, d := range p.Decide(policy.Input{Internal: true, Recipients: []policy.Recipient{{Address: to, CanEncrypt: true}}}) {
		fmt.Println(d.Recipient, d.Encrypt, d.EncRule)
	}
	// Output: clerk@bank.example true bank
}
