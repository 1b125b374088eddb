package proof

import (
	"context"
	"database/sql"
	"errors"
)

// Stamped returns the timestamp that is kept of a digest, or has ask make one, which is kept: the same evidence bears the first timestamp that it got.
func (s *Store) Stamped(ctx context.Context, digest []byte, ask func(context.Context) ([]byte, error)) (stamp []byte, err error) {
	if stamp, err = s.stamp(ctx, digest); !errors.Is(err, ErrUnknown) {
		return stamp, err
	}
	made, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := s.seal(made, stampPlace(digest))
	if err != nil {
		return nil, err
	}
	err = s.writing(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO stamp (digest, body) VALUES (?, ?)`, digest, sealed)
		return wrap(err)
	})
	if err != nil {
		return nil, err
	}
	return s.stamp(ctx, digest) // the first one, where two asked at once
}

// stamp is the timestamp that is kept; ErrUnknown.
func (s *Store) stamp(ctx context.Context, digest []byte) (stamp []byte, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, `SELECT body FROM stamp WHERE digest = ?`, digest).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrUnknown
		}
		if err != nil {
			return wrap(err)
		}
		return s.unseal(sealed, stampPlace(digest), &stamp)
	})
	return stamp, err
}
