package store

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Shelf is certificates and keys that lie elsewhere and are looked at together with those of the store; a certs/folder.Folder is
// one. It is safe for concurrent use.
type Shelf interface {
	// Held are the certificates that bear an address, newest first.
	Held(address string) []certs.Held
	// Decryption is that of certs.Finder.
	Decryption(ctx context.Context, ids []certs.KeyID) ([]certs.Identity, error)
}

// Surroundings are what the store is used with, as one set of settings has it. The zero value is ready to use.
type Surroundings struct {
	// Anchors and Intermediates are judged by beside those of the store, except what is distrusted there.
	Anchors, Intermediates []*x509.Certificate
	Shelf                  Shelf // nil: none
	// Revocation is asked about each path; nil: nobody is.
	Revocation certs.Revocation
	// Adjust changes each judge that is made of the store's trust, for what else there is to be judged by; nil: nothing.
	Adjust func(*certs.Validator) *certs.Validator
	// Supports says whether a certificate's key can serve a purpose in this program; nil: certs.Supported(false).
	Supports func(*x509.Certificate, certs.Purpose) bool
	// KeySources hold the keys of references, by the KIND:NAME that those begin with ("vault:main").
	KeySources map[string]KeySource
}

// View is the store within its surroundings: it finds, and judges, by all of them together. What is changed in the store counts at
// once. It is safe for concurrent use, and needs no closing.
//
// For an address the newest certificate that is valid for the purpose is taken, of those that bear it and, where none of
// them is valid, of those that serve its domain. To encrypt, what was found ([Record.WasFound]) comes after all others.
type View struct {
	s *Store
	o Surroundings

	building sync.Mutex
	last     atomic.Pointer[judging]
}

var (
	_ certs.Finder      = (*View)(nil)
	_ certs.Finder      = (*Store)(nil)
	_ certs.DomainJudge = (*Judge)(nil)
)

// Within returns the store as it is used within surroundings. Many may be in use at once.
func (s *Store) Within(o Surroundings) *View { return &View{s: s, o: o} }

// Signing implements certs.Finder, by the store alone within Options.Surroundings.
func (s *Store) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	return s.view.Signing(ctx, address, now)
}

// Recipient implements certs.Finder, as Signing does.
func (s *Store) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	return s.view.Recipient(ctx, address, now)
}

// Decryption implements certs.Finder, as Signing does.
func (s *Store) Decryption(ctx context.Context, ids []certs.KeyID) ([]certs.Identity, error) {
	return s.view.Decryption(ctx, ids)
}

// Judge returns what judges by the trust of the store within Options.Surroundings, as it is whenever it is asked.
func (s *Store) Judge() *Judge { return s.view.Judge() }

// Signing implements certs.Finder.
func (v *View) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	h, k, err := v.find(ctx, address, certs.Sign, now)
	switch {
	case err != nil:
		return certs.Identity{}, err
	case h.Identity != nil:
		return *h.Identity, nil
	}
	j, err := v.current(ctx)
	if err != nil {
		return certs.Identity{}, err
	}
	return v.identity(ctx, k, j)
}

// Recipient implements certs.Finder.
func (v *View) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	h, _, err := v.find(ctx, address, certs.Encrypt, now)
	if err != nil {
		return nil, err
	}
	return h.Certificate, nil
}

// find picks a certificate of an address; kept is set where it is one of the store.
func (v *View) find(ctx context.Context, address string, p certs.Purpose, now time.Time) (certs.Held, *kept, error) {
	key := certs.AddressKey(address)
	if key == "" {
		return certs.Held{}, nil, certs.ErrNotFound
	}
	j, err := v.current(ctx)
	if err != nil {
		return certs.Held{}, nil, err
	}
	picker := certs.Picker{Judge: j.validator, Supports: v.o.Supports, Revocable: v.o.Revocation != nil}
	own, err := v.s.held(ctx, v.s.ofAddress(key))
	if err != nil {
		return certs.Held{}, nil, err
	}
	h, k, why := v.pick(ctx, picker, address, p, now, own, v.onShelf(key))
	if why == nil || !j.serving {
		return h, k, why
	}
	for _, domain := range servers(key) {
		served, err := v.s.held(ctx, v.s.ofDomain(domain))
		if err != nil {
			return certs.Held{}, nil, err
		}
		h, k, err := v.pick(ctx, picker, address, p, now, served, nil)
		if err == nil {
			return h, k, nil
		}
		if errors.Is(why, certs.ErrNotFound) {
			why = err
		}
	}
	return certs.Held{}, nil, why
}

func (v *View) onShelf(key string) []certs.Held {
	if v.o.Shelf == nil {
		return nil
	}
	return v.o.Shelf.Held(key)
}

