package proof

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// pruneStep is how many rows one transaction removes.
const pruneStep = 50

// Prune removes what is older than its class is kept, and returns how many submissions and arrivals it removed. What is in doubt, still tried, or awaits a confirmation that
// was asked for stays, however old. It ends when ctx does, and goes on at the next call.
func (s *Store) Prune(ctx context.Context) (removed int, err error) {
	keep, now := s.terms.Load().Retention, s.o.Now()
	for _, class := range []struct {
		after time.Duration
		query string // numbers of records, older than ?, ? at most
		drop  func(context.Context, *sql.Tx, int64) error
	}{
		{min0(keep.Confirmed, keep.Sent), `SELECT num FROM record WHERE state = 1 AND awaits = 0 AND taken < ? AND num > ? ORDER BY num LIMIT ?`, s.dropTaken},
		{keep.Refused, `SELECT num FROM record WHERE state = 2 AND began < ? AND num > ? ORDER BY num LIMIT ?`, s.dropRefused},
		{keep.Received, `SELECT num FROM arrival WHERE fetched < ? AND num > ? ORDER BY num LIMIT ?`, s.dropArrival},
		{keep.Received, `SELECT num FROM evidence WHERE fetched < ? AND num > ? AND num NOT IN (SELECT evidence FROM belongs) ORDER BY num LIMIT ?`, s.dropEvidence},
	} {
		if class.after <= 0 {
			continue
		}
		n, err := s.pruneClass(ctx, class.query, milli(now.Add(-class.after)), class.drop)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// min0 is the smaller of two that are not 0.
func min0(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// errKept is that of a row that is to stay.
var errKept = fmt.Errorf("proof: it is kept")

func (s *Store) pruneClass(ctx context.Context, query string, before int64, drop func(context.Context, *sql.Tx, int64) error) (removed int, err error) {
	s.filing.Lock()
	defer s.filing.Unlock()
	for from := int64(0); ; {
		n, last := 0, int64(0)
		err := s.writing(ctx, func(tx *sql.Tx) error {
			n = 0
			nums, err := column[int64](ctx, tx, query, before, from, pruneStep)
			if err != nil {
				return err
			}
			for _, num := range nums {
				last = num
				switch err := drop(ctx, tx, num); err {
				case nil:
					n++
				case errKept:
				default:
					return err
				}
			}
			return nil
		})
		if err != nil || last == 0 {
			return removed, err
		}
		removed, from = removed+n, last
		if err := s.using(func(db *database) error { return s.sweep(ctx, db) }); err != nil {
			return removed, err
		}
	}
}

// dropTaken removes a record that was taken, where its class is over.
func (s *Store) dropTaken(ctx context.Context, tx *sql.Tx, num int64) error {
	r, err := s.loadNum(ctx, tx, num)
	if err != nil {
		return err
	}
	keep := s.terms.Load().Retention
	after := keep.Sent
	if r.body.asked() != 0 {
		after = keep.Confirmed
	}
	if after <= 0 || s.o.Now().Sub(r.status.Taken) <= after || r.status.Awaits != 0 {
		return errKept
	}
	return s.dropRecord(ctx, tx, num)
}

// dropRefused removes a record that was refused, where that was said long enough ago: of what a person has just decided the queue has not
// learned yet, and what is not in the record any more would be submitted once more.
func (s *Store) dropRefused(ctx context.Context, tx *sql.Tx, num int64) error {
	r, err := s.loadNum(ctx, tx, num)
	if err != nil {
		return err
	}
	if r.status.Steps > 0 {
		last, err := s.readStep(ctx, tx, r, r.status.Steps-1)
		if err != nil {
			return err
		}
		if s.o.Now().Sub(last.Last) <= s.terms.Load().Retention.Refused {
			return errKept
		}
	}
	return s.dropRecord(ctx, tx, num)
}

// dropRecord removes a record, and the evidence that belongs to nothing else.
func (s *Store) dropRecord(ctx context.Context, tx *sql.Tx, num int64) error {
	r, err := s.loadNum(ctx, tx, num)
	if err != nil {
		return err
	}
	evidence, err := column[int64](ctx, tx, `SELECT evidence FROM belongs WHERE record = ?`, num)
	if err != nil {
		return err
	}
	for _, text := range []string{`DELETE FROM belongs WHERE record = ?`, `DELETE FROM step WHERE record = ?`, `DELETE FROM term WHERE record = ?`, `DELETE FROM record WHERE num = ?`} {
		if _, err := tx.ExecContext(ctx, text, num); err != nil {
			return wrap(err)
		}
	}
	if err := dropContent(ctx, tx, r.content); err != nil {
		return err
	}
	for _, e := range evidence {
		var others bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM belongs WHERE evidence = ?)`, e).Scan(&others); err != nil {
			return wrap(err)
		}
		if others {
			continue
		}
		if err := s.dropEvidence(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) dropEvidence(ctx context.Context, tx *sql.Tx, num int64) error {
	e, err := s.loadEvidence(ctx, tx, `WHERE num = ?`, num)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM evidence WHERE num = ?`, num); err != nil {
		return wrap(err)
	}
	if err := dropContent(ctx, tx, e.content); err != nil {
		return err
	}
	return dropAttached(ctx, tx, num)
}

func (s *Store) dropArrival(ctx context.Context, tx *sql.Tx, num int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM arrival WHERE num = ?`, num); err != nil {
		return wrap(err)
	}
	return dropAttached(ctx, tx, -num)
}

// dropAttached removes what is attached to one owner, and to no other.
func dropAttached(ctx context.Context, tx *sql.Tx, owner int64) error {
	names, err := column[string](ctx, tx, `SELECT name FROM attached WHERE owner = ?`, owner)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM attached WHERE owner = ?`, owner); err != nil {
		return wrap(err)
	}
	for _, name := range names {
		var others bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attached WHERE name = ?)`, name).Scan(&others); err != nil {
			return wrap(err)
		}
		if others {
			continue
		}
		if err := dropContent(ctx, tx, name); err != nil {
			return err
		}
	}
	return nil
}

// dropContent removes a content; its file goes after the commit.
func dropContent(ctx context.Context, tx *sql.Tx, name string) error {
	if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO gone (name) SELECT name FROM content WHERE name = ? AND body IS NULL`, name); err != nil {
		return wrap(err)
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM content WHERE name = ?`, name)
	return wrap(err)
}
