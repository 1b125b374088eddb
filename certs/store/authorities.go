package store

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"

	"github.com/siegel-mail/siegel/certs/enroll"
)

var _ enroll.Ledger = Ledger{}

// Ledger is what was issued to the company's own addresses, a part of a Store. It implements enroll.Ledger.
type Ledger struct{ s *Store }

// Ledger returns the part of the store that keeps what was issued. It ends with the store.
func (s *Store) Ledger() Ledger { return Ledger{s} }

// authorityBody is what is sealed of an authority.
type authorityBody struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key,omitempty"` // PKCS#8
}

// Authorities implements enroll.Ledger.
func (l Ledger) Authorities(ctx context.Context) (all []enroll.Authority, err error) {
	err = l.s.using(func(db *database) error {
		rows, err := db.read.QueryContext(ctx, `SELECT certificate, body, number, crl FROM authority ORDER BY made DESC, certificate`)
		if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var hash, sealed []byte
			var a enroll.Authority
			if err := rows.Scan(&hash, &sealed, &a.Number, &a.CRL); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
			if a.Certificate, a.Key, err = l.openAuthority(hash, sealed); err != nil {
				return err
			}
			all = append(all, a)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// openAuthority reads a sealed authority. One that does not open is damage.
func (l Ledger) openAuthority(hash, sealed []byte) (*x509.Certificate, crypto.Signer, error) {
	fail := func() error { return fmt.Errorf("%w: an authority does not open", ErrDamaged) }
	text, err := l.s.key.Open(sealed, authorityAssociated(hash))
	var b authorityBody
	if err != nil || json.Unmarshal(text, &b) != nil {
		return nil, nil, fail()
	}
	defer clear(b.Key)
	defer clear(text)
	c, err := x509.ParseCertificate(b.Certificate)
	if err != nil {
		return nil, nil, fail()
	}
	if len(b.Key) == 0 {
		return c, nil, nil
	}
	private, err := x509.ParsePKCS8PrivateKey(b.Key)
	key, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return nil, nil, fail()
	}
	return c, key, nil
}

func authorityAssociated(hash []byte) []byte { return fmt.Appendf(nil, "authority %x", hash) }

func (l Ledger) sealAuthority(a enroll.Authority) (hash, sealed []byte, err error) {
	b := authorityBody{Certificate: a.Certificate.Raw}
	if a.Key != nil {
		if b.Key, err = x509.MarshalPKCS8PrivateKey(a.Key); err != nil {
			return nil, nil, fmt.Errorf("certs/store: %w", err)
		}
		defer clear(b.Key)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, nil, fmt.Errorf("certs/store: %w", err)
	}
	defer clear(text)
	hash = l.s.certificateHash(a.Certificate)
	sealed, err = l.s.key.Seal(text, authorityAssociated(hash))
	return hash, sealed, err
}

// AddAuthorities implements enroll.Ledger.
func (l Ledger) AddAuthorities(ctx context.Context, first bool, all []enroll.Authority) error {
	return l.s.writing(ctx, func(tx transaction) error {
		if first {
			var count int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM authority`).Scan(&count); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			} else if count > 0 {
				return enroll.ErrExists
			}
		}
		for i, a := range all {
			hash, sealed, err := l.sealAuthority(a)
			if err != nil {
				return err
			}
			made := l.s.o.Now().UnixMilli() + int64(i) // in their order
			if _, err := tx.ExecContext(ctx, `INSERT INTO authority (certificate, made, body) VALUES (?, ?, ?)`, hash, made, sealed); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
			if err := l.record(ctx, tx, enroll.Record{Certificate: a.Certificate, Kept: true}); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropKey implements enroll.Ledger.
func (l Ledger) DropKey(ctx context.Context, c *x509.Certificate) error {
	return l.s.writing(ctx, func(tx transaction) error {
		hash, sealed, err := l.sealAuthority(enroll.Authority{Certificate: c})
		if err != nil {
			return err
		}
		return oneRow(tx.ExecContext(ctx, `UPDATE authority SET body = ? WHERE certificate = ?`, sealed, hash))
	})
}

// SaveCRL implements enroll.Ledger.
func (l Ledger) SaveCRL(ctx context.Context, c *x509.Certificate, number int64, crl []byte) error {
	return l.s.writing(ctx, func(tx transaction) error {
		return oneRow(tx.ExecContext(ctx, `UPDATE authority SET number = ?1, crl = ?2 WHERE certificate = ?3 AND number < ?1`,
			number, crl, l.s.certificateHash(c)))
	})
}
