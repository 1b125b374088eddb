package store

import (
	"context"
	"crypto/x509"
	"fmt"
)

// SetTrust says whether a certificate is trusted, and for which addresses (see [Record]); it counts at once. ErrUnknown where it
// is not kept, ErrNotCA for an anchor that is none of an authority, ErrNotNeeded for a scope that nothing needs.
func (s *Store) SetTrust(ctx context.Context, f Fingerprint, t Trust, scope []string) error {
	return s.say(ctx, f, func(r Record, said *statement) (err error) {
		scope, err := checkTrust([]*x509.Certificate{r.Certificate}, t, scope)
		said.Trust, said.Scope = t, scope
		return err
	})
}

// SetServes says for which domains a certificate stands (see [Record]); none: for those addresses alone that it bears. It counts
// at once. ErrUnknown where it is not kept.
func (s *Store) SetServes(ctx context.Context, f Fingerprint, domains []string) error {
	return s.say(ctx, f, func(_ Record, said *statement) (err error) {
		said.Serves, err = ParseServes(domains)
		return err
	})
}

// say changes what is said of a certificate.
func (s *Store) say(ctx context.Context, f Fingerprint, change func(Record, *statement) error) error {
	err := s.writing(ctx, func(tx transaction) error {
		r, err := s.row(ctx, tx, f)
		if err != nil {
			return err
		}
		rec, err := s.unseal(&r)
		if err != nil {
			return err
		}
		said := statement{rec.Trust, rec.Scope, rec.Serves}
		if err := change(rec, &said); err != nil {
			return err
		}
		sealed, err := s.sealStatement(r.id, said)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE certificate SET trust = ?, serves = ?, said = ? WHERE number = ?`, said.Trust.number(), len(said.Serves) > 0, sealed, r.number); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM certificate_name WHERE number = ?`, r.number); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		return s.addNames(ctx, tx, r.number, rec.Certificate, said.Serves)
	})
	if err == nil {
		s.cache.clear()
		if s.o.Changed != nil {
			s.o.Changed(nil)
		}
	}
	return err
}

// Remove forgets a certificate, and what was said of it. Where it is the last one of a private key the error is ErrHasKey, unless
// withKey says that the key is to go as well: then nothing opens what was encrypted to it. It reports whether a key went.
// ErrUnknown where the certificate is not kept.
func (s *Store) Remove(ctx context.Context, f Fingerprint, withKey bool) (keyGone bool, err error) {
	err = s.writing(ctx, func(tx transaction) error {
		r, err := s.row(ctx, tx, f)
		if err != nil {
			return err
		}
		var others int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM certificate WHERE public = ? AND number <> ?`, r.public, r.number).Scan(&others); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
		keyGone = r.keyKind.Valid && others == 0
		if keyGone && !withKey {
			return ErrHasKey
		}
		for _, statement := range []string{`DELETE FROM certificate_name WHERE number = ?`, `DELETE FROM certificate WHERE number = ?`} {
			if _, err := tx.ExecContext(ctx, statement, r.number); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
		}
		if keyGone {
			if _, err := tx.ExecContext(ctx, `DELETE FROM private_key WHERE public = ?`, r.public); err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	s.cache.clear()
	return keyGone, nil
}
