package sqlqueue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// leaves lists the pages that hold the rows of a table or index.
func leaves(t *testing.T, path, name string) []int64 {
	t.Helper()
	return numbers(t, path, `SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno`, name)
}

// unused lists the pages that hold nothing any more.
func unused(t *testing.T, path string) []int64 {
	t.Helper()
	return numbers(t, path, `WITH RECURSIVE n (p) AS (SELECT 1 UNION ALL SELECT p + 1 FROM n WHERE p < (SELECT page_count FROM pragma_page_count))
SELECT p FROM n WHERE p NOT IN (SELECT pageno FROM dbstat)`)
}

func numbers(t *testing.T, path, query string, args ...any) (pages []int64) {
	t.Helper()
	db, err := sqldb.Open(path, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, n)
	}
	if rows.Err() != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), rows.Err())
	}
	return pages
}

// settleAll has every claim of a destination come to an outcome.
func settleAll(t *testing.T, s *sqlqueue.Store, destination string, o queue.Outcome) {
	t.Helper()
	for {
		claims, err := s.Claim(t.Context(), destination, time.Now(), time.Hour, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(claims) == 0 {
			return
		}
		for _, c := range claims {
			o.Index = c.Due[0]
			if err := s.Settle(t.Context(), c, []queue.Outcome{o}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What free pages still say of messages that are long gone is not taken for the state of those that came after them
// under the same numbers: a recipient whose own row is lost is held, never done.
func TestStaleRowsSettleNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	fill := func(s *sqlqueue.Store, count int) []queue.New {
		entries := make([]queue.New, count)
		for i := range entries {
			entries[i] = queuetest.Entry(time.Now(), queuetest.Bytes(fmt.Sprint("message ", i)), "a", "b")
			entries[i].Envelope.Internal = i%2 == 0
		}
		if err := s.Put(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		return entries
	}
	s := openStore(t, dir)
	fill(s, 150)
	settleAll(t, s, "a", queue.Outcome{State: queue.Delivered})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "queue.db")
	before, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	stale := leaves(t, db, "recipient")
	s = openStore(t, dir)
	settleAll(t, s, "b", queue.Outcome{State: queue.Delivered})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	entries := fill(s, 60)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range unused(t, db) { // a page that is freed keeps what it held
		if len(stale) > 0 {
			overwrite(t, db, (n-1)*page, before[(stale[0]-1)*page:stale[0]*page])
			stale = stale[1:]
		}
	}
	for _, name := range []string{"recipient", "recipient_ready"} {
		for _, n := range leaves(t, db, name) {
			overwrite(t, db, (n-1)*page, make([]byte, page))
		}
	}
	overwrite(t, db, 32, []byte{0, 0, 0, 0, 0xff}) // the list of free pages is lost
	s, recovered := damagedQueue(t, dir)
	if len(recovered) != 1 {
		t.Fatalf("%+v", recovered)
	}
	list := listAll(t, s)
	for _, e := range entries {
		m := list[e.Envelope.ID]
		if len(m.Recipients) != 2 {
			t.Errorf("%s is gone", e.Envelope.ID)
		}
		for i, r := range m.Recipients {
			if r.State.Final() || r.Attempts != 0 || r.State == queue.Held && r.Hidden == m.Envelope.Internal {
				t.Errorf("%s, recipient %d: %s after %d attempts, hidden %v", e.Envelope.ID, i, r.State, r.Attempts, r.Hidden)
			}
		}
	}
}

// Of a recipient of whom only the time of the next attempt is left it is not known whether its fate must stay hidden:
// that of mail from outside does.
func TestLostRowsStayHidden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	s := openStore(t, dir)
	var entries []queue.New
	for i := range 100 {
		n := queuetest.Entry(time.Now(), queuetest.Bytes("x"), "a")
		n.Envelope.Internal = i%2 == 0
		entries = append(entries, n)
	}
	if err := s.Put(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	settleAll(t, s, "a", queue.Outcome{State: queue.Queued, Next: time.Now().Add(time.Hour), Hidden: true})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "queue.db")
	for _, n := range leaves(t, db, "recipient") {
		overwrite(t, db, (n-1)*page, make([]byte, page))
	}
	s, _ = damagedQueue(t, dir)
	list := listAll(t, s)
	for id, m := range list {
		if r := m.Recipients[0]; r.State != queue.Queued || !r.Hidden && !m.Envelope.Internal {
			t.Errorf("%s from inside %v: %s, hidden %v", id, m.Envelope.Internal, r.State, r.Hidden)
		}
	}
	if len(list) != 100 {
		t.Errorf("%d messages", len(list))
	}
}
