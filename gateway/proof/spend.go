package proof

import (
	"context"
	"database/sql"
	"time"
)

// spentDays is how many days' spending is kept.
const spentDays = 7

// Spend takes messages from what a sender may send on a day, and returns what is left; ok is false, and nothing is taken, where that is not enough. A limit of 0
// is none: they are counted, and left says nothing. The day is that of its time zone. It is on stable storage where the error is nil. It implements the budget of gateway/dispatch.
func (s *Store) Spend(ctx context.Context, sender string, day time.Time, messages, limit int) (left int, ok bool, err error) {
	date := day.Format(time.DateOnly)
	mac := s.mac("spent "+date, sender)
	err = s.writing(ctx, func(tx *sql.Tx) error {
		var spent int
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(messages), 0) FROM spent WHERE mac = ?`, mac).Scan(&spent); err != nil {
			return wrap(err)
		}
		ok, left = messages >= 0 && (limit == 0 || messages <= limit-spent), max(0, limit-spent)
		if !ok {
			return nil
		}
		left = max(0, left-messages)
		if _, err := tx.ExecContext(ctx, `INSERT INTO spent (mac, day, messages) VALUES (?1, ?2, ?3) ON CONFLICT (mac) DO UPDATE SET messages = messages + ?3`, mac, date, messages); err != nil {
			return wrap(err)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM spent WHERE day < ?`, day.AddDate(0, 0, -spentDays).Format(time.DateOnly))
		return wrap(err)
	})
	if err != nil {
		return 0, false, err
	}
	return left, ok, nil
}

// Spent is how many messages of a sender Spend has counted on a day.
func (s *Store) Spent(ctx context.Context, sender string, day time.Time) (spent int, err error) {
	mac := s.mac("spent "+day.Format(time.DateOnly), sender)
	err = s.reading(ctx, func(tx *sql.Tx) error {
		return wrap(tx.QueryRowContext(ctx, `SELECT coalesce(max(messages), 0) FROM spent WHERE mac = ?`, mac).Scan(&spent))
	})
	return spent, err
}
