package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
)

func newPolicy(t testing.TB, c policy.Config) *policy.Policy {
	t.Helper()
	p, err := policy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What its sender asked to be encrypted is never sent otherwise, whatever stands under on_missing; what waited is not either.
func TestWithoutCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		missing policy.Missing
		flags   policy.Flags
		earlier policy.Levels
		deMail  bool
		want    string
	}{
		"refused":                     {policy.Refuse, policy.Flags{}, policy.Levels{}, false, "encrypt refuse"},
		"tls":                         {policy.SendTLS, policy.Flags{}, policy.Levels{}, false, "tls required"},
		"plain":                       {policy.SendPlain, policy.Flags{}, policy.Levels{}, false, "plain"},
		"tls, as De-Mail":             {policy.SendTLS, policy.Flags{}, policy.Levels{}, true, "tls"},
		"tls, demanded by the sender": {policy.SendTLS, policy.Flags{Encrypt: true}, policy.Levels{}, false, "encrypt refuse"},
		"plain, demanded":             {policy.SendPlain, policy.Flags{Encrypt: true}, policy.Levels{}, false, "encrypt refuse"},
		"plain, it waited":            {policy.SendPlain, policy.Flags{}, policy.Levels{Encrypt: policy.Require}, false, "encrypt ask"},
		"plain, it waited for tls":    {policy.SendPlain, policy.Flags{}, policy.Levels{Encrypt: policy.Require, Missing: policy.SendTLS}, false, "tls required"},
		"plain, it was to be refused": {policy.SendPlain, policy.Flags{}, policy.Levels{Encrypt: policy.Require, Missing: policy.Refuse}, false, "encrypt refuse"},
	} {
		all := policy.Rule{Name: "all", To: patterns(t, "*"), Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Require, Terms: policy.Terms{Missing: c.missing}}}
		d := newPolicy(t, policy.Config{Rules: []policy.Rule{all}}).Decide(policy.Input{
			Internal: true, From: address(t, "a@firma.example"), Flags: c.flags,
			Recipients: []policy.Recipient{{Address: address(t, "b@x.example"), DeMail: c.deMail, AtLeast: c.earlier}},
		})[0]
		got := strings.TrimSpace(strings.Join(outcomeOf(d), " ") + " " + string(d.TLS))
		if got != c.want || d.Missed != "" && d.AskRule != "all" && d.AskRule != policy.ByEarlier {
			t.Errorf("%s: %q by %q, want %q", name, got, d.AskRule, c.want)
		}
		if d.Refusal != nil && (d.Refusal.Values.Because == texts.BecauseFlag) != c.flags.Encrypt {
			t.Errorf("%s: refused because of %s", name, d.Refusal.Values.Because)
		}
	}
}

