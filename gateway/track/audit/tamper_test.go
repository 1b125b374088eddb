package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/track/audit"
)

func lines(b []byte) [][]byte {
	l := bytes.SplitAfter(b, []byte("\n"))
	return l[:len(l)-1]
}

// What somebody with the files and without the key can do to a log of 11 entries, and what is said of it.
func TestTampering(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(l [][]byte) [][]byte
		line  int // of the first problem; 0: of a file
		text  string
		after int
	}{
		"a byte changed": {func(l [][]byte) [][]byte { l[4][30] ^= 1; return l }, 5, "", 6},
		"a digit of the time changed": {func(l [][]byte) [][]byte {
			l[4] = bytes.Replace(l[4], []byte("T12:"), []byte("T13:"), 1)
			return l
		}, 5, "was altered", 6},
		"what was done changed": {func(l [][]byte) [][]byte {
			l[4] = bytes.Replace(l[4], []byte(`"drop"`), []byte(`"show"`), 1)
			return l
		}, 5, "was altered", 6},
		"an entry removed":      {func(l [][]byte) [][]byte { return slices.Delete(l, 4, 5) }, 5, "entries 5 to 5, which were before it, are missing", 6},
		"three entries removed": {func(l [][]byte) [][]byte { return slices.Delete(l, 4, 7) }, 5, "entries 5 to 7", 4},
		"the first removed":     {func(l [][]byte) [][]byte { return l[1:] }, 1, "entries 1 to 1", 10},
		"the last removed":      {func(l [][]byte) [][]byte { return l[:10] }, 0, "the end is missing", 0},
		"the last torn":         {func(l [][]byte) [][]byte { l[10] = l[10][:50]; return l }, 0, "the end is missing", 0},
		"all removed":           {func([][]byte) [][]byte { return nil }, 0, "the end is missing", 0},
		"two exchanged":         {func(l [][]byte) [][]byte { l[4], l[5] = l[5], l[4]; return l }, 5, "entries 5 to 5", 7},
		"one twice":             {func(l [][]byte) [][]byte { return slices.Insert(l, 5, l[4]) }, 6, "after entry 5", 7},
		"a line put in":         {func(l [][]byte) [][]byte { return slices.Insert(l, 5, []byte("{}\n")) }, 6, "not an entry", 6},
		"a field put in":        {func(l [][]byte) [][]byte { l[4] = append([]byte(`{"a":1,`), l[4][1:]...); return l }, 5, "not an entry", 6},
		"a huge line put in":    {func(l [][]byte) [][]byte { return slices.Insert(l, 5, bytes.Repeat([]byte("x"), 3<<20), []byte("\n")) }, 6, "not an entry", 6},
		"blanks put in":         {func(l [][]byte) [][]byte { l[4] = append([]byte(" "), l[4]...); return l }, 5, "not an entry", 6},
		"a changed number": {func(l [][]byte) [][]byte {
			l[4] = bytes.Replace(l[4], []byte(`"seq":5`), []byte(`"seq":6`), 1)
			return l
		}, 5, "was altered", 6},
		"a line end taken out": {func(l [][]byte) [][]byte { l[4] = bytes.TrimSuffix(l[4], []byte("\n")); return l }, 5, "not an entry", 5},
		"an end of garbage":    {func(l [][]byte) [][]byte { return append(l, []byte("\n\x00\x00\n")) }, 12, "not an entry", 0},
		"the first act sealed elsewhere": {func(l [][]byte) [][]byte {
			at := bytes.Index(l[4], []byte(`"act":"`)) + 7
			copy(l[4][at:at+20], l[5][at:at+20])
			return l
		}, 5, "was altered", 6},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(t, 10)
			w.write(t, "audit.jsonl", bytes.Join(c.do(lines(w.read(t, "audit.jsonl"))), nil))
			r := w.verify(t, audit.Expect{})
			if r.Faults == 0 {
				t.Fatalf("it is not seen: %+v", r)
			}
			p := r.Problems[0]
			if p.Line != c.line || !strings.Contains(p.String(), c.text) || r.After != c.after {
				t.Errorf("%s; %d after it, want line %d, %q, %d", p, r.After, c.line, c.text, c.after)
			}
			if name == "an end of garbage" { // as a crash may leave it: the gateway repairs it
				return
			}
			l := w.open(t)
			if err := l.Record(t.Context(), drop(1)); !errors.Is(err, audit.ErrDamaged) {
				t.Errorf("an act is recorded in a damaged log: %v", err)
			}
		})
	}
}

