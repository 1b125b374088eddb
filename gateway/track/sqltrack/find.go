package sqltrack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

const (
	defaultLimit = 100
	flushTime    = 2 * time.Second
	maxSteps     = 5000    // that are read of one message
	maxScan      = 100_000 // messages that one search reads
)

// Find returns the messages that q selects, newest first. A search by whole address, domain, Message-ID, client,
// user or destination reads little more than what it finds; another reads every message of its time, as far as one
// search may: then the answer is Cut.
func (s *Store) Find(ctx context.Context, q track.Query) (out track.Found, err error) {
	err = s.search(ctx, func(db *database) error {
		out, err = find(ctx, db, s.key, q)
		return err
	})
	return out, err
}

// search runs f after what was recorded before it has been written, where that can be done soon. Damage that f
// comes upon ends the record as damage that is come upon by writing does.
func (s *Store) search(ctx context.Context, f func(*database) error) error {
	soon, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	s.Flush(soon) // a fault shows below
	err := s.reading(f)
	if sqldb.FaultOf(err) == sqldb.Corruption {
		s.damage.CompareAndSwap(nil, &err)
	}
	return err
}

// Show returns the life of the message that has the id, or one of whose variants or reports has it;
// [track.ErrNotFound].
func (s *Store) Show(ctx context.Context, id mail.ID) (out track.Life, err error) {
	err = s.search(ctx, func(db *database) error {
		out, err = show(ctx, db, s.key, id)
		return err
	})
	return out, err
}

// Find is [Store.Find].
func (r *Reader) Find(ctx context.Context, q track.Query) (track.Found, error) {
	return find(ctx, r.db, r.key, q)
}

// Show is [Store.Show].
func (r *Reader) Show(ctx context.Context, id mail.ID) (track.Life, error) {
	return show(ctx, r.db, r.key, id)
}

func show(ctx context.Context, db *database, key atrest.Key, id mail.ID) (track.Life, error) {
	var num int64
	err := db.r.name.QueryRowContext(ctx, string(id)).Scan(&num)
	if errors.Is(err, sql.ErrNoRows) {
		return track.Life{}, track.ErrNotFound
	}
	if err != nil {
		return track.Life{}, fmt.Errorf("sqltrack: %w", err)
	}
	m, steps, err := read(ctx, db, key, num)
	if err != nil {
		return track.Life{}, err
	}
	return track.Life{Message: m, Steps: steps}, nil
}

// read reads the steps of a message, in the order of time.
func read(ctx context.Context, db *database, key atrest.Key, num int64) (track.Message, []track.Step, error) {
	var origin mail.ID
	var at, kinds int64
	if err := db.r.message.QueryRowContext(ctx, num).Scan(&origin, &at, &kinds); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = track.ErrNotFound
		}
		return track.Message{}, nil, err
	}
	rows, err := db.r.steps.QueryContext(ctx, num<<lowBits, num<<lowBits|lowMask, maxSteps)
	if err != nil {
		return track.Message{}, nil, fmt.Errorf("sqltrack: %w", err)
	}
	defer rows.Close()
	var steps []track.Step
	for rows.Next() {
		var k, at int64
		var id string
		var body []byte
		if err := rows.Scan(&k, &at, &id, &body); err != nil {
			return track.Message{}, nil, fmt.Errorf("sqltrack: %w", err)
		}
		step, err := unseal(key, k, at, id, origin, body)
		if err != nil {
			step = track.Step{Time: fromMilli(at), Kind: "unreadable", ID: mail.ID(id), Origin: origin, Reply: err.Error()}
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		return track.Message{}, nil, fmt.Errorf("sqltrack: %w", err)
	}
	slices.SortStableFunc(steps, func(a, b track.Step) int { return a.Time.Compare(b.Time) })
	m := track.Summary(origin, steps)
	m.Time = fromMilli(at)
	return m, steps, nil
}

// search is one run of Find.
type search struct {
	db       *database
	key      atrest.Key
	q        track.Query
	macs     []int64
	kinds    int64
	from, to int64
	before   int64
	limit    int
	scanned  int
	found    track.Found
}

func find(ctx context.Context, db *database, key atrest.Key, q track.Query) (track.Found, error) {
	s := search{db: db, key: key, q: q, from: math.MinInt64, to: math.MaxInt64, before: math.MaxInt64, limit: q.Limit}
	s.found.Messages = []track.Message{}
	if s.limit <= 0 {
		s.limit = defaultLimit
	}
	if q.Before > 0 {
		s.before = q.Before
	}
	s.from, s.to = bounds(q)
	for _, t := range termsFor(q) {
		s.macs = append(s.macs, t.mac(key))
	}
	s.kinds = kindsOf(q.State)
	blocks, err := s.blocks(ctx)
	if err != nil {
		return s.found, err
	}
	for _, block := range blocks {
		if done, err := s.block(ctx, block); err != nil || done {
			return s.found, err
		}
	}
	return s.found, nil
}

func bounds(q track.Query) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		to = q.To.Add(time.Millisecond - 1).UnixMilli()
	}
	return from, to
}

// kindsOf are the kinds of step one of which a message with a recipient in the state has seen; 0: any.
func kindsOf(state track.Kind) int64 {
	switch state {
	case "":
		return 0
	case track.Queued:
		return kindBit(track.Queued) | kindBit(track.Accepted) | kindBit(track.Released) | kindBit(track.Rerouted)
	}
	return kindBit(state)
}

func (s *search) blocks(ctx context.Context) (out []int64, err error) {
	rows, err := s.db.r.blocks.QueryContext(ctx, s.from, s.to, (s.before-1)>>lowBits)
	if err != nil {
		return nil, fmt.Errorf("sqltrack: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("sqltrack: %w", err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// block looks through one block, from its newest message on, and reports whether the page is full.
func (s *search) block(ctx context.Context, block int64) (done bool, err error) {
	candidates, err := s.candidates(ctx, block)
	if err != nil {
		return false, err
	}
	for _, low := range candidates {
		num := block<<lowBits | low
		if num >= s.before {
			continue
		}
		if s.scanned++; s.scanned > maxScan {
			s.found.Cut, s.found.Next = true, num+1
			return true, nil
		}
		m, _, err := read(ctx, s.db, s.key, num)
		if errors.Is(err, track.ErrNotFound) { // removed meanwhile
			continue
		}
		if err != nil {
			return false, err
		}
		if !s.q.Selects(m) {
			continue
		}
		if len(s.found.Messages) == s.limit {
			s.found.Next = num + 1
			return true, nil
		}
		s.found.Messages = append(s.found.Messages, m)
	}
	return false, nil
}

// candidates lists, newest first, the messages of a block that have every term.
func (s *search) candidates(ctx context.Context, block int64) ([]int64, error) {
	if len(s.macs) == 0 {
		low := block << lowBits
		return numbers(ctx, s.db.r.nums, low, low|lowMask, s.from, s.to, s.kinds)
	}
	var all []int64
	for i, mac := range s.macs {
		list, err := numbers(ctx, s.db.r.lows, block, mac, int64(lowMask+1))
		if err != nil || len(list) == 0 {
			return nil, err
		}
		if i == 0 {
			all = list
			continue
		}
		all = slices.DeleteFunc(all, func(low int64) bool {
			_, has := slices.BinarySearchFunc(list, low, func(a, b int64) int { return int(b - a) })
			return !has
		})
	}
	return all, nil
}

func numbers(ctx context.Context, stmt *sql.Stmt, args ...any) (out []int64, err error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("sqltrack: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("sqltrack: %w", err)
		}
		out = append(out, n)
	}
	return out, rows.Err()
}
