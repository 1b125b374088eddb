package policy_test

import (
	"fmt"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// large is a policy of 200 rules, 50 levels for domains and groups, and 10,000 addresses.
func large(t testing.TB) policy.Config {
	c := policy.Config{Company: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible, MaxSize: 50e6}}
	for i := range 200 {
		r := policy.Rule{Name: fmt.Sprintf("rule of %d", i), To: patterns(t, fmt.Sprintf("@r%d.example", i), fmt.Sprintf("@*.r%d.example", i)), Settings: policy.Settings{Encrypt: policy.Require}}
		switch i % 8 {
		case 1:
			r.From = patterns(t, fmt.Sprintf("u%d@firma.example", i))
		case 2:
			r.Subject = policy.Field{Contains: "contract"}
		case 3:
			r.Headers = []policy.Field{{Name: "X-Project", Matches: "^A-[0-9]+$"}}
		case 4:
			r.Groups = []string{fmt.Sprintf("group %d", i)}
		case 5:
			r.To, r.SizeOver, r.Settings = nil, 10e6, policy.Settings{TLS: mail.TLSRequired}
		}
		c.Rules = append(c.Rules, r)
	}
	for i := range 40 {
		c.Recipients = append(c.Recipients, policy.Entry{For: patterns(t, fmt.Sprintf("@p%d.example", i), fmt.Sprintf("@*.p%d.example", i)), Settings: policy.Settings{Sign: policy.Require, Enforce: []policy.Key{policy.KeySign}}})
	}
	for i := range 10 {
		c.Senders = append(c.Senders, policy.Entry{Groups: []string{fmt.Sprintf("level %d", i)}, Settings: policy.Settings{Archive: []string{"journal"}}})
	}
	for i := range 5000 {
		c.Senders = append(c.Senders, policy.Entry{For: patterns(t, fmt.Sprintf("s%d@firma.example", i)), Settings: policy.Settings{Encrypt: policy.Require}})
		c.Recipients = append(c.Recipients, policy.Entry{For: patterns(t, fmt.Sprintf("a%d@p%d.example", i, i%40)), Settings: policy.Settings{Encrypt: policy.IfPossible}})
	}
	return c
}

// BenchmarkDecideLarge is one decision for one recipient by a large policy, groups known.
func BenchmarkDecideLarge(b *testing.B) {
	p, err := policy.New(large(b))
	if err != nil {
		b.Fatal(err)
	}
	for name, explain := range map[string]bool{"decide": false, "explain": true} {
		in := policy.Input{
			Internal: true, From: address(b, "s4711@firma.example"), MayUse: true, CanSign: true, Groups: []string{"level 7"}, Explain: explain,
			Size: 30_000, Subject: "Our contract", Header: fieldsOf{"x-project": {"A-17"}}, Listener: "exchange",
			Recipients: []policy.Recipient{{Address: address(b, "a4000@p0.example"), CanEncrypt: true}},
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(in)
			}
		})
	}
}

// Ten thousand addresses are found by look-up: what is said of the others is not looked at.
func TestDecideLarge(t *testing.T) {
	p, err := policy.New(large(t))
	if err != nil {
		t.Fatal(err)
	}
	in := policy.Input{
		Internal: true, From: address(t, "S4711@firma.example"), CanSign: true, Groups: []string{"LEVEL 7"},
		Recipients: []policy.Recipient{{Address: address(t, "A4000@p0.example"), CanEncrypt: true}, {Address: address(t, "x@sub.p3.example"), CanEncrypt: true}},
	}
	got := p.Decide(in)
	if d := got[0]; d.EncRule != "recipient address a4000@p0.example" || d.SignRule != "recipient domain p0.example" || len(d.Settings.Archive) != 1 {
		t.Errorf("%+v", d)
	}
	if d := got[1]; d.EncRule != "sender address s4711@firma.example" || d.SignRule != "recipient domain *.p3.example" {
		t.Errorf("%+v", d)
	}
	if asks := p.Asks(in); len(asks) != 10 {
		t.Errorf("%d groups are asked for: %v", len(asks), asks)
	}
	in.From = mail.Address{}
	if d := p.Decide(in)[1]; d.Levels.Encrypt != policy.Require {
		t.Errorf("mail without an author: %+v", d)
	}
}
