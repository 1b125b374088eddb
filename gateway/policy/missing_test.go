package policy_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// A recipient is asked only where the rules say so, and where nothing else keeps the message from being sent.
func TestMissing(t *testing.T) {
	ask, refuse := policy.Terms{Missing: policy.Ask}, policy.Terms{Missing: policy.Refuse}
	bank := policy.Rule{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require}}
	asking := policy.Rule{Name: "asking", To: patterns(t, "@bank.example"), Settings: policy.Settings{Terms: ask}}
	never := policy.Rule{Name: "chief", To: patterns(t, "chief@bank.example"), Settings: policy.Settings{Terms: refuse}}
	inside := policy.Rule{Name: "inside", Direction: mail.Internal, Settings: policy.Settings{Encrypt: policy.Require, Terms: ask}}
	to := func(s string) policy.Recipient { return policy.Recipient{Address: address(t, s)} }
	with := func(r policy.Recipient, f func(*policy.Recipient)) policy.Recipient { f(&r); return r }
	for name, c := range map[string]struct {
		rules    []policy.Rule
		defaults policy.Terms
		to       policy.Recipient
		sign     policy.Level
		want     string // the rule by which the recipient is asked; "refused", or "encrypted"
	}{
		"nothing said":          {[]policy.Rule{bank}, policy.Terms{}, to("bob@bank.example"), "", "refused"},
		"by the default":        {[]policy.Rule{bank}, ask, to("bob@bank.example"), "", policy.ByDefault},
		"by a rule":             {[]policy.Rule{bank, asking}, refuse, to("bob@BANK.example"), "", "asking"},
		"the first rule counts": {[]policy.Rule{bank, never, asking}, ask, to("chief@bank.example"), "", "refused"},
		"not to be asked": {[]policy.Rule{bank, asking}, ask,
			with(to("list@bank.example"), func(r *policy.Recipient) { r.NoAsk = true }), "", "refused"},
		"at hand": {[]policy.Rule{bank, asking}, ask,
			with(to("bob@bank.example"), func(r *policy.Recipient) { r.CanEncrypt = true }), "", "encrypted"},
		"at hand and unfit": {[]policy.Rule{bank, asking}, ask,
			with(to("bob@bank.example"), func(r *policy.Recipient) { r.CanEncrypt, r.Unfit = true, texts.Reason{ID: texts.ReasonUnfit} }), "", "refused"},
		"cannot be signed": {[]policy.Rule{bank, asking}, ask, to("bob@bank.example"), policy.Require, "refused"},
		"demanded earlier": {[]policy.Rule{asking}, ask,
			with(to("bob@bank.example"), func(r *policy.Recipient) { r.AtLeast.Encrypt = policy.Require }), "", "asking"},
		"inside": {[]policy.Rule{inside}, ask, with(to("carol@firma.example"), func(r *policy.Recipient) { r.Local = true }), "", "refused"},
	} {
		p := mustNew(t, policy.Settings{Sign: c.sign, Terms: c.defaults}, c.rules...)
		d := p.Decide(policy.Input{Internal: true, From: address(t, "a@firma.example"), Recipients: []policy.Recipient{c.to}})[0]
		got := d.AskRule
		switch {
		case d.Refusal != nil:
			got = "refused"
		case !d.Ask:
			got = "encrypted"
		}
		if got != c.want || !d.Encrypt || d.Ask && d.Refusal != nil {
			t.Errorf("%s: %q (%+v), want %q", name, got, d, c.want)
		}
	}
}

// What is only wanted where it is possible waits for nobody.
func TestMissingIfPossible(t *testing.T) {
	p := mustNew(t, policy.Settings{Terms: policy.Terms{Missing: policy.Ask}})
	d := p.Decide(policy.Input{Internal: true, Recipients: []policy.Recipient{{Address: address(t, "bob@x.example")}}})[0]
	if d.Ask || d.Encrypt || d.Refusal != nil {
		t.Errorf("%+v", d)
	}
	d = p.Decide(policy.Input{Internal: true, Flags: policy.Flags{Encrypt: true}, Recipients: []policy.Recipient{{Address: address(t, "bob@x.example")}}})[0]
	if !d.Ask || d.EncRule != policy.ByFlag {
		t.Errorf("asked for by the sender: %+v", d)
	}
	if _, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "odd", Settings: policy.Settings{Terms: policy.Terms{Missing: "wait"}}}}}); err == nil || !strings.Contains(err.Error(), "refuse, ask, tls or plain") {
		t.Errorf("%v", err)
	}
}
