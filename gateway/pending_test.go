package gateway_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
)

// newReaderSetting is a setting whose certificates and keys are in a reader, with everything for the partner to
// be signed and encrypted.
func newReaderSetting(t *testing.T, rules ...policy.Rule) (*setting, *reader) {
	t.Helper()
	if rules == nil {
		rules = []policy.Rule{{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}}}
	}
	s := newSetting(t, rules...)
	r := &reader{Finder: s.folder, used: make(chan struct{}, 1)}
	s.options.Settings.Certs = r
	s.options.Settings.ProtectRetry = delivery.Retry{Steps: []time.Duration{20 * time.Millisecond}}
	return s, r
}

// sendHeld sends Bob a message that must be held for its protection.
func (s *setting) sendHeld(t *testing.T, g *gateway.Gateway, fields ...string) {
	t.Helper()
	m := letter("alice@firma.example", "bob@partner.example", fields...)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", m); r.Code != 250 {
		t.Fatalf("the reply is %s", r)
	}
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held })
	if !strings.HasPrefix(e.Destination, "protect:") || !strings.Contains(e.Reply, "held for protection: ") || e.Subject != "" {
		t.Errorf("the event is %+v", e)
	}
}

func (s *setting) awaitEvent(t *testing.T, match func(track.Event) bool) track.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, err := s.events.Wait(ctx, match)
	if err != nil {
		t.Fatalf("%v; the events are %+v", err, s.events.Events())
	}
	return e
}

// deferred waits for so many attempts that came to nothing.
func (s *setting) deferred(t *testing.T, attempt int) track.Event {
	t.Helper()
	return s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred && e.Attempt >= attempt })
}

// wantProtected waits for Bob's message and opens it, also with a program that is not ours.
func (s *setting) wantProtected(t *testing.T) {
	t.Helper()
	wire := s.hop.wait(t)
	if strings.Contains(wire, "planted body") {
		t.Fatal("the body left readable")
	}
	o := openAs(t, s.identity["bob@partner.example"], wire)
	if o.Verdict != smime.Valid || len(o.Layers) != 2 || !o.Layers[0].Decrypted {
		t.Errorf("bob finds %s, %+v", o.Verdict, o.Layers)
	}
	if got := opensslDecrypt(t, s, wire); !strings.Contains(got, "planted body") {
		t.Errorf("openssl reads %q", got)
	}
}

func opensslDecrypt(t *testing.T, s *setting, wire string) string {
	t.Helper()
	bob, dir := s.identity["bob@partner.example"], t.TempDir()
	key, err := democa.KeyPEM(bob.Key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bob.pem")
	if err := os.WriteFile(file, append(democa.CertificatePEM(bob.Certificate), key...), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("openssl", "cms", "-decrypt", "-recip", file)
	c.Stdin = strings.NewReader(wire)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	return string(out)
}

// Mail whose key is away is taken, rests encrypted, does not leave, and leaves protected when the key is back.
func TestHeldForProtection(t *testing.T) {
	for name, switchOf := range map[string]func(*reader, bool){
		"the source is away": func(r *reader, away bool) { r.away.Store(away) },
		"the key is away":    func(r *reader, away bool) { r.keyAway.Store(away) },
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newReaderSetting(t)
			switchOf(r, true)
			g, _ := s.start(t)
			s.sendHeld(t, g)
			e := s.deferred(t, 2)
			if !strings.Contains(e.Reply, "card is not available") || e.Destination != "protect:card" {
				t.Errorf("the operator sees %+v", e)
			}
			noPlaintext(t, s.options.State, s.options.Key)
			if len(s.hop.got) != 0 {
				t.Fatal("something left")
			}
			for _, e := range s.events.Events() {
				if e.Kind == track.Decided {
					t.Errorf("decided: %+v", e)
				}
			}
			switchOf(r, false)
			s.wantProtected(t)
			accepted := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Accepted })
			queued := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Queued })
			if queued.Origin != accepted.ID || queued.ID == accepted.ID || queued.Destination != "hop" {
				t.Errorf("accepted as %s, went on as %+v", accepted.ID, queued)
			}
		})
	}
}

