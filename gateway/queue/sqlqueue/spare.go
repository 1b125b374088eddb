package sqlqueue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

const (
	// spareSize is what the log may grow by before it is moved to the database.
	spareSize = checkpoint * pageSize
	// spareShare is the part of what is free at most.
	spareShare = 8
	spareWait  = time.Second // between two attempts to take it
)

// spare is room on the disk that is kept for letting mail go: a delivery writes, too. It is given up where the disk
// is full, and then nothing that takes room is accepted until there is room for it again. It belongs to the writer.
type spare struct {
	path  string
	size  int64
	taken bool
	tried time.Time
}

func newSpare(path string, free int64) *spare {
	return &spare{path: path, size: min(spareSize, free/spareShare)}
}

// freeBytes is what the disk has left; little where the system does not tell.
func (s *Store) freeBytes() int64 {
	if free, _, ok := s.space(s.o.Dir); ok {
		return free
	}
	return spareShare << 20
}

// take takes the room, where it is not taken.
func (r *spare) take(now time.Time) bool {
	if r.taken || now.Sub(r.tried) < spareWait && now.After(r.tried) {
		return r.taken
	}
	r.tried = now
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false
	}
	if err := errors.Join(allocate(f, r.size), f.Close()); err != nil {
		os.Remove(r.path)
		return false
	}
	r.taken = true
	return true
}

// give gives the room back to the disk and reports whether there was any.
func (r *spare) give() bool {
	r.taken = false
	info, err := os.Stat(r.path)
	return err == nil && info.Size() > 0 && os.Remove(r.path) == nil
}

// remove is give, at the end.
func (r *spare) remove() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlqueue: %w", err)
	}
	return nil
}

// refuseGrowth answers what takes room while the reserve is not there, and returns the rest.
func (w *writer) refuseGrowth(batch []*request) []*request {
	if w.spare.take(w.store.o.Now()) {
		return batch
	}
	rest := batch[:0:0]
	for _, r := range batch {
		if r.grows {
			r.done <- fmt.Errorf("%w (room is kept for delivering what is there)", queue.ErrFull)
		} else {
			rest = append(rest, r)
		}
	}
	return rest
}

// makeRoom gives up the reserve, and the room of the log where it can be moved to the database. It reports whether
// another attempt is worth it.
func (w *writer) makeRoom(batch []*request) bool {
	letsGo := false
	for _, r := range batch {
		letsGo = letsGo || !r.grows
	}
	if !letsGo || !w.spare.give() {
		return false
	}
	if err := sqldb.Checkpoint(w.db.write); err != nil {
		w.store.o.Log.WithError(err).Warn("queue: the disk is full; what is in the log cannot be moved to the database yet")
	}
	w.store.o.Log.Error("queue: the disk is full: nothing is accepted until mail has left or room is made")
	return true
}

// writeZeros writes size bytes where the system has no other way to allocate them.
func writeZeros(f *os.File, size int64) error {
	block := make([]byte, 64<<10)
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(size-at, int64(len(block)))], at); err != nil {
			return err
		}
	}
	return f.Sync()
}
