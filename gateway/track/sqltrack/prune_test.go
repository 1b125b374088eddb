package sqltrack_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// raw opens the database beside the store, once.
func (w *world) raw(t *testing.T) *sql.DB {
	t.Helper()
	if w.beside != nil {
		return w.beside
	}
	db, err := sqldb.Open(filepath.Join(w.o.Dir, "track.db"), sqldb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.beside = db
	return db
}

// rows counts the rows of each table.
func (w *world) rows(t *testing.T) (counts string) {
	t.Helper()
	var parts []string
	for _, table := range []string{"block", "message", "name", "step", "term"} {
		parts = append(parts, "'"+table+"=' || (SELECT count(*) FROM "+table+")")
	}
	if err := w.raw(t).QueryRow("SELECT " + strings.Join(parts, " || ' ' || ")).Scan(&counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

// tidy gives the store as many turns as it takes until nothing is left to remove.
func (w *world) tidy(t *testing.T) {
	t.Helper()
	for last := ""; ; {
		w.pass(2 * time.Minute)
		w.flush(t)
		now := w.rows(t)
		if now == last {
			return
		}
		last = now
	}
}

// What came before the retention goes, in all tables, and nothing else does.
func TestRetention(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Retention = 10 * 24 * time.Hour })
	for day := range 15 {
		for i := range 10 {
			w.life(mail.ID(fmt.Sprintf("0d%02dm%02d", day, i)), fmt.Sprintf("u%d@firma.example", i), "bob@partner.example")
		}
		w.flush(t)
		w.pass(24 * time.Hour)
	}
	w.tidy(t)
	f := w.find(t, track.Query{Sender: "@firma.example", Limit: 1000})
	if len(f.Messages) != 9*10 && len(f.Messages) != 10*10 {
		t.Errorf("%d messages are left", len(f.Messages))
	}
	for _, m := range f.Messages {
		if w.clock().Sub(m.Time) > 11*24*time.Hour {
			t.Errorf("%s of %v is still there", m.ID, m.Time)
		}
	}
	w.pass(20 * 24 * time.Hour)
	w.tidy(t)
	if got := w.rows(t); got != "block=0 message=0 name=0 step=0 term=0" {
		t.Errorf("%s", got)
	}
	w.life("0new", "alice@firma.example", "bob@partner.example") // numbers go on
	if l, err := w.Show(t.Context(), "0new"); err != nil || len(l.Steps) != 3 {
		t.Errorf("%+v, %v", l, err)
	}
}

// Within one day, what is too old goes to the message, and the terms of the rest stay.
func TestRetentionWithinDay(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Retention = 2 * time.Hour })
	for i := range 6 {
		w.life(mail.ID(fmt.Sprint("0", i)), "alice@firma.example", "bob@partner.example")
		w.flush(t)
		w.pass(time.Hour)
	}
	w.tidy(t)
	if got := strings.Join(ids(w.find(t, track.Query{Sender: "alice@firma.example"})), " "); got != "05" {
		t.Errorf("%s", got)
	}
}

// One turn removes a bounded number of messages: mail that waits for the disk waits for little.
func TestSmallSteps(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Retention = time.Hour })
	for i := range 600 {
		w.Record(track.Event{Kind: track.Accepted, ID: mail.ID(fmt.Sprintf("0%04d", i)), From: "a@b.example"})
	}
	w.flush(t)
	w.pass(2 * time.Hour)
	w.flush(t)
	if got := w.rows(t); !strings.Contains(got, "message=344 ") {
		t.Errorf("%s", got)
	}
}

// A record that has grown too large loses its oldest messages; its file stops growing, and shrinks.
func TestMaxSize(t *testing.T) {
	const limit = 1 << 20
	w := newWorld(t, func(o *sqltrack.Options) { o.MaxSize = limit })
	var largest int64
	for i := range 24 {
		for j := range 50 {
			w.Record(track.Event{Kind: track.Accepted, ID: mail.ID(fmt.Sprintf("0r%02dn%02d", i, j)), From: "a@b.example", Reply: strings.Repeat("x", 2000)})
		}
		w.tidy(t)
		info, err := os.Stat(filepath.Join(w.o.Dir, "track.db"))
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > 2*limit {
		t.Errorf("the file grew to %d bytes", largest)
	}
	f := w.find(t, track.Query{Limit: 5000})
	if n := len(f.Messages); n < 100 || n > 550 || f.Messages[0].ID != "0r23n49" {
		t.Errorf("%d messages, newest %s", n, f.Messages[0].ID)
	}
}

// What is left of a large record is given back to the disk.
func TestVacuum(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Retention = time.Hour })
	for i := range 1300 {
		w.Record(track.Event{Kind: track.Accepted, ID: mail.ID(fmt.Sprintf("0%04d", i)), From: "a@b.example", Reply: strings.Repeat("x", 4500)})
	}
	w.flush(t)
	size := func() (pages int) {
		if err := w.raw(t).QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			t.Fatal(err)
		}
		return pages
	}
	before := size()
	w.pass(2 * time.Hour)
	w.tidy(t)
	if after := size(); after > before/2 {
		t.Errorf("%d pages of %d", after, before)
	}
}

// A clock that was wrong for a while does not keep what came after it, nor lose what is young.
func TestClockJumps(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Retention = 48 * time.Hour })
	w.pass(10 * 365 * 24 * time.Hour)
	w.life("0future", "alice@firma.example", "bob@partner.example")
	w.flush(t)
	w.pass(-10 * 365 * 24 * time.Hour)
	w.life("0now", "alice@firma.example", "bob@partner.example")
	w.tidy(t)
	if got := len(w.find(t, track.Query{Sender: "alice@firma.example"}).Messages); got != 2 {
		t.Errorf("%d messages", got)
	}
	w.pass(72 * time.Hour)
	w.tidy(t)
	if _, err := w.Show(t.Context(), "0now"); err == nil {
		t.Error("a message from the future keeps those behind it")
	}
}

func openRaw(path string) (*sql.DB, error) { return sqldb.Open(path, sqldb.Options{}) }