// After the deadline the sender is told why, in two languages, and of the header only what identifies the
// message.
func TestHeldIsReturned(t *testing.T) {
	s, r := newReaderSetting(t)
	r.away.Store(true)
	s.options.Settings.ProtectWithin = 50 * time.Millisecond
	g, stop := s.start(t)
	s.sendHeld(t, g, "Message-ID: <1@firma.example>\r\n", "X-Kind: planted field\r\n")
	report := strings.ReplaceAll(s.hop.wait(t), "=\r\n", "") // soft line ends
	for _, want := range []string{
		"To: <alice@firma.example>", "Final-Recipient: rfc822; bob@partner.example", "Action: failed", "Status: 5.7.5",
		"the signing key of alice@firma.example is not available", "der Signaturschl=C3=BCssel von alice@firma.example ist nicht verf=C3=BCgbar",
		"Message-ID: <1@firma.example>", "From: alice@firma.example",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	for _, planted := range []string{"planted", "10.9.8.7", "no card in reader", "held for protection"} {
		if strings.Contains(report, planted) {
			t.Errorf("the report holds %q:\n%s", planted, report)
		}
	}
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Failed })
	stop()
	if strings.Contains(s.log.String(), "planted") {
		t.Errorf("the log holds content:\n%s", s.log)
	}
}

// A key that takes too long does not keep the sender waiting; what was begun is given up.
func TestSlowKey(t *testing.T) {
	s, r := newReaderSetting(t)
	r.slow.Store(true)
	s.options.Settings.Patience = onlyKeys
	g, _ := s.start(t)
	s.sendHeld(t, g)
	if r.cancelled.Load() == 0 {
		t.Error("the sender was answered while the key was still being used")
	}
	s.deferred(t, 1)
	r.slow.Store(false)
	s.wantProtected(t)
}

// Mail that needs nothing of what is away is not delayed, and what must be refused is refused at once.
func TestOnlyWhatNeedsIt(t *testing.T) {
	s, r := newReaderSetting(t,
		policy.Rule{Name: "plain", To: patterns(t, "bob@partner.example"), Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}},
		policy.Rule{Name: "nowhere", To: patterns(t, "@else.example"), Settings: policy.Settings{Sign: policy.Require}})
	r.away.Store(true)
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); r.Code != 250 {
		t.Fatal(r)
	}
	if wire := s.hop.wait(t); !strings.Contains(wire, "planted body") {
		t.Errorf("not as it was:\n%s", wire)
	}
	if r := send(t, g, "in", "alice@firma.example", "eve@else.example", letter("alice@firma.example", "eve@else.example")); r.Code != 550 {
		t.Errorf("no route, and the key away: %s", r)
	}
}

// A stop and a start, a reload and an operator's commands leave the message what it is: not to be sent as it
// is. The policy that was in force when it was accepted counts where the new one wants less.
func TestHeldThroughStopAndReload(t *testing.T) {
	s, r := newReaderSetting(t)
	r.away.Store(true)
	g, stop := s.start(t)
	s.sendHeld(t, g)
	s.deferred(t, 1)
	stop()
	noPlaintext(t, s.options.State, s.options.Key)

	lax, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "all", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Routes[0].Name = "renamed"
	next := s.options.Settings
	next.Policy = lax
	s.options.Load = func() (gateway.Settings, error) { return next, nil }
	g, stop = s.start(t)
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.away.Store(false)
	s.wantProtected(t)
	stop()
	decided := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Decided })
	if !strings.Contains(decided.Rule, "by earlier") {
		t.Errorf("decided by %q", decided.Rule)
	}
}

// What the policy forbids later goes back to the sender with the sentence of the refusal.
func TestHeldIsRefusedLater(t *testing.T) {
	s, r := newReaderSetting(t)
	r.away.Store(true)
	strict, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "dora", To: patterns(t, "dora@partner.example"), Settings: policy.Settings{Encrypt: policy.Require}}}})
	if err != nil {
		t.Fatal(err)
	}
	next := s.options.Settings
	next.Policy = strict
	s.options.Settings.Policy, err = policy.New(policy.Config{Rules: []policy.Rule{{Name: "dora", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.IfPossible}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Load = func() (gateway.Settings, error) { return next, nil }
	g, _ := s.start(t)
	m := letter("alice@firma.example", "dora@partner.example")
	if r := send(t, g, "in", "alice@firma.example", "dora@partner.example", m); r.Code != 250 {
		t.Fatal(r)
	}
	s.deferred(t, 1)
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.away.Store(false)
	report := strings.ReplaceAll(s.hop.wait(t), "=\r\n", "") // soft line ends
	for _, want := range []string{"Status: 5.7.1", "no certificate of this recipient is known", "Action: failed"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "planted") {
		t.Errorf("the report holds content:\n%s", report)
	}
}
