package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/archive"
	gwmail "github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/throttle"
	"github.com/siegel-mail/siegel/gateway/track"
)

// figures are those of the archives.
func figures(t *testing.T, g *gateway.Gateway) map[string]float64 {
	t.Helper()
	families, err := g.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "siegel_archive_") {
			out[strings.TrimPrefix(f.GetName(), "siegel_archive_")] = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return out
}

// The administrators are told of an archive that does not take its copies: when one waits too long, and before there is no room, once a day, in both
// languages, without anything of the mail.
func TestArchiveAlarms(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	h.refuse.Store(true)
	s.options.Settings.MailTo = []gwmail.Address{one(t, "admin@firma.example")}
	a := &s.options.Settings.Archives[0]
	a.Limit, a.WarnAfter = 1000, time.Hour
	var ahead atomic.Int64
	s.options.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Hour) }
	g, _ := s.start(t)
	told := map[string]time.Time{}
	g.LookAtArchives(t.Context(), told)
	if err := g.ArchiveCheck(t.Context()); err != nil || len(told) > 0 || figures(t, g)["waiting"] != 0 {
		t.Errorf("before anything waits: %v, %v, %v", err, told, figures(t, g))
	}
	m := letter("alice@firma.example", "carl@firma.example", "X-Long: "+strings.Repeat("x", 600)+"\r\n")
	if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", m); r.Code != 250 {
		t.Fatal(r)
	}
	s.hop.wait(t)
	g.LookAtArchives(t.Context(), told)
	notice := s.hop.wait(t)
	for _, want := range []string{"The archive gobd does not take its copies", "put off with 451", "mit 451 zur=C3=BCckgestellt", "archive:gobd"} {
		if !strings.Contains(strings.ReplaceAll(notice, "=\r\n", ""), want) {
			t.Errorf("%q is not in\n%s", want, notice)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "The archive gobd does not take its copies of mail: ") || strings.Contains(log, "its copies of mail:\"") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	if strings.Contains(notice, "planted") || strings.Contains(notice, "alice") {
		t.Error("the notice tells of the mail")
	}
	if err := g.ArchiveCheck(t.Context()); err == nil || !strings.Contains(err.Error(), "archive gobd: 1 copies") {
		t.Errorf("readiness says %v", err)
	}
	if f := figures(t, g); f["waiting"] != 1 || f["waiting_bytes"] < 600 || f["limit_bytes"] != 1000 {
		t.Errorf("figures %v", f)
	}
	ahead.Store(2)
	g.LookAtArchives(t.Context(), told)
	s.hop.wait(t) // of its age, and not once more of the room
	g.LookAtArchives(t.Context(), told)
	if len(s.hop.got) > 0 || len(told) != 2 || figures(t, g)["oldest_seconds"] < 3600 {
		t.Errorf("told again: %v, %v", told, figures(t, g))
	}
	h.refuse.Store(false)
	h.wait(t)
	s.waitUntil(t, track.Archived, 1)
	g.LookAtArchives(t.Context(), told)
	if err := g.ArchiveCheck(t.Context()); err != nil || len(told) > 0 {
		t.Errorf("mended: %v, %v", err, told)
	}
}

// De-Mail that is sent is archived as the company's server gave it.
func TestArchivesDeMail(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), new(way)
	h := s.journaled(t)
	s.options.Settings.DeMail = sending(t, town, w)
	g, _ := s.start(t)
	writesTo(t, g)
	j := readJournal(t, h.wait(t))
	if !strings.HasSuffix(j.parts[archive.OriginalName], toTown) || !strings.HasPrefix(j.record.Recipients[0].Done, "De-Mail by account telekom") || j.record.Direction != gwmail.Outgoing {
		t.Errorf("%+v", j.record)
	}
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Delivered })
	s.waitUntil(t, track.Archived, 1) // so is said a moment after the archive has it
	if n := s.count(track.Archived); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// What an operator has to decide on is archived meanwhile.
func TestArchivesWhatIsHeld(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	s.options.Settings.Throttle = throttle.Options{Limits: throttle.Limits{MessagesPerHour: 1}}
	g, _ := s.start(t)
	for range 2 {
		if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); r.Code != 250 {
			t.Fatal(r)
		}
		h.wait(t)
	}
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held })
	s.waitUntil(t, track.Archived, 2)
}

// Whatever comes from outside, small and large, is archived to the byte where it is accepted, and not where it is not.
func TestArchivesWhateverComes(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	g, _ := s.start(t)
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			fmt.Fprintf(&b, "%x\xff\xfe %d\r\n", random.Uint64(), random.Uint64())
		}
		return b.String()
	}
	for name, m := range map[string]string{
		"no header":  "\r\n" + noise(100),
		"no colon":   "planted\r\n" + noise(100),
		"large":      "Subject: a\r\n\r\n" + noise(6<<20),
		"no MIME":    "Content-Type: multipart/mixed; boundary=\r\nContent-Type: message/rfc822\r\n\r\n--\r\n",
		"nested":     strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 2000) + "end\r\n",
		"no S/MIME":  "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHA6CA\r\n",
		"long lines": "Subject: a\r\n\r\n" + strings.Repeat("x", 5000) + "\r\n",
		"boundaries": "Content-Type: multipart/mixed; boundary=\"siegel-\"\r\n\r\n--siegel-\r\n\r\n--siegel---\r\n",
	} {
		r := send(t, g, "ex", "x@partner.example", "alice@firma.example", m)
		if r.Code != 250 {
			t.Logf("%s is refused: %s", name, r)
			continue
		}
		s.hop.wait(t)
		j := readJournal(t, h.wait(t))
		if got := j.parts[archive.OriginalName]; !strings.HasSuffix(got, m) {
			t.Errorf("%s: %d bytes were sent, %d archived", name, len(m), len(got))
		}
	}
}
