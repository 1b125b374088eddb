package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs/revocation"
)

// Answers are the lists and answers about revocation that the store keeps over restarts. They are no evidence: whoever loads one
// verifies it, and one that does not open is none.
type Answers struct{ s *Store }

var _ revocation.Cache = Answers{}

// Answers returns those of the store.
func (s *Store) Answers() Answers { return Answers{s} }

const (
	partSize    = 1 << 20             // bytes that are sealed as one, and written in one transaction
	mostAnswers = 1 << 30             // bytes of all, beside the newest
	endedFor    = 30 * 24 * time.Hour // what has ended is kept still, since it tells that an older one is played again
	halfWritten = time.Hour           // what was begun so long ago will not be finished
)

func (a Answers) hash(key string) []byte { return a.s.key.MAC([]byte("revocation " + key)) }

// associated binds a part to its place.
func (Answers) associated(hash []byte, id, fetched, size int64, part int) []byte {
	return fmt.Appendf(nil, "revocation %x %d %d %d %d", hash, id, fetched, size, part)
}

// Load implements revocation.Cache.
func (a Answers) Load(ctx context.Context, key string) (data []byte, fetched time.Time, err error) {
	hash := a.hash(key)
	err = a.s.using(func(db *database) error {
		var id, at, size int64
		row := db.read.QueryRowContext(ctx, `SELECT id, fetched, size FROM revocation WHERE key = ? AND ready = 1`, hash)
		if err := row.Scan(&id, &at, &size); errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		if size < 0 || size > revocation.MaxSize {
			return nil
		}
		read, err := a.read(ctx, db.read, hash, id, at, size)
		if err == nil && int64(len(read)) == size {
			data, fetched = read, time.UnixMilli(at).UTC()
		}
		return err
	})
	return data, fetched, err
}

// read puts the parts together, as far as they open.
func (a Answers) read(ctx context.Context, db *sql.DB, hash []byte, id, fetched, size int64) ([]byte, error) {
	rows, err := db.QueryContext(ctx, `SELECT body FROM revocation_part WHERE id = ? ORDER BY part`, id)
	if err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	defer rows.Close()
	data := make([]byte, 0, size)
	for part := 0; rows.Next(); part++ {
		var sealed []byte
		if err := rows.Scan(&sealed); err != nil {
			return nil, fmt.Errorf("certs/store: %w", err)
		}
		plain, err := a.s.key.Open(sealed, a.associated(hash, id, fetched, size, part))
		if err != nil || int64(len(data)+len(plain)) > size {
			return nil, nil
		}
		data = append(data, plain...)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	return data, nil
}

// Save implements revocation.Cache. A large one is written in many transactions, so that nobody waits for it; it counts once it is whole.
func (a Answers) Save(ctx context.Context, key string, data []byte, fetched, until time.Time) error {
	w := answer{a: a, hash: a.hash(key), fetched: fetched.UnixMilli(), ends: until.UnixMilli(), size: int64(len(data))}
	if len(data) <= partSize {
		return a.s.writing(ctx, func(tx transaction) error {
			if err := w.begin(ctx, tx); err != nil {
				return err
			}
			if err := w.write(ctx, tx, 0, data); err != nil {
				return err
			}
			return w.finish(ctx, tx)
		})
	}
	if err := a.s.writing(ctx, func(tx transaction) error { return w.begin(ctx, tx) }); err != nil {
		return err
	}
	for part := 0; len(data) > 0; part++ {
		n := min(partSize, len(data))
		if err := a.s.writing(ctx, func(tx transaction) error { return w.write(ctx, tx, part, data[:n]) }); err != nil {
			return err
		}
		data = data[n:]
	}
	return a.s.writing(ctx, func(tx transaction) error { return w.finish(ctx, tx) })
}

// answer is one that is being written.
type answer struct {
	a                       Answers
	hash                    []byte
	id, fetched, ends, size int64
}

func (w *answer) begin(ctx context.Context, tx transaction) error {
	result, err := tx.ExecContext(ctx, `INSERT INTO revocation (key, fetched, ends, size, ready) VALUES (?, ?, ?, ?, 0)`, w.hash, w.fetched, w.ends, w.size)
	if err == nil {
		w.id, err = result.LastInsertId()
	}
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	return nil
}

func (w *answer) write(ctx context.Context, tx transaction, part int, data []byte) error {
	sealed, err := w.a.s.key.Seal(data, w.a.associated(w.hash, w.id, w.fetched, w.size, part))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO revocation_part (id, part, body) VALUES (?, ?, ?)`, w.id, part, sealed); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	return nil
}

// tidyEvery is after how many answers those are dropped that there is no room for.
const tidyEvery = 64

// finish lets what was written count in place of what is there, and now and then drops what nobody needs.
func (w *answer) finish(ctx context.Context, tx transaction) error {
	now := w.a.s.o.Now()
	steps := []struct {
		query string
		args  []any
	}{
		{`UPDATE revocation SET ready = 1 WHERE id = ?`, []any{w.id}},
		{`DELETE FROM revocation WHERE key = ? AND id < ?`, []any{w.hash, w.id}},
		{`DELETE FROM revocation WHERE ready = 0 AND fetched < ?`, []any{now.Add(-halfWritten).UnixMilli()}},
		{`DELETE FROM revocation WHERE ends < ?`, []any{now.Add(-endedFor).UnixMilli()}},
		{`DELETE FROM revocation WHERE id <> ? AND id IN (SELECT id FROM
			(SELECT id, sum(size) OVER (ORDER BY fetched DESC, id DESC) AS so_far FROM revocation) WHERE so_far > ?)`, []any{w.id, mostAnswers}},
	}
	if w.id%tidyEvery != 0 && w.size <= partSize {
		steps = steps[:2]
	}
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
	}
	return nil
}
