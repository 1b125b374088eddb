package store

import (
	"bytes"
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/certs"
)

// Add keeps certificates and keys, all of them or, with an error, none; they are on stable storage when it returns, and count at
// once. What is known is not altered but for when it was seen, and that what was found is an administrator's once he brings it in: by adding,
// nothing becomes more or less trusted, and no key is replaced, but a reference by another one. An Addition that is not one is refused.
func (s *Store) Add(ctx context.Context, a Addition) (added Added, err error) {
	if err := a.check(); err != nil {
		return Added{}, err
	}
	keys, err := s.foundKeys(a)
	defer func() {
		for _, k := range keys {
			clear(k.body)
		}
	}()
	if err != nil {
		return Added{}, err
	}
	if met, err := s.metLately(ctx, a, keys); met != nil || err != nil {
		return Added{Known: met}, err
	}
	err = s.writing(ctx, func(tx transaction) error {
		added = Added{}
		return s.add(ctx, tx, a, keys, &added)
	})
	if err != nil {
		return Added{}, err
	}
	s.changed(a, keys, added)
	return added, nil
}

// metLately is what an addition of found certificates that are all known, and were seen a short while ago, would give; nil for any other.
func (s *Store) metLately(ctx context.Context, a Addition, keys []foundKey) (known []Fingerprint, err error) {
	if len(keys) > 0 || len(a.Certificates) > 8 || !isFound(a.Source) {
		return nil, nil
	}
	since := s.o.Now().Add(-enough).UnixMilli()
	err = s.using(func(db *database) error {
		for _, f := range distinct(a.Certificates) {
			var seen int64
			err := db.read.QueryRowContext(ctx, `SELECT seen FROM certificate WHERE id = ?`, s.fingerprintHash(f)).Scan(&seen)
			if errors.Is(err, sql.ErrNoRows) || err == nil && seen < since {
				known = nil
				return nil
			}
			if err != nil {
				return fmt.Errorf("certs/store: %w", err)
			}
			known = append(known, f)
		}
		return nil
	})
	return known, err
}

// distinct are the fingerprints of certificates, each once.
func distinct(all []*x509.Certificate) (found []Fingerprint) {
	seen := map[Fingerprint]bool{}
	for _, c := range all {
		if f := FingerprintOf(c); !seen[f] {
			seen[f] = true
			found = append(found, f)
		}
	}
	return found
}

// add is Add within a transaction.
func (s *Store) add(ctx context.Context, tx transaction, a Addition, keys []foundKey, added *Added) error {
	now := s.o.Now().UnixMilli()
	seen := map[Fingerprint]bool{}
	for _, c := range a.Certificates {
		f := FingerprintOf(c)
		if seen[f] {
			continue
		}
		seen[f] = true
		isNew, err := s.addCertificate(ctx, tx, a, c, now)
		switch {
		case err != nil:
			return err
		case isNew:
			added.New = append(added.New, f)
		default:
			added.Known = append(added.Known, f)
			if isFound(a.Source) {
				continue
			}
			if adopted, err := s.adopt(ctx, tx, f, a.Source); err != nil {
				return err
			} else if adopted {
				added.Adopted++
			}
		}
	}
	for _, k := range keys {
		if err := s.addKey(ctx, tx, k, now, added); err != nil {
			return err
		}
	}
	if a.Trust == Asked && len(added.New) > 0 {
		return s.dropAsked(ctx, tx)
	}
	return nil
}

// addCertificate keeps one certificate, or says that it was seen.
func (s *Store) addCertificate(ctx context.Context, tx transaction, a Addition, c *x509.Certificate, now int64) (isNew bool, err error) {
	id := s.certificateHash(c)
	var number, seen int64
	switch err := tx.QueryRowContext(ctx, `SELECT number, seen FROM certificate WHERE id = ?`, id).Scan(&number, &seen); {
	case err == nil && now-seen < enough.Milliseconds():
		return false, nil
	case err == nil:
		if _, err := tx.ExecContext(ctx, `UPDATE certificate SET seen = ? WHERE number = ?`, now, number); err != nil {
			return false, fmt.Errorf("certs/store: %w", err)
		}
		return false, nil
	case !errors.Is(err, sql.ErrNoRows):
		return false, fmt.Errorf("certs/store: %w", err)
	}
	body, err := s.sealBody(id, now, certificateBody{c.Raw, a.Source})
	if err != nil {
		return false, err
	}
	said, err := s.sealStatement(id, statement{a.Trust, a.Scope, a.Serves})
	if err != nil {
		return false, err
	}
	issued := s.keyIDHash(certs.KeyIDOf(c))
	subjectKey := s.keyIDHash(certs.KeyID{SubjectKeyID: append([]byte{}, c.SubjectKeyId...)})
	result, err := tx.ExecContext(ctx, `INSERT INTO certificate (id, public, issued, subject_key, ca, trust, serves, begins, ends, added, seen, body, said)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)`,
		id, s.publicHash(publicKey(c)), issued, subjectKey, isAuthority(c), a.Trust.number(), len(a.Serves) > 0,
		c.NotBefore.UnixMilli(), c.NotAfter.UnixMilli(), now, body, said)
	if err != nil {
		return false, fmt.Errorf("certs/store: %w", err)
	}
	if number, err = result.LastInsertId(); err != nil {
		return false, fmt.Errorf("certs/store: %w", err)
	}
	return true, s.addNames(ctx, tx, number, c, a.Serves)
}

