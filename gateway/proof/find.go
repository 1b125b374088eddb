package proof

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"math"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxScan      = 100_000 // records that one list reads
)

// Record returns the submission that id names: its key, its id in the queue, the id of the message that was accepted, or its Message-ID. ErrUnknown; ErrAmbiguous where it
// names several, which [Store.Named] lists.
func (s *Store) Record(ctx context.Context, id string) (Record, error) {
	all, err := s.Named(ctx, id)
	switch {
	case err != nil:
		return Record{}, err
	case len(all) == 0:
		return Record{}, ErrUnknown
	case len(all) > 1:
		return Record{}, ErrAmbiguous
	}
	return all[0], nil
}

// Named returns the submissions that id names, as in Record, the newest first, 100 at most.
func (s *Store) Named(ctx context.Context, id string) (out []Record, err error) {
	if id == "" {
		return nil, nil
	}
	err = s.reading(ctx, func(tx *sql.Tx) error {
		out = nil
		r, err := s.load(ctx, tx, id)
		if err == nil {
			record, err := s.record(ctx, tx, r)
			out = append(out, record)
			return err
		}
		if !errors.Is(err, ErrUnknown) {
			return err
		}
		nums, err := column[int64](ctx, tx, `SELECT DISTINCT record FROM term WHERE mac IN (?, ?) ORDER BY record DESC LIMIT 100`,
			s.mac("id", strings.ToLower(id)), s.mac("message-id", bareID(id)))
		if err != nil {
			return err
		}
		out, err = s.records(ctx, tx, nums)
		return err
	})
	return out, err
}

func (s *Store) records(ctx context.Context, tx *sql.Tx, nums []int64) (out []Record, err error) {
	for _, num := range nums {
		r, err := s.loadNum(ctx, tx, num)
		if err != nil {
			return nil, err
		}
		record, err := s.record(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, record)
	}
	return out, nil
}

// Open returns the bytes of a submission as they were handed over; the caller closes the reader. A Read that finds them altered is ErrDamaged. ErrUnknown.
func (s *Store) Open(ctx context.Context, key string) (r io.ReadCloser, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		row, err := s.load(ctx, tx, key)
		if err != nil {
			return err
		}
		r, err = s.openMeasured(ctx, tx, row.content, row.body.Measure.SHA256)
		return err
	})
	return r, err
}

// List returns the submissions that f selects, the newest first.
func (s *Store) List(ctx context.Context, f Filter) (page Page, err error) {
	query, args := s.selection(f)
	limit, before := f.bounds()
	err = s.reading(ctx, func(tx *sql.Tx) error {
		page = Page{}
		nums, err := column[int64](ctx, tx, query, append([]any{before}, args...)...)
		if err != nil {
			return err
		}
		if len(nums) > limit {
			nums = nums[:limit]
			page.Next = nums[limit-1]
		}
		page.Records, err = s.records(ctx, tx, nums)
		return err
	})
	return page, err
}

func (f Filter) bounds() (limit int, before int64) {
	if limit = f.Limit; limit <= 0 {
		limit = defaultLimit
	}
	if before = f.Before; before <= 0 {
		before = math.MaxInt64
	}
	return min(limit, maxLimit), before
}

func (f Filter) times() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !f.From.IsZero() {
		from = milli(f.From)
	}
	if !f.To.IsZero() {
		to = milli(f.To)
	}
	return from, to
}

// selection is the query of a filter, whose first argument is the number to be below.
func (s *Store) selection(f Filter) (query string, args []any) {
	query = `SELECT num FROM record WHERE num < ?`
	add := func(text string, values ...any) {
		query += ` AND ` + text
		args = append(args, values...)
	}
	if from, to := f.times(); from != math.MinInt64 || to != math.MaxInt64 {
		add(`began >= ? AND began < ?`, from, to)
	}
	if f.State != None {
		add(`state = ?`, f.State.number())
	}
	if f.Awaiting {
		add(`awaits <> 0`)
	}
	if f.Late {
		text, values := s.overdue(s.o.Now(), false)
		add(text, values...)
	}
	for what, value := range map[string]string{"account": f.Account, "from": strings.ToLower(f.Sender), "to": f.Recipient.String()} {
		if value != "" {
			add(`num IN (SELECT record FROM term WHERE mac = ?)`, s.mac(what, value))
		}
	}
	limit, _ := f.bounds()
	return query + ` ORDER BY num DESC LIMIT ?`, append(args, limit+1)
}

