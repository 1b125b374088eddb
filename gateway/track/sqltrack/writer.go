package sqltrack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

const (
	maxBatch  = 2000    // events in one transaction
	maxRecent = 1 << 14 // messages whose place is remembered
	lowBits   = 16
	lowMask   = 1<<lowBits - 1
)

// entry is what is remembered of a message in the database.
type entry struct {
	num   int64
	step  int64 // number of the next step
	kinds int64 // as the database has it; -1 where that is not known
	terms map[int64]struct{}
	names map[mail.ID]struct{}
}

// writer is the state of the goroutine that writes.
type writer struct {
	s       *Store
	db      *database // nil: to be opened
	recent  map[mail.ID]*entry
	macs    macs
	next    int64 // number of the next message
	day     int64 // of the block of next
	tried   time.Time
	damaged os.FileInfo // the file that is not opened again
	looked  time.Time   // for what is too old
	missed  uint64      // events known to be missing
	told    time.Time   // of them

	written, lost atomic.Uint64
}

func newWriter(s *Store) writer { return writer{s: s, macs: macs{key: s.key}} }

// run writes at every interval, when asked, and at the end.
func (s *Store) run() {
	defer close(s.done)
	ticker := time.NewTicker(s.o.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.w.turn(false)
		case answer := <-s.flushes:
			s.w.turn(true)
			answer <- s.Check()
		case <-s.closing:
			s.w.turn(true)
			return
		}
	}
}

// turn writes what has gathered and removes some of what is too old.
func (w *writer) turn(now bool) {
	if w.db == nil && (now || w.s.o.Now().Sub(w.tried) >= retryPause) {
		w.open()
	}
	w.complain()
	if damage := w.s.damage.Swap(nil); damage != nil && w.db != nil {
		w.fail(*damage)
	}
	if w.db == nil {
		return
	}
	count := w.write(w.s.buffer.take())
	if w.db != nil {
		if err := w.prune(count/pruneStep*2 + 1); err != nil {
			w.fail(err)
		}
	}
}

// complain tells of events that are missing, once a minute.
func (w *writer) complain() {
	full, flood, lost := w.s.buffer.full.Load(), w.s.buffer.flood.Load(), w.lost.Load()
	now := w.s.o.Now()
	if all := full + flood + lost; all > w.missed && now.Sub(w.told) >= time.Minute {
		w.s.o.Log.WithField("events", all-w.missed).Warn("record: events are missing from the record: it could not be written fast enough, or a stranger flooded it with refusals")
		w.missed, w.told = all, now
	}
}

// open opens the database, unless it is the one that is known to be damaged.
func (w *writer) open() {
	w.tried = w.s.o.Now()
	err := os.MkdirAll(w.s.o.Dir, 0o700)
	if err == nil && w.damaged != nil {
		if info, statErr := os.Stat(w.s.o.path()); statErr == nil && os.SameFile(info, w.damaged) {
			return
		}
		w.damaged = nil
	}
	var db *database
	if err == nil {
		db, err = openWriting(context.Background(), w.s.o.path(), w.s.key)
	}
	if err == nil {
		err = w.begin(db)
	}
	if err != nil {
		if db != nil {
			db.close()
		}
		w.fail(fmt.Errorf("sqltrack: the record cannot be opened: %w", err))
		return
	}
	if w.s.Check() != nil {
		w.s.o.Log.Warn("record: the record is written again")
	}
	w.db = db
	w.s.swap(db, nil)
}

// begin finds where the numbers of a database go on: at a new block.
func (w *writer) begin(db *database) error {
	var last int64
	if err := db.w.lastBlock.QueryRow().Scan(&last); err != nil {
		return err
	}
	w.recent = map[mail.ID]*entry{}
	w.next, w.day = (last+1)<<lowBits, -1
	return nil
}

// fail closes the database after a fault, or leaves it open where only the disk is full.
func (w *writer) fail(err error) {
	before := w.s.Check()
	w.recent = map[mail.ID]*entry{}
	db := w.db
	if fault := sqldb.FaultOf(err); fault != sqldb.Full || db == nil {
		w.db, db = nil, nil
		if fault == sqldb.Corruption || errors.Is(err, ErrWrongKey) {
			w.damaged, _ = os.Stat(w.s.o.path())
		}
		if fault == sqldb.Corruption {
			err = fmt.Errorf("%w (%w)", ErrDamaged, err)
		}
	}
	w.s.swap(db, err)
	if before == nil || before.Error() != err.Error() {
		w.s.o.Log.WithError(err).Error("record: what happens to messages is not recorded any more; mail goes on")
	}
}

