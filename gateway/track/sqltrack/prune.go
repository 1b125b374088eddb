package sqltrack

import (
	"database/sql"
	"errors"
	"math"

	"github.com/siegel-mail/siegel/gateway/mail"
)

const (
	pruneStep = 256  // messages that one step removes at most
	termStep  = 4096 // terms that one step removes at most
	vacuum    = `PRAGMA incremental_vacuum(1024)`
)

// victim is a message to be removed.
type victim struct {
	num    int64
	origin mail.ID
}

// prune removes, in at most steps small transactions, messages that came before the retention and, where the
// database is too large, the oldest. Once nothing is left to do it looks again a minute later.
func (w *writer) prune(steps int) error {
	now := w.s.o.Now()
	if now.Sub(w.looked) < prunePause && !now.Before(w.looked) && steps == 1 {
		return nil
	}
	for range steps {
		done, err := w.pruneOnce()
		if err != nil {
			return err
		}
		if done {
			w.looked = now
			return nil
		}
	}
	return nil
}

// pruneOnce does one step and reports whether there was nothing to do.
func (w *writer) pruneOnce() (done bool, err error) {
	large, sparse, err := w.size()
	if err != nil {
		return false, err
	}
	if sparse {
		if _, err := w.db.write.Exec(vacuum); err != nil {
			return false, err
		}
	}
	limit := w.s.o.Now().Add(-w.s.o.Retention).UnixMilli()
	if large {
		limit = math.MaxInt64
	}
	var block int64
	if err := w.db.w.oldestBlock.QueryRow(limit).Scan(&block); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return true, nil
		}
		return false, err
	}
	if _, err := w.db.w.begin.Exec(); err != nil {
		return false, err
	}
	if err := w.removeFrom(block, limit); err != nil {
		w.db.w.rollback.Exec()
		return false, err
	}
	_, err = w.db.w.commit.Exec()
	return false, err
}

// size reports whether the database is larger than it may be, and whether much of its file is empty. Empty
// pages are used again first, so they do not count.
func (w *writer) size() (large, sparse bool, err error) {
	var pages, free int64
	if err := w.db.w.pages.QueryRow().Scan(&pages, &free); err != nil {
		return false, false, err
	}
	return (pages-free)*pageSize > w.s.o.MaxSize, free > pages/4 && free > 1024, nil
}

// removeFrom removes some of the messages of a block that came before limit, or, where there are none, what
// is left of the block.
func (w *writer) removeFrom(block, limit int64) error {
	low, high := block<<lowBits, block<<lowBits|lowMask
	victims, err := w.victims(low, high, limit)
	if err != nil {
		return err
	}
	for _, v := range victims {
		if err := w.remove(v); err != nil {
			return err
		}
	}
	if len(victims) > 0 {
		return nil
	}
	var first, last sql.NullInt64
	if err := w.db.w.remaining.QueryRow(low, high).Scan(&first, &last); err != nil {
		return err
	}
	if first.Valid { // it is not over yet: it is looked at again when its next message is due
		_, err := w.db.w.moveBlock.Exec(first.Int64, last.Int64, block)
		return err
	}
	return w.removeBlock(block)
}

func (w *writer) victims(low, high, limit int64) (out []victim, err error) {
	rows, err := w.db.w.expired.Query(low, high, limit, pruneStep)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v victim
		if err := rows.Scan(&v.num, &v.origin); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// remove removes all of a message but its terms, which go with their block.
func (w *writer) remove(v victim) error {
	delete(w.recent, v.origin)
	low, high := v.num<<lowBits, v.num<<lowBits|lowMask
	for _, err := range []error{
		exec(w.db.w.dropNames, low, high), exec(w.db.w.dropOrigin, string(v.origin)),
		exec(w.db.w.dropSteps, low, high), exec(w.db.w.dropMessage, v.num),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func exec(s *sql.Stmt, args ...any) error {
	_, err := s.Exec(args...)
	return err
}

// removeBlock removes some of the terms of an empty block, and the block after the last of them.
func (w *writer) removeBlock(block int64) error {
	result, err := w.db.w.dropTerms.Exec(block, termStep)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == termStep {
		return err
	}
	if block == w.next>>lowBits { // what comes must not get the numbers of what went
		w.next = (block + 1) << lowBits
	}
	return exec(w.db.w.dropBlock, block)
}
