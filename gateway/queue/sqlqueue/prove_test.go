package sqlqueue

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// loseFromIndex makes the index of due times forget when the messages of a queue are due: the rows are sound, and the
// trees too, but they do not agree.
func loseFromIndex(t *testing.T, dir string) {
	t.Helper()
	run := func(texts ...string) {
		t.Helper()
		db, err := sqldb.Open(filepath.Join(dir, databaseName), sqldb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, text := range texts {
			if _, err := db.Exec(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	run(`CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'recipient_ready'`,
		`PRAGMA writable_schema = ON`, `DELETE FROM sqlite_schema WHERE name = 'recipient_ready'`)
	run(`UPDATE recipient SET ready = ready - 3600000, due = due - 3600000`) // which the index does not see
	run(`PRAGMA writable_schema = ON`, `INSERT INTO sqlite_schema SELECT * FROM kept`, `PRAGMA writable_schema = OFF`, `DROP TABLE kept`)
}

// Rows that an index lacks are found, of a small database before the queue is taken into use, of a large one while
// it is; both are set aside and carried over, and the mail is due again.
func TestIndexThatDoesNotAgree(t *testing.T) {
	for name, whole := range map[string]int64{"small": 0, "large": 1} {
		t.Run(name, func(t *testing.T) {
			dir, key := t.TempDir(), atrest.NewKey()
			s := open(t, dir, key)
			var entries []queue.New
			for range 50 {
				entries = append(entries, queuetest.Entry(time.Now().Add(30*time.Minute), make(queuetest.Bytes, 10), "d"))
			}
			if err := s.Put(t.Context(), entries); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			loseFromIndex(t, dir)
			recovered := make(chan Recovery, 1)
			s, err := Open(t.Context(), Options{Dir: dir, Key: key, whole: whole, Recovered: func(r Recovery) { recovered <- r }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r := <-recovered
			if r.Messages != 50 || r.Held+r.Empty+r.Lost != 0 {
				t.Errorf("%s: %s", r.Reason, r)
			}
			for {
				claims, err := s.Claim(t.Context(), "d", time.Now(), time.Hour, 100)
				if err == queue.ErrUnavailable { // it is being carried over
					continue
				}
				if err != nil || len(claims) != 50 {
					t.Errorf("%d messages are due, %v", len(claims), err)
				}
				return
			}
		})
	}
}

// A queue can be closed, and its database replaced, while it is being proven.
func TestCloseWhileProving(t *testing.T) {
	dir, key := t.TempDir(), atrest.NewKey()
	s := open(t, dir, key)
	for range 20 {
		if err := s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), make(queuetest.Bytes, 10), "d")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		s, err := Open(t.Context(), Options{Dir: dir, Key: key, whole: 1, Recovered: func(r Recovery) { t.Error(r) }})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
