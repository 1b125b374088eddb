package smartcard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"pgregory.net/rapid"
)

var memoryKey = bytes.Repeat([]byte{9}, 32)

func openMemory(t testing.TB, path string) *smartcard.FileMemory {
	t.Helper()
	m, err := smartcard.OpenMemory(path, memoryKey)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func attempt(o smartcard.Outcome, ref byte) smartcard.Attempt {
	return smartcard.Attempt{Outcome: o, Tries: 3, Card: "piv 1", Ref: ref, At: time.Unix(1, 0).UTC(), Proven: true, Doubts: 1, Application: "NetKey"}
}

func recall(t *testing.T, m smartcard.Memory, f byte) (smartcard.Attempt, bool) {
	t.Helper()
	a, ok, err := m.Recall(t.Context(), smartcard.Fingerprint{f})
	if err != nil {
		t.Fatal(err)
	}
	return a, ok
}

// Both memories remember, supersede, forget, and list what is unsettled; that in a file in another process too.
func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	for name, pair := range map[string][2]smartcard.Memory{
		"file": {openMemory(t, path), openMemory(t, path)},
		"run":  {smartcard.ForThisRun(), nil},
	} {
		m, other := pair[0], pair[1]
		if other == nil {
			other = m
		}
		ctx, pin := t.Context(), smartcard.PIN{Ref: 1, Application: "NetKey"}
		for f, a := range map[byte]smartcard.Attempt{1: attempt(smartcard.Unsettled, 1), 2: attempt(smartcard.Accepted, 1), 3: attempt(smartcard.Unharmed, 2)} {
			if _, ok := recall(t, other, f); ok {
				t.Errorf("%s: remembered before", name)
			}
			if err := m.Note(ctx, smartcard.Fingerprint{f}, a); err != nil {
				t.Fatal(err)
			}
			if got, ok := recall(t, other, f); !ok || got != a {
				t.Errorf("%s: %+v, %v", name, got, ok)
			}
		}
		lost, err := other.Unsettled(ctx, "piv 1", pin)
		if err != nil || len(lost) != 1 || lost[smartcard.Fingerprint{1}] != attempt(smartcard.Unsettled, 1) {
			t.Errorf("%s: %v, %v", name, lost, err)
		}
		if err := other.Supersede(ctx, smartcard.Fingerprint{4}, attempt(smartcard.Accepted, 1)); err != nil {
			t.Fatal(err)
		}
		for f, want := range map[byte]smartcard.Outcome{1: smartcard.Refused, 2: smartcard.Refused, 3: smartcard.Unharmed, 4: smartcard.Accepted} {
			if a, _ := recall(t, m, f); a.Outcome != want {
				t.Errorf("%s: %d is %v", name, f, a.Outcome)
			}
		}
		if err := m.Forget(ctx, "piv 1", pin); err != nil {
			t.Fatal(err)
		}
		for f, want := range map[byte]bool{1: false, 2: false, 3: true, 4: false} {
			if _, ok := recall(t, other, f); ok != want {
				t.Errorf("%s: %d is remembered: %v", name, f, ok)
			}
		}
	}
}

