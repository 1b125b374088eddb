package proof_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// content is one in memory.
type content []byte

func (c content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }
func (c content) Size() int64                  { return int64(len(c)) }

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// stand is a store and what belongs to it.
type stand struct {
	*proof.Store
	o     proof.Options
	clock *clock
}

func newStand(t testing.TB) *stand {
	t.Helper()
	c := newClock()
	s := &stand{clock: c, o: proof.Options{Dir: filepath.Join(t.TempDir(), "demail"), Key: atrest.NewKey(), Now: c.Now, Terms: proof.Terms{
		Overdue: proof.Overdue{Dispatch: time.Hour, Receipt: 24 * time.Hour, Retrieve: 90 * 24 * time.Hour},
	}}}
	s.open(t)
	return s
}

// open opens the store, after it was closed.
func (s *stand) open(t testing.TB) {
	t.Helper()
	store, err := proof.Open(t.Context(), s.o)
	if err == nil {
		err = store.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Store = store
	t.Cleanup(func() { store.Close() })
}

// reopen does as a restart does.
func (s *stand) reopen(t testing.TB) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open(t)
}

func address(t testing.TB, text string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func author(t testing.TB, text string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// message is one of about a size.
func message(subject string, size int) content {
	head := "From: kontakt@firma.de-mail.de\r\nTo: amt@stadt.de-mail.de\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@firma.example>\r\n\r\n" + subject + "\r\n"
	return content(head + strings.Repeat("Sehr geehrte Damen und Herren, das ist ein Brief.\r\n", max(1, (size-len(head))/51)))
}

// submission is one to an office.
func submission(t testing.TB, key string, m content) proof.Submission {
	t.Helper()
	return proof.Submission{
		Key: key, ID: mail.ID("id" + key), Origin: mail.ID("origin" + key), Account: "main",
		Sender: address(t, "kontakt@firma.de-mail.de"), Author: author(t, "Berta@Firma.example"),
		Recipients: demail.Recipients{To: []demail.Mailbox{{Name: "Bürgeramt", Address: address(t, "amt@stadt.de-mail.de")}}},
		Options:    demail.Options{Dispatch: true, Receipt: true}, Subject: "Geheimer Betreff", MessageID: "<" + key + "@firma.example>",
		Accepted: time.Date(2026, 3, 2, 8, 59, 0, 0, time.UTC), Content: m,
	}
}

// taken is a receipt.
func taken(id string) proof.Result {
	return proof.Result{State: proof.Taken, Receipt: connectors.Receipt{ID: id}}
}

func begin(t testing.TB, s *stand, m proof.Submission, want proof.State) {
	t.Helper()
	before, err := s.Begin(t.Context(), m)
	if err != nil || before != want {
		t.Fatalf("begin %s: %q, %v; want %q", m.Key, before, err, want)
	}
}

func settle(t testing.TB, s *stand, key string, r proof.Result) {
	t.Helper()
	if err := s.Settle(t.Context(), key, r); err != nil {
		t.Fatalf("settle %s: %v", key, err)
	}
}

func record(t testing.TB, s *stand, id string) proof.Record {
	t.Helper()
	r, err := s.Record(t.Context(), id)
	if err != nil {
		t.Fatalf("record %s: %v", id, err)
	}
	return r
}

// The way of a message that goes well, across a restart.
func TestTaken(t *testing.T) {
	for _, size := range []int{1, 4 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newStand(t)
			m := submission(t, "k1", message("eins", size))
			begin(t, s, m, proof.None)
			s.reopen(t)
			begin(t, s, m, proof.Trying) // a process that died in between: the provider may have it
			s.clock.add(time.Second)
			settle(t, s, "k1", taken("P-1"))
			settle(t, s, "k1", taken("P-2")) // what was known first stays
			s.reopen(t)
			begin(t, s, m, proof.Taken)
			r := record(t, s, "k1")
			if r.State != proof.Taken || r.Receipt.ID != "P-1" || r.Attempts != 1 || len(r.Steps) != 1 || !r.Taken.Equal(s.clock.Now()) {
				t.Errorf("%+v", r)
			}
			if r.Subject != m.Subject || r.Author != m.Author || r.Sender != m.Sender || r.Recipients.String() != m.Recipients.String() || r.Options != m.Options || !r.Accepted.Equal(m.Accepted) {
				t.Errorf("not as it was: %+v", r)
			}
			if len(r.Awaiting) != 2 || len(r.Late) != 0 {
				t.Errorf("awaits %v, late %v", r.Awaiting, r.Late)
			}
			checkContent(t, s, "k1", m.Content.(content))
			for _, id := range []string{"idk1", "origink1", "<k1@firma.example>", "k1@firma.example"} {
				if got := record(t, s, id); got.Key != "k1" {
					t.Errorf("%s finds %s", id, got.Key)
				}
			}
		})
	}
}

func checkContent(t testing.TB, s *stand, key string, want []byte) {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

// What Begin keeps to compare confirmations with is what the guideline's digests are.
func TestBodies(t *testing.T) {
	s := newStand(t)
	m := message("eins", 50<<10)
	begin(t, s, submission(t, "k1", m), proof.None)
	_, body, _ := bytes.Cut(m, []byte("\r\n\r\n"))
	r := record(t, s, "k1")
	for name, h := range map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512} {
		want, err := demail.BodyHash(bytes.NewReader(body), h)
		if err != nil || !bytes.Equal(r.Bodies[name], want) {
			t.Errorf("%s: %x, want %x, %v", name, r.Bodies[name], want, err)
		}
	}
}

