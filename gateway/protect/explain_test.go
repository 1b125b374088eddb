package protect

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// ask is the answer to a question at a bench, from inside.
func (b *bench) explain(t *testing.T, q explain.Question) explain.Answer {
	t.Helper()
	m, err := q.Read()
	if err != nil {
		t.Fatal(err)
	}
	env := envelope(t)
	env.From = m.From
	for _, to := range m.To {
		env.Recipients = append(env.Recipients, mail.Recipient{Address: to})
	}
	a, err := b.Explain(t.Context(), env, m.Content(), false)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestExplain(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Encrypt: policy.Require}}, policy.Rule{Name: "other", To: patterns(t, "@other.example"), Settings: policy.Settings{Encrypt: policy.Require}})
	a := b.explain(t, explain.Question{From: "alice@firma.example", To: []string{"bob@partner.example", "eve@firma.example"}, Bcc: []string{"dora@other.example"}, Header: []string{"X-Siegel-Sign: yes"}})
	if len(a.Recipients) != 3 || a.Refused == "" || !slices.Equal(a.Words, []string{"X-Siegel-Sign"}) {
		t.Fatalf("%+v", a)
	}
	bob, eve, dora := a.Recipients[0], a.Recipients[1], a.Recipients[2]
	if bob.Way != explain.SMTP || bob.Sign != explain.Yes || bob.Encrypt != explain.Yes || bob.Refused != "" || bob.Certificate == "" {
		t.Errorf("bob: %+v", bob)
	}
	if eve.Way != explain.Internal || eve.Sign != explain.No || eve.Encrypt != explain.No {
		t.Errorf("eve: %+v", eve)
	}
	if dora.Encrypt != explain.Yes || dora.Refused == "" {
		t.Errorf("dora: %+v", dora)
	}
	if at := slices.IndexFunc(bob.Keys, func(s policy.Source) bool { return s.Key == policy.KeySign }); at < 0 || bob.Keys[at].By != policy.ByFlag {
		t.Errorf("bob's keys: %+v", bob.Keys)
	}
	if got := b.events.Events(); len(got) > 0 {
		t.Errorf("it was recorded: %+v", got)
	}
}

// A sender without a certificate who gets one when it is needed does not wait for it, and asking makes none.
func TestExplainEnroll(t *testing.T) {
	made := &issuer{}
	b := newBench(t, func(o *Options) { o.Enroller = made }, policy.Rule{Name: "sign", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}})
	made.id = b.finder.ids["alice@firma.example"]
	m, err := explain.Question{From: "new@firma.example", To: []string{"dora@other.example"}}.Read()
	if err != nil {
		t.Fatal(err)
	}
	env := envelope(t, "dora@other.example")
	env.From, env.MayUse = m.From, patterns(t, "new@firma.example")
	a, err := b.Explain(t.Context(), env, m.Content(), false)
	if err != nil || a.IsRefused() || len(a.Recipients) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if r := a.Recipients[0]; r.Sign != explain.Yes || r.Holds != "" || len(a.Assumed) != 1 || len(made.asked) > 0 {
		t.Errorf("%+v; assumed %q; issued for %q", r, a.Assumed, made.asked)
	}
}

// What is away makes the message wait; another fault is our own trouble.
func TestExplainAway(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Certs = finder{fault: &certs.UnavailableError{Source: "card"}} }, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require}})
	a := b.explain(t, explain.Question{From: "alice@firma.example", To: []string{"bob@partner.example"}})
	if a.Refused != "" || a.Recipients[0].Holds == "" || a.Recipients[0].Sign != explain.Yes {
		t.Errorf("%+v", a)
	}
	b = newBench(t, func(o *Options) { o.Certs = finder{fault: errors.New("out of order")} })
	if _, err := b.Explain(t.Context(), envelope(t, "bob@partner.example"), message(), false); err == nil {
		t.Error("a fault is no answer")
	}
}

func TestExplainIncoming(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "files", Direction: mail.Incoming, Subject: policy.Field{Contains: "invoice"}, Settings: policy.Settings{Quarantine: "it looks like an invoice", Where: "siegel.yaml:9"}})
	env := envelope(t, "alice@firma.example", "bob@partner.example")
	env.Internal = false
	for subject, held := range map[string]bool{"Invoice 7": true, "Plans": false} {
		a, err := b.Explain(t.Context(), env, message("Subject: "+subject), false)
		if err != nil || len(a.Recipients) != 2 || a.IsRefused() || a.Recipients[0].Way != explain.Internal || a.Recipients[1].Way != explain.SMTP {
			t.Fatalf("%+v, %v", a, err)
		}
		if r := a.Recipients[0]; (r.Holds != "") != held || len(r.Keys) == 0 {
			t.Errorf("%s: %+v", subject, r)
		}
	}
}

