package sqlqueue_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

func openStore(t *testing.T, dir string) *sqlqueue.Store {
	t.Helper()
	s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: testKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// execSQL changes the rows of a queue behind its back.
func execSQL(t *testing.T, dir, text string, args ...any) {
	t.Helper()
	db, err := sqldb.Open(filepath.Join(dir, "queue.db"), sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.Exec(text, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 && strings.HasPrefix(text, "UPDATE message") {
		t.Fatalf("%s: %d rows, %v", text, n, err)
	}
}

func put(t *testing.T, s *sqlqueue.Store, content queuetest.Bytes) mail.ID {
	t.Helper()
	n := queuetest.Entry(time.Now(), content, "d")
	if err := s.Put(t.Context(), []queue.New{n}); err != nil {
		t.Fatal(err)
	}
	return n.Envelope.ID
}

// planted is found in no file of the queue.
func planted(t *testing.T) []string {
	t.Helper()
	key := testKey(t).Text()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddr("2001:db8::77").As16()
	return []string{
		"Quartalszahlen", "Geheimrezept", "annegret", "firma-alpha", "balthasar", "partner-beta", "helo-gamma",
		"user-delta", "TLS-epsilon", "envid-zeta", "orcpt-eta", "note-theta", "reply-iota", "route-kappa", "listener-lambda",
		"2001:db8::77", string(address[:]), key, string(raw), string(raw[:16]),
	}
}

func plantedEntry(size int) queue.New {
	content := "Subject: Quartalszahlen\r\n\r\n" + strings.Repeat("Geheimrezept\r\n", size/14)
	n := queuetest.Entry(time.Now(), queuetest.Bytes(content), "mx:route-kappa.example", "mx:route-kappa.example")
	n.Envelope.From = mail.Address{Local: "annegret", Domain: "firma-alpha.example"}
	n.Envelope.Recipients[0] = mail.Recipient{Address: mail.Address{Local: "balthasar", Domain: "partner-beta.example"}, ORcpt: "rfc822;orcpt-eta"}
	n.Envelope.Client.Listener, n.Envelope.Client.Helo = "listener-lambda", "helo-gamma"
	n.Envelope.Client.User, n.Envelope.Client.TLS = "user-delta", "TLS-epsilon"
	n.Envelope.Client.Addr = netip.MustParseAddr("2001:db8::77")
	n.Envelope.EnvID, n.Note = "envid-zeta", "note-theta"
	return n
}

func TestNothingRestsInClear(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for _, size := range []int{100, 4000, 120 << 10, 300 << 10} {
		if err := s.Put(t.Context(), []queue.New{plantedEntry(size), plantedEntry(size)}); err != nil {
			t.Fatal(err)
		}
	}
	claims, err := s.Claim(t.Context(), "mx:route-kappa.example", time.Now(), time.Hour, 5)
	if err != nil || len(claims) != 5 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	for i, c := range claims {
		outcomes := []queue.Outcome{{Index: 0, State: queue.Queued, Reply: "451 reply-iota"}, {Index: 1, State: queue.Failed, Reply: "550 reply-iota"}}
		if i == 0 {
			outcomes[0].State = queue.Failed // this one goes, and leaves what was written of it
		}
		if err := s.Settle(t.Context(), c, outcomes, []queue.New{plantedEntry(2000)}); err != nil {
			t.Fatal(err)
		}
	}
	grep(t, dir, planted(t))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if files := grep(t, dir, planted(t)); files < 4 {
		t.Errorf("only %d files looked at", files)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "queue.db")); err != nil || !bytes.Contains(data, []byte(claims[1].Message.Envelope.ID)) {
		t.Errorf("what is in clear is not found either: the test looks at nothing, %v", err)
	}
}

// grep looks for texts in all files below dir and returns how many files it read.
func grep(t *testing.T, dir string, texts []string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", d.Name(), info.Mode())
		}
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) || strings.Contains(path, text) {
				t.Errorf("%s holds %q", path, text)
			}
		}
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDamagedContent(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	small, other, large := put(t, s, make(queuetest.Bytes, 1000)), put(t, s, make(queuetest.Bytes, 1000)), put(t, s, make(queuetest.Bytes, 300<<10))
	if err := s.Close(); err != nil { // what was just put is read from memory
		t.Fatal(err)
	}
	s = openStore(t, dir)
	body := `(SELECT body FROM content WHERE seq = (SELECT seq FROM message WHERE id = ?))`
	for name, c := range map[string]struct {
		text string
		args []any
	}{
		"cut":     {`substr(body, 1, 500)`, nil},
		"altered": {`CAST(substr(body, 1, 500) || CASE substr(body, 501, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(body, 502) AS BLOB)`, nil},
		"empty":   {`x''`, nil},
		"swapped": {body, []any{string(other)}},
	} {
		execSQL(t, dir, `CREATE TABLE kept AS SELECT * FROM content`)
		execSQL(t, dir, `UPDATE content SET body = `+c.text+` WHERE seq = (SELECT seq FROM message WHERE id = ?)`, append(c.args, string(small))...)
		if _, err := read(s, small); !errors.Is(err, queue.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		execSQL(t, dir, `UPDATE content SET body = (SELECT body FROM kept WHERE kept.seq = content.seq); DROP TABLE kept`)
	}
	if _, err := read(s, small); err != nil {
		t.Errorf("whole again: %v", err)
	}
	damageFile(t, s, dir, large)
}

func damageFile(t *testing.T, s *sqlqueue.Store, dir string, id mail.ID) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "content", "*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%d content files, %v", len(paths), err)
	}
	whole, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(whole)
	altered[len(altered)/2] ^= 1
	for name, data := range map[string][]byte{
		"altered": altered, "cut": whole[:len(whole)-1], "cut at a segment": whole[:128<<10], "longer": append(bytes.Clone(whole), 0), "empty": {},
	} {
		if err := os.WriteFile(paths[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := read(s, id)
		if !errors.Is(err, queue.ErrDamaged) || !bytes.Equal(got, make([]byte, len(got))) {
			t.Errorf("file %s: %v", name, err)
		}
	}
	if err := os.Remove(paths[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := read(s, id); !errors.Is(err, queue.ErrDamaged) {
		t.Errorf("file missing: %v", err)
	}
}

func TestDamagedEnvelopeIsHeld(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	bad, good := put(t, s, queuetest.Bytes("bad")), put(t, s, queuetest.Bytes("good"))
	execSQL(t, dir, `UPDATE message SET envelope = x'00' WHERE id = ?`, string(bad))
	claims, err := s.Claim(t.Context(), "d", time.Now(), time.Hour, 10)
	if err != nil || len(claims) != 1 || claims[0].Message.Envelope.ID != good {
		t.Fatalf("claims %v, %v", claims, err)
	}
	list, err := s.List(t.Context(), queue.Filter{State: queue.Held})
	if err != nil || len(list) != 1 || list[0].Envelope.ID != bad || !strings.Contains(list[0].Recipients[0].LastReply, "cannot be read back") {
		t.Fatalf("held: %+v, %v", list, err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Held != 1 || stats.Recipients != 2 {
		t.Errorf("%+v, %v", stats, err)
	}
	if got, err := read(s, bad); err != nil || string(got) != "bad" {
		t.Errorf("its content: %q, %v", got, err)
	}
	if err := s.Drop(t.Context(), bad); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	open := func(dir string, key atrest.Key) error {
		s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: key})
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := open(dir, testKey(t)); !errors.Is(err, sqlqueue.ErrInUse) {
		t.Errorf("open twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, atrest.NewKey()); !errors.Is(err, sqlqueue.ErrWrongKey) {
		t.Errorf("wrong key: %v", err)
	}
	if err := open(dir, atrest.Key{}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("no key: %v", err)
	}
	if err := open(dir, testKey(t)); err != nil {
		t.Errorf("after the wrong keys: %v", err)
	}
	execSQL(t, dir, `CREATE TABLE future (x); INSERT INTO schema_version VALUES (99)`)
	if err := open(dir, testKey(t)); !errors.Is(err, sqldb.ErrNewer) {
		t.Errorf("newer schema: %v", err)
	}
	if err := open(filepath.Join(dir, "queue.db"), testKey(t)); err == nil {
		t.Error("a file for a directory")
	}
}

func TestLeasesEndWithTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	id := put(t, s, queuetest.Bytes("x"))
	claims, err := s.Claim(t.Context(), "d", time.Now(), time.Hour, 1)
	if err != nil || len(claims) != 1 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	again, err := s.Claim(t.Context(), "d", time.Now(), time.Hour, 1)
	if err != nil || len(again) != 1 || again[0].Message.Envelope.ID != id {
		t.Fatalf("%d claims, %v", len(again), err)
	}
	if err := s.Settle(t.Context(), claims[0], nil, nil); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("settle under a lease of the former process: %v", err)
	}
}
