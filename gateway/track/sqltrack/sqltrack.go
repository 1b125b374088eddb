// Package sqltrack is the stored record of what happened to messages, in SQLite, for administrators to search. It keeps no mail, and mail never waits for it.
//
// Events go into a bounded buffer in memory; one goroutine writes what has gathered, in one transaction. What
// finds no room is dropped and counted. A process that is killed loses what it gathered since the last write.
//
// Addresses, hosts, replies, subjects and whatever else an event says rest sealed under the at-rest key. So
// that they can be found all the same, the database holds keyed hashes of whole addresses, domains, Message-IDs,
// clients, users, hosts and routes. They tell who has the file and not the key which messages have something in
// common, and how often, not what. Ids, times and kinds of steps are in clear.
package sqltrack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Errors that Check and the searches return, beside those of the file system and the database.
var (
	ErrWrongKey = errors.New("sqltrack: the record was written under another at-rest key; move its folder aside to begin a new one")
	ErrDamaged  = errors.New("sqltrack: the record is damaged and not written any more; move its folder aside to begin a new one")
	ErrNone     = errors.New("sqltrack: there is no record")
)

const (
	purpose      = "track"
	databaseName = "track.db"

	defaultInterval  = 500 * time.Millisecond
	defaultRetention = 90 * 24 * time.Hour
	defaultMaxSize   = 10 << 30
	defaultBuffer    = 50_000
	retryPause       = 10 * time.Second // between attempts at a database that failed
	prunePause       = time.Minute      // between looks for what is too old
)

// Options of a Store.
type Options struct {
	Dir       string        // of the record alone; made, mode 0700, where it is missing
	Key       atrest.Key    // the at-rest key
	Retention time.Duration // how long a message is kept after it came; 0: 90 days
	MaxSize   int64         // of the database in bytes, beyond which the oldest messages go; 0: 10 GiB
	Interval  time.Duration // between two writes; 0: half a second
	Buffer    int           // events that wait for a write at most; 0: 50,000
	Now       func() time.Time
	Log       logrus.FieldLogger // of faults; nil: none
}

// Store is a [track.Recorder] that keeps events. All methods may be called at once. One process may have a
// record open for writing.
type Store struct {
	o       Options
	key     atrest.Key
	buffer  buffer
	flushes chan chan error
	closing chan struct{}
	once    sync.Once
	done    chan struct{}
	w       writer                // belongs to the goroutine run
	damage  atomic.Pointer[error] // that a search came upon

	mu  sync.RWMutex // readers hold it for reading while they use db
	db  *database    // nil while it cannot be used
	err error        // why
}

var _ track.Recorder = (*Store)(nil)

// Open opens the record in o.Dir, or begins one. Where that fails, Open succeeds all the same: the store takes
// and drops events, Check says why, and it tries again every 10 seconds. A database that is damaged or was
// written under another key is never replaced; when it was moved aside a new one is begun. The error is that
// of a key that is none. The caller closes the Store.
func Open(o Options) (*Store, error) {
	if o.Key.IsZero() {
		return nil, atrest.ErrKey
	}
	o = o.withDefaults()
	s := &Store{o: o, key: o.Key.Derive(purpose), flushes: make(chan chan error), closing: make(chan struct{}), done: make(chan struct{})}
	s.buffer.limit = o.Buffer
	s.w = newWriter(s)
	s.w.open()
	go s.run()
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Retention <= 0 {
		o.Retention = defaultRetention
	}
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Buffer <= 0 {
		o.Buffer = defaultBuffer
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	return o
}

func (o Options) path() string { return filepath.Join(o.Dir, databaseName) }

// Record puts e into the buffer, or drops it where there is no room.
func (s *Store) Record(e track.Event) { s.buffer.add(e, s.o.Now()) }

// Flush writes what was recorded before it, and returns why that could not be done.
func (s *Store) Flush(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case s.flushes <- answer:
	case <-s.done:
		return s.Check()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Check returns nil where events are kept, and why they are not.
func (s *Store) Check() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}

// Close writes what is in the buffer and closes the record. A second Close does nothing.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	return s.swap(nil, errors.New("sqltrack: closed"))
}

// swap puts db in the place of the one in use, and closes that once its readers are done.
func (s *Store) swap(db *database, err error) error {
	s.mu.Lock()
	old := s.db
	s.db, s.err = db, err
	s.mu.Unlock()
	if old == nil || old == db {
		return nil
	}
	return old.close()
}

// reading runs f with the database, which is not closed meanwhile.
func (s *Store) reading(f func(*database) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return s.err
	}
	return f(s.db)
}

// Collectors are the figures of the record:
//
//	siegel_record_events_total                events that were written
//	siegel_record_dropped_total{reason}       events that were not: "full" buffer, "flood" of refusals, "error"
//	siegel_record_waiting_events              events in the buffer
//	siegel_record_failing                     1 while nothing can be written
func (s *Store) Collectors() []prometheus.Collector {
	counter := func(name, help string, labels prometheus.Labels, value func() uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "siegel_record_" + name, Help: help, ConstLabels: labels},
			func() float64 { return float64(value()) })
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "siegel_record_" + name, Help: help}, value)
	}
	const dropped = "Events that the record does not hold."
	return []prometheus.Collector{
		counter("events_total", "Events that were written to the record.", nil, s.w.written.Load),
		counter("dropped_total", dropped, prometheus.Labels{"reason": "full"}, s.buffer.full.Load),
		counter("dropped_total", dropped, prometheus.Labels{"reason": "flood"}, s.buffer.flood.Load),
		counter("dropped_total", dropped, prometheus.Labels{"reason": "error"}, s.w.lost.Load),
		gauge("waiting_events", "Events that wait to be written to the record.", func() float64 { return float64(s.buffer.waiting()) }),
		gauge("failing", "1 while the record cannot be written.", func() float64 {
			if s.Check() != nil {
				return 1
			}
			return 0
		}),
	}
}

// Reader searches a record that no gateway has open, or that one writes to meanwhile. It implements the same
// searches as Store.
type Reader struct {
	key atrest.Key
	db  *database
}

// OpenReader opens the record in dir for reading; ErrNone where there is none, ErrWrongKey. The caller closes it.
func OpenReader(dir string, key atrest.Key) (*Reader, error) {
	if key.IsZero() {
		return nil, atrest.ErrKey
	}
	o := Options{Dir: dir}
	if _, err := os.Stat(o.path()); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNone, dir)
	}
	key = key.Derive(purpose)
	db, err := openReading(o.path(), key)
	if err != nil {
		return nil, err
	}
	return &Reader{key: key, db: db}, nil
}

// Close closes the record.
func (r *Reader) Close() error { return r.db.close() }
