package audit_test

import (
	"bytes"
	"context"
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

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type world struct {
	dir string
	key atrest.Key
	log *bytes.Buffer
	max int64
}

func newWorld(t *testing.T) *world {
	return &world{dir: filepath.Join(t.TempDir(), "audit"), key: atrest.NewKey(), log: new(bytes.Buffer)}
}

func (w *world) open(t *testing.T) *audit.Log {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(w.log)
	l, err := audit.Open(audit.Options{Dir: w.dir, Key: w.key, MaxSize: w.max, Now: func() time.Time { return noon }, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func drop(n int) admin.Act {
	return admin.Act{Time: noon.Add(time.Duration(n) * time.Minute), Who: "root (uid 0)", What: "drop", Subject: []string{fmt.Sprint("0id", n)}, Detail: "reason planted"}
}

// fill writes n acts and closes the log.
func (w *world) fill(t *testing.T, n int) {
	t.Helper()
	l := w.open(t)
	for i := range n {
		if err := l.Record(t.Context(), drop(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) verify(t *testing.T, want audit.Expect) audit.Result {
	t.Helper()
	r, err := audit.Verify(w.dir, w.key, want)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) entries(t *testing.T) (all []audit.Entry) {
	t.Helper()
	if _, err := audit.Read(w.dir, w.key, audit.Expect{}, func(e audit.Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func (w *world) read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRecordAndRead(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	w.fill(t, 2) // a second run goes on where the first ended
	all := w.entries(t)
	if len(all) != 6 || all[0].What != "begin" || all[0].Who != "the gateway" {
		t.Fatalf("%+v", all)
	}
	if got, want := all[2], drop(1); got.Seq != 3 || !got.Time.Equal(want.Time) || got.Who != want.Who || got.What != want.What ||
		!slices.Equal(got.Subject, want.Subject) || got.Detail != want.Detail || got.Prev != all[1].MAC {
		t.Errorf("%+v", got)
	}
	if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Entries != 6 || r.First != 1 || r.Last != 6 || r.MAC != all[5].MAC || r.Files != 1 || r.Torn != 0 {
		t.Errorf("%+v", r)
	}
}

// Nothing that names people or messages is in clear, the folder is for its owner alone, and the log of the
// gateway bears what an administrator keeps elsewhere.
func TestAtRest(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 1)
	for _, secret := range []string{`root (uid 0)`, `"0id0"`, "planted"} { // none that base64 has by chance
		if bytes.Contains(w.read(t, "audit.jsonl"), []byte(secret)) {
			t.Errorf("%s is in clear", secret)
		}
	}
	for path, mode := range map[string]os.FileMode{w.dir: 0o700, filepath.Join(w.dir, "audit.jsonl"): 0o600, filepath.Join(w.dir, "head"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if all := w.entries(t); !strings.Contains(w.log.String(), all[1].MAC) || !strings.Contains(w.log.String(), "act=drop") {
		t.Errorf("%s", w.log)
	}
	if r, err := audit.Verify(w.dir, atrest.NewKey(), audit.Expect{}); err != nil || r.Entries != 0 || r.Faults == 0 {
		t.Errorf("another key: %+v, %v", r, err)
	}
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	w.max = 2000
	w.fill(t, 10)
	w.fill(t, 10)
	names, err := filepath.Glob(filepath.Join(w.dir, "audit-*.jsonl"))
	if err != nil || len(names) < 4 || filepath.Base(names[0]) != "audit-000000000001.jsonl" {
		t.Fatalf("%v, %v", names, err)
	}
	for _, n := range names {
		if info, err := os.Stat(n); err != nil || info.Size() > w.max {
			t.Errorf("%s: %v", n, info.Size())
		}
	}
	r := w.verify(t, audit.Expect{})
	if r.Faults != 0 || r.Entries != 21 || r.Files != len(names)+1 {
		t.Errorf("%+v", r)
	}
	// The oldest file may be moved away, by somebody who says so.
	second := audit.Expect{}
	if _, err := fmt.Sscanf(filepath.Base(names[1]), "audit-%d.jsonl", &second.First); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	if r := w.verify(t, audit.Expect{}); r.Faults != 1 || !strings.Contains(r.Problems[0].Text, "entries 1 to") {
		t.Errorf("%+v", r)
	}
	if r := w.verify(t, second); r.Faults != 0 {
		t.Errorf("%+v", r)
	}
	second.First--
	if r := w.verify(t, second); r.Faults != 1 || !strings.Contains(r.Problems[0].Text, "was to be") {
		t.Errorf("%+v", r)
	}
	w.fill(t, 1) // the gateway goes on
	// A file in the middle may not.
	if err := os.Remove(names[2]); err != nil {
		t.Fatal(err)
	}
	second.First++
	if r := w.verify(t, second); r.Faults != 1 || !strings.Contains(r.Problems[0].Text, "are missing") || r.After == 0 {
		t.Errorf("%+v", r)
	}
}

// A crash right after a file was closed leaves the log without a current one, or with an empty one.
func TestRotationCut(t *testing.T) {
	for name, empty := range map[string]bool{"none": false, "empty": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(t, 3)
			if err := os.Rename(filepath.Join(w.dir, "audit.jsonl"), filepath.Join(w.dir, "audit-000000000001.jsonl")); err != nil {
				t.Fatal(err)
			}
			if empty {
				w.write(t, "audit.jsonl", nil)
			}
			if r := w.verify(t, audit.Expect{}); r.Faults != 0 {
				t.Errorf("%+v", r)
			}
			w.fill(t, 1)
			if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Entries != 5 || r.Files != 2 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				if err := l.Record(t.Context(), drop(i)); err != nil {
					t.Error(err)
				}
				if r := w.verify(t, audit.Expect{}); r.Faults != 0 { // while it is written to
					t.Errorf("%+v", r)
				}
			}
		})
	}
	all.Wait()
	if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Entries != 41 {
		t.Errorf("%+v", r)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := audit.Open(audit.Options{Dir: t.TempDir()}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("no key: %v", err)
	}
	if _, err := audit.Verify(t.TempDir(), atrest.Key{}, audit.Expect{}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("no key: %v", err)
	}
	w := newWorld(t)
	l := w.open(t)
	if err := l.Record(t.Context(), admin.Act{What: "drop", Detail: strings.Repeat("x", 2<<20)}); !errors.Is(err, audit.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := l.Record(context.Background(), admin.Act{What: "odd \xff\u2028<>", Detail: "\xff\x00"}); err != nil {
		t.Errorf("odd text: %v", err)
	}
	l.Close()
	if err := l.Record(t.Context(), drop(1)); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Entries != 2 {
		t.Errorf("%+v", r)
	}
	if r, err := audit.Verify(filepath.Join(w.dir, "nowhere"), w.key, audit.Expect{}); err != nil || r.Entries != 0 || r.Files != 0 {
		t.Errorf("no log: %+v, %v", r, err)
	}
}

// An act that cannot be recorded is refused, and the log recovers by itself when the folder can be written again.
func TestFolderCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	file := filepath.Dir(w.dir) + "/audit"
	if err := os.WriteFile(file, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	l := w.open(t)
	if l.Check() == nil || l.Record(t.Context(), drop(1)) == nil {
		t.Error("it was recorded nowhere")
	}
	if !strings.Contains(w.log.String(), "acts of administrators are refused") {
		t.Errorf("%s", w.log)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), drop(1)); err != nil {
		t.Error(err)
	}
}

func ExampleVerify() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	key := atrest.NewKey()
	log, err := audit.Open(audit.Options{Dir: dir, Key: key})
	if err != nil {
		panic(err)
	}
	defer log.Close()
	if err := log.Record(context.Background(), admin.Act{Who: "root (uid 0)", What: "reload"}); err != nil {
		panic(err) // and do not reload
	}
	result, err := audit.Verify(dir, key, audit.Expect{})
	fmt.Println(result.Entries, result.Problems, err)
	// Output: 2 [] <nil>
}
