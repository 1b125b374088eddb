package sqlqueue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

const (
	maxBatch      = 512
	maxBatchBytes = 16 << 20
	repairWait    = time.Second // between two attempts at a failed storage
)

// request is one thing asked of the writer.
type request struct {
	ctx   context.Context  // a request whose context has ended is not begun
	do    func(*txn) error // may run several times, where a transaction has to be run again
	grows bool             // takes room: a full disk refuses it, to let others pass
	files bool             // has made content files
	bytes int              // about as many go into the log
	done  chan error       // takes one answer, after the commit
}

// unknownError is a fault of the storage after which a request may or may not have happened.
type unknownError struct{ error }

// Unwrap gives the fault.
func (e unknownError) Unwrap() error { return e.error }

// counters are what a transaction changes of the row counter.
type counters struct{ messages, recipients, held, bytes, pending int64 }

// txn is the transaction of one batch, while it is open.
type txn struct {
	db    *database
	names *names
	seq   *int64           // last one used
	wrote bool             // the request that runs has changed something
	delta counters         // of the whole batch
	fresh map[string]int64 // destinations made in the batch
}

// writer runs requests, many in one commit. All of its fields but the channels belong to its goroutine.
type writer struct {
	store    *Store
	db       *database
	seq      int64
	requests chan *request
	alarms   chan error // readers found damage
	spare    *spare
	closing  chan struct{}
	once     sync.Once
	done     chan struct{}
}

func newWriter(s *Store, db *database) (*writer, error) {
	w := &writer{store: s, db: db, requests: make(chan *request), alarms: make(chan error, 1), closing: make(chan struct{}), done: make(chan struct{})}
	w.spare = newSpare(filepath.Join(s.o.Dir, "spare"), s.freeBytes())
	w.spare.take(s.o.Now())
	if err := db.w.maxSeq.QueryRow().Scan(&w.seq); err != nil {
		return nil, fmt.Errorf("sqlqueue: start: %w", err)
	}
	return w, nil
}

// close ends the writer's goroutine after its last commit.
func (w *writer) close() {
	w.once.Do(func() { close(w.closing) })
	<-w.done
}

func (w *writer) closed() bool {
	select {
	case <-w.closing:
		return true
	default:
		return false
	}
}

// submit hands r to the writer and waits for the answer, which is the truth about r.
func (s *Store) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.ctx, r.done = ctx, make(chan error, 1)
	select {
	case s.writer.requests <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writer.closing:
		return queue.ErrClosed
	}
}

func (w *writer) run() {
	defer close(w.done)
	for {
		batch, alarm := w.collect()
		if alarm != nil {
			w.repair(alarm)
			continue
		}
		if batch == nil {
			return
		}
		if fault := w.serve(batch); fault != nil {
			w.repair(fault)
		}
	}
}

// alarm tells the writer of damage that a reader found.
func (w *writer) alarm(err error) {
	select {
	case w.alarms <- err:
	default:
	}
}

// collect waits for a request and takes all that wait with it; nil where the writer is to end. An alarm comes
// alone.
func (w *writer) collect() (batch []*request, alarm error) {
	select {
	case r := <-w.requests:
		batch = append(batch, r)
	case err := <-w.alarms:
		return nil, err
	case <-w.closing:
		return nil, nil
	}
	for bytes := batch[0].bytes; len(batch) < maxBatch && bytes < maxBatchBytes; {
		select {
		case r := <-w.requests:
			batch = append(batch, r)
			bytes += r.bytes
		default:
			return batch, nil
		}
	}
	return batch, nil
}

// serve answers every request of batch. One that cannot be done fails alone: the others are run again
// without it. A fault of the storage fails all, and is returned.
func (w *writer) serve(batch []*request) error {
	for batch = w.refuseGrowth(batch); len(batch) > 0; {
		bad, err := w.attempt(batch)
		if err == nil {
			return nil
		}
		switch fault := sqldb.FaultOf(err); {
		case fault == sqldb.Full && w.makeRoom(batch):
			batch = w.refuseGrowth(batch)
		case fault == sqldb.Full:
			batch = full(batch, err)
		case bad >= 0 && (fault == sqldb.Refused || fault == sqldb.None):
			batch[bad].done <- refusal(err)
			batch = append(batch[:bad:bad], batch[bad+1:]...)
		default:
			for _, r := range batch {
				r.done <- unknownError{fmt.Errorf("sqlqueue: %w", err)}
			}
			return err
		}
	}
	return nil
}