// write writes events in transactions of bounded size, and returns how many it wrote. What could not be written
// for now goes back into the buffer.
func (w *writer) write(events []track.Event) (count int) {
	for len(events) > 0 {
		batch := events[:min(len(events), maxBatch)]
		err := w.commit(batch)
		switch fault := sqldb.FaultOf(err); {
		case err == nil:
			w.written.Add(uint64(len(batch)))
			count += len(batch)
			if w.s.Check() != nil { // there is room again
				w.s.swap(w.db, nil)
			}
		case fault == sqldb.None, fault == sqldb.Refused:
			w.lost.Add(uint64(len(batch)))
			w.recent = map[mail.ID]*entry{}
			w.s.o.Log.WithError(err).Error("record: events could not be written and are missing from the record")
		default:
			w.s.buffer.putBack(events)
			w.fail(err)
			return count
		}
		events = events[len(batch):]
	}
	return count
}

// commit writes one batch.
func (w *writer) commit(events []track.Event) (err error) {
	if _, err := w.db.w.begin.Exec(); err != nil {
		return err
	}
	next, day := w.next, w.day
	defer func() {
		if err != nil {
			w.db.w.rollback.Exec() // fails where the fault has done it
			w.next, w.day = next, day
		}
	}()
	if len(w.recent) > maxRecent {
		w.recent = map[mail.ID]*entry{}
	}
	for _, e := range events {
		for _, step := range split(e) {
			if err := w.add(step); err != nil {
				return err
			}
		}
	}
	_, err = w.db.w.commit.Exec()
	return err
}

// add writes one step.
func (w *writer) add(s track.Step) error {
	origin := s.Origin
	if origin == "" {
		origin = s.ID
	}
	if origin == "" {
		origin = mail.NewID(s.Time) // of a refusal before there was a message
	}
	m, err := w.message(origin, s.Time)
	if err != nil || m.step > lowMask {
		return err
	}
	id, inClear := "", any(nil)
	if s.ID != "" && s.ID != origin {
		id, inClear = string(s.ID), string(s.ID)
		if _, known := m.names[s.ID]; !known {
			if _, err := w.db.w.name.Exec(id, m.num); err != nil {
				return err
			}
			m.names[s.ID] = struct{}{}
		}
	}
	key, at := m.num<<lowBits|m.step, s.Time.UnixMilli()
	body, err := seal(w.s.key, key, at, id, s)
	if err != nil {
		return err
	}
	if _, err := w.db.w.step.Exec(key, at, inClear, body); err != nil {
		return err
	}
	m.step++
	return w.index(m, s)
}

// index makes a message findable by a step.
func (w *writer) index(m *entry, s track.Step) error {
	for _, t := range termsOf(s) {
		mac := w.macs.of(t)
		if _, known := m.terms[mac]; known {
			continue
		}
		if _, err := w.db.w.term.Exec(m.num>>lowBits, mac, m.num&lowMask); err != nil {
			return err
		}
		if len(m.terms) < maxList {
			m.terms[mac] = struct{}{}
		}
	}
	bit := kindBit(s.Kind)
	if m.kinds&bit != 0 {
		return nil
	}
	m.kinds |= bit
	_, err := w.db.w.kinds.Exec(bit, m.num)
	return err
}

// message finds the message with the origin, or begins it.
func (w *writer) message(origin mail.ID, at time.Time) (*entry, error) {
	if m, ok := w.recent[origin]; ok {
		return m, nil
	}
	m := &entry{terms: map[int64]struct{}{}, names: map[mail.ID]struct{}{}}
	err := w.db.w.findName.QueryRow(string(origin)).Scan(&m.num)
	switch {
	case err == nil:
		var last int64
		if err := w.db.w.lastStep.QueryRow(m.num<<lowBits, m.num<<lowBits|lowMask).Scan(&last); err != nil {
			return nil, err
		}
		m.step = last&lowMask + 1
		if last < 0 {
			m.step = 0
		}
	case errors.Is(err, sql.ErrNoRows):
		if m.num, err = w.number(at); err != nil {
			return nil, err
		}
		if _, err := w.db.w.message.Exec(m.num, string(origin), at.UnixMilli()); err != nil {
			return nil, err
		}
		if _, err := w.db.w.name.Exec(string(origin), m.num); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	w.recent[origin] = m
	return m, nil
}

// number takes the next number, in a new block on a new day.
func (w *writer) number(at time.Time) (int64, error) {
	day := w.s.o.Now().UTC().Unix() / (24 * 60 * 60)
	if w.day != day && w.next&lowMask != 0 {
		w.next = (w.next>>lowBits + 1) << lowBits
	}
	w.day = day
	num := w.next
	w.next++
	_, err := w.db.w.block.Exec(num>>lowBits, at.UnixMilli(), at.UnixMilli())
	return num, err
}
