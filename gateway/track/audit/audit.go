// Package audit is the log of administrative acts, in which a changed, moved or missing entry shows. It carries no act out.
//
// The log is a folder: audit.jsonl is written to, audit-NUMBER.jsonl are earlier parts, named after their
// first entry, and head says how far the log goes. An entry is one line of JSON with its number, the time, the
// kind of act, the act itself sealed under the at-rest key, the MAC of the entry before and, last, the
// HMAC-SHA256 of all that under a key derived from the at-rest key. Who has the files and not the key can
// therefore neither write an entry nor change, move, remove or cut off one unseen. Who has both can. What the
// folder alone cannot show is told at [Verify].
package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Errors of Record, beside those of the file system.
var (
	ErrTooLarge = errors.New("audit: an act says more than an entry can hold; do it in smaller portions")
	ErrDamaged  = errors.New("audit: the log is damaged, so no act can be recorded; look at `siegel audit verify`, then move its folder aside to begin a new one")
	ErrClosed   = errors.New("audit: closed")
)

const (
	purpose        = "audit"
	defaultMaxSize = 16 << 20
	theGateway     = "the gateway"
)

// Entry is one act in the log.
type Entry struct {
	Seq     uint64    `json:"seq"` // counts from 1
	Time    time.Time `json:"time"`
	Who     string    `json:"who"`
	What    string    `json:"what"`
	Subject []string  `json:"subject,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Prev    string    `json:"prev"` // MAC of the entry before
	MAC     string    `json:"mac"`
}

// Options of a Log.
type Options struct {
	Dir     string             // of the log alone; made, mode 0700, where it is missing
	Key     atrest.Key         // the at-rest key
	MaxSize int64              // of a file, before the next one is begun; 0: 16 MiB
	Now     func() time.Time   // nil: time.Now
	Log     logrus.FieldLogger // takes a line for each entry, with its number and MAC; nil: none
}

// Log is an audit log that is written to. It implements [admin.Audit]. Its methods may be called at once; one
// process may have a log open.
type Log struct {
	o   Options
	key atrest.Key

	mu     sync.Mutex
	file   *os.File // nil: it must be opened first
	size   int64
	first  uint64 // number of the first entry of file
	last   position
	closed bool
}

var _ admin.Audit = (*Log)(nil)

// Open opens the log in o.Dir, or begins one. Where that fails, for a log that is damaged or a disk that is,
// Open succeeds all the same: Check and Record say what is wrong, and each Record tries again. The error is
// that of a key that is none. The caller closes the Log.
func Open(o Options) (*Log, error) {
	if o.Key.IsZero() {
		return nil, atrest.ErrKey
	}
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	l := &Log{o: o, key: o.Key.Derive(purpose)}
	if err := l.Check(); err != nil {
		o.Log.WithError(err).Error("audit: the log cannot be written: acts of administrators are refused until it can")
	}
	return l, nil
}

// Check returns nil where an act could be recorded now.
func (l *Log) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready()
}

// Record writes a down. When it returns nil the entry is on stable storage. When it returns an error the entry
// may be there all the same; the log then tells of an act that was refused, never the other way round.
func (l *Log) Record(_ context.Context, a admin.Act) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ready(); err != nil {
		return err
	}
	if a.Time.IsZero() {
		a.Time = l.o.Now()
	}
	return l.append(a)
}

// Close closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.drop()
}

// drop closes the file, which the next use opens and looks through again.
func (l *Log) drop() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// append writes one entry, and the head after it.
func (l *Log) append(a admin.Act) (err error) {
	defer func() {
		if err != nil && !errors.Is(err, ErrTooLarge) {
			l.drop()
			err = fmt.Errorf("audit: %w", err)
		}
	}()
	text, next, err := newLine(l.key, l.last, a)
	if err != nil {
		return err
	}
	if l.size > 0 && l.size+int64(len(text)) >= l.o.MaxSize {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	if err := writeHead(l.o.Dir, l.key, next); err != nil {
		return err
	}
	l.size += int64(len(text)) + 1
	l.last = next
	l.o.Log.WithFields(logrus.Fields{"act": a.What, "entry": next.seq, "mac": next.mac}).Info("audit: recorded")
	return nil
}

// rotate gives the file its last name and begins another. The chain goes on.
func (l *Log) rotate() error {
	if err := l.drop(); err != nil {
		return err
	}
	current := filepath.Join(l.o.Dir, currentName)
	if err := os.Rename(current, filepath.Join(l.o.Dir, fmt.Sprintf("audit-%012d.jsonl", l.first))); err != nil {
		return err
	}
	return l.create()
}

// create opens the current file, which may be a new one, for appending.
func (l *Log) create() error {
	f, err := os.OpenFile(filepath.Join(l.o.Dir, currentName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = syncDir(l.o.Dir)
	}
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	if l.size == 0 {
		l.first = l.last.seq + 1
	}
	return nil
}

// digest names bytes that are taken away.
func digest(b []byte) string { return fmt.Sprintf("%d bytes, SHA-256 %x", len(b), sha256.Sum256(b)) }