// Who may not write under the single From address lowers nothing, and nobody lowers what is enforced or what stays inside.
func TestLowering(t *testing.T) {
	rules := []policy.Rule{
		{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require, Enforce: []policy.Key{policy.KeyEncrypt}}},
		{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}},
		{Name: "inside", Direction: mail.Internal, Settings: policy.Settings{Sign: policy.Require}},
	}
	p := newPolicy(t, policy.Config{Rules: rules})
	for name, c := range map[string]struct {
		from, to string
		mayUse   bool
		local    bool
		flags    policy.Flags
		lowered  string
	}{
		"plain":               {"a@firma.example", "b@x.example", true, false, policy.Flags{Plain: true}, "sign encrypt"},
		"no signature":        {"a@firma.example", "b@x.example", true, false, policy.Flags{NoSign: true}, "sign"},
		"no encryption":       {"a@firma.example", "b@x.example", true, false, policy.Flags{NoEncrypt: true}, "encrypt"},
		"enforced":            {"a@firma.example", "b@bank.example", true, false, policy.Flags{Plain: true}, "sign"},
		"of somebody else":    {"a@firma.example", "b@x.example", false, false, policy.Flags{Plain: true}, ""},
		"of nobody":           {"", "b@x.example", true, false, policy.Flags{Plain: true}, ""},
		"more and less":       {"a@firma.example", "b@x.example", true, false, policy.Flags{Sign: true, Encrypt: true, Plain: true}, ""},
		"inside":              {"a@firma.example", "c@firma.example", true, true, policy.Flags{Plain: true}, ""},
		"nothing is asked of": {"a@firma.example", "b@x.example", true, false, policy.Flags{}, ""},
	} {
		in := policy.Input{Internal: true, MayUse: c.mayUse, CanSign: true, Flags: c.flags, Recipients: []policy.Recipient{{Address: address(t, c.to), Local: c.local, CanEncrypt: true}}}
		if c.from != "" {
			in.From = address(t, c.from)
		}
		d := p.Decide(in)[0]
		var lowered []string
		for _, key := range d.Lowered {
			lowered = append(lowered, string(key))
		}
		if got := strings.Join(lowered, " "); got != c.lowered {
			t.Errorf("%s: lowered %q, want %q", name, got, c.lowered)
		}
		if d.Encrypt == slices.Contains(lowered, "encrypt") && !c.local || d.Sign == slices.Contains(lowered, "sign") {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// Nobody gets around what is said of some senders by a second address in From: it raises, and lowers nothing.
func TestDemandsOnNobody(t *testing.T) {
	c := policy.Config{
		Company: policy.Settings{MaxSize: 1000, Archive: []string{"journal"}},
		Senders: []policy.Entry{
			{For: patterns(t, "@hr.firma.example"), Settings: policy.Settings{Encrypt: policy.Require, MaxSize: 9000, Archive: []string{"hr"}}},
			{Groups: []string{"Legal"}, Settings: policy.Settings{TLS: mail.TLSVerified, Sign: policy.Never}},
		},
		Rules: []policy.Rule{{Name: "students", From: patterns(t, "@students.firma.example"), Settings: policy.Settings{Quarantine: "students write", MaxSize: 500}}},
	}
	d := newPolicy(t, c).Decide(policy.Input{Internal: true, Size: 600, Recipients: []policy.Recipient{{Address: address(t, "b@x.example"), CanEncrypt: true}}})[0]
	s := d.Settings
	if d.Levels.Encrypt != policy.Require || s.Sign != policy.IfPossible || s.TLS != mail.TLSVerified || s.Quarantine != "students write" || s.MaxSize != 500 {
		t.Errorf("%+v", s)
	}
	if !slices.Contains(s.Archive, "hr") || !slices.Contains(s.Archive, "journal") {
		t.Errorf("archives %v", s.Archive)
	}
	if d.Refusal == nil || d.Refusal.ID != texts.TooLarge {
		t.Errorf("refused by %+v", d.Refusal)
	}
}

// A rule that only tells changes nothing, asks for no group, and its groups are asked for apart.
func TestDryRun(t *testing.T) {
	rule := policy.Rule{Name: "try", Groups: []string{"Legal"}, DryRun: true, Settings: policy.Settings{Encrypt: policy.Require, MaxSize: 5, Where: "siegel.yaml:7"}}
	p := newPolicy(t, policy.Config{Rules: []policy.Rule{rule}})
	in := policy.Input{Internal: true, Size: 9, From: address(t, "a@firma.example"), Recipients: []policy.Recipient{{Address: address(t, "b@x.example")}}}
	if asks := p.Asks(in); asks != nil {
		t.Errorf("mail waits for %v", asks)
	}
	if asks, _ := p.AsksDry(in); !slices.Equal(asks, []string{"Legal"}) {
		t.Errorf("asked for %v", asks)
	}
	if d := p.Decide(in)[0]; d.Dry != nil || d.Encrypt {
		t.Errorf("of nobody in the group: %+v", d)
	}
	in.Groups = []string{"legal"}
	d := p.Decide(in)[0]
	if d.Encrypt || d.Refusal != nil || len(d.Dry) != 2 || d.Dry[0].Value != "require" || d.Dry[0].By != "rule try" || d.Dry[0].Where != "siegel.yaml:7" || d.Dry[0].Over[0].Value != "if-possible" {
		t.Errorf("%+v", d.Dry)
	}
}

// What a policy is made of is checked as a whole: every fault is told at once, with where it stands.
func TestConfigRefused(t *testing.T) {
	_, err := policy.New(policy.Config{
		Company: policy.Settings{MaxSize: -1, Enforce: []policy.Key{"colour"}},
		Senders: []policy.Entry{
			{For: patterns(t, "a@x.example"), Settings: policy.Settings{Sign: policy.Never, Where: "f:1"}}, {For: patterns(t, "A@x.example", "*"), Settings: policy.Settings{Sign: policy.Never}},
			{Settings: policy.Settings{Quarantine: "why"}}, {For: patterns(t, "@x.example"), Groups: []string{"g"}},
			{Groups: []string{"G"}, Settings: policy.Settings{OnInvalid: "burn"}},
		},
		Rules: []policy.Rule{
			{Name: "subject", Subject: policy.Field{Matches: "("}, Settings: policy.Settings{Sign: policy.Never, Where: "f:2"}},
			{Name: "long", Subject: policy.Field{Matches: strings.Repeat("x", 1001)}, Settings: policy.Settings{Sign: policy.Never}},
			{Name: "header", Headers: []policy.Field{{Contains: "x"}}, Settings: policy.Settings{Sign: policy.Never}},
			{Name: "in", Direction: mail.Incoming, Groups: []string{"g"}, Settings: policy.Settings{MaxSize: 1}},
			{Name: "out", ToGroups: []string{"g"}, Settings: policy.Settings{MaxSize: 1}},
			{Name: "stray", Settings: policy.Settings{OnInvalid: policy.Mark}},
			{Name: "flags", Flags: []string{"loud"}, Settings: policy.Settings{MaxSize: 1, Enforce: []policy.Key{policy.KeySign}}},
			{Name: "sizes", SizeOver: 2, SizeUnder: 3, Settings: policy.Settings{MaxSize: 1}},
		},
	})
	for _, want := range []string{
		"less than nothing", `"colour" under enforce is no key`, "a@x.example has an entry already (f:1)", "* is no level", "quarantine is for rules alone", "for nobody",
		"for addresses and for groups", `the group "G" has an entry already`, `"burn" is not what may become`, `rule "subject" (f:2): "(" is no regular expression`,
		"longer than 1000", "no name of a field", "name the groups of the recipients", "name the groups of the senders", "on_invalid means nothing for outgoing mail",
		`"loud" is no flag`, "sign is under enforce and is not said here", "no message is larger",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Conditions look at what they are given within bounds, and never fail on anything.
func FuzzConditions(f *testing.F) {
	f.Add("Our contract", "A-17", "contract", "^A-[0-9]+$", int64(5))
	f.Add(strings.Repeat("a", 20_000), "\xff\x00", "A", "(a+)+$", int64(-1))
	f.Fuzz(func(t *testing.T, subject, value, contains, matches string, size int64) {
		r := policy.Rule{
			Subject: policy.Field{Contains: contains}, Headers: []policy.Field{{Name: "X-A", Matches: matches}}, ContentTypes: []string{value},
			SizeOver: max(0, size%100), Settings: policy.Settings{Encrypt: policy.Require},
		}
		p, err := policy.New(policy.Config{Rules: []policy.Rule{r}})
		if err != nil {
			return
		}
		d := p.Decide(policy.Input{
			Internal: true, Subject: subject, Header: fieldsOf{"x-a": {value, subject}}, Size: size, ContentTypes: []string{value},
			Recipients: []policy.Recipient{{Address: mail.Address{Local: "b", Domain: "x.example"}, CanEncrypt: true}},
		})[0]
		if d.EncRule == "rule 1" && contains != "" && subject == "" {
			t.Errorf("%q is not in nothing", contains)
		}
	})
}

// The media types of rules, given as those of a message, fit each of them.
func TestTypes(t *testing.T) {
	p, err := policy.New(policy.Config{Rules: []policy.Rule{
		{Name: "one", ContentTypes: []string{"application/pdf", "image/*"}, Settings: policy.Settings{Sign: policy.Require}},
		{Name: "two", ContentTypes: []string{"Image/*"}, Settings: policy.Settings{Encrypt: policy.Require}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Types(); !slices.Equal(got, []string{"application/pdf", "image/*"}) {
		t.Errorf("types %q", got)
	}
}
