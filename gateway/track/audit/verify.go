package audit

import (
	"fmt"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// Result is what a log is found to be.
type Result struct {
	Files   int    `json:"files"`
	Entries int    `json:"entries"` // that are genuine
	First   uint64 `json:"first"`   // number of the first genuine entry
	Last    uint64 `json:"last"`    // and of the last
	// MAC is that of the last entry: whoever keeps it elsewhere can tell later that nothing was cut off since.
	MAC  string `json:"mac"`
	Torn int64  `json:"torn"` // bytes of an entry at the end that was begun and never confirmed, as a crash leaves them
	// Problems are the first hundred faults in the order of the log; Faults counts all of them. After counts
	// the genuine entries after the first one.
	Problems []Problem `json:"problems"`
	Faults   int       `json:"faults"`
	After    int       `json:"after"`
}

// Problem is one fault of a log.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // 0: the file as a whole
	Seq  uint64 `json:"seq,omitempty"`  // of the entry; 0 where it cannot be read
	Text string `json:"text"`
}

// Anchor is an entry that is known from elsewhere. The zero Anchor knows nothing.
type Anchor struct {
	Seq uint64
	MAC string
}

// Expect is what a log must hold. The zero Expect wants a log from its first entry on.
type Expect struct {
	First  uint64 // number of its first entry, where earlier files were moved away; 0: 1
	Anchor Anchor // an entry it must hold
}

// attempts at a log that is being written to while it is read.
const attempts = 5

// Verify reads the log in dir, written under key, and says what is wrong with it: the result has no Problems
// where every entry is there, in its place and as it was written. The error is trouble with reading. A gateway
// may write to the log meanwhile.
//
// What cannot be seen from the folder alone is a folder that was put back whole, to what it was at an earlier
// time, or taken away whole; an [Anchor] that was kept elsewhere shows it.
func Verify(dir string, key atrest.Key, want Expect) (Result, error) {
	return Read(dir, key, want, nil)
}

// Read is Verify that also gives each genuine entry to f, oldest first. An error of f ends it and is returned.
func Read(dir string, key atrest.Key, want Expect, f func(Entry) error) (r Result, err error) {
	if key.IsZero() {
		return Result{}, atrest.ErrKey
	}
	key = key.Derive(purpose)
	for range attempts {
		if r, err = verify(dir, key, want, nil); err != nil || r.Faults == 0 {
			break
		}
	}
	if err == nil && f != nil {
		_, err = verify(dir, key, want, f)
	}
	return r, err
}

func verify(dir string, key atrest.Key, want Expect, f func(Entry) error) (Result, error) {
	list, err := files(dir)
	if err != nil {
		return Result{}, err
	}
	w := &walk{key: key, last: start(), known: true}
	if want.First > 1 {
		w.known, w.last = false, position{seq: want.First - 1}
	}
	anchored := want.Anchor == Anchor{}
	w.each = func(e Entry) error {
		if w.result.Entries == 1 && want.First > 1 && e.Seq != want.First {
			w.fault(Problem{File: "audit", Seq: e.Seq}, fmt.Sprintf("it is the first one here; entry %d was to be", want.First))
		}
		anchored = anchored || want.Anchor == Anchor{e.Seq, e.MAC}
		if f == nil {
			return nil
		}
		return f(e)
	}
	w.result.Files = len(list)
	for i, path := range list {
		if err := w.run(path, i == len(list)-1); err != nil {
			return w.result, err
		}
	}
	if len(list) > 0 {
		w.result.Torn = w.size - w.good
	}
	if err := w.compare(dir); err != nil {
		return w.result, err
	}
	if !anchored {
		w.fault(Problem{File: "audit", Seq: want.Anchor.Seq}, "the log does not hold the entry with this MAC, which was known elsewhere: it was put back or replaced")
	}
	if w.result.Faults > 0 {
		w.result.Torn = 0
	}
	return w.result, nil
}
