// Package proof keeps the record of what goes out and comes in as De-Mail, with its evidence, in a store that is never begun anew by itself; it neither sends nor fetches, and judges no signature.
//
// A submission is in the record before it is tried ([Store.Begin]), and what became of it before anybody acts on it ([Store.Settle]).
// Confirmations are kept as they came, with what was found of them that day, and lead back to the submission ([Store.Confirm]). A nil error of a method
// that changes something means that the change is on stable storage. A store that is damaged, or was written under another key, stays where it is: every
// call fails, [Store.Check] says why, and whoever accepts De-Mail stops.
package proof

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// Errors of every call, beside those of the file system and the database.
var (
	ErrWrongKey = errors.New("proof: the De-Mail record was written under another at-rest key; give the gateway that key, or restore the record from a backup")
	ErrDamaged  = errors.New("proof: the De-Mail record is damaged; restore its folder from a backup, or move it aside to begin a new one")
	ErrClosed   = errors.New("proof: the De-Mail record is closed")
)

// Errors of what was asked for.
var (
	ErrUnknown   = errors.New("proof: there is no such De-Mail in the record")
	ErrAmbiguous = errors.New("proof: this names several De-Mails of the record; name one by its key")
	ErrKeyUsed   = errors.New("proof: the key is that of another message, which must not happen: no two messages share one")
	ErrFinal     = errors.New("proof: what became of this De-Mail is settled and is not changed any more")
	ErrFull      = errors.New("proof: there is no room for the De-Mail record on the disk; make room in the state folder")
	ErrInvalid   = errors.New("proof: this cannot stand in the record")
)

const (
	purpose    = "demail evidence"
	retryPause = 2 * time.Second // between attempts at a database that failed
	attempts   = 3               // at once, where the disk errs
)

// Options of a Store.
type Options struct {
	Dir   string     // of the record alone; made, mode 0700, where it is missing
	Key   atrest.Key // the at-rest key
	Terms Terms      // until SetTerms sets others
	Now   func() time.Time
	Log   logrus.FieldLogger // of faults; nil: none
}

// Terms are what the configuration says of the record.
type Terms struct {
	Overdue   Overdue
	Retention Retention
}

// Overdue says how long after a message was taken a confirmation of each kind has to be there; 0: it is never overdue.
type Overdue struct{ Dispatch, Receipt, Retrieve time.Duration }

// of is that of one kind.
func (o Overdue) of(t demail.MessageType) time.Duration {
	return map[demail.MessageType]time.Duration{demail.TypeDispatch: o.Dispatch, demail.TypeReceipt: o.Receipt, demail.TypeRetrieve: o.Retrieve}[t]
}

// Retention says how long records of each class are kept; 0: for ever. What is in doubt, or awaits a confirmation, is kept whatever it says.
type Retention struct {
	Confirmed time.Duration // taken, and a confirmation was asked for: message and confirmations
	Sent      time.Duration // taken, without any
	Refused   time.Duration // not taken
	Received  time.Duration // what was fetched: when, and what was found of it; confirmations that belong to nothing
}

// Store is the record. All methods may be called at once. One process may have a record open.
type Store struct {
	o     Options
	key   atrest.Key
	terms atomic.Pointer[Terms]

	filing sync.Mutex // of what is shared by evidence: held while it is written, and while any is removed

	mu     sync.RWMutex // readers hold it for reading while they use db
	db     *database    // nil while it cannot be used
	err    error        // why
	tried  time.Time    // when it was last opened
	closed bool
}

// Open opens the record in o.Dir, or begins one where there is nothing. Where that fails Open succeeds all the same: every call fails, Check says why, and
// it is tried again at calls 2 seconds apart. The error is that of a key that is none. The caller closes the Store.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Key.IsZero() {
		return nil, atrest.ErrKey
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	s := &Store{o: o, key: o.Key.Derive(purpose)}
	s.SetTerms(o.Terms)
	s.reopen(ctx)
	return s, nil
}

// SetTerms has other terms count from now on.
func (s *Store) SetTerms(t Terms) { s.terms.Store(&t) }

// Check returns nil where the record can be used, and why it cannot.
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

// Close closes the record. A second Close does nothing.
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
	switch {
	case s.err == nil && before != nil:
		s.o.Log.Info("proof: the De-Mail record can be used again")
	case s.err != nil && (before == nil || before.Error() != s.err.Error()):
		s.o.Log.WithError(s.err).Error("proof: the De-Mail record cannot be used; no De-Mail is accepted, sent or fetched meanwhile")
	}
	return s.err
}

// using runs f with the database, which is not closed meanwhile, and puts it out of use where f finds it damaged, or the disk errs.
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
	switch fault := sqldb.FaultOf(err); {
	case fault == sqldb.Full:
		return fmt.Errorf("%w (%w)", ErrFull, err)
	case fault == sqldb.Corruption, errors.Is(err, ErrDamaged):
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	case fault != sqldb.Storage || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return s.failed(db, err)
}

// failed puts the database out of use. What was not answered may be in it or not; it is opened again at a later call.
func (s *Store) failed(db *database, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == db {
		s.o.Log.WithError(cause).Error("proof: the De-Mail record failed; no De-Mail is accepted, sent or fetched meanwhile")
		s.db, s.err, s.tried = nil, cause, s.o.Now()
		db.close()
	}
	return cause
}

// reading runs f with a connection that only reads, as of one instant.
func (s *Store) reading(ctx context.Context, f func(*sql.Tx) error) error {
	return s.using(func(db *database) error { return within(ctx, db.read, &sql.TxOptions{ReadOnly: true}, f) })
}

// writing runs f in a transaction, which is on stable storage where the error is nil.
func (s *Store) writing(ctx context.Context, f func(*sql.Tx) error) error {
	return s.using(func(db *database) error { return within(ctx, db.write, nil, f) })
}

func within(ctx context.Context, db *sql.DB, o *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return givenUp(ctx, wrap(err))
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return givenUp(ctx, err)
	}
	if err := tx.Commit(); err != nil {
		return commitError{err}
	}
	return nil
}

// givenUp tells a statement that was cut short, since nobody waits for it any more, from a disk that errs.
func givenUp(ctx context.Context, err error) error {
	if ctx.Err() != nil && sqldb.FaultOf(err) == sqldb.Storage {
		return wrap(ctx.Err())
	}
	return err
}

// commitError is that of a commit, of which nobody knows whether it counts.
type commitError struct{ err error }

// Error tells what failed.
func (e commitError) Error() string { return "proof: " + e.err.Error() }

// Unwrap is the database's error.
func (e commitError) Unwrap() error { return e.err }

// wrap says whose error it is.
func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	return nil
}
