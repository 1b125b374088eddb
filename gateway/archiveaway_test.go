package gateway_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/archive"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	gwmail "github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// An archive that is away, or refuses, holds up no mail; it gets its copies when it is back, under the same id each time.
func TestArchiveIsAway(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	h.refuse.Store(true)
	g, _ := s.start(t)
	for range 3 {
		if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", letter("alice@firma.example", "carl@firma.example")); r.Code != 250 {
			t.Fatal(r)
		}
		s.hop.wait(t)
	}
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred && e.Attempt >= 3 })
	if e.Destination != "archive:gobd" || !strings.Contains(e.Reply, "archive is full") {
		t.Errorf("the operator sees %+v", e)
	}
	h.refuse.Store(false)
	seen := map[string]bool{}
	for range 3 {
		j := readJournal(t, h.wait(t))
		seen[j.header.Get("Message-ID")] = true
	}
	if len(seen) != 3 {
		t.Errorf("ids %v", seen)
	}
	for _, e := range s.events.Events() {
		if e.Kind == track.Reported || e.Kind == track.Failed {
			t.Errorf("somebody was told: %+v", e)
		}
	}
}

// Where too many copies wait, mail is put off, or goes on without one, as the administrator chose.
func TestArchiveIsFull(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		s := newSetting(t)
		h := s.journaled(t)
		h.refuse.Store(true)
		a := &s.options.Settings.Archives[0]
		a.Limit, a.Continue = 3000, goOn
		g, _ := s.start(t)
		long := letter("alice@firma.example", "carl@firma.example", "X-Long: "+strings.Repeat("x", 900)+"\r\nX-Long: "+strings.Repeat("x", 900)+"\r\n")
		if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", long); r.Code != 250 {
			t.Fatal(r)
		}
		s.hop.wait(t)
		err := trySend(t, g, "alice@firma.example", "carl@firma.example", long)
		if goOn {
			s.hop.wait(t)
			if e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Dropped }); err != nil || !strings.Contains(e.Reply, "not archived") {
				t.Errorf("%v, %+v", err, e)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "451") || strings.Contains(err.Error(), "archive") || len(s.hop.got) > 0 {
			t.Errorf("the reply is %v", err)
		}
		h.refuse.Store(false)
		h.wait(t)
	}
}

// trySend is send where a refusal is an answer.
func trySend(t *testing.T, g *gateway.Gateway, from, to, message string) error {
	t.Helper()
	c, err := smtpclient.Dial(t.Context(), g.Addr("in").String(), smtpclient.Options{Hello: "client.example", TLS: smtpclient.TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Send(t.Context(), smtpclient.Message{From: from, Recipients: []smtpclient.Recipient{{Address: to}}, Body: strings.NewReader(message), Size: int64(len(message))})
	if err == nil && !r.Recipients[0].Positive() {
		err = errors.New(r.Recipients[0].String())
	}
	return err
}

// A copy that comes round, and what tells that one could not be delivered, are not archived.
func TestArchiveMakesNoLoops(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	g, stop := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", letter("alice@firma.example", "carl@firma.example")); r.Code != 250 {
		t.Fatal(r)
	}
	s.hop.wait(t)
	raw := h.wait(t)
	for name, try := range map[string]struct{ listener, from, to, message string }{
		"comes round":           {"in", "alice@firma.example", "carl@firma.example", raw},
		"comes from outside":    {"ex", "x@partner.example", "carl@firma.example", raw},
		"could not be received": {"ex", "", "bounces@firma.example", letter("mailer-daemon@archive.example", "bounces@firma.example")},
	} {
		if r := send(t, g, try.listener, try.from, try.to, try.message); r.Code != 250 {
			t.Fatalf("%s: %s", name, r)
		}
		s.hop.wait(t)
	}
	forged := strings.Replace(raw, "Message-ID: <", "Message-ID: <x", 1)
	borrowed := strings.Replace(raw, "From: Siegel <bounces@firma.example>", "From: Alice <alice@firma.example>", 1)
	for _, m := range []string{forged, borrowed} { // what only looks like a copy is archived, and what has the id of one
		if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", m); r.Code != 250 {
			t.Fatal(r)
		}
		s.hop.wait(t)
		h.wait(t)
	}
	if r := send(t, g, "ex", "x@partner.example", "bounces@firma.example", letter("x@partner.example", "bounces@firma.example")); r.Code != 250 {
		t.Fatal(r)
	}
	s.hop.wait(t)
	h.wait(t) // and what only goes to the same address
	stop()
	if n := s.count(track.Archived); n != 4 || len(h.got) > 0 {
		t.Errorf("%d copies", n)
	}
}

