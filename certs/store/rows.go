package store

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// transaction is what is done in one.
type transaction interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// writing runs f in a transaction, which is on stable storage where it returns nil.
func (s *Store) writing(ctx context.Context, f func(transaction) error) error {
	return s.using(func(db *database) error {
		tx, err := db.write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		defer tx.Rollback()
		if err := f(tx); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		return nil
	})
}

// certificateBody is what is sealed of a certificate and never changes.
type certificateBody struct {
	DER    []byte `json:"der"`
	Source string `json:"source"`
}

// statement is what is sealed of what was said of a certificate.
type statement struct {
	Trust  Trust    `json:"trust"`
	Scope  []string `json:"scope,omitempty"`
	Serves []string `json:"serves,omitempty"`
}

func bodyAssociated(id []byte, added int64) []byte {
	return fmt.Appendf(nil, "certificate %x %d", id, added)
}
func statementAssociated(id []byte) []byte { return fmt.Appendf(nil, "statement %x", id) }

// The hashes that rows are found by. All are keyed.
func (s *Store) fingerprintHash(f Fingerprint) []byte {
	return s.key.MAC(append([]byte("certificate "), f[:]...))
}

func (s *Store) certificateHash(c *x509.Certificate) []byte {
	return s.fingerprintHash(FingerprintOf(c))
}

func (s *Store) publicHash(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return s.key.MAC(append([]byte("public key "), sum[:]...))
}

func (s *Store) servedHash(domain string) []byte { return s.key.MAC([]byte("served " + domain)) }

// keyIDHash is the hash of a key's name; nil for one that names nothing.
func (s *Store) keyIDHash(id certs.KeyID) []byte {
	switch {
	case id.SubjectKeyID != nil && len(id.SubjectKeyID) == 0:
		return nil
	case id.SubjectKeyID != nil:
		return s.key.MAC(append([]byte("subject key "), id.SubjectKeyID...))
	case id.Serial == nil:
		return nil
	}
	return s.key.MAC(fmt.Appendf(nil, "issued %d %s %x", len(id.Issuer), id.Issuer, id.Serial))
}

// publicKey is the public key of a certificate in the encoding that keys are compared in: parameters that say how an RSA key
// is to be used are left out. It is nil for a kind that has none.
func publicKey(c *x509.Certificate) []byte {
	if der, err := x509x.MarshalPublicKey(c.PublicKey); err == nil {
		return der
	}
	return c.RawSubjectPublicKeyInfo
}

// row is a row of certificate, with its key where there is one.
type row struct {
	number                    int64
	id, body, said, public    []byte
	trust, ca, serves         int
	begins, ends, added, seen int64
	keyKind, keyAdded         sql.NullInt64
	keyBody                   []byte
}

// columns are those of a row; conditions and order go behind them.
const columns = `SELECT c.number, c.id, c.body, c.said, c.public, c.trust, c.ca, c.serves, c.begins, c.ends, c.added, c.seen, k.kind, k.added, k.body
	FROM certificate c LEFT JOIN private_key k ON k.public = c.public `

func (r *row) scan(from interface{ Scan(...any) error }) error {
	err := from.Scan(&r.number, &r.id, &r.body, &r.said, &r.public, &r.trust, &r.ca, &r.serves, &r.begins, &r.ends, &r.added, &r.seen,
		&r.keyKind, &r.keyAdded, &r.keyBody)
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	return nil
}

// rows reads all rows of a query.
func (s *Store) rows(ctx context.Context, db transaction, query string, args ...any) (all []row, err error) {
	err = s.each(ctx, db, func(r *row) error {
		all = append(all, *r)
		return nil
	}, query, args...)
	return all, err
}

// each gives the rows of a query to f, one by one; f keeps none, but may keep a copy.
func (s *Store) each(ctx context.Context, db transaction, f func(*row) error, query string, args ...any) error {
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	defer found.Close()
	for found.Next() {
		var r row
		if err := r.scan(found); err != nil {
			return err
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	return nil
}

// row reads the one row of a fingerprint; ErrUnknown.
func (s *Store) row(ctx context.Context, tx transaction, f Fingerprint) (r row, err error) {
	err = r.scan(tx.QueryRowContext(ctx, columns+`WHERE c.id = ?`, s.fingerprintHash(f)))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrUnknown
	}
	return r, err
}

// unseal reads what is sealed of a row. One that does not open, or does not say what its columns say, is damage.
func (s *Store) unseal(r *row) (Record, error) {
	fail := func(what string) error { return fmt.Errorf("%w: a certificate %s", ErrDamaged, what) }
	text, err := s.key.Open(r.body, bodyAssociated(r.id, r.added))
	if err != nil {
		return Record{}, fail("does not open")
	}
	b, c, err := decodeBody(text)
	if err != nil {
		return Record{}, fail("cannot be read")
	}
	said, err := s.openStatement(r)
	if err != nil {
		return Record{}, err
	}
	switch {
	case string(s.certificateHash(c)) != string(r.id), string(s.publicHash(publicKey(c))) != string(r.public),
		c.NotBefore.UnixMilli() != r.begins, c.NotAfter.UnixMilli() != r.ends, isAuthority(c) != (r.ca == 1):
		return Record{}, fail("is not the one of its row")
	}
	rec := Record{
		Certificate: c, Source: b.Source, Added: time.UnixMilli(r.added).UTC(), Seen: time.UnixMilli(r.seen).UTC(),
		Trust: said.Trust, Scope: said.Scope, Serves: said.Serves,
	}
	rec.Key, err = s.keyRef(r)
	return rec, err
}

// openStatement reads what was said of the certificate of a row.
func (s *Store) openStatement(r *row) (statement, error) {
	text, err := s.key.Open(r.said, statementAssociated(r.id))
	if err != nil {
		return statement{}, fmt.Errorf("%w: what was said of a certificate does not open", ErrDamaged)
	}
	said, err := decodeStatement(text)
	if err != nil || said.Trust.number() != r.trust || (len(said.Serves) > 0) != (r.serves == 1) {
		return statement{}, fmt.Errorf("%w: what was said of a certificate is not what its row says", ErrDamaged)
	}
	return said, nil
}

// decodeBody reads what sealBody wrote.
func decodeBody(text []byte) (b certificateBody, c *x509.Certificate, err error) {
	if err := json.Unmarshal(text, &b); err != nil {
		return b, nil, err
	}
	c, err = x509x.ParseCertificate(b.DER)
	return b, c, err
}

// decodeStatement reads what sealStatement wrote.
func decodeStatement(text []byte) (said statement, err error) {
	if err := json.Unmarshal(text, &said); err != nil {
		return said, err
	}
	if said.Trust.number() < 0 {
		return said, errors.New("no trust")
	}
	return said, nil
}

func (s *Store) sealBody(id []byte, added int64, b certificateBody) ([]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	return s.key.Seal(text, bodyAssociated(id, added))
}

func (s *Store) sealStatement(id []byte, said statement) ([]byte, error) {
	text, err := json.Marshal(said)
	if err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	return s.key.Seal(text, statementAssociated(id))
}
