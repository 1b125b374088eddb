package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/siegel-mail/siegel/certs"
)

// name is something that certificates are looked up by.
type name struct {
	cached string // in the cache
	hash   func() []byte
	query  string            // of the rows with a hash, behind columns
	bears  func(Record) bool // whether a certificate has the name; one of its row that has not is damage
}

const newestWithKey = ` AND k.public IS NOT NULL ORDER BY c.begins DESC, c.ends DESC LIMIT ?`

const (
	namedQuery      = `JOIN certificate_name n ON n.number = c.number WHERE n.name = ? ORDER BY c.trust = 4, n.begins DESC, c.ends DESC, c.number DESC LIMIT ?`
	issuedQuery     = `WHERE c.issued = ?` + newestWithKey
	subjectKeyQuery = `WHERE c.subject_key = ?` + newestWithKey
)

// ofAddress finds the certificates that bear an address key.
func (s *Store) ofAddress(key string) name {
	return name{addressName(key), func() []byte { return s.addressHash(key) }, namedQuery, func(r Record) bool {
		return slices.ContainsFunc(certs.Addresses(r.Certificate), func(a string) bool { return certs.AddressKey(a) == key })
	}}
}

// ofDomain finds the certificates that serve a domain.
func (s *Store) ofDomain(domain string) name {
	return name{servedName(domain), func() []byte { return s.servedHash(domain) }, namedQuery, func(r Record) bool {
		return slices.Contains(r.Serves, domain)
	}}
}

// ofKey finds the certificates, of those that have a key, that an id means; its name in the cache is empty where that is none.
func (s *Store) ofKey(id certs.KeyID) name {
	query := issuedQuery
	if id.SubjectKeyID != nil {
		query = subjectKeyQuery
	}
	return name{idName(id), func() []byte { return s.keyIDHash(id) }, query, func(r Record) bool { return id.Matches(r.Certificate) }}
}

// named reads the rows of a name, the newest certificate first.
func (s *Store) named(ctx context.Context, db *database, n name) (rows []row, all []Record, err error) {
	if rows, err = s.rows(ctx, db.names, columns+n.query, n.hash(), maxOfName); err != nil {
		return nil, nil, err
	}
	if len(rows) == maxOfName && n.query == namedQuery {
		if rows, err = s.crowded(ctx, db, n); err != nil {
			return nil, nil, err
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		if a.begins != b.begins {
			return int(max(-1, min(1, b.begins-a.begins)))
		}
		return int(max(-1, min(1, b.ends-a.ends)))
	})
	for i := range rows {
		rec, err := s.unseal(&rows[i])
		if err != nil {
			return nil, nil, err
		}
		if !n.bears(rec) {
			return nil, nil, fmt.Errorf("%w: a certificate is found by a name that it does not have", ErrDamaged)
		}
		all = append(all, rec)
	}
	return rows, all, nil
}

// crowded reads the rows of a name that has more of them than are looked at: those come first that somebody brought in. Whoever can have
// certificates issued for an address could else have so many found that the one an administrator brought in is no longer seen.
func (s *Store) crowded(ctx context.Context, db *database, n name) (rows []row, err error) {
	var found []row
	err = s.each(ctx, db.names, func(r *row) error {
		rec, err := s.unseal(r)
		switch {
		case err != nil:
			return err
		case !rec.WasFound() && len(rows) < maxOfName:
			rows = append(rows, *r)
		case rec.WasFound() && len(found) < maxOfName:
			found = append(found, *r)
		}
		return nil
	}, columns+n.query, n.hash(), maxCrowd)
	return append(rows, found[:min(len(found), maxOfName-len(rows))]...), err
}

// held returns what the store has under a name: of the cache, or else of the database.
func (s *Store) held(ctx context.Context, n name) ([]*kept, error) {
	if err := s.Check(); err != nil { // what is in memory does not count either
		return nil, err
	}
	all, ok, reads := s.cache.get(n.cached)
	if ok {
		return all, nil
	}
	err := s.using(func(db *database) error {
		rows, records, err := s.named(ctx, db, n)
		all = make([]*kept, len(rows))
		for i, rec := range records {
			all[i] = &kept{Candidate: certs.Candidate{Certificate: rec.Certificate, Signs: rec.Key != "" && signs(rec.Certificate)}, record: rec, row: rows[i]}
			all[i].row.body, all[i].row.said = nil, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.cache.put(n.cached, all, reads)
	return all, nil
}