func TestHead(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, w *world, old []byte)
		text string
	}{
		"removed": {func(t *testing.T, w *world, _ []byte) { os.Remove(filepath.Join(w.dir, "head")) }, "is missing"},
		"altered": {func(t *testing.T, w *world, _ []byte) {
			w.write(t, "head", bytes.Replace(w.read(t, "head"), []byte(`"seq":6`), []byte(`"seq":5`), 1))
		}, "was altered"},
		"emptied":  {func(t *testing.T, w *world, _ []byte) { w.write(t, "head", nil) }, "was altered"},
		"huge":     {func(t *testing.T, w *world, _ []byte) { w.write(t, "head", make([]byte, 1<<20)) }, "was altered"},
		"put back": {func(t *testing.T, w *world, old []byte) { w.write(t, "head", old) }, "put back"},
		"an entry": {func(t *testing.T, w *world, _ []byte) {
			w.write(t, "head", lines(w.read(t, "audit.jsonl"))[5])
		}, "was altered"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(t, 1)
			old := w.read(t, "head")
			w.fill(t, 4)
			c.do(t, w, old)
			if r := w.verify(t, audit.Expect{}); r.Faults != 1 || !strings.Contains(r.Problems[0].String(), c.text) {
				t.Errorf("%+v", r)
			}
			if err := w.open(t).Check(); !errors.Is(err, audit.ErrDamaged) {
				t.Errorf("the gateway takes it: %v", err)
			}
		})
	}
}

// A folder that was put back whole looks sound; who kept the end elsewhere sees it.
func TestPutBackWhole(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	head, log := w.read(t, "head"), w.read(t, "audit.jsonl")
	w.fill(t, 3)
	now := w.verify(t, audit.Expect{})
	anchor := audit.Expect{Anchor: audit.Anchor{Seq: now.Last, MAC: now.MAC}}
	if r := w.verify(t, anchor); r.Faults != 0 {
		t.Errorf("%+v", r)
	}
	w.fill(t, 1)
	if r := w.verify(t, anchor); r.Faults != 0 {
		t.Errorf("an anchor in the middle: %+v", r)
	}
	w.write(t, "head", head)
	w.write(t, "audit.jsonl", log)
	if r := w.verify(t, audit.Expect{}); r.Faults != 0 {
		t.Errorf("%+v", r)
	}
	if r := w.verify(t, anchor); r.Faults != 1 || !strings.Contains(r.Problems[0].Text, "put back or replaced") {
		t.Errorf("%+v", r)
	}
}

// What a crash at any byte of writing an entry leaves is told apart from tampering: nothing that was confirmed
// is missing. It is repaired, and the repair is an entry.
func TestTornByCrash(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	head, before := w.read(t, "head"), w.read(t, "audit.jsonl")
	w.fill(t, 1)
	after := w.read(t, "audit.jsonl")
	for cut := len(before); cut <= len(after); cut += 41 {
		w.write(t, "head", head)
		w.write(t, "audit.jsonl", after[:cut])
		torn := int64(cut - len(before))
		if cut == len(after) { // whole, and the head lags
			torn = 0
		}
		if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Torn != torn {
			t.Fatalf("cut at %d: %+v", cut, r)
		}
		w.fill(t, 1)
		all := w.entries(t)
		if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Torn != 0 {
			t.Fatalf("cut at %d, repaired: %+v", cut, r)
		}
		if torn > 0 && (all[4].What != "repair" || !strings.Contains(all[4].Detail, "never confirmed") || len(all) != 6) {
			t.Fatalf("cut at %d: %+v", cut, all[4])
		}
	}
}

// The whole entry is there and the head is not: it was never confirmed, it stays, and the head catches up.
func TestHeadLags(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	head := w.read(t, "head")
	w.fill(t, 1)
	w.write(t, "head", head)
	w.fill(t, 1)
	if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Entries != 6 {
		t.Errorf("%+v", r)
	}
	// A log of which only the first entry was written.
	w = newWorld(t)
	w.fill(t, 0)
	if err := os.Remove(filepath.Join(w.dir, "head")); err != nil {
		t.Fatal(err)
	}
	w.fill(t, 1)
	if r := w.verify(t, audit.Expect{}); r.Faults != 0 || r.Entries != 2 {
		t.Errorf("%+v", r)
	}
}

// Zeros and a line end are what a power loss may leave of pages that were not written.
func TestTornPages(t *testing.T) {
	for name, junk := range map[string]string{"zeros": "\x00\x00\x00", "zeros and an end": "\x00\x00\x00\n", "at the very beginning": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if junk == "" {
				if err := os.MkdirAll(w.dir, 0o700); err != nil {
					t.Fatal(err)
				}
				w.write(t, "audit.jsonl", []byte("\x00\x00\x00\n"))
			} else {
				w.fill(t, 2)
				w.write(t, "audit.jsonl", append(w.read(t, "audit.jsonl"), junk...))
			}
			w.fill(t, 1)
			if r := w.verify(t, audit.Expect{}); r.Faults != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}
