package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/atrest"
)

const (
	currentName = "audit.jsonl"
	closedNames = "audit-*.jsonl"
	maxProblems = 100
)

// position is the end of a chain: an entry, or the zero position before the first one.
type position struct {
	seq  uint64
	mac  string
	prev string
}

// start is the position before the first entry.
func start() position { return position{mac: none} }

// files lists the files of a log, oldest first.
func files(dir string) ([]string, error) {
	list, err := filepath.Glob(filepath.Join(dir, closedNames))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	slices.Sort(list)
	current := filepath.Join(dir, currentName)
	if _, err := os.Stat(current); err == nil {
		list = append(list, current)
	}
	return list, nil
}

// walk follows a chain through files.
type walk struct {
	key    atrest.Key
	each   func(Entry) error // nil: nobody
	last   position
	known  bool // last is an entry that the next one must follow
	result Result
	good   int64 // bytes of the file so far that end with a sound entry
	size   int64 // bytes read of the file
}

// run reads one file. A last line without its end is left to the caller: it is what size has beyond good.
func (w *walk) run(path string, final bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	w.good, w.size = 0, 0
	r := bufio.NewReaderSize(f, 64<<10)
	for number := 1; ; number++ {
		text, n, ended, err := readLine(r)
		if err != nil {
			return fmt.Errorf("audit: %s: %w", path, err)
		}
		if w.size += n; n == 0 || !ended && final {
			return nil
		}
		if err := w.take(Problem{File: filepath.Base(path), Line: number}, text, ended); err != nil {
			return err
		}
	}
}

// readLine reads one line of n bytes, of which it keeps no more than tells that it can be no entry. ended
// tells whether it had an end, which is not part of text.
func readLine(r *bufio.Reader) (text []byte, n int64, ended bool, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		n += int64(len(piece))
		ended = err == nil
		if ended {
			piece = piece[:len(piece)-1]
		}
		text = append(text, piece[:min(len(piece), maxLine+1-len(text))]...)
		switch {
		case ended, errors.Is(err, io.EOF):
			return text, n, ended, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, n, false, err
		}
	}
}

// take judges one line.
func (w *walk) take(at Problem, text []byte, ended bool) error {
	l, err := parseLine(text)
	if err != nil || !ended {
		w.fault(at, errLine.Error())
		w.known = false
		return nil
	}
	at.Seq = l.body.Seq
	genuine := l.genuine(w.key)
	switch {
	case !genuine:
		w.fault(at, errSeal.Error())
	case !w.known:
	case l.body.Seq > w.last.seq+1:
		w.fault(at, fmt.Sprintf("entries %d to %d, which were before it, are missing", w.last.seq+1, l.body.Seq-1))
	case l.body.Seq <= w.last.seq:
		w.fault(at, fmt.Sprintf("it stands after entry %d: entries were put elsewhere or twice", w.last.seq))
	case l.body.Prev != w.last.mac:
		w.fault(at, "the entry before it is not the one it was written after")
	}
	w.last, w.known = position{seq: l.body.Seq, mac: l.mac, prev: l.body.Prev}, true
	if !genuine {
		return nil
	}
	w.good = w.size
	return w.count(at, l)
}

func (w *walk) count(at Problem, l line) error {
	e, err := l.open(w.key)
	if err != nil {
		w.fault(at, err.Error())
		return nil
	}
	if w.result.Entries == 0 {
		w.result.First = e.Seq
	}
	w.result.Entries++
	w.result.Last, w.result.MAC = e.Seq, e.MAC
	if len(w.result.Problems) > 0 {
		w.result.After++
	}
	if w.each == nil {
		return nil
	}
	return w.each(e)
}

func (w *walk) fault(at Problem, text string) {
	at.Text = text
	if w.result.Faults++; len(w.result.Problems) < maxProblems {
		w.result.Problems = append(w.result.Problems, at)
	}
}

// compare holds the end of the chain against the head.
func (w *walk) compare(dir string) error {
	h, found, err := readHead(dir, w.key)
	at := Problem{File: headName}
	switch {
	case errors.Is(err, errHead):
		w.fault(at, errHead.Error())
	case err != nil:
		return err
	case !found && w.last.seq > 1:
		w.fault(at, "the file is missing, so nothing tells whether the end of the log is there")
	case !found, w.last.seq == h.Seq && w.last.mac == h.Last:
	case w.last.seq < h.Seq:
		at.Seq = h.Seq
		w.fault(at, fmt.Sprintf("the log ends with entry %d, but went up to entry %d: the end is missing", w.last.seq, h.Seq))
	case w.last.seq == h.Seq+1 && w.last.prev == h.Last: // written, and cut before the head was
	default:
		at.Seq = h.Seq
		w.fault(at, "the file does not belong to the end of the log: one of the two was put back")
	}
	return nil
}

// String is the problem in one line: "audit.jsonl:12: entry 12: what is wrong".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Seq > 0 {
		fmt.Fprintf(&b, ": entry %d", p.Seq)
	}
	return b.String() + ": " + p.Text
}
