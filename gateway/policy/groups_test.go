package policy_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// A rule for a group is for those who are in it, and what is asked is what matters.
func TestGroups(t *testing.T) {
	bank := policy.Rule{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never, Terms: policy.Terms{Profile: smime.Compatible}}}
	legal := policy.Rule{Name: "legal", Groups: []string{"Legal"}, Settings: policy.Settings{Encrypt: policy.Require}}
	board := policy.Rule{Name: "board", Groups: []string{"Board", "CN=Aides,DC=firma,DC=example"}, From: patterns(t, "@firma.example"), To: patterns(t, "@x.example"), Settings: policy.Settings{Sign: policy.Require}}
	later := policy.Rule{Name: "later", Groups: []string{"Sales"}, To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require}}
	meetings := policy.Rule{Name: "meetings", Groups: []string{"Planners"}, Kinds: []policy.Kind{policy.Meeting}, Settings: policy.Settings{Sign: policy.Require}}
	inside := policy.Rule{Name: "inside", Direction: mail.Internal, Groups: []string{"legal", "Everybody"}, Settings: policy.Settings{Sign: policy.IfPossible}}
	p := mustNew(t, policy.Settings{Sign: policy.Never, Encrypt: policy.Never}, bank, legal, board, later, meetings, inside)
	if got := fmt.Sprint(p.Groups()); got != "[Board CN=Aides,DC=firma,DC=example Everybody Legal Planners Sales]" && got != "[Board CN=Aides,DC=firma,DC=example Everybody Planners Sales legal]" {
		t.Error(got)
	}
	for _, c := range []struct {
		from, to string
		local    bool
		kind     policy.Kind
		groups   []string
		asks     string
		want     string
	}{
		{"a@firma.example", "b@y.example", false, "", nil, "[Legal]", "outgoing sign=false(default) encrypt=false(default)"},
		{"a@firma.example", "b@y.example", false, "", []string{"LEGAL"}, "[Legal]", "outgoing sign=false(default) encrypt=true(legal)"},
		{"a@firma.example", "b@x.example", false, "", []string{"cn=aides,dc=firma,dc=example"}, "[Legal Board CN=Aides,DC=firma,DC=example]", "outgoing sign=true(board) encrypt=false(default)"},
		{"a@else.example", "b@x.example", false, "", []string{"Board"}, "[Legal]", "outgoing sign=false(default) encrypt=false(default)"},
		{"a@firma.example", "b@bank.example", false, "", []string{"Legal", "Sales"}, "[]", "outgoing sign=false(bank) encrypt=false(bank)"},
		{"a@firma.example", "b@y.example", false, policy.Meeting, []string{"Planners"}, "[Legal Planners]", "outgoing sign=true(meetings) encrypt=false(default)"},
		{"a@firma.example", "b@firma.example", true, "", []string{"Everybody"}, "[legal Everybody]", "internal sign=true(inside) encrypt=false(default)"},
		// Without an author there is nobody to ask about; a rule that demands encryption holds, as one by address does.
		{"<>", "b@x.example", false, "", nil, "[]", "outgoing sign=false(default) encrypt=true(legal)"},
	} {
		in := policy.Input{Internal: true, CanSign: true, Kind: c.kind, Groups: c.groups, Recipients: []policy.Recipient{{Address: address(t, c.to), Local: c.local, CanEncrypt: true}}}
		if c.from != "<>" {
			in.From = address(t, c.from)
		}
		if got := fmt.Sprint(p.Asks(in)); got != c.asks {
			t.Errorf("%s to %s asks for %s, want %s", c.from, c.to, got, c.asks)
		}
		if got := short(p.Decide(in)[0]); got != c.want {
			t.Errorf("%s to %s: %s, want %s", c.from, c.to, got, c.want)
		}
	}
	if got := p.Asks(policy.Input{From: address(t, "a@x.example"), Recipients: []policy.Recipient{{Address: address(t, "b@firma.example"), Local: true}}}); got != nil {
		t.Errorf("mail from outside asks for %q", got)
	}
}

// rank is the strength of a level.
func rank(l policy.Level) int {
	return slices.Index([]policy.Level{"", policy.Never, policy.IfPossible, policy.Require}, l)
}

// Whatever groups the sender is in: nothing but what is asked for matters, and no decision is weaker than the least.
func TestGroupsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := policy.New(policy.Config{Rules: drawRules(t), Company: policy.Settings{Sign: genLevel.Draw(t, "sign"), Encrypt: genLevel.Draw(t, "encrypt"), Terms: drawTerms(t)}})
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		asks, least := p.Asks(in), p.Least(in)
		all := []string{"legal", "board", "sales"}
		reached := make([]map[policy.Level]bool, len(in.Recipients))
		for subset := range 1 << len(all) {
			var of, asked []string
			for i, name := range all {
				if subset>>i&1 == 1 {
					of = append(of, name)
					if slices.Contains(asks, name) {
						asked = append(asked, name)
					}
				}
			}
			in.Groups = of
			got := p.Decide(in)
			in.Groups = asked
			if want := p.Decide(in); !reflect.DeepEqual(got, want) {
				t.Fatalf("in %v, asked for %v:\n%+v\n%+v", of, asks, got, want)
			}
			for i, d := range got {
				if d.Direction == mail.Incoming {
					continue
				}
				if rank(d.Levels.Sign) < rank(least[i].Sign) || rank(d.Levels.Encrypt) < rank(least[i].Encrypt) || least[i].Profile == smime.TR03116 && d.Levels.Profile != smime.TR03116 {
					t.Fatalf("in %v: %+v is weaker than %+v", of, d.Levels, least[i])
				}
				if len(asks) == 0 && d.Levels != least[i] {
					t.Fatalf("nothing is asked for: %+v, %+v", d.Levels, least[i])
				}
				if reached[i] == nil {
					reached[i] = map[policy.Level]bool{}
				}
				reached[i][d.Levels.Encrypt] = true
			}
		}
		for i, levels := range reached {
			if len(levels) > 0 && len(asks) == 1 && !levels[least[i].Encrypt] {
				t.Fatalf("the least %v is never reached: %v", least[i], levels)
			}
		}
	})
}
