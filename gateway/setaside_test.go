package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

var postmaster = mail.Address{Local: "postmaster", Domain: "firma.example"}

// notices counts what came for the postmaster among n messages, and returns the last of it.
func notices(t *testing.T, s *setting, n int) (count int, last string) {
	t.Helper()
	for range n {
		if got := s.hop.wait(t); strings.Contains(got, "Siegel_set_a_damaged_queue_aside") {
			count++
			last = strings.ReplaceAll(got, "=\r\n", "")
		}
	}
	return count, last
}

// The administrators get one mail about a damaged queue that was set aside, with what became of it and where to read
// on, and none at the next start.
func TestSetAsideIsTold(t *testing.T) {
	s := newSetting(t)
	dir := filepath.Join(s.options.State, "queue")
	damageQueue(t, s, dir)
	s.options.Settings.MailTo = []mail.Address{postmaster}
	_, stop := s.start(t)
	n, notice := notices(t, s, 2) // and what was in the queue
	list, err := sqlqueue.Aside(dir)
	if n != 1 || err != nil || len(list) != 1 {
		t.Fatalf("%d notices, folders %v, %v", n, list, err)
	}
	for _, want := range []string{
		"To: <postmaster@firma.example>", "Auto-Submitted: auto-generated", filepath.Join(list[0], "report.txt"),
		"1 messages were carried over (0 of them with recipients that are held, 0 without their content), 0 were lost", "siegel queue list --state held",
	} {
		if !strings.Contains(notice, want) {
			t.Errorf("the notice lacks %q:\n%s", want, notice)
		}
	}
	if strings.Contains(notice, "planted") || strings.Contains(notice, "bob@partner.example") {
		t.Errorf("the notice tells of a message:\n%s", notice)
	}
	stop()
	g, stop := s.start(t)
	relayed(t, s, g)
	stop()
	if len(s.hop.got) != 0 {
		t.Error("told again after a restart")
	}
}

// relayed sends a message through the gateway and wants it to be the next that arrives.
func relayed(t *testing.T, s *setting, g *gateway.Gateway) {
	t.Helper()
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "From: alice@firma.example") {
		t.Errorf("another message arrived: %s", got)
	}
}

// What nobody was told of, since nobody was to be told or the process ended before, is told by the next process.
func TestSetAsideIsToldLater(t *testing.T) {
	s := newSetting(t)
	dir := filepath.Join(s.options.State, "queue")
	damageQueue(t, s, dir)
	_, stop := s.start(t)
	s.hop.wait(t)
	stop()
	if log := s.log.String(); strings.Contains(log, "cannot be told") {
		t.Errorf("log: %s", log)
	}
	half := filepath.Join(dir, "damaged-half") // a rescue that came to no report
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	s.options.Settings.MailTo = []mail.Address{postmaster}
	s.start(t)
	if n, notice := notices(t, s, 1); n != 1 || strings.Contains(notice, half) {
		t.Errorf("%d notices:\n%s", n, notice)
	}
}
