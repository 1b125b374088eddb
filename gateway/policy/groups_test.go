package policy_test

import (
	"fmt"
	"testing"

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
