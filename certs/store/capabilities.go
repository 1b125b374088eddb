package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

const (
	maxText     = 4 << 10        // bytes of what is known of one program
	maxPrograms = 8              // of one address, the latest ones
	maxAhead    = time.Hour      // a signing time so far ahead of now is a clock that is a little wrong
	enough      = 24 * time.Hour // what was confirmed this long ago at most is not written again
)

// body is what is sealed of certs.Capabilities.
type body struct {
	Address     string `json:"address"`
	Certificate []byte `json:"certificate"`
	Text        string `json:"text"`
}

// Remember keeps what a program was found to read, durably, in place of what is known of the same address and
// certificate from an earlier signature (RFC 8551, 2.7.1). What was signed earlier than what is known, or in the future, is
// let go. What only confirms what is known is not written more than once a day.
func (s *Store) Remember(ctx context.Context, c certs.Capabilities) error {
	now := s.o.Now()
	switch {
	case c.SignedAt.IsZero(), c.SignedAt.After(now.Add(maxAhead)):
		return nil
	case c.Address == "" || len(c.Text) > maxText:
		return fmt.Errorf("certs/store: capabilities of nobody, or %d bytes of them", len(c.Text))
	}
	return s.using(func(db *database) error {
		known, err := s.known(ctx, db, c)
		if err != nil || known != nil && !c.SignedAt.After(known.SignedAt) ||
			known != nil && known.Text == c.Text && c.SignedAt.Sub(known.SignedAt) < enough {
			return err
		}
		return s.write(ctx, db, c, now)
	})
}

// hashes are what a row is found by.
func (s *Store) hashes(c certs.Capabilities) (address, certificate []byte) {
	return s.addressHash(c.Address), s.key.MAC(append([]byte("certificate "), c.Certificate[:]...))
}

func (s *Store) addressHash(address string) []byte {
	return s.key.MAC([]byte("address " + certs.AddressKey(address)))
}

// known is what is known of the same address and certificate; nil where nothing is.
func (s *Store) known(ctx context.Context, db *database, c certs.Capabilities) (*certs.Capabilities, error) {
	address, certificate := s.hashes(c)
	row := db.read.QueryRowContext(ctx, `SELECT certificate, signed, body FROM capability WHERE address = ? AND certificate = ?`, address, certificate)
	found, err := s.scan(row, address)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &found, err
}

// write stores c and drops what there is no room for.
func (s *Store) write(ctx context.Context, db *database, c certs.Capabilities, now time.Time) error {
	address, certificate := s.hashes(c)
	text, err := json.Marshal(body{c.Address, c.Certificate[:], c.Text})
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	sealed, err := s.key.Seal(text, associated(address, certificate, c.SignedAt.UnixMilli()))
	if err != nil {
		return err
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	defer tx.Rollback()
	// Whoever wrote between the look and here wins where it is newer.
	if _, err := tx.ExecContext(ctx, `INSERT INTO capability (address, certificate, signed, seen, body) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (address, certificate) DO UPDATE SET signed = ?3, seen = ?4, body = ?5 WHERE signed < ?3`,
		address, certificate, c.SignedAt.UnixMilli(), now.UnixMilli(), sealed); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM capability WHERE address = ?1 AND certificate IN
		(SELECT certificate FROM capability WHERE address = ?1 ORDER BY signed DESC LIMIT -1 OFFSET ?2)`, address, maxPrograms); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM capability WHERE (address, certificate) IN
		(SELECT address, certificate FROM capability ORDER BY seen LIMIT max(0, (SELECT count(*) FROM capability) - ?))`, s.o.Most); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	return nil
}

// Recall returns what is known of the programs of an address, what was signed last first; none where nothing is.
func (s *Store) Recall(ctx context.Context, address string) (known []certs.Capabilities, err error) {
	err = s.using(func(db *database) error {
		hash := s.addressHash(address)
		rows, err := db.read.QueryContext(ctx, `SELECT certificate, signed, body FROM capability WHERE address = ? ORDER BY signed DESC LIMIT ?`, hash, maxPrograms)
		if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			c, err := s.scan(rows, hash)
			if err != nil {
				return err
			}
			known = append(known, c)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}

// scan reads a row with certificate, signed and body. One that does not open is damage.
func (s *Store) scan(row interface{ Scan(...any) error }, address []byte) (c certs.Capabilities, err error) {
	var certificate, sealed []byte
	var signed int64
	if err := row.Scan(&certificate, &signed, &sealed); err != nil {
		return c, fmt.Errorf("certs/store: %w", err)
	}
	text, err := s.key.Open(sealed, associated(address, certificate, signed))
	var b body
	if err != nil || json.Unmarshal(text, &b) != nil || len(b.Certificate) != len(c.Certificate) {
		return c, fmt.Errorf("%w: what is known of a program does not open", ErrDamaged)
	}
	copy(c.Certificate[:], b.Certificate)
	c.Address, c.Text, c.SignedAt = b.Address, b.Text, time.UnixMilli(signed).UTC()
	return c, nil
}

// associated binds a sealed body to its row.
func associated(address, certificate []byte, signed int64) []byte {
	return fmt.Appendf(nil, "capability %x %x %d", address, certificate, signed)
}
