package sqlqueue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func open(t testing.TB, dir string, key atrest.Key) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// together starts all of calls while the writer is busy, so that they fall into one batch, and returns
// their errors.
func together(t *testing.T, s *Store, calls ...func() error) []error {
	t.Helper()
	busy, free := make(chan struct{}), make(chan struct{})
	errs := make([]error, len(calls))
	var wait sync.WaitGroup
	wait.Go(func() {
		s.submit(context.Background(), &request{do: func(*txn) error {
			close(busy)
			<-free
			return nil
		}})
	})
	<-busy
	var ready sync.WaitGroup
	for i, call := range calls {
		ready.Add(1)
		wait.Go(func() {
			ready.Done()
			errs[i] = call()
		})
	}
	ready.Wait()
	close(free)
	wait.Wait()
	return errs
}

func TestOneBadRequestFailsAlone(t *testing.T) {
	s := open(t, t.TempDir(), atrest.NewKey())
	n := queuetest.Entry(time.Now(), queuetest.Bytes("x"), "first")
	if err := s.Put(t.Context(), []queue.New{n}); err != nil {
		t.Fatal(err)
	}
	var calls []func() error
	var fresh []mail.ID
	for i := range 20 {
		e := queuetest.Entry(time.Now(), queuetest.Bytes("x"), fmt.Sprint("d", i%3))
		if i%5 == 0 {
			beside := e
			e.Envelope.ID = n.Envelope.ID
			calls = append(calls, func() error { return s.Put(t.Context(), []queue.New{beside, e}) })
			continue
		}
		fresh = append(fresh, e.Envelope.ID)
		calls = append(calls, func() error { return s.Put(t.Context(), []queue.New{e}) })
	}
	for i, err := range together(t, s, calls...) {
		if bad := i%5 == 0; bad != errors.Is(err, queue.ErrExists) || !bad && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Messages != int64(1+len(fresh)) {
		t.Errorf("%d messages, want %d, %v", stats.Messages, 1+len(fresh), err)
	}
	for _, d := range []string{"first", "d0", "d1", "d2"} {
		if claims, err := s.Claim(t.Context(), d, time.Now(), time.Hour, 1); err != nil || len(claims) != 1 {
			t.Errorf("%s: %d claims, %v", d, len(claims), err)
		}
	}
}

func TestFullDiskLetsMessagesGo(t *testing.T) {
	s := open(t, t.TempDir(), atrest.NewKey())
	var claims []queue.Claim
	for range 3 {
		if err := s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), make(queuetest.Bytes, 100<<10), "d")}); err != nil {
			t.Fatal(err)
		}
	}
	claims, err := s.Claim(t.Context(), "d", time.Now(), time.Hour, 2)
	if err != nil || len(claims) != 2 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	limit := func(pages int) {
		t.Helper()
		if _, err := s.db.write.Exec(fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes the pages there are
	delivered := []queue.Outcome{{Index: 0, State: queue.Delivered}}
	put := func() error {
		return s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), make(queuetest.Bytes, 100<<10), "d")})
	}
	errs := together(t, s, put, func() error { return s.Settle(t.Context(), claims[0], delivered, nil) }, put)
	if errs[1] != nil {
		t.Errorf("Settle on a full disk: %v", errs[1])
	}
	if err := put(); errs[0] == nil && errs[2] == nil || err != nil && !errors.Is(err, queue.ErrFull) {
		// One of the two may have found the pages that the settled message gave back.
		t.Errorf("Put on a full disk: %v, %v, %v", errs[0], errs[2], err)
	}
	for err = nil; err == nil; err = put() {
	}
	if !errors.Is(err, queue.ErrFull) {
		t.Fatalf("Put on a full disk: %v", err)
	}
	limit(1 << 20)
	for deadline := time.Now().Add(time.Minute); put() != nil; { // the reserve is taken again first
		if time.Now().After(deadline) {
			t.Fatal("nothing is taken with room again")
		}
	}
}

