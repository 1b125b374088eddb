package store

import (
	"context"
	"fmt"
	"time"
)

// toldFor is how long the store knows what was told: longer than a certificate lives.
const toldFor = 3 * 365 * 24 * time.Hour

// Told reports which of some things administrators were told of before, by [Store.Tell].
func (s *Store) Told(ctx context.Context, things []string) (told map[string]bool, err error) {
	told = map[string]bool{}
	err = s.using(func(db *database) error {
		for _, what := range things {
			var known bool
			if err := db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM told WHERE what = ?)`, s.toldHash(what)).Scan(&known); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
			told[what] = known
		}
		return nil
	})
	return told, err
}

// Tell notes that administrators were told of things, and forgets what they were told of years ago.
func (s *Store) Tell(ctx context.Context, things []string) error {
	return s.writing(ctx, func(tx transaction) error {
		now := s.o.Now()
		for _, what := range things {
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO told (what, at) VALUES (?, ?)`, s.toldHash(what), now.UnixMilli()); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM told WHERE at < ?`, now.Add(-toldFor).UnixMilli()); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		return nil
	})
}

func (s *Store) toldHash(what string) []byte { return s.key.MAC([]byte("told " + what)) }