// addNames lets a certificate be found by its addresses and the domains it serves.
func (s *Store) addNames(ctx context.Context, tx transaction, number int64, c *x509.Certificate, serves []string) error {
	var names [][]byte
	for _, address := range certs.Addresses(c) {
		names = append(names, s.addressHash(address))
	}
	for _, domain := range serves {
		names = append(names, s.servedHash(domain))
	}
	for _, name := range names {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO certificate_name (name, begins, number) VALUES (?, ?, ?)`, name, c.NotBefore.UnixMilli(), number); err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
	}
	return nil
}

// addKey keeps a key that is not known.
func (s *Store) addKey(ctx context.Context, tx transaction, k foundKey, now int64, added *Added) error {
	sealed, err := s.key.Seal(k.body, keyAssociated(k.public, k.kind, now))
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO private_key (public, kind, added, body) VALUES (?, ?, ?, ?)`, k.public, k.kind, now, sealed)
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	moved := false
	if n == 0 && k.kind == kindReference {
		if moved, err = s.moveKey(ctx, tx, k); err != nil {
			return err
		}
	}
	if n == 0 && !moved {
		added.KnownKeys++
	} else {
		added.NewKeys++
	}
	var has bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM certificate WHERE public = ?)`, k.public).Scan(&has); err != nil {
		return fmt.Errorf("certs/store: %w", err)
	}
	if !has {
		added.Lone++
	}
	return nil
}

// moveKey says of a key that lies elsewhere that it lies at another place, and reports whether it did not say so before.
func (s *Store) moveKey(ctx context.Context, tx transaction, k foundKey) (bool, error) {
	r := row{public: k.public}
	err := tx.QueryRowContext(ctx, `SELECT kind, added, body FROM private_key WHERE public = ?`, k.public).Scan(&r.keyKind, &r.keyAdded, &r.keyBody)
	if err != nil || r.keyKind.Int64 != kindReference {
		return false, err
	}
	before, err := s.openKey(&r)
	if err != nil || bytes.Equal(before, k.body) {
		return false, err
	}
	sealed, err := s.key.Seal(k.body, keyAssociated(k.public, k.kind, r.keyAdded.Int64))
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE private_key SET body = ? WHERE public = ?`, sealed, k.public); err != nil {
		return false, fmt.Errorf("certs/store: %w", err)
	}
	return true, nil
}

// dropAsked lets the oldest certificates go that nobody has said anything of, where strangers sent more than there is room
// for. One with a key stays.
func (s *Store) dropAsked(ctx context.Context, tx transaction) error {
	for _, table := range []string{"certificate_name", "certificate"} {
		_, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE number IN (SELECT number FROM certificate
			WHERE trust = ?1 AND public NOT IN (SELECT public FROM private_key) ORDER BY seen DESC, number DESC LIMIT -1 OFFSET ?2)`, Asked.number(), s.o.MostAsked)
		if err != nil {
			return fmt.Errorf("certs/store: %w", err)
		}
	}
	return nil
}

// changed makes an addition count for those who look.
func (s *Store) changed(a Addition, keys []foundKey, added Added) {
	if len(added.New)+added.NewKeys+added.Adopted == 0 {
		return
	}
	isNew := map[Fingerprint]bool{}
	for _, f := range added.New {
		isNew[f] = true
	}
	wide := len(keys) > 0 || added.Adopted > 0 || len(added.New) > 0 && (len(a.Serves) > 0 || a.Trust != ByPath)
	var names []string
	for _, c := range a.Certificates {
		if !isNew[FingerprintOf(c)] {
			continue
		}
		wide = wide || isAuthority(c)
		names = append(names, namesOf(c)...)
	}
	if wide {
		s.cache.clear()
	} else {
		s.cache.drop(names)
	}
	s.tell(a, isNew, wide)
}
