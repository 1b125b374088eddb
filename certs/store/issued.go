package store

import (
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
)

const (
	mostOfAddress = 32   // records of one address that are looked at
	mostUnkept    = 1000 // records that nobody kept
)

// issuedBody is what is sealed of a certificate that was issued: all that its row says.
type issuedBody struct {
	Certificate []byte        `json:"certificate"`
	Address     string        `json:"address,omitempty"`
	Kept        bool          `json:"kept,omitempty"`
	Revoked     int64         `json:"revoked,omitempty"`
	Reason      enroll.Reason `json:"reason,omitempty"`
}

func (l Ledger) issuerHash(rawName []byte) []byte {
	return l.s.key.MAC(append([]byte("issuer "), rawName...))
}

func (l Ledger) serialHash(c *x509.Certificate) []byte {
	return l.s.key.MAC(fmt.Appendf(nil, "serial %x %x", c.RawIssuer, c.SerialNumber.Bytes()))
}

func issuedAssociated(hash []byte) []byte { return fmt.Appendf(nil, "issued %x", hash) }

func (l Ledger) sealIssued(hash []byte, r enroll.Record) ([]byte, error) {
	b := issuedBody{Certificate: r.Certificate.Raw, Address: r.Address, Kept: r.Kept, Reason: r.Reason, Revoked: millis(r.Revoked)}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	return l.s.key.Seal(text, issuedAssociated(hash))
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// openIssued reads a row. One that does not open, or says something else than what is sealed, is damage.
func (l Ledger) openIssued(row interface{ Scan(...any) error }) (r enroll.Record, err error) {
	var hash, sealed []byte
	var kept bool
	var revoked int64
	if err := row.Scan(&hash, &kept, &revoked, &sealed); err != nil {
		return r, fmt.Errorf("certs/store: %w", err)
	}
	text, err := l.s.key.Open(sealed, issuedAssociated(hash))
	var b issuedBody
	if err != nil || json.Unmarshal(text, &b) != nil || b.Kept != kept || b.Revoked != revoked {
		return r, fmt.Errorf("%w: the record of an issued certificate does not open", ErrDamaged)
	}
	if r.Certificate, err = x509.ParseCertificate(b.Certificate); err != nil {
		return r, fmt.Errorf("%w: an issued certificate cannot be read", ErrDamaged)
	}
	r.Address, r.Kept, r.Reason = b.Address, kept, b.Reason
	if revoked != 0 {
		r.Revoked = time.UnixMilli(revoked).UTC()
	}
	return r, nil
}

const issuedColumns = `SELECT certificate, kept, revoked, body FROM issued `

// Record implements enroll.Ledger.
func (l Ledger) Record(ctx context.Context, r enroll.Record) error {
	return l.s.writing(ctx, func(tx transaction) error { return l.record(ctx, tx, r) })
}

func (l Ledger) record(ctx context.Context, tx transaction, r enroll.Record) error {
	hash, serial := l.s.certificateHash(r.Certificate), l.serialHash(r.Certificate)
	var other []byte
	switch err := tx.QueryRowContext(ctx, `SELECT certificate FROM issued WHERE serial = ?`, serial).Scan(&other); {
	case err == nil && string(other) == string(hash):
		return nil
	case err == nil:
		return enroll.ErrSerial
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("certs/store: %w", err)
	}
	sealed, err := l.sealIssued(hash, r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO issued (certificate, issuer, serial, address, made, ends, kept, revoked, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		hash, l.issuerHash(r.Certificate.RawIssuer), serial, l.s.addressHash(r.Address), l.s.o.Now().UnixMilli(), r.Certificate.NotAfter.UnixMilli(),
		r.Kept, millis(r.Revoked), sealed)
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	return nil
}

// oneRow is the error of a change of one row; enroll.ErrUnknown where there was none to change.
func oneRow(result sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	} else if n == 0 {
		return enroll.ErrUnknown
	}
	return nil
}

// alter changes the record of a certificate.
func (l Ledger) alter(ctx context.Context, c *x509.Certificate, change func(*enroll.Record) bool) error {
	return l.s.writing(ctx, func(tx transaction) error {
		hash := l.s.certificateHash(c)
		r, err := l.openIssued(tx.QueryRowContext(ctx, issuedColumns+`WHERE certificate = ?`, hash))
		if errors.Is(err, sql.ErrNoRows) {
			return enroll.ErrUnknown
		}
		if err != nil || !change(&r) {
			return err
		}
		sealed, err := l.sealIssued(hash, r)
		if err != nil {
			return err
		}
		return oneRow(tx.ExecContext(ctx, `UPDATE issued SET kept = ?, revoked = ?, body = ? WHERE certificate = ?`, r.Kept, millis(r.Revoked), sealed, hash))
	})
}

// Keep implements enroll.Ledger.
func (l Ledger) Keep(ctx context.Context, c *x509.Certificate) error {
	return l.alter(ctx, c, func(r *enroll.Record) bool {
		was := r.Kept
		r.Kept = true
		return !was
	})
}

// Revoke implements enroll.Ledger.
func (l Ledger) Revoke(ctx context.Context, c *x509.Certificate, at time.Time, why enroll.Reason) error {
	return l.alter(ctx, c, func(r *enroll.Record) bool {
		if !r.Revoked.IsZero() {
			return false
		}
		r.Revoked, r.Reason = at, why
		return true
	})
}

// records returns what a query finds.
func (l Ledger) records(ctx context.Context, query string, args ...any) (all []enroll.Record, err error) {
	err = l.each(ctx, func(r enroll.Record) { all = append(all, r) }, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// each gives what a query finds to f.
func (l Ledger) each(ctx context.Context, f func(enroll.Record), query string, args ...any) error {
	return l.s.using(func(db *database) error {
		rows, err := db.read.QueryContext(ctx, issuedColumns+query, args...)
		if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			r, err := l.openIssued(rows)
			if err != nil {
				return err
			}
			f(r)
		}
		return rows.Err()
	})
}

// Find implements enroll.Ledger.
func (l Ledger) Find(ctx context.Context, c *x509.Certificate) (enroll.Record, error) {
	all, err := l.records(ctx, `WHERE certificate = ?`, l.s.certificateHash(c))
	if err == nil && len(all) == 0 {
		err = enroll.ErrUnknown
	}
	if err != nil {
		return enroll.Record{}, err
	}
	return all[0], nil
}

// Unkept implements enroll.Ledger.
func (l Ledger) Unkept(ctx context.Context) ([]enroll.Record, error) {
	return l.records(ctx, `WHERE kept = 0 AND revoked = 0 ORDER BY made LIMIT ?`, mostUnkept)
}

// IssuedTo implements enroll.Ledger.
func (l Ledger) IssuedTo(ctx context.Context, address string) ([]enroll.Record, error) {
	if certs.AddressKey(address) == "" {
		return nil, nil
	}
	return l.records(ctx, `WHERE address = ? ORDER BY made DESC, certificate LIMIT ?`, l.s.addressHash(address), mostOfAddress)
}

// Expiring implements enroll.Ledger.
func (l Ledger) Expiring(ctx context.Context, after, until time.Time, f func(enroll.Record)) error {
	return l.each(ctx, f, `WHERE kept = 1 AND revoked = 0 AND ends > ? AND ends <= ? AND address <> ? ORDER BY ends, certificate`,
		after.UnixMilli(), until.UnixMilli(), l.s.addressHash(""))
}

// Revoked implements enroll.Ledger.
func (l Ledger) Revoked(ctx context.Context, issuer *x509.Certificate, endAfter time.Time) (all []enroll.Revocation, err error) {
	records, err := l.records(ctx, `WHERE issuer = ? AND revoked <> 0 AND ends > ? ORDER BY revoked, certificate`, l.issuerHash(issuer.RawSubject), endAfter.UnixMilli())
	for _, r := range records {
		all = append(all, enroll.Revocation{Serial: r.Certificate.SerialNumber, At: r.Revoked, Reason: r.Reason})
	}
	return all, err
}
