package protect

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
)

// askBench is a bench whose rule demands encryption and asks everybody but lists.
func askBench(t *testing.T) *bench {
	t.Helper()
	rule := policy.Rule{Name: "partners", Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Ask}}}
	b := newBench(t, func(o *Options) {
		o.Ask = Ask{Within: 48 * time.Hour, May: func(to mail.Address) bool { return to.Local != "list" }}
	}, rule)
	b.finder.ids = maps.Clone(b.finder.ids) // others use the same
	b.o.Certs = b.finder
	return b
}

// describeEntries tells of each entry who gets it, by what way, and whether it waits.
func describeEntries(entries []queue.New) string {
	var out []string
	for _, e := range entries {
		words := []string{"ready"}
		if e.Pending != nil {
			words[0] = "waits"
		}
		for i, r := range e.Envelope.Recipients {
			words = append(words, r.Address.Local+" by "+e.Destinations[i])
		}
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, "; ")
}

// Who has no certificate is asked, and whoever has one gets the message meanwhile.
func TestAdmitAsks(t *testing.T) {
	const bob, carol, dora, emil = "bob@partner.example", "carol@partner.example", "dora@Other.example", "emil@else.example"
	for name, c := range map[string]struct {
		to   []string
		m    letter
		want string // the entries, or "refused"
	}{
		"nobody":             {[]string{bob, carol}, message(), "ready bob by out; ready carol by out"},
		"one":                {[]string{dora}, message(), "waits dora by protect:asked:other.example"},
		"some":               {[]string{bob, dora, carol, emil}, message("To: bob@partner.example, carol@partner.example"), "ready bob by out carol by out; waits dora by protect:asked:other.example emil by protect:asked:else.example"},
		"a list":             {[]string{"list@other.example"}, message(), "refused"},
		"one and a list":     {[]string{dora, "list@other.example"}, message(), "refused"},
		"nowhere":            {[]string{"x@nowhere.example"}, message(), "refused"},
		"an answering robot": {[]string{dora}, message("Auto-Submitted: auto-replied"), "refused"},
		"a mailing":          {[]string{dora}, message("List-Id: <x.firma.example>"), "refused"},
		"bulk":               {[]string{dora}, message("Precedence: bulk"), "refused"},
		"by hand":            {[]string{dora}, message("Auto-Submitted: No (of course)", "Precedence: normal"), "refused"},
		"by hand, plainly":   {[]string{dora}, message("Auto-Submitted: no; x=y"), "waits dora by protect:asked:other.example"},
	} {
		t.Run(name, func(t *testing.T) {
			b := askBench(t)
			env := envelope(t, c.to...)
			env.Received = time.Now()
			adm, err := b.Admit(t.Context(), env, c.m)
			var refused *Refused
			if c.want == "refused" {
				if !errors.As(err, &refused) {
					t.Errorf("%v, %v", adm, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer adm.Release()
			if got := describeEntries(adm.Entries); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if adm.Entries[0].Envelope.ID != env.ID {
				t.Error("the id that the sender is told is gone")
			}
			for _, e := range adm.Entries {
				if e.Pending != nil && (string(read(t, e.Content)) != string(c.m) || !e.Expires.Equal(env.Received.Add(48*time.Hour)) || e.Origin != env.ID) {
					t.Errorf("what waits: %+v", e)
				}
			}
		})
	}
}

// A machine without a return path asks nobody.
func TestNullSenderAsksNobody(t *testing.T) {
	b := askBench(t)
	env := envelope(t, "dora@other.example")
	env.From = mail.Address{}
	var refused *Refused
	if _, err := b.Admit(t.Context(), env, message()); !errors.As(err, &refused) {
		t.Error(err)
	}
}

// The record tells what was decided, by which rule, and that it waits.
func TestAskedIsRecorded(t *testing.T) {
	b := askBench(t)
	b.admit(t, envelope(t, "bob@partner.example", "dora@other.example"), message())
	var rules []string
	for _, e := range b.events.Events() {
		if e.Kind == track.Decided {
			rules = append(rules, e.To[0]+": "+e.Rule+" ("+e.Known+")")
		}
	}
	all := strings.Join(rules, "\n")
	if len(rules) != 2 || strings.Contains(rules[0], "on_missing") || !strings.Contains(rules[1], "on_missing=ask by partners (no certificate of dora@other.example is known)") {
		t.Error(all)
	}
}

// What waits goes on waiting until there is a certificate, is then encrypted to it, and whoever is still missing is waited for.
func TestResumeAsked(t *testing.T) {
	b := askBench(t)
	const dora, emil = "dora@other.example", "emil@other.example"
	env := envelope(t, dora, emil)
	env.Received = time.Now()
	waiting := b.admit(t, env, message()).Entries[0]
	c := claim(waiting, 0, 1)
	c.Destination = waiting.Destinations[0]
	wantAway := func(what string, asked int) {
		t.Helper()
		_, err := b.Resume(t.Context(), memory{entry: waiting}, c)
		var away *Away
		if !errors.As(err, &away) || len(away.Asked) != asked || away.Line != "asked:other.example" || strings.Contains(away.Error(), "@") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	wantAway("nobody answered", 2)
	ids := map[string]string{dora: "bob@partner.example", emil: "carol@partner.example"}
	b.lend(dora, ids[dora])
	adm, err := b.Resume(t.Context(), memory{entry: waiting}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	if got := describeEntries(adm.Entries); got != "ready dora by out; waits emil by protect:asked:other.example" {
		t.Fatal(got)
	}
	ready, rest := adm.Entries[0], adm.Entries[1]
	if ready.Envelope.ID == env.ID || rest.Envelope.ID == env.ID || ready.Envelope.ID == rest.Envelope.ID || rest.Origin != env.ID || !rest.Expires.Equal(waiting.Expires) {
		t.Errorf("%+v\n%+v", ready, rest)
	}
	if opened := b.open(t, ready, ids[dora]); !opened.Layers[0].Decrypted {
		t.Errorf("%+v", opened.Layers)
	}
	waiting, c = rest, claim(rest, 0)
	c.Destination = rest.Destinations[0]
	wantAway("the other one", 1)
	b.lend(emil, ids[emil])
	adm, err = b.Resume(t.Context(), memory{entry: waiting}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	if got := describeEntries(adm.Entries); got != "ready emil by out" {
		t.Error(got)
	}
}

// lend gives an address the certificate of another.
func (b *bench) lend(to, of string) { b.finder.ids[to] = b.finder.ids[of] }

// What waited for a key, and whose recipients turn out to have no certificate, waits for them from then on.
func TestAwayThenAsked(t *testing.T) {
	rule := policy.Rule{Name: "partners", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Ask}}}
	b, a := absentBench(t, []string{"alice@firma.example"}, rule)
	b.o.Ask = Ask{Within: 48 * time.Hour, May: func(mail.Address) bool { return true }}
	env := envelope(t, "dora@other.example")
	env.Received = time.Now()
	waiting := b.admit(t, env, message()).Entries[0]
	if waiting.Destinations[0] != "protect:vault" {
		t.Fatal(waiting.Destinations)
	}
	delete(a.away, "alice@firma.example")
	c := claim(waiting, 0)
	c.Destination = waiting.Destinations[0]
	adm, err := b.Resume(t.Context(), memory{entry: waiting}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	e := adm.Entries[0]
	if got := describeEntries(adm.Entries); got != "waits dora by protect:asked:other.example" || !e.Expires.Equal(env.Received.Add(48*time.Hour)) {
		t.Error(got, e.Expires)
	}
	if m, err := decodeMoment(e.Pending); err != nil || m.AtLeast[0].Encrypt != policy.Require || len(m.MayUse) == 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// A rule that was loosened meanwhile lets nothing out in clear.
func TestAskedStaysRequired(t *testing.T) {
	b := askBench(t)
	env := envelope(t, "dora@other.example")
	waiting := b.admit(t, env, message()).Entries[0]
	loose, err := policy.New(policy.Config{Company: policy.Settings{Encrypt: policy.Never, Terms: policy.Terms{Missing: policy.Ask}}})
	if err != nil {
		t.Fatal(err)
	}
	b.o.Policy = loose
	c := claim(waiting, 0)
	for _, destination := range []string{waiting.Destinations[0], "protect:vault", "out"} {
		c.Destination = destination
		adm, err := b.Resume(t.Context(), memory{entry: waiting}, c)
		if err == nil && adm.Entries[0].Pending == nil {
			t.Errorf("%s: it leaves as %s", destination, smime.Unsigned)
		}
	}
}
