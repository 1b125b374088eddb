// Package store keeps certificates, private keys, what administrators said of them and what the gateway learns, in an SQLite database of its own; it fetches nothing and is never begun anew by itself.
//
// A [Store] is a certs.Finder, and judges by the trust it keeps; [Store.Within] gives it what lies outside. A database that is damaged, or was written under another key, stays where it is: every call fails, [Store.Check]
// says why, and whoever accepts mail stops. What names people is sealed under the at-rest key; addresses are
// found by keyed hashes.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

//go:embed schema/*.sql
var schema embed.FS

// Errors of every call, beside those of the file system and the database.
var (
	ErrWrongKey = errors.New("certs/store: the store was written under another at-rest key; give the gateway that key, or restore the store from a backup")
	ErrDamaged  = errors.New("certs/store: the store is damaged; restore its folder from a backup, or move it aside to begin a new one")
	ErrClosed   = errors.New("certs/store: the store is closed")
)

const (
	purpose      = "certs"
	databaseName = "certs.db"
	readers      = 2
	retryPause   = 2 * time.Second // between attempts at a database that failed
	attempts     = 3               // at once, where the disk errs
	defaultMost  = 100_000
	defaultAsked = 1000
	defaultCache = 32 << 20
)

// Options of a Store.
type Options struct {
	Dir  string     // of the store alone; made, mode 0700, where it is missing
	Key  atrest.Key // the at-rest key
	Most int        // addresses with certificates whose capabilities are kept, the latest ones; 0: 100,000
	// MostAsked are the certificates that are kept although nobody has said anything of the root above them, those seen last; 0: 1,000.
	MostAsked int
	// Cache is about how many bytes of memory hold what was looked up last; 0: 32 MiB.
	Cache int
	// Surroundings are what the Store itself finds and judges with, as a certs.Finder.
	Surroundings Surroundings
	// Changed is told, after it counts, of each change by which there may be a valid certificate where there was none: of which
	// addresses, nil for any. It returns at once. nil: nobody is told.
	Changed func(addresses []string)
	Now     func() time.Time
	Log     logrus.FieldLogger // of faults; nil: none
}

// Store is the store. All methods may be called at once. One process may have a store open.
type Store struct {
	o     Options
	key   atrest.Key
	cache *cache
	view  *View // within Options.Surroundings

	mu     sync.RWMutex // readers hold it for reading while they use db
	db     *database    // nil while it cannot be used
	err    error        // why
	tried  time.Time    // when it was last opened
	closed bool
}

// database is the connections to one database.
type database struct {
	write, read *sql.DB
	names       *prepared // read, for finding by name
}

// Open opens the store in o.Dir, or begins one. Where that fails Open succeeds all the same: every call fails, Check says
// why, and it is tried again at calls 2 seconds apart. The error is that of a key that is none. The caller
// closes the Store.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Key.IsZero() {
		return nil, atrest.ErrKey
	}
	if o.Most <= 0 {
		o.Most = defaultMost
	}
	if o.MostAsked <= 0 {
		o.MostAsked = defaultAsked
	}
	if o.Cache <= 0 {
		o.Cache = defaultCache
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	s := &Store{o: o, key: o.Key.Derive(purpose), cache: newCache(o.Cache)}
	s.view = s.Within(o.Surroundings)
	s.reopen(ctx)
	return s, nil
}

// Check returns nil where the store can be used, and why it cannot.
func (s *Store) Check() error {
	s.mu.RLock()
	err, again := s.err, s.due()
	s.mu.RUnlock()
	if again {
		return s.reopen(context.Background())
	}
	return err
}

// due reports whether a failed database is to be tried again.
func (s *Store) due() bool {
	return s.err != nil && !s.closed && s.o.Now().Sub(s.tried).Abs() >= retryPause
}

// Close closes the store. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	db := s.db
	s.db, s.err, s.closed = nil, ErrClosed, true
	if db == nil {
		return nil
	}
	return db.close()
}

