package store_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// cas are made once, since keys take long: two roots that know nothing of each other, and one below the first.
var cas = sync.OnceValue(func() (c struct{ one, below, two *democa.CA }) {
	c.one, c.two = must(democa.NewCA(day)), must(democa.NewCA(day))
	c.below = must(c.one.Intermediate("Below", democa.Options{Key: newKey()}))
	return c
})

func newKey() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// issue makes an identity with a key on P-256.
func issue(ca *democa.CA, address string, o democa.Options) certs.Identity {
	if o.Key == nil {
		o.Key = newKey()
	}
	return must(ca.Issue(address, o))
}

// since is for a certificate that begins so many days ago.
func since(days int) democa.Options { return democa.Options{NotBefore: day.AddDate(0, 0, -days)} }

// add keeps certificates and keys that an administrator imports.
func (b *bench) add(s *store.Store, trust store.Trust, all ...any) store.Added {
	b.t.Helper()
	a := store.Addition{Source: "import", Trust: trust}
	for _, one := range all {
		switch one := one.(type) {
		case *x509.Certificate:
			a.Certificates = append(a.Certificates, one)
		case *democa.CA:
			a.Certificates = append(a.Certificates, one.Certificate())
		case certs.Identity:
			a.Certificates, a.Keys = append(a.Certificates, one.Certificate), append(a.Keys, one.Private())
		default:
			a.Keys = append(a.Keys, one)
		}
	}
	added, err := s.Add(b.t.Context(), a)
	if err != nil {
		b.t.Fatal(err)
	}
	return added
}

func (b *bench) trust(s *store.Store, c *x509.Certificate, t store.Trust, scope ...string) {
	b.t.Helper()
	if err := s.SetTrust(b.t.Context(), store.FingerprintOf(c), t, scope); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) serve(s *store.Store, c *x509.Certificate, domains ...string) {
	b.t.Helper()
	if err := s.SetServes(b.t.Context(), store.FingerprintOf(c), domains); err != nil {
		b.t.Fatal(err)
	}
}

// outcome is what became of a look-up in one word.
func outcome(err error) string {
	var u *certs.UnusableError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, certs.ErrNotFound):
		return "unknown"
	case errors.As(err, &u):
		return string(u.Result.Status)
	case errors.Is(err, certs.ErrUnavailable):
		return "away"
	}
	return err.Error()
}

// uses checks what an address signs with and is encrypted to; nil: nothing, for the reason why.
func (b *bench) uses(f certs.Finder, address string, want *x509.Certificate, why string) {
	b.t.Helper()
	id, err := f.Signing(b.t.Context(), address, b.now)
	if outcome(err) != why || want != nil && !want.Equal(id.Certificate) {
		b.t.Errorf("%s signs with %v, %v", address, describe(id.Certificate), err)
	}
	if err == nil && !id.Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(id.Certificate.PublicKey) {
		b.t.Errorf("%s: the key is another one", address)
	}
	b.encrypts(f, address, want, why)
}

// encrypts is uses for encryption alone.
func (b *bench) encrypts(f certs.Finder, address string, want *x509.Certificate, why string) {
	b.t.Helper()
	c, err := f.Recipient(b.t.Context(), address, b.now)
	if outcome(err) != why || want != nil && !want.Equal(c) {
		b.t.Errorf("%s is encrypted to by %v, %v", address, describe(c), err)
	}
}

func describe(c *x509.Certificate) string {
	if c == nil {
		return "nothing"
	}
	return certs.Describe(c) + " of " + c.NotBefore.Format(time.DateOnly)
}

// opens checks which certificates open what is encrypted to ids, newest first.
func (b *bench) opens(f certs.Finder, ids []certs.KeyID, want ...*x509.Certificate) {
	b.t.Helper()
	all, err := f.Decryption(b.t.Context(), ids)
	var got []*x509.Certificate
	for _, id := range all {
		got = append(got, id.Certificate)
		if id.Private() == nil {
			b.t.Errorf("%s has no key", describe(id.Certificate))
		}
	}
	if err != nil || !slices.EqualFunc(got, want, (*x509.Certificate).Equal) {
		b.t.Errorf("%d certificates open it, want %d: %v", len(got), len(want), err)
	}
}

func ids(all ...certs.Identity) (found []certs.KeyID) {
	for _, id := range all {
		found = append(found, certs.KeyIDOf(id.Certificate))
	}
	return found
}

// records are those of All.
func records(t *testing.T, s *store.Store, f store.Filter) (all []store.Record) {
	t.Helper()
	for r, err := range s.All(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func words(r store.Record) string {
	return fmt.Sprintf("%s %s %v %v %q", r.Source, r.Trust, r.Scope, r.Serves, r.Key)
}

func must2[A, B any](_ A, b B, err error) B { return must(b, err) }