// A copy whose key is away waits for it, and goes as it came where it does not come back in time.
func TestArchiveKeyIsAway(t *testing.T) {
	for _, hours := range []int64{0, 2} {
		s, r := newReaderSetting(t)
		h := s.journaled(t)
		r.keyAway.Store(true)
		s.options.Settings.ProtectWithin = time.Hour
		s.options.Settings.Retry = soon()
		var ahead atomic.Int64
		s.options.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Hour) }
		g, _ := s.start(t)
		m := s.encryptedToAlice(t)
		if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", m); r.Code != 250 {
			t.Fatal(r)
		}
		s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred && e.Destination == "archive:gobd" })
		if ahead.Store(hours); hours == 0 {
			r.keyAway.Store(false)
		}
		j := readJournal(t, h.wait(t))
		_, opened := j.parts[archive.DecryptedName]
		if opened != (hours == 0) || strings.Contains(j.record.NotOpened, "did not come back") != (hours > 0) || !strings.HasSuffix(j.parts[archive.OriginalName], m) {
			t.Errorf("after %d hours: opened %v, %+v", hours, opened, j.record)
		}
	}
}

// The copies of an archive that is no longer in the settings wait for it to come back.
func TestArchiveIsRemoved(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	h.refuse.Store(true)
	with, without := s.options.Settings, s.options.Settings
	without.Archives = nil
	next := without
	s.options.Load = func() (gateway.Settings, error) { return next, nil }
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", letter("alice@firma.example", "carl@firma.example")); r.Code != 250 {
		t.Fatal(r)
	}
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred })
	without.Policy = newSetting(t).options.Settings.Policy
	next = without
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.awaitEvent(t, func(e track.Event) bool { // before that an attempt by the settings that were may be under way
		return e.Kind == track.Deferred && strings.Contains(e.Reply, "no archive of this name")
	})
	h.refuse.Store(false)
	before := s.count(track.Deferred)
	g.TryAgain(t.Context(), "archive:gobd")
	s.waitUntil(t, track.Deferred, before+1)
	if len(h.got) > 0 {
		t.Error("it was sent all the same")
	}
	next = with
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wait(t)
}

// No gateway begins that would send copies where others could read them.
func TestArchiveWayIsSafe(t *testing.T) {
	for name, change := range map[string]func(*gateway.Settings){
		"a route in the open":    func(s *gateway.Settings) { s.Archives[0].To = one(t, "journal@partner.example") },
		"no route":               func(s *gateway.Settings) { s.Archives[0].To = one(t, "journal@elsewhere.example") },
		"De-Mail":                func(s *gateway.Settings) { s.Archives[0].To = one(t, "journal@firma.de-mail.de") },
		"nowhere":                func(s *gateway.Settings) { s.Archives[0].To = gwmail.Address{} },
		"a round trip":           func(s *gateway.Settings) { s.Routes[1].RoundTrip = true },
		"both":                   func(s *gateway.Settings) { s.Archives[0].Folder = t.TempDir() },
		"TLS that proves nobody": func(s *gateway.Settings) { s.Local = s.Local[:1]; s.Routes[1].SMTP.TLS.Level = smtpout.Required },
	} {
		s := newSetting(t)
		s.journaled(t)
		change(&s.options.Settings)
		if g, err := gateway.New(s.options); err == nil {
			g.Close()
			t.Errorf("%s: it begins", name)
		}
	}
	s := newSetting(t)
	s.journaled(t)
	s.options.Settings.Local, s.options.Settings.Routes[1].SMTP.TLS.Level = s.options.Settings.Local[:1], smtpout.Verified
	g, err := gateway.New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
}

// Copies that nothing encrypts are not written to the gateway's own disk.
func TestArchiveFolderIsApart(t *testing.T) {
	s := newSetting(t)
	dir := s.archived(t)
	s.options.Settings.Archives[0].Certificate = nil
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", letter("alice@firma.example", "carl@firma.example")); r.Code != 250 {
		t.Fatal(r)
	}
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred })
	if !strings.Contains(e.Reply, "mount the share") || len(copyFiles(t, dir)) > 0 {
		t.Errorf("%+v, %q", e, copyFiles(t, dir))
	}
}

// Who is left out by a level of the policy is not archived; another recipient of the same message has it archived all the same.
func TestArchiveLeavesOut(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	pol, err := policy.New(policy.Config{
		Company:    policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible, Archive: []string{"gobd"}},
		Recipients: []policy.Entry{{For: patterns(t, "carl@firma.example"), Settings: policy.Settings{Archive: []string{}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Policy = pol
	g, stop := s.start(t)
	for _, to := range []string{"carl@firma.example", "dora@firma.example"} {
		if r := send(t, g, "in", "alice@firma.example", to, letter("alice@firma.example", to)); r.Code != 250 {
			t.Fatal(r)
		}
		s.hop.wait(t)
	}
	if j := readJournal(t, h.wait(t)); j.record.Recipients[0].Address.Local != "dora" {
		t.Errorf("archived: %+v", j.record.Recipients)
	}
	stop()
	if len(h.got) > 0 {
		t.Error("who is left out is archived")
	}
}
