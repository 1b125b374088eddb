package sqlqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

const (
	// sqlUsage reads the recipients of one destination by the index, each message once.
	sqlUsage = `SELECT count(*), coalesce(sum(size), 0), coalesce(sum(pending), 0) FROM message
WHERE seq IN (SELECT seq FROM recipient WHERE destination = ? AND state <= 1)`

	// sqlHasten walks the index from the latest time on.
	sqlHasten = `UPDATE recipient SET due = ?1, ready = ?1 WHERE lease IS NULL AND (seq, idx) IN
(SELECT seq, idx FROM recipient WHERE destination = ?2 AND ready > ?3 AND +lease IS NULL ORDER BY ready DESC LIMIT ?4)`
)

// Usage is queue.Store's. Its cost grows with what waits for the destination.
func (s *Store) Usage(ctx context.Context, destination string) (u queue.Usage, err error) {
	err = s.reading(func(db *database) error {
		id, err := s.names.number(ctx, db, destination)
		if err != nil || id == 0 {
			return err
		}
		if err := db.r.usage.QueryRowContext(ctx, id).Scan(&u.Messages, &u.Bytes, &u.Pending); err != nil {
			return fmt.Errorf("sqlqueue: usage: %w", err)
		}
		return nil
	})
	return u, err
}

// Hasten is queue.Store's.
func (s *Store) Hasten(ctx context.Context, destination string, later, now time.Time, limit int) (n int, err error) {
	if limit <= 0 {
		return 0, ctx.Err()
	}
	err = s.submit(ctx, &request{do: func(t *txn) error {
		n = 0
		id, err := t.find(destination)
		if err != nil || id == 0 {
			return err
		}
		done, err := t.db.w.hasten.Exec(milli(now), id, milli(later), limit)
		if err != nil {
			return err
		}
		changed, err := done.RowsAffected()
		n = int(changed)
		t.wrote = t.wrote || n > 0
		return err
	}})
	return n, err
}