// overdue is the condition that a confirmation is, and where that counts nobody was told of it.
func (s *Store) overdue(now time.Time, untold bool) (text string, args []any) {
	terms := s.terms.Load().Overdue
	var each []string
	for i, k := range kinds() {
		after := terms.of(k)
		if after <= 0 {
			continue
		}
		bits := `awaits`
		if untold {
			bits = `(awaits & ~told)`
		}
		each = append(each, bits+` & ? <> 0 AND taken <= ?`)
		args = append(args, 1<<i, milli(now.Add(-after)))
	}
	if len(each) == 0 {
		return `0`, nil
	}
	return `awaits <> 0 AND (` + strings.Join(each, ` OR `) + `)`, args
}

// Doubtful lists the submissions of an account that are in doubt, the oldest first, 1000 at most; of every account where it is empty.
func (s *Store) Doubtful(ctx context.Context, account string) (out []Record, err error) {
	query, args := `SELECT num FROM record WHERE state = ?`, []any{Doubtful.number()}
	if account != "" {
		query, args = query+` AND num IN (SELECT record FROM term WHERE mac = ?)`, append(args, s.mac("account", account))
	}
	err = s.reading(ctx, func(tx *sql.Tx) error {
		nums, err := column[int64](ctx, tx, query+` ORDER BY num LIMIT 1000`, args...)
		if err != nil {
			return err
		}
		out, err = s.records(ctx, tx, nums)
		return err
	})
	return out, err
}

// Overdue lists the submissions of an account with confirmations that are overdue and that nobody was told of, the oldest first, 1000 at most; of every account
// where it is empty. Who has told calls Told.
func (s *Store) Overdue(ctx context.Context, account string, now time.Time) (out []Late, err error) {
	text, args := s.overdue(now, true)
	if account != "" {
		text, args = `(`+text+`) AND num IN (SELECT record FROM term WHERE mac = ?)`, append(args, s.mac("account", account))
	}
	err = s.reading(ctx, func(tx *sql.Tx) error {
		out = nil
		nums, err := column[int64](ctx, tx, `SELECT num FROM record WHERE `+text+` ORDER BY taken LIMIT 1000`, args...)
		if err != nil {
			return err
		}
		for _, num := range nums {
			r, err := s.loadNum(ctx, tx, num)
			if err != nil {
				return err
			}
			late := Late{}
			for i, k := range kinds() {
				after := s.terms.Load().Overdue.of(k)
				if r.status.Awaits&^r.status.Told&(1<<i) != 0 && after > 0 && now.Sub(r.status.Taken) >= after {
					late.Missing = append(late.Missing, k)
				}
			}
			if late.Record, err = s.record(ctx, tx, r); err != nil {
				return err
			}
			out = append(out, late)
		}
		return nil
	})
	return out, err
}

// Told writes down that sender and administrator were told of overdue confirmations of a submission, which happens once. ErrUnknown.
func (s *Store) Told(ctx context.Context, key string, which ...demail.MessageType) error {
	return s.writing(ctx, func(tx *sql.Tx) error {
		r, err := s.load(ctx, tx, key)
		if err != nil {
			return err
		}
		for i, k := range kinds() {
			for _, w := range which {
				if w == k {
					r.status.Told |= 1 << i
				}
			}
		}
		return s.save(ctx, tx, r)
	})
}

// Figures are counts of the record.
type Figures struct {
	Doubtful int // submissions in doubt
	Late     int // with overdue confirmations
	Records  int
}

// Figures counts.
func (s *Store) Figures(ctx context.Context) (f Figures, err error) {
	text, args := s.overdue(s.o.Now(), false)
	err = s.reading(ctx, func(tx *sql.Tx) error {
		return wrap(tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM record WHERE state = ?), (SELECT count(*) FROM record WHERE `+text+`)`,
			append([]any{Doubtful.number()}, args...)...).Scan(&f.Records, &f.Doubtful, &f.Late))
	})
	return f, err
}
