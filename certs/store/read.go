package store

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// ByFingerprint returns one certificate; ErrUnknown where it is not kept.
func (s *Store) ByFingerprint(ctx context.Context, f Fingerprint) (rec Record, err error) {
	err = s.using(func(db *database) error {
		r, err := s.row(ctx, db.read, f)
		if err == nil {
			rec, err = s.unseal(&r)
		}
		return err
	})
	return rec, err
}

// maxOfName bounds the certificates of one address, domain or key that are looked at: those that are merely asked about come last,
// before them those that were found, and of the others the newest are taken. It looks for them among maxCrowd.
const (
	maxOfName = 100
	maxCrowd  = 20_000
)

// ByAddress returns the certificates that bear an address, whatever they are worth, the newest first; none is no error.
func (s *Store) ByAddress(ctx context.Context, address string) ([]Record, error) {
	key := certs.AddressKey(address)
	if key == "" {
		return nil, nil
	}
	return s.records(ctx, s.ofAddress(key))
}

// Serving returns the certificates that stand for the domain of an address, whatever they are worth, the nearest domain and
// then the newest first.
func (s *Store) Serving(ctx context.Context, address string) (all []Record, err error) {
	for _, domain := range servers(certs.AddressKey(address)) {
		found, err := s.records(ctx, s.ofDomain(domain))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s *Store) records(ctx context.Context, n name) (all []Record, err error) {
	err = s.using(func(db *database) (err error) {
		_, all, err = s.named(ctx, db, n)
		return err
	})
	return all, err
}

// Filter chooses records. The zero value chooses all; each field that is set narrows the choice.
type Filter struct {
	Trust   []Trust   // one of these
	Source  string    // the word, or the word and the name, of Record.Source
	WithKey bool      // that have a private key
	CA      bool      // of authorities
	Serving bool      // that serve domains
	Ends    time.Time // that end before this time
	NotEnds time.Time // that end at this time or later
	// Text is in the subject, an address, the serial number or the fingerprint, whatever its case.
	Text string
}

const pageSize = 200

// All returns the certificates that a filter chooses, in the order in which they came. What is added or removed meanwhile may be
// there or not. An error ends it.
func (s *Store) All(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for after := int64(0); ; {
			page, last, err := s.page(ctx, f, after)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, rec := range page {
				if !yield(rec, nil) {
					return
				}
			}
			if last == after {
				return
			}
			after = last
		}
	}
}

// page reads the next certificates behind a number, and returns the number of the last one it looked at.
func (s *Store) page(ctx context.Context, f Filter, after int64) (page []Record, last int64, err error) {
	last = after
	conditions, args := f.conditions()
	err = s.using(func(db *database) error {
		rows, err := s.rows(ctx, db.read, columns+`WHERE c.number > ?`+conditions+` ORDER BY c.number LIMIT ?`, append(append([]any{after}, args...), pageSize)...)
		if err != nil {
			return err
		}
		for i := range rows {
			rec, err := s.unseal(&rows[i])
			if err != nil {
				return err
			}
			last = rows[i].number
			if f.chooses(rec) {
				page = append(page, rec)
			}
		}
		return nil
	})
	return page, last, err
}

// conditions are those that the database can judge.
func (f Filter) conditions() (text string, args []any) {
	add := func(condition string, arg ...any) { text, args = text+" AND "+condition, append(args, arg...) }
	if len(f.Trust) > 0 {
		var numbers []any
		for _, t := range f.Trust {
			numbers = append(numbers, t.number())
		}
		add("c.trust IN (?"+strings.Repeat(", ?", len(numbers)-1)+")", numbers...)
	}
	if f.WithKey {
		add("k.public IS NOT NULL")
	}
	if f.CA {
		add("c.ca = 1")
	}
	if f.Serving {
		add("c.serves = 1")
	}
	if !f.Ends.IsZero() {
		add("c.ends < ?", f.Ends.UnixMilli())
	}
	if !f.NotEnds.IsZero() {
		add("c.ends >= ?", f.NotEnds.UnixMilli())
	}
	return text, args
}

// chooses judges what is sealed.
func (f Filter) chooses(r Record) bool {
	if f.Source != "" && r.Source != f.Source && !strings.HasPrefix(r.Source, f.Source+" ") {
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	c := r.Certificate
	for _, where := range append(certs.Addresses(c), c.Subject.String(), fmt.Sprintf("%x", c.SerialNumber), r.Fingerprint().String()) {
		if strings.Contains(strings.ToLower(where), text) {
			return true
		}
	}
	return false
}

// Export returns the private key of a certificate. ErrUnknown where it is not kept, ErrNoKey where its key is not kept here. The
// caller has asked an administrator, and keeps the key from logs.
func (s *Store) Export(ctx context.Context, f Fingerprint) (rec Record, key crypto.PrivateKey, err error) {
	err = s.using(func(db *database) error {
		r, err := s.row(ctx, db.read, f)
		if err != nil {
			return err
		}
		if rec, err = s.unseal(&r); err != nil {
			return err
		}
		if rec.Key != KeptHere {
			return ErrNoKey
		}
		key, err = s.privateKey(&r, rec.Certificate)
		return err
	})
	return rec, key, err
}

// Chain returns what leads from a certificate upwards among the authorities of the store, without a self-signed root.
func (s *Store) Chain(ctx context.Context, c *x509.Certificate) ([]*x509.Certificate, error) {
	now, err := s.view.current(ctx)
	if err != nil {
		return nil, err
	}
	return now.issuers.Chain(c), nil
}
