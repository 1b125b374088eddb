// Package sqlqueue is the durable queue on SQL: embedded SQLite in one directory. It does not deliver, and makes nothing of what it keeps.
//
// One goroutine writes: it takes all requests that wait, runs them in one transaction, syncs once, and
// answers each. Reads have connections of their own. Content of up to 128 KiB rests in the database,
// larger content in files beside it that are synced, with their directory, before the row commits. What was
// just put is also remembered in memory, up to a bound, for the attempt that follows at once.
//
// The envelope, the names of destinations, replies and content rest encrypted and bound to their message
// under the at-rest key. In clear are message ids, times, sizes, states, counts of attempts and recipients,
// which recipients share a destination, and whether a message waits for its protection.
package sqlqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Errors of Open, beside those of the file system and the database.
var (
	ErrInUse    = errors.New("sqlqueue: another process has this queue open")
	ErrWrongKey = errors.New("sqlqueue: the queue was written under another at-rest key; give that key, or move the queue's directory aside")
)

const (
	defaultInline = 128 << 10
	databaseName  = "queue.db"
	contentName   = "content"
)

// Options of a Store.
type Options struct {
	Dir    string             // of the queue alone; made, mode 0700, where it is missing
	Key    atrest.Key         // under which everything rests
	Inline int64              // content of up to so many bytes is kept in the database; 0: 128 KiB
	Now    func() time.Time   // nil: time.Now
	Log    logrus.FieldLogger // of faults of the storage; nil: none
	// Recovered is told when a damaged database was set aside, also before Open returns; nil: only the log is.
	Recovered func(Recovery)

	whole int64 // size up to which a database is checked whole at the start
}

// Store is a queue.Store. All methods may be called at once.
type Store struct {
	o       Options
	key     atrest.Key // for everything in the queue
	content string     // directory of content files
	run     string     // begins the name of each file of this run
	lock    *os.File
	writer  *writer
	names   *names
	space   func(dir string) (free, total int64, ok bool) // of the disk
	recent  *recent

	unclean bool         // a former process did not stop orderly
	proven  bool         // the key is the one of this queue
	filing  sync.RWMutex // held for reading while content files are made that no row refers to yet

	mu sync.RWMutex // readers hold it for reading while they use db
	db *database    // nil while the storage is being checked, and after Close

	sweeping sync.WaitGroup
	stop     context.CancelFunc // ends the sweep
	closing  sync.Once
	closed   error
}

var _ queue.Store = (*Store)(nil)

// Open opens the queue in o.Dir, which one process may have open at a time, and makes it where it is
// missing. A damaged database is set aside and carried over into a new one; see [Recovery]. Leases that a former process left are released; files without a message are removed in the
// background. ErrInUse, ErrWrongKey, sqldb.ErrNewer. The caller closes the Store.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Key.IsZero() {
		return nil, atrest.ErrKey
	}
	o = o.withDefaults()
	content := filepath.Join(o.Dir, contentName)
	if err := os.MkdirAll(content, 0o700); err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	key := o.Key.Derive("queue")
	s := &Store{o: o, key: key, content: content, run: randomName(4), lock: lock, names: newNames(key), space: space, recent: newRecent(recentBytes)}
	if err := s.readMark(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := s.start(ctx); err != nil {
		err = errors.Join(err, s.swap(nil))
		if !s.unclean { // what a former process left has been looked at
			err = errors.Join(err, s.mark(false))
		}
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	db, err := s.openSound(ctx, nil)
	if err != nil {
		return err
	}
	s.db = db
	if err := s.mark(true); err != nil {
		return err
	}
	if err := db.begin(ctx); err != nil {
		return err
	}
	if s.writer, err = newWriter(s, db); err != nil {
		return err
	}
	go s.writer.run()
	s.prove(db)
	sweep, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.sweeping.Go(func() { s.sweep(sweep) })
	return nil
}

func (s *Store) path() string { return filepath.Join(s.o.Dir, databaseName) }

func (o Options) withDefaults() Options {
	if o.Inline <= 0 {
		o.Inline = defaultInline
	}
	if o.whole <= 0 {
		o.whole = fullCheck
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(nowhere{})
		o.Log = silent
	}
	return o
}

type nowhere struct{}

// Write is io.Writer.
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Close returns after the last commit. Requests that were not begun fail with queue.ErrClosed. A second
// Close returns what the first did.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writer.close()
		s.stop()
		s.sweeping.Wait()
		s.closed = errors.Join(s.swap(nil), s.writer.spare.remove())
		if s.closed == nil && s.writer.db != nil {
			s.closed = s.mark(false)
		}
		s.closed = errors.Join(s.closed, s.lock.Close())
	})
	return s.closed
}

// swap puts db in the place of the database in use and closes that, once its readers are done.
func (s *Store) swap(db *database) error {
	s.mu.Lock()
	old := s.db
	s.db = db
	s.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.close()
}

// reading runs f with the database, which is not closed meanwhile.
func (s *Store) reading(f func(*database) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		if s.writer.closed() {
			return queue.ErrClosed
		}
		return queue.ErrUnavailable
	}
	err := f(s.db)
	if isDamage(err) {
		s.writer.alarm(err)
	}
	return err
}

// The lock file says whether the process that has the queue, or had it last, stopped orderly: it is empty then.
const running = "running\n"

func (s *Store) readMark() error {
	b := make([]byte, len(running))
	n, err := s.lock.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("sqlqueue: lock: %w", err)
	}
	s.unclean = n > 0
	return nil
}

func (s *Store) mark(on bool) error {
	err := s.lock.Truncate(0)
	if on {
		_, err = s.lock.WriteAt([]byte(running), 0)
	}
	if err = errors.Join(err, s.lock.Sync()); err != nil {
		return fmt.Errorf("sqlqueue: lock: %w", err)
	}
	return nil
}
