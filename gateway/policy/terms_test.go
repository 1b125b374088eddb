package policy_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Each key is said by the first rule that matches and says it: special rules of a user, a partner and a domain add up.
func TestTermsAddUp(t *testing.T) {
	rules := []policy.Rule{
		{Name: "archive", To: patterns(t, "archive@partner.example"), Settings: policy.Settings{Terms: policy.Terms{Opaque: smime.Yes, Wish: smime.Wish{PSS: smime.No}}}},
		{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Terms: policy.Terms{
			Profile: smime.RFC8551, Wish: smime.Wish{Algorithm: cms.AES128GCM, OAEP: smime.Yes, PSS: smime.Yes, Obscure: smime.Yes},
		}}},
		{Name: "boss", From: patterns(t, "boss@firma.example"), Settings: policy.Settings{Terms: policy.Terms{Profile: smime.TR03116, ToSelf: smime.No}}},
		{Name: "inside", Direction: mail.Internal, Settings: policy.Settings{Terms: policy.Terms{Wish: smime.Wish{Headers: smime.No}}}},
	}
	p := mustNew(t, policy.Settings{Terms: policy.Terms{ToSelf: smime.Yes}}, rules...)
	for _, c := range []struct {
		name, from, to string
		local          bool
		want           policy.Terms
		by             string
	}{
		{"nobody", "a@firma.example", "x@other.example", false, policy.Terms{Profile: smime.Compatible, ToSelf: smime.Yes}, policy.ByDefault},
		{"user", "boss@firma.example", "x@other.example", false, policy.Terms{Profile: smime.TR03116, ToSelf: smime.No}, "boss"},
		{"partner before user", "boss@firma.example", "x@partner.example", false, policy.Terms{
			Profile: smime.RFC8551, Wish: smime.Wish{Algorithm: cms.AES128GCM, OAEP: smime.Yes, PSS: smime.Yes, Obscure: smime.Yes}, ToSelf: smime.No,
		}, "partner"},
		{"three of them", "a@firma.example", "Archive@partner.example", false, policy.Terms{
			Profile: smime.RFC8551, Wish: smime.Wish{Algorithm: cms.AES128GCM, OAEP: smime.Yes, PSS: smime.No, Obscure: smime.Yes}, Opaque: smime.Yes, ToSelf: smime.Yes,
		}, "partner"},
		{"inside", "a@firma.example", "b@firma.example", true, policy.Terms{
			Profile: smime.Compatible, Wish: smime.Wish{Headers: smime.No}, ToSelf: smime.Yes,
		}, policy.ByDefault},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Missing = policy.Refuse // as the factory has it
			to := policy.Recipient{Address: address(t, c.to), Local: c.local}
			in := policy.Input{Internal: true, From: address(t, c.from), Recipients: []policy.Recipient{to}}
			if got := p.Terms(in)[0]; got != c.want {
				t.Errorf("got %+v; want %+v", got, c.want)
			}
			if d := p.Decide(in)[0]; d.Terms != c.want || d.ProRule != c.by {
				t.Errorf("decided %+v by %s", d.Terms, d.ProRule)
			}
		})
	}
}

// Outlook does not understand an invitation within a signature: where protection is only wanted if it is possible,
// there is none, unless a rule says so for invitations.
func TestKinds(t *testing.T) {
	strict := policy.Rule{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require}}
	signed := policy.Rule{Name: "meetings", To: patterns(t, "@partner.example"), Kinds: []policy.Kind{policy.Meeting}, Settings: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.Never}}
	usual := policy.Rule{Name: "usual", To: patterns(t, "@usual.example"), Settings: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible}}
	p := mustNew(t, policy.Settings{}, strict, signed, usual)
	for _, c := range []struct {
		kind  policy.Kind
		to    string
		flags policy.Flags
		want  string
	}{
		{"", "x@other.example", policy.Flags{}, "outgoing sign=true(default) encrypt=true(default)"},
		{policy.Meeting, "x@other.example", policy.Flags{}, "outgoing sign=false(kind) encrypt=false(kind)"},
		{policy.TNEF, "x@usual.example", policy.Flags{}, "outgoing sign=false(kind) encrypt=false(kind)"},
		{policy.Meeting, "x@bank.example", policy.Flags{}, "outgoing sign=false(kind) encrypt=true(bank)"},
		{policy.Meeting, "x@partner.example", policy.Flags{}, "outgoing sign=true(meetings) encrypt=false(meetings)"},
		{policy.TNEF, "x@partner.example", policy.Flags{}, "outgoing sign=false(kind) encrypt=false(kind)"},
		{"", "x@partner.example", policy.Flags{}, "outgoing sign=true(default) encrypt=true(default)"},
		{policy.Meeting, "x@other.example", policy.Flags{Encrypt: true}, "outgoing sign=false(kind) encrypt=true(flag)"},
	} {
		d := p.Decide(policy.Input{
			Internal: true, From: address(t, "a@firma.example"), CanSign: true, Kind: c.kind, Flags: c.flags,
			Recipients: []policy.Recipient{{Address: address(t, c.to), CanEncrypt: true}},
		})[0]
		if got := short(d); got != c.want {
			t.Errorf("%s to %s: %s; want %s", c.kind, c.to, got, c.want)
		}
	}
}

