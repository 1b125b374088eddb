package policy_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// What is demanded of the hops: the first rule that says it, raised by the sender and by what was in force before, never lowered.
func TestDecideTLS(t *testing.T) {
	p := mustNew(t, policy.Settings{},
		policy.Rule{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{TLS: mail.TLSVerified}},
		policy.Rule{Name: "news", From: patterns(t, "news@firma.example"), Settings: policy.Settings{Sign: policy.Never}},
		policy.Rule{Name: "all", Settings: policy.Settings{TLS: mail.TLSRequired}},
		policy.Rule{Name: "inside", Direction: mail.Internal, To: patterns(t, "@far.firma.example"), Settings: policy.Settings{TLS: mail.TLSRequired}},
	)
	plain := mustNew(t, policy.Settings{})
	for _, c := range []struct {
		p         *policy.Policy
		to        string
		local     bool
		flag, old mail.TLSLevel
		want, by  string
	}{
		{plain, "bob@partner.example", false, "", "", "", ""},
		{plain, "bob@partner.example", false, mail.TLSRequired, "", "required", "flag"},
		{plain, "bob@partner.example", false, mail.TLSRequired, mail.TLSVerified, "verified", "earlier"},
		{plain, "carl@firma.example", true, mail.TLSVerified, "", "", ""},
		{p, "bob@partner.example", false, "", "", "required", "all"},
		{p, "bob@partner.example", false, mail.TLSVerified, mail.TLSRequired, "verified", "flag"},
		{p, "bob@BANK.example", false, "", "", "verified", "bank"},
		{p, "bob@bank.example", false, mail.TLSRequired, mail.TLSRequired, "verified", "bank"},
		{p, "carl@firma.example", true, mail.TLSVerified, "", "", ""},
		{p, "carl@far.firma.example", true, "", "", "required", "inside"},
	} {
		d := c.p.Decide(policy.Input{Internal: true, From: address(t, "news@firma.example"), Flags: policy.Flags{TLS: c.flag}, Recipients: []policy.Recipient{
			{Address: address(t, c.to), Local: c.local, AtLeast: policy.Levels{TLS: c.old}},
		}})[0]
		if string(d.TLS) != c.want || d.TLSRule != c.by || d.Levels.TLS != d.TLS || d.Refusal != nil {
			t.Errorf("%+v: %q by %q, %+v", c, d.TLS, d.TLSRule, d.Levels)
		}
	}
	if _, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "x", Settings: policy.Settings{TLS: "none"}}}}); err == nil || !strings.Contains(err.Error(), "required or verified") {
		t.Error(err)
	}
}

func TestRefuseTLS(t *testing.T) {
	for level, want := range map[mail.TLSLevel]texts.ID{mail.TLSRequired: texts.TLSImpossible, mail.TLSVerified: texts.TLSProofImpossible} {
		said := policy.RefuseTLS(address(t, "bob@partner.example"), level, policy.ByFlag)
		if said.ID != want || said.Values.Recipient != "bob@partner.example" || said.Values.Because != texts.BecauseFlag {
			t.Errorf("%s: %+v", level, said)
		}
	}
}
