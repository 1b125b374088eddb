package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// A database that is damaged while the gateway runs is set aside as soon as somebody reads what is damaged. Clients are told to
// come again meanwhile, and what comes then gets through, as does the mail to the administrators.
func TestQueueIsDamagedWhileRunning(t *testing.T) {
	s := newSetting(t)
	s.options.Settings.MailTo = []mail.Address{postmaster}
	dir := filepath.Join(s.options.State, "queue")
	s.queueLater(t, dir, 150)
	g, _ := s.start(t)
	blank(t, filepath.Join(dir, "queue.db"))
	told, refused, relayed := false, false, false
	deadline := time.Now().Add(patience)
	for !told || !refused || !relayed {
		if time.Now().After(deadline) {
			t.Fatalf("administrators told: %t, a client refused: %t, mail goes on: %t; log: %s", told, refused, relayed, s.log)
		}
		r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example"))
		switch {
		case r.Code == 451:
			refused = true
			continue
		case !r.Positive():
			t.Fatal(r)
		}
		// The one that was taken comes, and the notice before it or after.
		for came := false; !came; {
			got := s.hop.wait(t)
			came = strings.Contains(got, "From: alice@firma.example")
			told = told || strings.Contains(got, "Siegel_set_a_damaged_queue_aside")
			relayed = relayed || came && refused
		}
	}
}

// queueLater makes a queue of messages that are larger together than what a database keeps in memory, none of them due.
func (s *setting) queueLater(t *testing.T, dir string, count int) {
	t.Helper()
	store, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: s.options.Key})
	if err != nil {
		t.Fatal(err)
	}
	var all []queue.New
	for range count {
		all = append(all, queuetest.Entry(time.Now(), make(queuetest.Bytes, 100<<10), "lost"))
	}
	if err := store.Put(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// blank overwrites a database, but for its first pages, in place.
func blank(t *testing.T, db string) {
	t.Helper()
	f, err := os.OpenFile(db, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, info.Size()-2*4096), 2*4096); err != nil {
		t.Fatal(err)
	}
}