// pick picks among certificates of the store and others.
func (v *View) pick(ctx context.Context, picker certs.Picker, address string, p certs.Purpose, now time.Time, own []*kept, others []certs.Held) (certs.Held, *kept, error) {
	all := make([]certs.Held, 0, len(own)+len(others))
	var found map[*certs.Candidate]bool
	for _, k := range own {
		all = append(all, certs.Held{Candidate: &k.Candidate})
		if p == certs.Encrypt && k.record.WasFound() {
			if found == nil {
				found = map[*certs.Candidate]bool{}
			}
			found[&k.Candidate] = true
		}
	}
	if all = append(all, others...); len(others) > 0 || len(found) > 0 {
		slices.SortStableFunc(all, firstFor(p, found))
	}
	h, err := picker.Pick(ctx, address, p, now, all)
	if err != nil {
		return h, nil, err
	}
	if i := slices.IndexFunc(own, func(k *kept) bool { return &k.Candidate == h.Candidate }); i >= 0 {
		return h, own[i], nil
	}
	return h, nil, nil
}

// Decryption implements certs.Finder.
func (v *View) Decryption(ctx context.Context, ids []certs.KeyID) (found []certs.Identity, away error) {
	j, err := v.current(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		name := v.s.ofKey(id)
		if name.cached == "" {
			continue
		}
		all, err := v.s.held(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, k := range all {
			if r, err := x509x.RestrictionOf(k.Certificate); k.record.Key == "" || err != nil || r.PSSOnly { // RFC 4055, 1.2: such a key only signs
				continue
			}
			one, err := v.identity(ctx, k, j)
			switch {
			case errors.Is(err, certs.ErrUnavailable):
				away = errors.Join(away, err)
			case err != nil:
				return nil, err
			default:
				found = append(found, one)
			}
		}
	}
	if v.o.Shelf != nil {
		others, err := v.o.Shelf.Decryption(ctx, ids)
		found, away = append(found, others...), errors.Join(away, err)
	}
	slices.SortStableFunc(found, func(a, b certs.Identity) int { return certs.NewestFirst(a.Certificate, b.Certificate) })
	found = slices.CompactFunc(found, func(a, b certs.Identity) bool { return bytes.Equal(a.Certificate.Raw, b.Certificate.Raw) })
	return found, away
}

// identity joins a certificate of the store with its key.
func (v *View) identity(ctx context.Context, k *kept, j *judging) (certs.Identity, error) {
	key, err := v.key(ctx, k)
	if err != nil {
		return certs.Identity{}, err
	}
	id := certs.Identity{Certificate: k.Certificate, Chain: k.chain(j)}
	if signer, ok := key.(crypto.Signer); ok {
		id.Key = signer
	} else {
		id.Agreement = key
	}
	return id, nil
}

// Reach reports why the key that a reference names cannot be used for a certificate: it is not there, is another's, or who holds it is away. Only the
// last is a *certs.UnavailableError; what somebody has to put right is said as it is, though mail would wait for it.
func (v *View) Reach(ctx context.Context, reference KeyRef, c *x509.Certificate) error {
	_, err := elsewhere(ctx, v.o.KeySources, reference, c)
	var away *certs.UnavailableError
	var lasts interface {
		error
		Lasting() bool
	}
	if errors.As(err, &away) && errors.As(away.Err, &lasts) && lasts.Lasting() {
		return lasts
	}
	return err
}

// key is the private key of a certificate; one that lies in the store is read once.
func (v *View) key(ctx context.Context, k *kept) (crypto.PrivateKey, error) {
	if k.record.Key != KeptHere {
		return elsewhere(ctx, v.o.KeySources, k.record.Key, k.Certificate)
	}
	if key := k.key.Load(); key != nil {
		return *key, nil
	}
	var key crypto.PrivateKey
	err := v.s.using(func(*database) (err error) {
		key, err = v.s.privateKey(&k.row, k.Certificate)
		return err
	})
	if err != nil {
		return nil, err
	}
	k.key.Store(&key)
	return key, nil
}

// Judge judges by the trust of a store within its surroundings, as it is whenever it is asked. It is safe for concurrent use.
type Judge struct{ v *View }

// Judge returns what judges.
func (v *View) Judge() *Judge { return &Judge{v} }

// Validate implements certs.Judge. While the store cannot be read nothing is valid, and Result.Away is set.
func (j *Judge) Validate(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, p certs.Purpose, address string, at time.Time) certs.Result {
	now, err := j.v.current(ctx)
	if err != nil {
		return certs.Result{
			Status: certs.StatusUntrusted, Reasons: []string{"what is trusted cannot be read at present; see /readyz and the log"},
			Away: &certs.UnavailableError{Source: "certificate store", Err: err},
		}
	}
	return now.validator.Validate(ctx, leaf, intermediates, p, address, at)
}

// Serves implements certs.DomainJudge.
func (j *Judge) Serves(c *x509.Certificate, address string) bool {
	now, err := j.v.current(context.Background())
	return err == nil && now.validator.Serves(c, address)
}

// Anchors are what is trusted now: the anchors of the store and of the surroundings.
func (v *View) Anchors(ctx context.Context) ([]*x509.Certificate, error) {
	j, err := v.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("certs/store: %w", err)
	}
	return slices.Clone(j.anchors), nil
}