// reopen tries to open the database, where nobody else did meanwhile.
func (s *Store) reopen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.db != nil || s.err != nil && !s.due() {
		return s.err
	}
	s.tried = s.o.Now()
	before := s.err
	for range attempts {
		if s.db, s.err = s.open(ctx); sqldb.FaultOf(s.err) != sqldb.Storage {
			break
		}
	}
	s.cache.clear()
	switch {
	case s.err == nil && before != nil:
		s.o.Log.Info("certs/store: the store can be used again")
	case s.err != nil && (before == nil || before.Error() != s.err.Error()):
		s.o.Log.WithError(s.err).Error("certs/store: the store cannot be used; no mail is accepted meanwhile")
	}
	return s.err
}

// using runs f with the database, which is not closed meanwhile, and puts the store out of use where f finds it damaged.
func (s *Store) using(f func(*database) error) error {
	if err := s.Check(); err != nil {
		return err
	}
	s.mu.RLock()
	db := s.db
	if db == nil {
		defer s.mu.RUnlock()
		return s.err
	}
	err := f(db)
	s.mu.RUnlock()
	if sqldb.FaultOf(err) != sqldb.Corruption && !errors.Is(err, ErrDamaged) {
		return err
	}
	return s.damaged(db, err)
}

// damaged puts the store out of use.
func (s *Store) damaged(db *database, cause error) error {
	if !errors.Is(cause, ErrDamaged) {
		cause = fmt.Errorf("%w: %w", ErrDamaged, cause)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == db {
		s.o.Log.WithError(cause).Error("certs/store: the store is damaged; no mail is accepted meanwhile")
		s.db, s.err, s.tried = nil, cause, s.o.Now()
		s.cache.clear()
		db.close()
	}
	return cause
}

// open opens and checks the database, and makes it where it is missing.
func (s *Store) open(ctx context.Context) (_ *database, err error) {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	path := filepath.Join(s.o.Dir, databaseName)
	db := &database{}
	defer func() {
		if err != nil {
			db.close()
			if sqldb.FaultOf(err) == sqldb.Corruption {
				err = fmt.Errorf("%w: %w", ErrDamaged, err)
			}
		}
	}()
	if db.write, err = sqldb.Open(path, sqldb.Options{}); err != nil {
		return nil, err
	}
	folder, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	if err := sqldb.QuickCheck(ctx, db.write); err != nil {
		return nil, err
	}
	if err := sqldb.Migrate(ctx, db.write, folder); err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, db.write); err != nil {
		return nil, err
	}
	if db.read, err = sqldb.Open(path, sqldb.Options{ReadOnly: true, Conns: readers}); err != nil {
		return nil, err // a database without its readers is not one that is open, and is tried again
	}
	db.names = &prepared{DB: db.read}
	return db, nil
}

// checkKey compares the key with the one the database was made under, and records it in a new one.
func (s *Store) checkKey(ctx context.Context, db *sql.DB) error {
	proof := []byte("siegel certs")
	var sealed []byte
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		var rows int
		if err := db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM capability) + (SELECT count(*) FROM certificate) + (SELECT count(*) FROM private_key) +
			(SELECT count(*) FROM authority) + (SELECT count(*) FROM issued)`).Scan(&rows); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		} else if rows > 0 {
			return fmt.Errorf("%w: the proof of its key is gone", ErrDamaged)
		}
		if sealed, err = s.key.Seal(proof, proof); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', ?)`, sealed)
	}
	if err != nil {
		return fmt.Errorf("certs/store: check the key: %w", err)
	}
	if _, err := s.key.Open(sealed, proof); err != nil {
		return ErrWrongKey
	}
	return nil
}

func (db *database) close() error {
	var errs []error
	for _, c := range []*sql.DB{db.read, db.write} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("certs/store: close: %w", err)
	}
	return nil
}
