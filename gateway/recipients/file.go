package recipients

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Interval is how often a file is looked at.
const Interval = 10 * time.Second

// Options are what a File needs besides its path.
type Options struct {
	Tag string             // see Parse
	Log logrus.FieldLogger // of changes, and of what keeps them from being taken; nil: none
	Now func() time.Time   // nil: time.Now
}

// File is a list that follows its file: an address is looked up in what the file held some seconds ago. While the
// file is gone or has a bad line, what it held before stays in force. It has no goroutines and may be used at once.
type File struct {
	path string
	o    Options

	mu      sync.Mutex
	list    *List
	seen    stamp
	checked time.Time
	reading bool
	trouble string // that was told
}

// stamp is what changes when a file does.
type stamp struct {
	size     int64
	modified time.Time
	info     os.FileInfo // for os.SameFile
}

func (s stamp) same(o stamp) bool {
	return s.size == o.size && s.modified.Equal(o.modified) && os.SameFile(s.info, o.info)
}

// Open reads a file. Its errors wrap those of the file system, or ErrFile with the bad lines.
func Open(path string, o Options) (*File, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	list, seen, err := read(path, o.Tag)
	if err != nil {
		return nil, err
	}
	return &File{path: path, o: o, list: list, seen: seen, checked: o.Now()}, nil
}

func read(path, tag string) (*List, stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	seen := stamp{info.Size(), info.ModTime(), info}
	list, faults := Parse(f, tag)
	errs := make([]error, len(faults))
	for i, fault := range faults {
		errs[i] = fault
	}
	return list, seen, errors.Join(errs...)
}

// Len is how many entries are in force.
func (f *File) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list.Len()
}

// Known reports whether an address is in the list. It never fails.
func (f *File) Known(_ context.Context, a mail.Address) (bool, error) {
	return f.current().Has(a), nil
}

// current is the list in force, once the file was looked at if that is due. While one caller reads it anew the
// others go on with the old one.
func (f *File) current() *List {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	if waited := now.Sub(f.checked); f.reading || waited >= 0 && waited < Interval {
		return f.list
	}
	f.reading, f.checked = true, now
	before := f.seen
	f.mu.Unlock()
	list, seen, err := readChanged(f.path, f.o.Tag, before, now)
	f.mu.Lock()
	f.reading = false
	switch {
	case err != nil:
		f.tell(strings.ReplaceAll(err.Error(), "\n", "; ") + "; the list of before stays in force: put the file right")
	case list != nil:
		f.list, f.seen, f.trouble = list, seen, ""
		f.say().Infof("recipients: the file has changed; %d entries are in force", list.Len())
	default:
		f.trouble = ""
	}
	return f.list
}

// settled is for how long a file must not have changed before it is read: half a list would refuse the other half.
const settled = 3 * time.Second

// readChanged reads a file that is another than it was; nil where it is not, or not yet.
func readChanged(path, tag string, before stamp, now time.Time) (*List, stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, stamp{}, err
	}
	if age := now.Sub(info.ModTime()); before.same(stamp{info.Size(), info.ModTime(), info}) || age >= 0 && age < settled {
		return nil, stamp{}, nil
	}
	list, seen, err := read(path, tag)
	if after, statErr := os.Stat(path); statErr != nil || !seen.same(stamp{after.Size(), after.ModTime(), after}) {
		return nil, stamp{}, statErr // still being written
	}
	return list, seen, err
}

// tell warns once of each trouble.
func (f *File) tell(trouble string) {
	if f.trouble != trouble {
		f.trouble = trouble
		f.say().Warn("recipients: " + trouble)
	}
}

func (f *File) say() logrus.FieldLogger {
	if f.o.Log == nil {
		return silent()
	}
	return f.o.Log.WithField("file", f.path)
}

func silent() logrus.FieldLogger {
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	return l
}
