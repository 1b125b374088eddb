package protect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// What is said of a message is what becomes of it, for messages, senders and rules in many combinations; and asking changes nothing of that.
func TestExplainAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	one := func(all ...string) string { return all[r.IntN(len(all))] }
	level := func() policy.Level {
		return policy.Level(one("", string(policy.Never), string(policy.IfPossible), string(policy.Require)))
	}
	for i := range 60 {
		rules := []policy.Rule{
			{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: level(), Encrypt: level(), TLS: "required"}},
			{Name: "all", DryRun: r.IntN(3) == 0, Settings: policy.Settings{Sign: level(), Encrypt: policy.IfPossible}},
		}
		b := newBench(t, nil, rules...)
		var to []string
		for _, who := range []string{"bob@partner.example", "carol@partner.example", "dora@other.example", "eve@firma.example", "x@nowhere.example", "amt@stadt.de-mail.de"} {
			if n := r.IntN(8); n < 3 || n == 3 && len(to) == 0 {
				to = append(to, who)
			}
		}
		if len(to) == 0 {
			to = []string{"bob@partner.example"}
		}
		q := explain.Question{From: one("alice@firma.example", "eve@firma.example"), To: to, Subject: one("Plans", "[encrypt] Plans", "[sign] Plans"), Header: []string{one("X-Siegel-Sign: yes", "X-Other: 1", "Content-Type: text/plain")}}
		agrees(t, fmt.Sprintf("%d: %+v by %+v", i, q, rules), b, q)
	}
}

// agrees holds an answer against what Admit does then.
func agrees(t *testing.T, what string, b *bench, q explain.Question) {
	t.Helper()
	m, err := q.Read()
	if err != nil {
		t.Fatal(err)
	}
	said := b.explain(t, q)
	if events := b.events.Events(); len(events) > 0 {
		t.Errorf("%s: it was recorded: %v", what, events)
	}
	env := envelope(t, q.To...)
	env.From = m.From
	adm, err := b.Admit(t.Context(), env, m.Content())
	var refused *Refused
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("%s: %v", what, err)
	}
	if (err != nil) != said.IsRefused() || err != nil && said.Refused != err.Error() {
		t.Errorf("%s: it is said %q, and it is %v", what, said.Refused, err)
		return
	}
	if err != nil {
		for i, to := range refused.Recipients {
			if at := indexOf(q.To, to.String()); at < 0 || said.Recipients[at].Refused != refused.Reasons[i] && len(refused.Reasons) > i {
				t.Errorf("%s: %s is refused: %s", what, to, refused.Reasons[i])
			}
		}
		return
	}
	defer adm.Release()
	done := 0
	for _, e := range adm.Entries {
		for _, to := range e.Envelope.Recipients {
			at := indexOf(q.To, to.Address.String())
			got := said.Recipients[at]
			if signed, encrypted := strings.HasPrefix(e.Note, "signed"), strings.Contains(e.Note, "encrypted"); signed != (got.Sign == explain.Yes) || encrypted != (got.Encrypt == explain.Yes) || string(e.Envelope.TLS) != got.TLS {
				t.Errorf("%s: it is said %+v, and it is %s, TLS %q", what, got, e.Note, e.Envelope.TLS)
			}
			done++
		}
	}
	if done != len(said.Recipients) {
		t.Errorf("%s: %d recipients, %d answers", what, done, len(said.Recipients))
	}
}

func indexOf(all []string, one string) int {
	for i, s := range all {
		if s == one {
			return i
		}
	}
	return -1
}