// Where the groups of recipients cannot be looked up, mail from outside is put off at the door, and that is the answer.
func TestExplainPutOff(t *testing.T) {
	d := &directory{err: groupsAway}
	b := groupBench(t, d, policy.Rule{Name: "legal", Direction: mail.Incoming, ToGroups: []string{"Legal"}, Settings: policy.Settings{OnUnsigned: policy.Quarantine}})
	env := envelope(t, "alice@firma.example", "bob@partner.example")
	env.Internal = false
	a, err := b.Explain(t.Context(), env, message(), false)
	if err != nil || a.IsRefused() || len(a.Recipients) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	for i, way := range []string{explain.Internal, explain.SMTP} {
		if r := a.Recipients[i]; !strings.HasPrefix(r.Holds, "put off with 451") || strings.Contains(r.Holds, "does not answer") || r.Way != way || r.Direction != "incoming" {
			t.Errorf("%+v", r)
		}
	}
	if _, err := b.Admit(t.Context(), env, message()); !errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("at the door: %v", err)
	}
	d.err = errors.New("out of order")
	if _, err := b.Explain(t.Context(), env, message(), false); err == nil {
		t.Error("a fault is no answer")
	}
}

// The answer has what each finding in mail from outside leads to, whoever said it.
func TestExplainFindings(t *testing.T) {
	b := levelled(t, map[string]policy.Settings{"strict@firma.example": {OnInvalid: policy.Quarantine, OnUnsigned: policy.RefuseIt, Decrypt: smime.No, Notify: []string{"recipient"}}})
	env := envelope(t, "strict@firma.example", "alice@firma.example")
	env.Internal = false
	a, err := b.Explain(t.Context(), env, message(), false)
	if err != nil || len(a.Assumed) != 2 || !strings.Contains(a.Assumed[1], "set aside") {
		t.Fatalf("%q, %v", a.Assumed, err)
	}
	for i, want := range []map[policy.Key]string{
		{policy.KeyOnInvalid: "quarantine", policy.KeyOnUnsigned: "refuse", policy.KeyOnUnopened: "mark", policy.KeyDecrypt: "false", policy.KeyNotify: "recipient", policy.KeyMarkSubject: "true"},
		{policy.KeyOnInvalid: "mark", policy.KeyOnUnsigned: "accept", policy.KeyOnUnopened: "mark", policy.KeyDecrypt: "true", policy.KeyMarkSubject: "true"},
	} {
		got := map[policy.Key]string{}
		for _, s := range a.Recipients[i].Keys {
			got[s.Key] = s.Value
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", a.Recipients[i].To, got, want)
		}
	}
}

// Asked with the message itself the answer is what the door says, sentence for sentence; asked without, nothing is refused for what is in it, and that is said.
func TestExplainAtTheDoor(t *testing.T) {
	b := levelled(t, map[string]policy.Settings{
		"strict@firma.example": {OnUnsigned: policy.RefuseIt, OnInvalid: policy.RefuseIt}, "small@firma.example": {MaxSize: 20},
	})
	signed := b.from(t, "bob@partner.example", false)
	for name, c := range map[string]struct{ message, refused string }{
		"unsigned":           {unsignedLetter("strict@firma.example"), "strict@firma.example"},
		"signed":             {signed, ""},
		"a broken signature": {strings.Replace(signed, "we accept", "we refuse", 1), "strict@firma.example"},
		"encrypted":          {b.from(t, "bob@partner.example", true), ""},
	} {
		for _, others := range []string{"alice@firma.example", "small@firma.example"} {
			env := envelope(t, "strict@firma.example", others)
			env.Internal = false
			_, err := b.Admit(t.Context(), env, letter(c.message))
			var refused *Refused
			if err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			a, failed := b.Explain(t.Context(), env, letter(c.message), true)
			if failed != nil || (err == nil) != (a.Refused == "") || err != nil && a.Refused != err.Error() || len(a.Assumed) > 0 {
				t.Errorf("%s, to %s too: %+v, %v; at the door: %v", name, others, a, failed, err)
				continue
			}
			for _, r := range a.Recipients {
				if want := refused != nil && slices.ContainsFunc(refused.Recipients, func(a mail.Address) bool { return a.String() == r.To }); want != (r.Refused != "") || want != (r.Said.EN != "") || len(r.Keys) == 0 {
					t.Errorf("%s: %+v; at the door: %v", name, r, err)
				}
			}
			a, failed = b.Explain(t.Context(), env, letter(c.message), false)
			if small := others == "small@firma.example"; failed != nil || a.IsRefused() != small || (len(a.Assumed) == 1) == small {
				t.Errorf("%s, to %s too, without the message: %+v, %v", name, others, a, failed)
			}
		}
	}
	if got := b.events.Events(); len(got) > 0 {
		t.Errorf("it was recorded: %+v", got)
	}
}
