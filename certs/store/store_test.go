package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

var day = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

// bench is a folder whose store can be opened again.
type bench struct {
	t    *testing.T
	o    store.Options
	hook *logtest.Hook
	now  time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	b := &bench{t: t, hook: hook, now: day}
	b.o = store.Options{Dir: filepath.Join(t.TempDir(), "certs"), Key: atrest.NewKey(), Log: log, Now: func() time.Time { return b.now }}
	return b
}

func (b *bench) open() *store.Store {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), b.o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close() })
	return s
}

func (b *bench) file() string { return filepath.Join(b.o.Dir, "certs.db") }

// sql runs statements on the database behind the store's back.
func (b *bench) sql(statements ...string) {
	b.t.Helper()
	db, err := sqldb.Open(b.file(), sqldb.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			b.t.Fatalf("%s: %v", s, err)
		}
	}
}

func found(address, certificate, text string, at time.Time) certs.Capabilities {
	return certs.Capabilities{Address: address, Certificate: sha256.Sum256([]byte(certificate)), Text: text, SignedAt: at}
}

func remember(t *testing.T, s *store.Store, all ...certs.Capabilities) {
	t.Helper()
	for _, c := range all {
		if err := s.Remember(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// texts are what is known of an address, the latest first.
func texts(t *testing.T, s *store.Store, address string) (out []string) {
	t.Helper()
	known, err := s.Recall(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range known {
		out = append(out, c.Text)
	}
	return out
}

func TestRemember(t *testing.T) {
	b := newBench(t)
	s := b.open()
	const bob = "bob@partner.example"
	for _, c := range []struct {
		name string
		in   certs.Capabilities
		want []string
	}{
		{"the first", found(bob, "phone", "cbc", day.AddDate(0, 0, -9)), []string{"cbc"}},
		{"another program", found("Bob@PARTNER.example", "laptop", "gcm", day.AddDate(0, 0, -5)), []string{"gcm", "cbc"}},
		{"a newer word of the first", found(bob, "phone", "gcm oaep", day.AddDate(0, 0, -4)), []string{"gcm oaep", "gcm"}},
		{"an older one", found(bob, "phone", "3des", day.AddDate(0, 0, -6)), []string{"gcm oaep", "gcm"}},
		{"of the same time", found(bob, "phone", "3des", day.AddDate(0, 0, -4)), []string{"gcm oaep", "gcm"}},
		{"from the future", found(bob, "phone", "3des", day.Add(2*time.Hour)), []string{"gcm oaep", "gcm"}},
		{"from no time", found(bob, "phone", "3des", time.Time{}), []string{"gcm oaep", "gcm"}},
		{"from a clock that is a little ahead", found(bob, "phone", "oaep", day.Add(time.Minute)), []string{"oaep", "gcm"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			remember(t, s, c.in)
			if got := texts(t, s, bob); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := texts(t, s, "carol@partner.example"); got != nil {
		t.Errorf("of somebody else: %q", got)
	}
	if err := s.Remember(t.Context(), found("", "x", "gcm", day)); err == nil {
		t.Error("capabilities of nobody were kept")
	}
	if err := s.Remember(t.Context(), found(bob, "x", strings.Repeat("x", 5000), day)); err == nil {
		t.Error("endless capabilities were kept")
	}
}

// What was said comes back whole, also after a restart.
func TestRememberSurvivesRestart(t *testing.T) {
	b := newBench(t)
	s := b.open()
	want := found("Jörg@partner.example", "laptop", "aes256-gcm oaep", day.Add(-time.Hour))
	remember(t, s, want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recall(t.Context(), want.Address); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	got, err := b.open().Recall(t.Context(), want.Address)
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// What confirms what is known is written once a day, so that a busy partner costs no sync for each message.
func TestConfirmationIsWrittenOnceADay(t *testing.T) {
	s := newBench(t).open()
	at := func(d time.Duration) time.Time {
		remember(t, s, found("bob@partner.example", "laptop", "gcm", day.Add(d)))
		known, err := s.Recall(t.Context(), "bob@partner.example")
		if err != nil {
			t.Fatal(err)
		}
		return known[0].SignedAt
	}
	for _, c := range []struct{ signed, want time.Duration }{{-90 * time.Hour, -90 * time.Hour}, {-80 * time.Hour, -90 * time.Hour}, {-66 * time.Hour, -66 * time.Hour}} {
		if got := at(c.signed); !got.Equal(day.Add(c.want)) {
			t.Errorf("signed %v: kept %v", c.signed, got.Sub(day))
		}
	}
}

// The store does not grow: neither for one address nor for all of them.
func TestBounds(t *testing.T) {
	b := newBench(t)
	b.o.Most = 20
	s := b.open()
	for i := range 12 {
		remember(t, s, found("bob@partner.example", fmt.Sprint("device", i), fmt.Sprint(i), day.Add(time.Duration(i-20)*time.Hour)))
	}
	if got := texts(t, s, "bob@partner.example"); len(got) != 8 || got[0] != "11" || got[7] != "4" {
		t.Errorf("of one address: %q", got)
	}
	for i := range 30 {
		b.now = b.now.Add(time.Minute)
		remember(t, s, found(fmt.Sprintf("user%d@partner.example", i), "x", "gcm", day))
	}
	kept := 0
	for i := range 30 {
		kept += len(texts(t, s, fmt.Sprintf("user%d@partner.example", i)))
	}
	if kept != 20 || texts(t, s, "bob@partner.example") != nil || texts(t, s, "user29@partner.example") == nil {
		t.Errorf("%d rows are kept, and of the oldest %q", kept, texts(t, s, "bob@partner.example"))
	}
}

// Nothing in the files names people or says what is known of them.
func TestNothingInClear(t *testing.T) {
	b := newBench(t)
	s := b.open()
	remember(t, s, found("planted@partner.example", "laptop", "planted-capability", day))
	digest := sha256.Sum256([]byte("laptop"))
	names, err := filepath.Glob(filepath.Join(b.o.Dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("planted")) || bytes.Contains(raw, []byte("partner.example")) || bytes.Contains(raw, digest[:]) {
			t.Errorf("%s says it in clear", name)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// Whatever is wrong with the database, it stays, every call fails, and the reason says what to do.
func TestDamageIsNeverReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(*bench)
		want error
	}{
		"rubbish":      {func(b *bench) { b.write("this is no database, whatever its name is, and long enough to be looked at") }, store.ErrDamaged},
		"another key":  {func(b *bench) { b.o.Key = atrest.NewKey() }, store.ErrWrongKey},
		"proof gone":   {func(b *bench) { b.sql(`DELETE FROM meta`) }, store.ErrDamaged},
		"newer schema": {func(b *bench) { b.sql(`INSERT INTO schema_version (version) VALUES (99)`) }, sqldb.ErrNewer},
		"torn page": {func(b *bench) {
			b.sql(`PRAGMA wal_checkpoint(TRUNCATE)`)
			raw := b.read()
			for i := 4096; i < len(raw); i++ {
				raw[i] = 0xa5
			}
			b.write(string(raw))
		}, store.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.open()
			remember(t, s, found("bob@partner.example", "laptop", "gcm", day))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c.harm(b)
			before := b.read()
			s = b.open()
			_, err := s.Recall(t.Context(), "bob@partner.example")
			for what, err := range map[string]error{
				"Recall": err, "Check": s.Check(), "Remember": s.Remember(t.Context(), found("bob@partner.example", "x", "gcm", day)),
			} {
				if !errors.Is(err, c.want) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if !bytes.Equal(before, b.read()) {
				t.Error("the file was changed")
			}
			if last := b.hook.LastEntry(); last == nil || last.Level != logrus.ErrorLevel {
				t.Error("the log does not say it")
			}
		})
	}
}

func (b *bench) read() []byte {
	b.t.Helper()
	raw, err := os.ReadFile(b.file())
	if err != nil {
		b.t.Fatal(err)
	}
	return raw
}

func (b *bench) write(text string) {
	b.t.Helper()
	for _, tail := range []string{"-wal", "-shm"} {
		os.Remove(b.file() + tail)
	}
	if err := os.WriteFile(b.file(), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// A row that somebody altered or exchanged is damage, found when it is used; once the file is repaired the store goes on.
func TestAlteredRow(t *testing.T) {
	for name, statement := range map[string]string{
		"altered": `UPDATE capability SET body = zeroblob(length(body))`,
		"exchanged": `CREATE TABLE x AS SELECT address, body FROM capability;
			UPDATE capability SET body = (SELECT body FROM x WHERE x.address <> capability.address); DROP TABLE x`,
		"aged": `UPDATE capability SET signed = signed + 1`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.open()
			remember(t, s, found("bob@partner.example", "laptop", "gcm", day), found("carol@partner.example", "laptop", "cbc", day))
			b.sql(statement)
			if _, err := s.Recall(t.Context(), "bob@partner.example"); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("Recall: %v", err)
			}
			if err := s.Check(); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("Check: %v", err)
			}
			b.sql(`DELETE FROM capability`)
			if err := s.Check(); err == nil {
				t.Error("it was tried again at once")
			}
			b.now = b.now.Add(time.Minute)
			if got := texts(t, s, "bob@partner.example"); got != nil || s.Check() != nil {
				t.Errorf("after the repair: %q, %v", got, s.Check())
			}
		})
	}
}

func TestFolderThatCannotBeMade(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile(b.o.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := b.open()
	if err := s.Check(); err == nil {
		t.Fatal("no error")
	}
	if err := os.Remove(b.o.Dir); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	remember(t, s, found("bob@partner.example", "laptop", "gcm", day))
	if _, err := store.Open(t.Context(), store.Options{Dir: b.o.Dir}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("without a key: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newBench(t).open()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				c := found("bob@partner.example", fmt.Sprint("device", j%3), fmt.Sprint(i, j), day.Add(time.Duration(j-2000)*time.Hour))
				if err := s.Remember(context.WithoutCancel(t.Context()), c); err != nil {
					t.Error(err)
				}
				if _, err := s.Recall(t.Context(), "bob@partner.example"); err != nil && !errors.Is(err, sql.ErrTxDone) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	known, err := s.Recall(t.Context(), "bob@partner.example")
	if err != nil || len(known) != 3 || !known[0].SignedAt.Equal(day.Add(-1981*time.Hour)) {
		t.Errorf("%+v, %v", known, err)
	}
}

func ExampleStore() {
	dir, err := os.MkdirTemp("", "certs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Dir: dir, Key: atrest.NewKey()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	err = s.Remember(ctx, certs.Capabilities{Address: "bob@partner.example", Text: "aes256-gcm oaep", SignedAt: time.Now()})
	if err != nil {
		panic(err)
	}
	known, err := s.Recall(ctx, "BOB@partner.example")
	fmt.Println(known[0].Text, err)
	// Output: aes256-gcm oaep <nil>
}
