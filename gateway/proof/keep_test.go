package proof_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// A person decides what is in doubt, and nothing else; and that nobody waits for a confirmation any more.
func TestResolve(t *testing.T) {
	s := newStand(t)
	for _, key := range []string{"k1", "k2", "k3"} {
		begin(t, s, submission(t, key, message(key, 100)), proof.None)
		settle(t, s, key, proof.Result{State: proof.Doubtful})
	}
	for key, d := range map[string]proof.Decision{"k1": proof.DecideTaken, "k2": proof.DecideNotTaken} {
		if err := s.Resolve(t.Context(), key, d, "admin (uid 0)"); err != nil {
			t.Fatal(err)
		}
		if err := s.Resolve(t.Context(), key, d, "admin (uid 0)"); !errors.Is(err, proof.ErrFinal) {
			t.Errorf("%s once more: %v", key, err)
		}
	}
	r := record(t, s, "k1")
	if last := r.Steps[len(r.Steps)-1]; r.State != proof.Taken || last.Who != "admin (uid 0)" || len(r.Awaiting) != 2 {
		t.Errorf("%+v", r)
	}
	if r := record(t, s, "k2"); r.State != proof.Refused {
		t.Errorf("%+v", r)
	}
	if err := s.Resolve(t.Context(), "k1", proof.DecideWaive, "admin"); err != nil {
		t.Fatal(err)
	}
	if r := record(t, s, "k1"); !r.Waived || len(r.Awaiting) != 0 {
		t.Errorf("%+v", r)
	}
	for key, d := range map[string]proof.Decision{"k1": proof.DecideWaive, "k2": proof.DecideWaive, "k3": proof.DecideWaive} {
		if err := s.Resolve(t.Context(), key, d, "admin"); !errors.Is(err, proof.ErrFinal) {
			t.Errorf("%s %s: %v", key, d, err)
		}
	}
	if err := s.Resolve(t.Context(), "k3", "maybe", "admin"); !errors.Is(err, proof.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if err := s.Resolve(t.Context(), "k9", proof.DecideTaken, "admin"); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// Who waits is told once, when the time of a confirmation is over.
func TestOverdue(t *testing.T) {
	s := newStand(t)
	begin(t, s, submission(t, "k1", message("eins", 100)), proof.None)
	settle(t, s, "k1", taken("P-1"))
	late := func(want ...demail.MessageType) {
		t.Helper()
		all, err := s.Overdue(t.Context(), "main", s.clock.Now())
		if err != nil || len(all) > 1 || len(all) == 0 && len(want) > 0 || len(all) == 1 && fmt.Sprint(all[0].Missing) != fmt.Sprint(want) {
			t.Fatalf("%+v, %v; want %v", all, err, want)
		}
	}
	late()
	s.clock.add(time.Hour)
	for account, want := range map[string]int{"other": 0, "main": 1, "": 1} {
		if all, err := s.Overdue(t.Context(), account, s.clock.Now()); err != nil || len(all) != want {
			t.Errorf("%q: %+v, %v", account, all, err)
		}
	}
	late(demail.TypeDispatch)
	late(demail.TypeDispatch) // until it was told
	if err := s.Told(t.Context(), "k1", demail.TypeDispatch); err != nil {
		t.Fatal(err)
	}
	late()
	s.reopen(t)
	late()
	if r := record(t, s, "k1"); fmt.Sprint(r.Late) != fmt.Sprint([]demail.MessageType{demail.TypeDispatch}) {
		t.Errorf("%v", r.Late)
	}
	s.clock.add(24 * time.Hour)
	late(demail.TypeReceipt)
	confirm(t, s, confirmation(t, "c1", "k1", demail.TypeReceipt), "k1")
	late()
	s.SetTerms(proof.Terms{})
	if r := record(t, s, "k1"); len(r.Late) != 0 || len(r.Awaiting) != 1 {
		t.Errorf("without terms: %+v", r)
	}
	if f, err := s.Figures(t.Context()); err != nil || f != (proof.Figures{Records: 1}) {
		t.Errorf("%+v, %v", f, err)
	}
}

// Lists are by account, state, people and time, the newest first, page by page.
func TestList(t *testing.T) {
	s := newStand(t)
	for i := range 7 {
		key := fmt.Sprintf("k%d", i)
		m := submission(t, key, message(key, 100))
		if i%2 == 1 {
			m.Account, m.Author = "second", author(t, "emil@firma.example")
			m.Recipients.Bcc = []demail.Mailbox{{Address: address(t, "chef@stadt.de-mail.de")}}
			m.Options = demail.Options{}
		}
		begin(t, s, m, proof.None)
		if i > 2 {
			settle(t, s, key, taken("P-"+key))
		}
		s.clock.add(time.Minute)
	}
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		f    proof.Filter
		want string
	}{
		{proof.Filter{}, "k6 k5 k4 k3 k2 k1 k0"},
		{proof.Filter{Account: "second"}, "k5 k3 k1"},
		{proof.Filter{State: proof.Trying}, "k2 k1 k0"},
		{proof.Filter{State: proof.Taken, Account: "main"}, "k6 k4"},
		{proof.Filter{Sender: "EMIL@firma.example"}, "k5 k3 k1"},
		{proof.Filter{Sender: "kontakt@firma.de-mail.de", Limit: 2}, "k6 k5"},
		{proof.Filter{Recipient: address(t, "chef@stadt.de-mail.de")}, "k5 k3 k1"},
		{proof.Filter{Awaiting: true}, "k6 k4"},
		{proof.Filter{From: start.Add(time.Minute), To: start.Add(3 * time.Minute)}, "k2 k1"},
		{proof.Filter{Sender: "nobody@firma.example"}, ""},
	} {
		page, err := s.List(t.Context(), c.f)
		var keys []string
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
		if err != nil || strings.Join(keys, " ") != c.want {
			t.Errorf("%+v: %q, %v; want %q", c.f, keys, err, c.want)
		}
	}
	var keys []string
	for f := (proof.Filter{Limit: 3}); ; {
		page, err := s.List(t.Context(), f)
		if err != nil || len(page.Records) > 3 {
			t.Fatal(len(page.Records), err)
		}
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
		if f.Before = page.Next; f.Before == 0 {
			break
		}
	}
	if got := strings.Join(keys, " "); got != "k6 k5 k4 k3 k2 k1 k0" {
		t.Errorf("by pages: %s", got)
	}
	s.clock.add(2 * time.Hour)
	if page, err := s.List(t.Context(), proof.Filter{Late: true}); err != nil || len(page.Records) != 2 {
		t.Errorf("%d late, %v", len(page.Records), err)
	}
	if _, err := s.Record(t.Context(), "k"); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// An id of a message that became several names all of them.
func TestAmbiguous(t *testing.T) {
	s := newStand(t)
	for _, key := range []string{"k1", "k2"} {
		m := submission(t, key, message(key, 100))
		m.Origin = "same"
		begin(t, s, m, proof.None)
	}
	if _, err := s.Record(t.Context(), "SAME"); !errors.Is(err, proof.ErrAmbiguous) {
		t.Errorf("%v", err)
	}
	if all, err := s.Named(t.Context(), "same"); err != nil || len(all) != 2 || all[0].Key != "k2" {
		t.Errorf("%v, %v", all, err)
	}
}

// A budget is spent once, on the day that it is of, and outlives a restart.
func TestSpend(t *testing.T) {
	s := newStand(t)
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	spend := func(sender string, day time.Time, messages, limit, want int, wantOK bool) {
		t.Helper()
		if left, ok, err := s.Spend(t.Context(), sender, day, messages, limit); err != nil || left != want || ok != wantOK {
			t.Errorf("%s: %d left, %v, %v; want %d, %v", sender, left, ok, err, want, wantOK)
		}
	}
	spend("a", day, 1, 3, 2, true)
	spend("a", day, 1, 3, 1, true)
	s.reopen(t)
	spend("a", day, 2, 3, 1, false) // nothing is taken
	spend("a", day, 1, 3, 0, true)
	spend("a", day, 1, 3, 0, false)
	spend("a", day, 1, 2, 0, false) // the limit was lowered
	spend("a", day, 1, 5, 1, true)  // or raised
	spend("b", day, 1, 3, 2, true)
	spend("a", day.AddDate(0, 0, 1), 1, 3, 2, true)
	spend("a", day, -1, 5, 1, false)
	spend("a", day.AddDate(0, 0, 20), 1, 3, 2, true) // by when the first is forgotten
	spend("a", day, 3, 3, 0, true)
	spend("c", day, 1000, 0, 0, true) // no limit, which counts all the same
	spend("c", day, 1, 1001, 0, true)
	spend("c", day, 1, 1001, 0, false)
	spend("c", day, -1, 0, 0, false)
	for sender, want := range map[string]int{"a": 3, "c": 1001, "d": 0} { // to look spends nothing
		for range 2 {
			if spent, err := s.Spent(t.Context(), sender, day); err != nil || spent != want {
				t.Errorf("%s has spent %d, %v; want %d", sender, spent, err, want)
			}
		}
	}
}

// What is older than its class leaves, with its files, and nothing that is still needed does.
func TestPrune(t *testing.T) {
	s := newStand(t)
	s.SetTerms(proof.Terms{Retention: proof.Retention{Confirmed: 300 * 24 * time.Hour, Sent: 30 * 24 * time.Hour, Refused: 10 * 24 * time.Hour, Received: 20 * 24 * time.Hour}})
	put := func(key string, o demail.Options, state proof.State) {
		t.Helper()
		m := submission(t, key, message(key, 60<<10))
		m.Options = o
		begin(t, s, m, proof.None)
		if state != proof.None {
			settle(t, s, key, proof.Result{State: state})
		}
	}
	asked := demail.Options{Dispatch: true}
	put("confirmed", asked, proof.Taken)
	put("awaiting", asked, proof.Taken)
	put("sent", demail.Options{}, proof.Taken)
	put("refused", asked, proof.Refused)
	put("doubtful", asked, proof.Doubtful)
	put("waiting", asked, proof.Waiting)
	put("trying", asked, proof.None)
	large := confirmation(t, "c1", "confirmed", demail.TypeDispatch)
	large.Content, large.Fetched = content(strings.Repeat("x", 50<<10)), s.clock.Now()
	large.Verdict.Certificates = []proof.Blob{{DER: []byte(strings.Repeat("c", 40<<10))}}
	confirm(t, s, large, "confirmed")
	stray := confirmation(t, "c2", "nobody", demail.TypeDispatch)
	stray.Fetched = s.clock.Now()
	confirm(t, s, stray)
	a := proof.Arrival{Account: "main", ID: "L-1", Queue: "q", Fetched: s.clock.Now(), Verdict: proof.Verdict{Certificates: large.Verdict.Certificates}}
	if _, _, err := s.Arrived(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		days int
		want string
	}{
		{9, "trying waiting doubtful refused sent awaiting confirmed"},
		{2, "trying waiting doubtful sent awaiting confirmed"},
		{30, "trying waiting doubtful awaiting confirmed"},
		{200, "trying waiting doubtful awaiting confirmed"},
		{1000, "trying waiting doubtful awaiting"},
		{10000, "trying waiting doubtful awaiting"},
	} {
		s.clock.add(time.Duration(c.days) * 24 * time.Hour)
		if _, err := s.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		page, err := s.List(t.Context(), proof.Filter{})
		var keys []string
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
		if got := strings.Join(keys, " "); err != nil || got != c.want {
			t.Fatalf("after %d days more: %q, %v; want %q", c.days, got, err, c.want)
		}
		if strings.Contains(c.want, "confirmed") { // what two had in common stays with one of them
			checkBlob(t, s, record(t, s, "confirmed").Evidence[0].Verdict().Certificates[0], large.Verdict.Certificates[0].DER)
			checkEvidence(t, s, "c1", large.Content.(content))
		}
	}
	if all, err := s.Unmatched(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if all, _, err := s.Arrivals(t.Context(), proof.Filter{}); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := s.OpenEvidence(t.Context(), "main", "c1"); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("%v", err)
	}
	if files, err := os.ReadDir(filepath.Join(s.o.Dir, "content")); err != nil || len(files) != 4 {
		t.Errorf("%d files, want those of four messages: %v", len(files), err)
	}
	if err := s.Resolve(t.Context(), "awaiting", proof.DecideWaive, "admin"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Prune(t.Context()); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

// What a person decided stays until the queue has learned it, however old the message is: what is gone would be submitted once more.
func TestPruneDecided(t *testing.T) {
	s := newStand(t)
	s.SetTerms(proof.Terms{Retention: proof.Retention{Refused: 10 * 24 * time.Hour}})
	m := submission(t, "k1", message("eins", 100))
	begin(t, s, m, proof.None)
	settle(t, s, "k1", proof.Result{State: proof.Doubtful})
	s.clock.add(30 * 24 * time.Hour)
	if err := s.Resolve(t.Context(), "k1", proof.DecideNotTaken, "admin"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(time.Hour)
	if n, err := s.Prune(t.Context()); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	begin(t, s, m, proof.Refused)
	s.clock.add(10 * 24 * time.Hour)
	if n, err := s.Prune(t.Context()); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

// A record that is kept for ever is.
func TestPruneNothing(t *testing.T) {
	s := newStand(t)
	begin(t, s, submission(t, "k1", message("eins", 100)), proof.None)
	settle(t, s, "k1", proof.Result{State: proof.Refused})
	s.clock.add(100 * 365 * 24 * time.Hour)
	if n, err := s.Prune(t.Context()); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

// A record that is damaged, was written under another key, or is gone in part, stays as it is and is of no use, until it was put back.
func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *stand)
		want  error
	}{
		"another key": {func(_ *testing.T, s *stand) { s.o.Key = atrest.NewKey() }, proof.ErrWrongKey},
		"no database": {func(t *testing.T, s *stand) {
			if err := os.WriteFile(database(s), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, proof.ErrDamaged},
		"a page": {func(t *testing.T, s *stand) {
			f, err := os.OpenFile(database(s), os.O_RDWR, 0)
			if err == nil {
				_, err = f.WriteAt([]byte(strings.Repeat("\xff", 2048)), 5*4096)
			}
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}, proof.ErrDamaged},
		"the database is gone": {func(t *testing.T, s *stand) {
			if err := os.Remove(database(s)); err != nil {
				t.Fatal(err)
			}
		}, proof.ErrDamaged},
		"its key is gone": {func(t *testing.T, s *stand) { statement(t, s, `DELETE FROM meta`) }, proof.ErrDamaged},
		"a newer one":     {func(t *testing.T, s *stand) { statement(t, s, `INSERT INTO schema_version VALUES (99)`) }, sqldb.ErrNewer},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			m := submission(t, "k1", message("eins", 100<<10))
			begin(t, s, m, proof.None)
			settle(t, s, "k1", taken("P-1"))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			good := copyOf(t, s.o.Dir)
			key := s.o.Key
			c.spoil(t, s)
			before := sizes(t, s.o.Dir)
			store, err := proof.Open(t.Context(), s.o)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			s.Store = store
			if err := s.Check(); !errors.Is(err, c.want) {
				t.Errorf("check: %v", err)
			}
			if _, err := s.Begin(t.Context(), m); !errors.Is(err, c.want) {
				t.Errorf("begin: %v", err)
			}
			if _, err := s.List(t.Context(), proof.Filter{}); !errors.Is(err, c.want) {
				t.Errorf("list: %v", err)
			}
			if after := sizes(t, s.o.Dir); fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("it was changed: %v, %v", before, after)
			}
			if err := os.RemoveAll(s.o.Dir); err == nil {
				err = os.CopyFS(s.o.Dir, os.DirFS(good))
				if err != nil {
					t.Fatal(err)
				}
			}
			if s.o.Key != key { // the key is given at the start only
				return
			}
			s.clock.add(3 * time.Second)
			if r := record(t, s, "k1"); r.Receipt.ID != "P-1" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func database(s *stand) string { return filepath.Join(s.o.Dir, "demail.db") }

func statement(t testing.TB, s *stand, text string, args ...any) {
	t.Helper()
	db, err := sqldb.Open(database(s), sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text, args...); err != nil {
		t.Fatal(err)
	}
}

func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// sizes are those of the database and the contents.
func sizes(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			out[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Rows that somebody changed, exchanged or took away are found out, and no state is believed that is not sealed.
func TestTampered(t *testing.T) {
	for name, change := range map[string]string{
		"a state":             `UPDATE record SET state = 4 WHERE key = 'k1'`,
		"what is awaited":     `UPDATE record SET awaits = 0 WHERE key = 'k1'`,
		"when it was taken":   `UPDATE record SET taken = 1 WHERE key = 'k1'`,
		"a status of another": `UPDATE record SET status = (SELECT status FROM record WHERE key = 'k2') WHERE key = 'k1'`,
		"a body of another":   `UPDATE record SET body = (SELECT body FROM record WHERE key = 'k2') WHERE key = 'k1'`,
		"a step":              `DELETE FROM step WHERE record = 1`,
		"evidence":            `DELETE FROM evidence`,
		"what it says":        `UPDATE evidence SET undecided = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			for _, key := range []string{"k1", "k2"} {
				begin(t, s, submission(t, key, message(key, 100)), proof.None)
				settle(t, s, key, taken("P-"+key))
			}
			confirm(t, s, confirmation(t, "c1", "k1", demail.TypeDispatch), "k1")
			statement(t, s, change)
			if _, err := s.Record(t.Context(), "k1"); !errors.Is(err, proof.ErrDamaged) {
				t.Errorf("%v", err)
			}
			if _, err := s.Begin(t.Context(), submission(t, "k3", message("k3", 100))); !errors.Is(err, proof.ErrDamaged) {
				t.Errorf("what is known to be damaged goes on: %v", err)
			}
		})
	}
}

// A content that was altered, cut or exchanged is never returned as if it were whole.
func TestTamperedContent(t *testing.T) {
	for _, size := range []int{100, 200 << 10} {
		for name, spoil := range map[string]func(t *testing.T, s *stand){
			"exchanged": func(t *testing.T, s *stand) {
				statement(t, s, `UPDATE record SET content = (SELECT content FROM record WHERE key = 'k2') WHERE key = 'k1'`)
			},
			"gone": func(t *testing.T, s *stand) {
				statement(t, s, `DELETE FROM content WHERE name = (SELECT content FROM record WHERE key = 'k1')`)
			},
			"cut": func(t *testing.T, s *stand) {
				statement(t, s, `UPDATE content SET size = size - 1`)
			},
			"altered": func(t *testing.T, s *stand) {
				statement(t, s, `UPDATE content SET body = CAST(substr(body, 1, 50) || CASE substr(body, 51, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(body, 52) AS BLOB) WHERE body IS NOT NULL`)
				files, _ := filepath.Glob(filepath.Join(s.o.Dir, "content", "*"))
				for _, f := range files {
					data, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					data[100+rand.IntN(len(data)-200)] ^= 1
					if err := os.WriteFile(f, data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			},
		} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				s := newStand(t)
				for _, key := range []string{"k1", "k2"} {
					begin(t, s, submission(t, key, message(key, size)), proof.None)
				}
				spoil(t, s)
				r, err := s.Open(t.Context(), "k1")
				if err == nil {
					_, err = io.Copy(io.Discard, r)
					r.Close()
				}
				if !errors.Is(err, proof.ErrDamaged) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// After Close nothing works, and a second one does nothing.
func TestClosed(t *testing.T) {
	s := newStand(t)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.add(time.Hour)
	if _, err := s.Begin(context.Background(), submission(t, "k1", message("eins", 100))); !errors.Is(err, proof.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := proof.Open(t.Context(), proof.Options{Dir: t.TempDir()}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("%v", err)
	}
}

// Who gives up in the midst of a call gives up that call alone.
func TestGivenUp(t *testing.T) {
	s := newStand(t)
	for i := range 40 {
		begin(t, s, submission(t, fmt.Sprint(i), message(fmt.Sprint(i), 100)), proof.None)
	}
	for i := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := s.List(ctx, proof.Filter{})
			_, _, errSpend := s.Spend(ctx, "a", s.clock.Now(), 1, 1000)
			done <- errors.Join(err, errSpend)
		}()
		for range i * 200 {
			runtime.Gosched()
		}
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if err := s.Check(); err != nil {
			t.Fatalf("the record is out of use: %v", err)
		}
	}
}