// A certificate that is not good enough is no reason to send without, whatever the level.
func TestUnfit(t *testing.T) {
	for _, level := range []policy.Level{policy.Never, policy.IfPossible, policy.Require} {
		p := mustNew(t, policy.Settings{Sign: level, Encrypt: level})
		decide := func(r policy.Recipient) policy.Decision {
			r.Address, r.CanEncrypt = address(t, "x@other.example"), true
			return p.Decide(policy.Input{Internal: true, From: address(t, "a@firma.example"), CanSign: true, Recipients: []policy.Recipient{r}})[0]
		}
		d := decide(policy.Recipient{Unfit: texts.Reason{ID: texts.ReasonUnfit, Detail: "RSA 2048 (strict: 3072)"}})
		want := "The message to x@other.example was not sent: it must be encrypted (default of your company), and the recipient's certificate is not good enough: RSA 2048 (strict: 3072). " +
			"Ask the recipient for another one. Help: your administrator."
		if level == policy.Never {
			want = ""
		}
		if refusal(d) != want {
			t.Errorf("%s: %q", level, refusal(d))
		}
		d = decide(policy.Recipient{UnfitSigner: texts.Reason{ID: texts.ReasonKeyUnfit, Detail: "RSA 2048 (strict: 3072)"}})
		if refused := strings.Contains(refusal(d), "it must be signed (default of your company), and your certificate is not good enough"); refused != (level != policy.Never) {
			t.Errorf("%s: %q", level, refusal(d))
		}
	}
}

// A profile that was in force when the message was accepted stays, where it was the strict one.
func TestEarlierProfile(t *testing.T) {
	p := mustNew(t, policy.Settings{})
	for earlier, want := range map[smime.Profile]smime.Profile{
		"": smime.Compatible, smime.RFC8551: smime.Compatible, smime.TR03116: smime.TR03116,
	} {
		r := policy.Recipient{Address: address(t, "x@other.example"), AtLeast: policy.Levels{Profile: earlier}}
		d := p.Decide(policy.Input{Internal: true, From: address(t, "a@firma.example"), Recipients: []policy.Recipient{r}})[0]
		if d.Terms.Profile != want || d.Levels.Profile != want {
			t.Errorf("after %q: %q, levels %q", earlier, d.Terms.Profile, d.Levels.Profile)
		}
	}
}

func TestTermsAreChecked(t *testing.T) {
	for _, c := range []struct {
		rule policy.Rule
		want string
	}{
		{policy.Rule{Name: "x", Settings: policy.Settings{Terms: policy.Terms{Profile: "s/mime"}}}, `rule "x": smime: "s/mime" is no profile`},
		{policy.Rule{Name: "x", Kinds: []policy.Kind{"fax"}, Settings: policy.Settings{Sign: policy.Never}}, `"fax" is no kind of message; write meeting or tnef`},
		{policy.Rule{Name: "x", Kinds: []policy.Kind{policy.Meeting}}, "it says nothing"},
		{policy.Rule{Name: "kind", Settings: policy.Settings{Sign: policy.Never}}, "this name is taken"},
	} {
		if _, err := policy.New(policy.Config{Rules: []policy.Rule{c.rule}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.rule, err)
		}
	}
}