// refusal is the answer to a request that the database refused.
func refusal(err error) error {
	if sqldb.FaultOf(err) == sqldb.Refused {
		return fmt.Errorf("%w (%v)", queue.ErrExists, err)
	}
	return err
}

// full answers what cannot be done on a full disk and returns the rest: requests that make room go before
// those that take it.
func full(batch []*request, err error) (rest []*request) {
	for _, r := range batch {
		if !r.grows {
			rest = append(rest, r)
		}
	}
	if len(rest) == len(batch) {
		rest = nil
	}
	for _, r := range batch {
		if r.grows || rest == nil {
			r.done <- fmt.Errorf("%w (%v)", queue.ErrFull, err)
		}
	}
	return rest
}

// attempt runs batch in one transaction and answers all of it after the commit. Where that fails, nothing
// has happened, nobody is answered, and bad is the request to blame, or -1.
func (w *writer) attempt(batch []*request) (bad int, err error) {
	if _, err := w.db.w.begin.Exec(); err != nil {
		return -1, err
	}
	t := &txn{db: w.db, names: w.store.names, seq: &w.seq, fresh: map[string]int64{}}
	answers := make([]error, len(batch))
	files := false
	for i, r := range batch {
		if answers[i] = r.ctx.Err(); answers[i] != nil {
			continue
		}
		t.wrote = false
		answers[i] = r.do(t)
		if answers[i] != nil && (t.wrote || sqldb.FaultOf(answers[i]) != sqldb.None) {
			w.db.w.rollback.Exec() // fails where the fault has done it
			return i, answers[i]
		}
		files = files || r.files
	}
	if err := w.finish(t, files); err != nil {
		w.db.w.rollback.Exec()
		return -1, err
	}
	for name, id := range t.fresh {
		w.store.names.learn(id, name)
	}
	for i, r := range batch {
		r.done <- answers[i]
	}
	return -1, nil
}

// finish commits t, after the names of new content files are on stable storage.
func (w *writer) finish(t *txn, files bool) error {
	if t.delta != (counters{}) {
		if _, err := w.db.w.count.Exec(t.delta.messages, t.delta.recipients, t.delta.held, t.delta.bytes, t.delta.pending); err != nil {
			return err
		}
	}
	if files {
		if err := syncDir(w.store.content); err != nil {
			return err
		}
	}
	_, err := w.db.w.commit.Exec()
	return err
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// repair closes the database after cause, checks it, and opens it again once it is sound. Meanwhile
// requests are answered with queue.ErrUnavailable.
func (w *writer) repair(cause error) {
	log := w.store.o.Log
	log.WithError(cause).Error("queue: the storage failed: closed, nothing is accepted until it has been checked")
	w.db = nil
	if err := w.store.swap(nil); err != nil {
		log.WithError(err).Warn("queue: closing the failed database")
	}
	for wait := time.Duration(0); ; wait = repairWait {
		result := make(chan error, 1)
		var db *database
		timer := time.AfterFunc(wait, func() {
			var err error
			db, err = w.store.openSound(context.Background(), cause)
			result <- err
		})
		err, stopped := w.refuse(result)
		if stopped && timer.Stop() {
			return
		}
		if stopped {
			err = <-result
		}
		if err == nil {
			w.db = db
			w.store.swap(db)
			select {
			case <-w.alarms: // of the database that failed
			default:
			}
			w.store.prove(db)
			log.Warn("queue: the storage is sound again")
			return
		}
		if stopped {
			return
		}
		log.WithError(err).Error("queue: the storage is not sound yet; check the disk and its file system")
	}
}

// refuse turns requests away until there is a result, or the writer is to end.
func (w *writer) refuse(result <-chan error) (err error, stopped bool) {
	for {
		select {
		case r := <-w.requests:
			r.done <- queue.ErrUnavailable
		case err := <-result:
			return err, false
		case <-w.closing:
			return nil, true
		}
	}
}