// A message is tried again only where it was not taken.
func TestStates(t *testing.T) {
	s := newStand(t)
	m := submission(t, "k1", message("eins", 100))
	begin(t, s, m, proof.None)
	for range 3 {
		settle(t, s, "k1", proof.Result{State: proof.Waiting, Class: "unavailable", Text: "away"})
		s.clock.add(time.Minute)
		begin(t, s, m, proof.Waiting)
	}
	settle(t, s, "k1", proof.Result{State: proof.Doubtful, Class: "in doubt", Text: "lost"})
	begin(t, s, m, proof.Doubtful)
	doubtful, err := s.Doubtful(t.Context(), "main")
	if err != nil || len(doubtful) != 1 || doubtful[0].Key != "k1" {
		t.Errorf("%v, %v", doubtful, err)
	}
	if other, err := s.Doubtful(t.Context(), "other"); err != nil || len(other) != 0 {
		t.Errorf("%v, %v", other, err)
	}
	settle(t, s, "k1", proof.Result{State: proof.Refused, Class: "rejected", Text: "no"})
	begin(t, s, m, proof.Refused)
	if err := s.Settle(t.Context(), "k1", proof.Result{State: proof.Waiting}); !errors.Is(err, proof.ErrFinal) {
		t.Errorf("refused, then waiting: %v", err)
	}
	settle(t, s, "k1", taken("P-1")) // it turned out
	for _, state := range []proof.State{proof.Waiting, proof.Refused, proof.Doubtful} {
		if err := s.Settle(t.Context(), "k1", proof.Result{State: state}); !errors.Is(err, proof.ErrFinal) {
			t.Errorf("taken, then %s: %v", state, err)
		}
	}
	r := record(t, s, "k1")
	if r.Attempts != 4 || len(r.Steps) != 4 || r.Steps[0].Count != 3 || !r.Steps[0].Last.After(r.Steps[0].Time) {
		t.Errorf("%d attempts, %+v", r.Attempts, r.Steps)
	}
}

func TestRefuses(t *testing.T) {
	s := newStand(t)
	good := submission(t, "k1", message("eins", 100))
	begin(t, s, good, proof.None)
	other := good
	other.Content = message("zwei", 100)
	if _, err := s.Begin(t.Context(), other); !errors.Is(err, proof.ErrKeyUsed) {
		t.Errorf("a key for two messages: %v", err)
	}
	for name, change := range map[string]func(*proof.Submission){
		"no key":       func(m *proof.Submission) { m.Key = "" },
		"blank":        func(m *proof.Submission) { m.Key = "a b" },
		"long key":     func(m *proof.Submission) { m.Key = strings.Repeat("k", 257) },
		"no account":   func(m *proof.Submission) { m.Account = "" },
		"no sender":    func(m *proof.Submission) { m.Sender = demail.Address{} },
		"no recipient": func(m *proof.Submission) { m.Recipients = demail.Recipients{} },
		"no content":   func(m *proof.Submission) { m.Content = nil },
		"length":       func(m *proof.Submission) { m.Content = liar{message("eins", 100)} },
	} {
		m := submission(t, "k2", message("eins", 100))
		change(&m)
		if before, err := s.Begin(t.Context(), m); !errors.Is(err, proof.ErrInvalid) || before != proof.None {
			t.Errorf("%s: %q, %v", name, before, err)
		}
	}
	if err := s.Settle(t.Context(), "k9", taken("P-1")); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("%v", err)
	}
	for _, state := range []proof.State{proof.None, proof.Trying, "done"} {
		if err := s.Settle(t.Context(), "k1", proof.Result{State: state}); !errors.Is(err, proof.ErrInvalid) {
			t.Errorf("%q: %v", state, err)
		}
	}
	if _, err := s.Record(t.Context(), ""); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// liar says another length than it has.
type liar struct{ content }

func (l liar) Size() int64 { return int64(len(l.content)) + 1 }

// Many at once; a message that is begun by two at once is begun once.
func TestAtOnce(t *testing.T) {
	s := newStand(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	before := map[proof.State]int{}
	for i := range 8 {
		group.Go(func() {
			m := submission(t, fmt.Sprintf("k%d", i/2), message(fmt.Sprint(i/2), 100<<(i/2)))
			state, err := s.Begin(context.Background(), m)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			before[state]++
		})
	}
	group.Wait()
	if before[proof.None] != 4 || before[proof.Trying] != 4 {
		t.Errorf("%v", before)
	}
}

// Nothing that names people, and no content, lies in clear.
func TestSealed(t *testing.T) {
	s := newStand(t)
	begin(t, s, submission(t, "k1", message("eins", 200)), proof.None)
	begin(t, s, submission(t, "k2", message("zwei", 200<<10)), proof.None)
	settle(t, s, "k1", taken("Provider-Id-1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.o.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{"Geheimer", "Sehr geehrte", "erta@", "kontakt@", "amt@", "Provider-Id", "firma.example"} {
			if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(secret))) {
				t.Errorf("%s has %q in clear", d.Name(), secret)
			}
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", d.Name(), info.Mode(), err)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