func TestSweep(t *testing.T) {
	dir, key := t.TempDir(), atrest.NewKey()
	s := open(t, dir, key)
	n := queuetest.Entry(time.Now(), make(queuetest.Bytes, 300<<10), "d")
	if err := s.Put(t.Context(), []queue.New{n}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		if err := os.WriteFile(filepath.Join(dir, contentName, fmt.Sprint("orphan-", i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir, key)
	s.sweeping.Wait()
	left, err := os.ReadDir(filepath.Join(dir, contentName))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files left, %v", len(left), err)
	}
	r, err := s.Open(t.Context(), n.Envelope.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := s.Drop(t.Context(), n.Envelope.ID); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, contentName)); err != nil || len(left) != 0 {
		t.Errorf("%d files left after the last message went, %v", len(left), err)
	}
}

func TestFailedPutLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, atrest.NewKey())
	n := queuetest.Entry(time.Now(), make(queuetest.Bytes, 300<<10), "d")
	for i := range 3 {
		if err := s.Put(t.Context(), []queue.New{n}); (i > 0) != errors.Is(err, queue.ErrExists) {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(filepath.Join(dir, contentName)); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestNamesAreBoundedAndReadAgain(t *testing.T) {
	s := open(t, t.TempDir(), atrest.NewKey())
	n := queuetest.Entry(time.Now(), queuetest.Bytes("x"), "kept")
	if err := s.Put(t.Context(), []queue.New{n}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxNames {
		s.names.learn(int64(1000+i), fmt.Sprint("filler ", i))
	}
	if len(s.names.id) > maxNames || len(s.names.name) > maxNames {
		t.Errorf("%d names in memory", len(s.names.id))
	}
	due, err := s.Destinations(t.Context())
	if err != nil || len(due) != 1 || due[0].Destination != "kept" {
		t.Fatalf("%v, %v", due, err)
	}
	clear(s.names.id)
	if claims, err := s.Claim(t.Context(), "kept", time.Now(), time.Hour, 1); err != nil || len(claims) != 1 {
		t.Errorf("%d claims, %v", len(claims), err)
	}
}

// plan is what SQLite says it will do, a step a line.
func plan(t *testing.T, s *Store, text string, args ...any) string {
	t.Helper()
	rows, err := s.db.read.Query("EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	return strings.Join(steps, "\n")
}

// TestPlans holds the plans that keep claims and destinations fast in a queue of 200,000 recipients.
func TestPlans(t *testing.T) {
	s := open(t, t.TempDir(), atrest.NewKey())
	fill(t, s, planRows, 500)
	for name, c := range map[string]struct {
		text string
		args []any
		want []string
	}{
		"ready":        {sqlReady, []any{1, 1}, []string{"SEARCH recipient USING COVERING INDEX recipient_ready (destination=? AND ready<?)"}},
		"lease":        {sqlLease, []any{1, 1, 1, 1, 1}, []string{"SEARCH recipient USING PRIMARY KEY (seq=?)"}},
		"release all":  {sqlReleaseAll, nil, []string{"INDEX recipient_lease"}},
		"prune":        {sqlPrune, nil, []string{"SEARCH recipient USING COVERING INDEX recipient_ready (destination=?)"}},
		"destinations": {sqlDestinations, nil, []string{"INDEX recipient_ready (destination>?)", "INDEX recipient_ready (destination=? AND ready>?)"}},
		"list":         {sqlList, []any{"", 0, -1, 10, 1, 0}, []string{"SEARCH message USING INDEX sqlite_autoindex_message_1 (id>?)", "SEARCH r USING PRIMARY KEY (seq=?)"}},
	} {
		got := plan(t, s, c.text, c.args...)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no step %q in\n%s", name, want, got)
			}
		}
		if strings.Contains(got, "SCAN recipient") && name != "release all" || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s: reads everything or sorts:\n%s", name, got)
		}
	}
	due, err := s.Destinations(t.Context())
	if err != nil || len(due) != 500 {
		t.Errorf("%d destinations, %v", len(due), err)
	}
}

// fill puts one message for many destinations, and the rows of others behind the store's back.
func fill(t *testing.T, s *Store, recipients, destinations int) {
	t.Helper()
	names := make([]string, destinations)
	for i := range names {
		names[i] = fmt.Sprint("mx:", i)
	}
	if err := s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), queuetest.Bytes("x"), names...)}); err != nil {
		t.Fatal(err)
	}
	_, err := s.db.write.Exec(`
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO recipient (seq, idx, destination, state, attempts, due, ready)
SELECT 1000 + i / 100, i % 100, (SELECT min(id) FROM destination) + i % ?2, 0, 0, i, i FROM n`, recipients, destinations)
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{codecVersion})
	f.Add(record{}.encode())
	f.Add(record{pending: []byte("may use")}.encode())
	f.Add(record{pending: []byte{}}.encode())
	f.Add(record{archive: []byte("{}")}.encode())
	n := queuetest.Entry(time.UnixMilli(1), queuetest.Bytes("x"), "a", "b")
	n.Envelope.Recipients[1].Notify = []string{"SUCCESS", "DELAY"}
	n.Envelope.Client.TLS = "TLS1.3"
	f.Add(record{n.Envelope, "note", nil, nil}.encode())
	sender, _ := demail.ParseAddress("kontakt@firma.de-mail.de")
	n.Envelope.DeMail = &mail.DeMail{Account: "main", Sender: sender, Options: demail.Options{Receipt: true}}
	f.Add(record{n.Envelope, "note", nil, nil}.encode())
	f.Add(record{n.Envelope, "note", []byte("may use"), nil}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v\n%+v\n%v", r, again, err)
		}
	})
}

func FuzzParseLease(f *testing.F) {
	f.Add("1.z")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		l, err := parseLease(token)
		if err != nil && !errors.Is(err, queue.ErrLeaseLost) {
			t.Fatal(err)
		}
		if again, err2 := parseLease(l.String()); err == nil && (err2 != nil || again != l) {
			t.Fatalf("%q: %v, %v", token, again, err2)
		}
	})
}