// Many who share the file lose nothing of one another.
func TestMemoryShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	var wait sync.WaitGroup
	for i := range byte(4) {
		m := openMemory(t, path)
		wait.Go(func() {
			for j := range byte(10) {
				if err := m.Note(context.Background(), smartcard.Fingerprint{i, j}, attempt(smartcard.Refused, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	m := openMemory(t, path)
	for i := range byte(4) {
		for j := range byte(10) {
			if _, ok, err := m.Recall(t.Context(), smartcard.Fingerprint{i, j}); !ok || err != nil {
				t.Errorf("%d %d is lost: %v", i, j, err)
			}
		}
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

// A file that is damaged, of another key, too long or not to be had is an error that says what to do, and stays as it is.
func TestMemoryDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pins")
	m := openMemory(t, path)
	if err := m.Note(t.Context(), smartcard.Fingerprint{1}, attempt(smartcard.Refused, 1)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		key  []byte
		want error
	}{
		"empty":       {nil, memoryKey, smartcard.ErrMemoryDamaged},
		"cut":         {good[:len(good)-1], memoryKey, smartcard.ErrMemoryDamaged},
		"altered":     {bytes.Replace(good, []byte("refused"), []byte("unharmed"), 1), memoryKey, smartcard.ErrMemoryDamaged},
		"no head":     {good[10:], memoryKey, smartcard.ErrMemoryDamaged},
		"too long":    {append(bytes.Clone(good), make([]byte, 1<<20)...), memoryKey, smartcard.ErrMemoryDamaged},
		"another key": {good, bytes.Repeat([]byte{8}, 32), smartcard.ErrMemoryKey},
	} {
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := smartcard.OpenMemory(path, c.key)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move this file away") {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := m.Recall(t.Context(), smartcard.Fingerprint{1}); c.want == smartcard.ErrMemoryDamaged && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, c.text) {
			t.Errorf("%s: it was touched", name)
		}
	}
	if _, err := smartcard.OpenMemory(path, memoryKey[:31]); err == nil {
		t.Error("a short key")
	}
	if _, err := smartcard.OpenMemory(filepath.Join(dir, "away", "pins"), memoryKey); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// The file holds nothing of a PIN, and two cards, applications or numbers never share a fingerprint.
func TestFingerprint(t *testing.T) {
	seen := map[smartcard.Fingerprint]bool{}
	for _, id := range []smartcard.Identity{{Family: "piv", Serial: "1"}, {Family: "piv", Serial: "11"}, {Family: "tcos", Serial: "1"}} {
		for _, p := range []smartcard.PIN{{Ref: 0x81}, {Ref: 0x31}, {Ref: 0x81, Application: "SigG"}} {
			for _, v := range []string{"123456", "23456"} {
				for _, key := range [][]byte{memoryKey, make([]byte, 32)} {
					f := smartcard.NewFingerprint(key, id, p, []byte(v))
					if seen[f] {
						t.Errorf("%v %v %s", id, p, v)
					}
					seen[f] = true
				}
			}
		}
	}
}

// What is remembered has a bound: what was accepted gives way, what was refused never does.
func TestMemoryBounded(t *testing.T) {
	m := smartcard.ForThisRun()
	note := func(i int, o smartcard.Outcome) error {
		return m.Note(t.Context(), smartcard.Fingerprint{byte(i), byte(i >> 8)}, smartcard.Attempt{Outcome: o, At: time.Unix(int64(i), 0)})
	}
	for i := range 2048 {
		if err := note(i, map[bool]smartcard.Outcome{true: smartcard.Accepted, false: smartcard.Refused}[i < 2]); err != nil {
			t.Fatal(err)
		}
	}
	for i := 2048; i < 2050; i++ {
		if err := note(i, smartcard.Refused); err != nil {
			t.Fatal(err)
		}
	}
	if err := note(3000, smartcard.Unsettled); err == nil || !strings.Contains(err.Error(), "unlock") {
		t.Error(err)
	}
	for i, want := range map[byte]bool{0: false, 1: false, 2: true} {
		if _, ok := recall(t, m, i); ok != want {
			t.Errorf("%d: %v", i, ok)
		}
	}
}

// A full memory fits into its file.
func TestMemoryFull(t *testing.T) {
	b := smartcard.NewBrittle()
	m, err := smartcard.OpenMemoryIn(b, memoryKey)
	if err != nil {
		t.Fatal(err)
	}
	a := attempt(smartcard.Unsettled, 200)
	a.Card = "tcos " + strings.Repeat("f", 64)
	if err := m.Fill(2047, a); err != nil {
		t.Fatal(err)
	}
	if err := m.Note(t.Context(), smartcard.Fingerprint{1, 2, 3}, a); err != nil {
		t.Error(err)
	}
	if _, ok := recall(t, m, 0); !ok {
		t.Error("lost")
	}
}

// Whenever power is lost, or a call of the system fails: what Note has returned for is remembered, and what it has not is remembered as
// one of its old and its new self.
func TestMemoryPowerLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := smartcard.NewBrittle()
		m, err := smartcard.OpenMemoryIn(b, memoryKey)
		if err != nil {
			rt.Fatal(err)
		}
		possible := [3]map[int]bool{{0: true}, {0: true}, {0: true}}
		for i := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				b.PowerLoss(func() bool { return rapid.Bool().Draw(rt, "kept") })
				if m, err = smartcard.OpenMemoryIn(b, memoryKey); err != nil {
					rt.Fatalf("after a loss of power: %v", err)
				}
			case 1:
				left := rapid.IntRange(0, 7).Draw(rt, "calls")
				b.Fail = func(call string) error {
					if left--; left < 0 && call != "read" && call != "lock" {
						return fmt.Errorf("no %s", call)
					}
					return nil
				}
			}
			f := rapid.Byte().Draw(rt, "pin") % 3
			a := attempt(smartcard.Refused, f)
			a.Tries = i + 10
			failed := m.Note(context.Background(), smartcard.Fingerprint{f}, a)
			possible[f][a.Tries] = true
			if failed == nil {
				possible[f] = map[int]bool{a.Tries: true}
			}
			b.Fail = func(string) error { return nil }
			for f := range possible {
				a, ok, err := m.Recall(context.Background(), smartcard.Fingerprint{byte(f)})
				if err != nil || ok != (a.Tries != 0) || !possible[f][a.Tries] {
					rt.Fatalf("%d: %d, not %v: %v", f, a.Tries, possible[f], err)
				}
				if failed == nil { // the whole file is on stable storage
					possible[f] = map[int]bool{a.Tries: true}
				}
			}
		}
	})
}

// Whatever is in the file: it is refused, and nothing panics.
func FuzzMemoryFile(f *testing.F) {
	b := smartcard.NewBrittle()
	m, err := smartcard.OpenMemoryIn(b, memoryKey)
	if err != nil {
		f.Fatal(err)
	}
	if err := m.Note(context.Background(), smartcard.Fingerprint{1}, attempt(smartcard.Refused, 1)); err != nil {
		f.Fatal(err)
	}
	good, _ := b.Read("pins", 1<<20)
	f.Add(good)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"fingerprint":"00","outcome":"refused"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if all, err := m.Decode(text); err == nil && !bytes.Equal(text, good) && all > 0 {
			t.Error("what was altered is believed")
		}
		m.Decode(m.Signed(text)) // the lines themselves
	})
}
