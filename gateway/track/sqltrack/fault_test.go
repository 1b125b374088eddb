package sqltrack_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// spoil overwrites pages of the database, as a failing disk does.
func (w *world) spoil(t *testing.T, from, n int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(w.o.Dir, "track.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("\xff\x00", int(n/2))), from); err != nil {
		t.Fatal(err)
	}
}

// A damaged record is not written, not replaced, and says so; once it is moved aside a new one begins.
func TestDamaged(t *testing.T) {
	for name, from := range map[string]int64{"header": 0, "pages": 4096} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.life("0a", "alice@firma.example", "bob@partner.example")
			w.Close()
			w.spoil(t, from, 16<<10)
			before, err := os.Stat(filepath.Join(w.o.Dir, "track.db"))
			if err != nil {
				t.Fatal(err)
			}
			w.open(t)
			w.life("0b", "alice@firma.example", "bob@partner.example")
			if err := w.Flush(t.Context()); !errors.Is(err, sqltrack.ErrDamaged) || !errors.Is(w.Check(), sqltrack.ErrDamaged) {
				t.Fatalf("%v", err)
			}
			if _, err := w.Find(t.Context(), track.Query{}); err == nil {
				t.Error("a damaged record is searched")
			}
			w.pass(time.Hour)
			w.Flush(t.Context())
			if after, err := os.Stat(filepath.Join(w.o.Dir, "track.db")); err != nil || !os.SameFile(before, after) {
				t.Errorf("it was replaced: %v", err)
			}
			if n := figure(t, w.Store, "siegel_record_failing"); n != 1 || strings.Count(w.log.String(), "is not recorded any more") != 1 {
				t.Errorf("%v, %s", n, w.log)
			}
			if err := os.Rename(w.o.Dir, w.o.Dir+".aside"); err != nil {
				t.Fatal(err)
			}
			w.flush(t)
			if f := w.find(t, track.Query{Sender: "alice@firma.example"}); len(f.Messages) != 1 || f.Messages[0].ID != "0b" {
				t.Errorf("what came meanwhile: %v", ids(f))
			}
		})
	}
}

func TestWrongKey(t *testing.T) {
	w := newWorld(t)
	w.life("0a", "alice@firma.example", "bob@partner.example")
	w.Close()
	right := w.o.Key
	w.o.Key = atrest.NewKey()
	w.open(t)
	w.life("0b", "alice@firma.example", "bob@partner.example")
	if err := w.Flush(t.Context()); !errors.Is(err, sqltrack.ErrWrongKey) {
		t.Errorf("%v", err)
	}
	w.Close()
	w.o.Key = right
	w.open(t)
	if l, err := w.Show(t.Context(), "0a"); err != nil || len(l.Steps) != 3 {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := sqltrack.Open(sqltrack.Options{Dir: w.o.Dir}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

// A folder that cannot be made keeps no mail; it is tried again, and what came meanwhile is written.
func TestFolderCannotBeWritten(t *testing.T) {
	var path string
	w := newWorld(t, func(o *sqltrack.Options) {
		path = o.Dir
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	w.life("0a", "alice@firma.example", "bob@partner.example")
	if w.Check() == nil || w.Flush(t.Context()) == nil {
		t.Error("nothing is wrong")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.flush(t)
	if _, err := w.Show(t.Context(), "0a"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.log.String(), "mail goes on") || !strings.Contains(w.log.String(), "is written again") {
		t.Errorf("%s", w.log)
	}
}

// A step that was altered in the file is told apart, and the rest of the message is shown.
func TestAlteredStep(t *testing.T) {
	w := newWorld(t)
	w.life("0a", "alice@firma.example", "bob@partner.example")
	w.flush(t)
	w.Close()
	path := filepath.Join(w.o.Dir, "track.db")
	db, err := openRaw(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE step SET at = at + 1 WHERE key = (SELECT max(key) FROM step)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	w.open(t)
	l, err := w.Show(t.Context(), mail.ID("0a"))
	if err != nil || len(l.Steps) != 3 || l.Steps[2].Kind != "unreadable" || l.Steps[0].Kind != track.Accepted {
		t.Errorf("%+v, %v", l, err)
	}
}

// The database may be as large as the disk: then events wait, as many as there is room for in memory.
func TestDiskFull(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Buffer = 500 })
	w.flush(t)
	w.LimitPages(12)
	for range 5 {
		for range 200 {
			w.Record(track.Event{Kind: track.Accepted, ID: "0a", Origin: "0a", Reply: strings.Repeat("x", 1000)})
		}
		if w.Flush(t.Context()) == nil {
			t.Fatal("the disk is not full")
		}
	}
	if n := figure(t, w.Store, "siegel_record_dropped_total full"); n != 500 {
		t.Errorf("%v dropped", n)
	}
	if _, err := w.Find(t.Context(), track.Query{}); err != nil {
		t.Errorf("it cannot be searched: %v", err)
	}
	w.LimitPages(1 << 20)
	w.flush(t)
	if l, err := w.Show(t.Context(), "0a"); err != nil || len(l.Steps) != 500 {
		t.Errorf("%d steps, %v", len(l.Steps), err)
	}
}
