package proof

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Arrived writes down that a message was fetched, before the queue has it, and returns what the record says of it: a itself, or what was written when
// it was fetched before. duplicate reports that the queue had it then ([Store.Delivered]), so that it needs no more than to be acknowledged. Where it is known and
// no duplicate, the gateway ended in between, or left it with the provider since it could not be judged: it is put into the queue under the id that is returned, which the
// queue has at most once, and a verdict that decides takes the place of one that did not.
func (s *Store) Arrived(ctx context.Context, a Arrival) (known Arrival, duplicate bool, err error) {
	if err := a.check(); err != nil {
		return Arrival{}, false, err
	}
	s.filing.Lock()
	defer s.filing.Unlock()
	known, err = s.Arrival(ctx, a.Account, a.ID)
	if err == nil && known.Delivered.IsZero() && known.Verdict.Undecided && !a.Verdict.Undecided && bytes.Equal(known.SHA256, a.SHA256) {
		known, err = s.decided(ctx, known, a.Verdict)
		return known, false, err
	}
	if !errors.Is(err, ErrUnknown) {
		return known, err == nil && !known.Delivered.IsZero(), err
	}
	if a.Fetched.IsZero() {
		a.Fetched = s.o.Now()
	}
	if a.Verdict.At.IsZero() {
		a.Verdict.At = a.Fetched
	}
	files, err := s.attach(ctx, &a.Verdict)
	if err == nil {
		err = s.writing(ctx, func(tx *sql.Tx) error { return s.insertArrival(ctx, tx, a, files) })
	}
	if err != nil {
		s.discard(err, files...)
		return Arrival{}, false, err
	}
	s.keep(files...)
	return a, false, nil
}

// decided gives what was fetched, and could not be judged then, the verdict that it is delivered with.
func (s *Store) decided(ctx context.Context, a Arrival, v Verdict) (Arrival, error) {
	if v.At.IsZero() {
		v.At = s.o.Now()
	}
	files, err := s.attach(ctx, &v)
	a.Verdict = v
	if err == nil {
		err = s.writing(ctx, func(tx *sql.Tx) error { return s.updateArrival(ctx, tx, a, files) })
	}
	if err != nil {
		s.discard(err, files...)
		return Arrival{}, err
	}
	s.keep(files...)
	return a, nil
}

func (s *Store) updateArrival(ctx context.Context, tx *sql.Tx, a Arrival, files []stored) error {
	mac := s.message(a.Account, a.ID)
	sealed, err := s.seal(a, arrivalPlace(mac))
	if err != nil {
		return err
	}
	var num int64
	if err := tx.QueryRowContext(ctx, `UPDATE arrival SET body = ? WHERE mac = ? RETURNING num`, sealed, mac).Scan(&num); err != nil {
		return wrap(err)
	}
	return s.insertAttached(ctx, tx, -num, files)
}

func (a *Arrival) check() error {
	if a.Account == "" || a.ID == "" || len(a.ID) > connectors.MaxID || a.Queue == "" {
		return fmt.Errorf("%w: what arrived has an account, an id that the provider gave, and one for the queue", ErrInvalid)
	}
	return a.Verdict.check()
}

func (s *Store) insertArrival(ctx context.Context, tx *sql.Tx, a Arrival, files []stored) error {
	mac := s.message(a.Account, a.ID)
	sealed, err := s.seal(a, arrivalPlace(mac))
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO arrival (mac, fetched, body) VALUES (?, ?, ?)`, mac, milli(a.Fetched), sealed)
	if err != nil {
		return wrap(err)
	}
	num, err := result.LastInsertId()
	if err != nil {
		return wrap(err)
	}
	return s.insertAttached(ctx, tx, -num, files)
}

// Arrival is what the record says of a message that was fetched; ErrUnknown.
func (s *Store) Arrival(ctx context.Context, account, id string) (a Arrival, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		a, err = s.loadArrival(ctx, tx, s.message(account, id))
		return err
	})
	return a, err
}

func (s *Store) loadArrival(ctx context.Context, q querier, mac []byte) (a Arrival, err error) {
	var body []byte
	err = q.QueryRowContext(ctx, `SELECT body FROM arrival WHERE mac = ?`, mac).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return a, ErrUnknown
	}
	if err != nil {
		return a, wrap(err)
	}
	return a, s.unseal(body, arrivalPlace(mac), &a)
}

// Delivered writes down that the queue has a message that was fetched, and for whom. Only then it is acknowledged to the provider. ErrUnknown.
func (s *Store) Delivered(ctx context.Context, account, id string, to []mail.Address, at time.Time) error {
	mac := s.message(account, id)
	return s.writing(ctx, func(tx *sql.Tx) error {
		a, err := s.loadArrival(ctx, tx, mac)
		if err != nil || !a.Delivered.IsZero() {
			return err
		}
		if a.Delivered = at.UTC(); at.IsZero() {
			a.Delivered = s.o.Now().UTC()
		}
		a.To = to
		sealed, err := s.seal(a, arrivalPlace(mac))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE arrival SET body = ? WHERE mac = ?`, sealed, mac)
		return wrap(err)
	})
}

// Arrivals lists what was fetched, the newest first: Limit of f (0: 100; 1000 at most) from Before of f on, of its account and time; the rest of f
// selects nothing here. next is Before of the next page, 0 where there is none.
func (s *Store) Arrivals(ctx context.Context, f Filter) (out []Arrival, next int64, err error) {
	limit, before := f.bounds()
	from, to := f.times()
	err = s.reading(ctx, func(tx *sql.Tx) error {
		out, next = nil, 0
		for before > 0 {
			var num int64
			var mac []byte
			err := tx.QueryRowContext(ctx, `SELECT num, mac FROM arrival WHERE num < ? AND fetched >= ? AND fetched < ? ORDER BY num DESC LIMIT 1`, before, from, to).Scan(&num, &mac)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return wrap(err)
			}
			a, err := s.loadArrival(ctx, tx, mac)
			if err != nil {
				return err
			}
			before = num
			if f.Account != "" && a.Account != f.Account {
				continue
			}
			if len(out) == limit {
				next = before + 1
				return nil
			}
			out = append(out, a)
		}
		return nil
	})
	return out, next, err
}
