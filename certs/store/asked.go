package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// Question is what somebody is asked, and is not asked again for a while, whatever is restarted meanwhile.
type Question struct {
	Subject string // who or what it is about: an address, or the fingerprint of an issuer
	Issuer  bool   // it is about an issuer: such questions are told from those about addresses, and counted on their own
	ID      string // of the message that asks
	Period  time.Duration
	// PerDay and PerDomain bound the questions of a day, all of the kind together and those about one domain; 0: no bound.
	PerDay, PerDomain int
}

// ErrAskedEnough says that a question was not asked since there were as many in a day as there may be.
var ErrAskedEnough = errors.New("certs/store: as many were asked in a day as may be")

// Ask notes a question, unless it was asked within its period. It returns the id of the message that is to be sent: that
// of the question, or of an earlier one of which [Store.AskSent] never said that it was; "" where nothing is to be sent.
func (s *Store) Ask(ctx context.Context, q Question) (id string, err error) {
	if q.Subject == "" || q.ID == "" || len(q.ID) > 100 {
		return "", errors.New("certs/store: a question about nothing")
	}
	err = s.using(func(db *database) error {
		tx, err := db.write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		defer tx.Rollback()
		if id, err = s.ask(ctx, tx, q); err != nil || id == "" {
			return err
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		return nil
	})
	return id, err
}

// Asked returns when a question about the address was last asked; the zero time where none is remembered.
func (s *Store) Asked(ctx context.Context, subject string) (at time.Time, err error) {
	err = s.using(func(db *database) error {
		var ms int64
		hash, _ := s.askedHashes(Question{Subject: subject})
		err := db.read.QueryRowContext(ctx, `SELECT at FROM asked WHERE subject = ? AND sent = 1`, hash).Scan(&ms)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		at = time.UnixMilli(ms).UTC()
		return nil
	})
	return at, err
}

// AskSent says that the message of the last question about the subject of q is in the queue.
func (s *Store) AskSent(ctx context.Context, q Question) error {
	return s.using(func(db *database) error {
		hash, _ := s.askedHashes(q)
		if _, err := db.write.ExecContext(ctx, `UPDATE asked SET sent = 1 WHERE subject = ?`, hash); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		return nil
	})
}

// askedHashes are those of a subject and of its domain; of what is no address, of the whole; of an issuer, of all issuers.
func (s *Store) askedHashes(q Question) (hash, domain []byte) {
	if q.Issuer {
		return s.key.MAC([]byte("asked about the issuer " + q.Subject)), s.issuersHash()
	}
	key := certs.AddressKey(q.Subject)
	if key == "" {
		key = q.Subject
	}
	return s.key.MAC([]byte("asked " + key)), s.key.MAC([]byte("asked domain " + key[strings.LastIndexByte(key, '@')+1:]))
}

// issuersHash stands in the place of a domain for all questions about issuers.
func (s *Store) issuersHash() []byte { return s.key.MAC([]byte("asked about issuers")) }

// ask is Ask within a transaction.
func (s *Store) ask(ctx context.Context, tx *sql.Tx, q Question) (string, error) {
	now := s.o.Now()
	subject, domain := s.askedHashes(q)
	var at int64
	var id string
	var sent bool
	err := tx.QueryRowContext(ctx, `SELECT at, id, sent FROM asked WHERE subject = ?`, subject).Scan(&at, &id, &sent)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return "", fmt.Errorf("certs/store: %w", err)
	case err == nil && now.Sub(time.UnixMilli(at)).Abs() < q.Period: // from the future: the clock was set back
		if sent {
			return "", nil
		}
		return id, nil
	}
	day := now.AddDate(0, 0, -1).UnixMilli()
	var all, there int
	if err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM asked WHERE at > ?1 AND (domain = ?3) = ?4), (SELECT count(*) FROM asked WHERE domain = ?2 AND at > ?1)`,
		day, domain, s.issuersHash(), q.Issuer).Scan(&all, &there); err != nil {
		return "", fmt.Errorf("certs/store: %w", err)
	}
	if q.PerDay > 0 && all >= q.PerDay || q.PerDomain > 0 && there >= q.PerDomain {
		return "", ErrAskedEnough
	}
	if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO asked (subject, domain, at, id, sent) VALUES (?, ?, ?, ?, 0)`,
		subject, domain, now.UnixMilli(), q.ID); err != nil {
		return "", fmt.Errorf("certs/store: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM asked WHERE subject IN
		(SELECT subject FROM asked ORDER BY at DESC LIMIT -1 OFFSET ?)`, s.o.Most); err != nil {
		return "", fmt.Errorf("certs/store: %w", err)
	}
	return q.ID, nil
}
