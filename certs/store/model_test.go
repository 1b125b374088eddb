package store_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
)

// person is one certificate of the property test, with its key.
type person struct {
	certs.Identity
	address string
}

// model is what a store should know, kept as simply as can be.
type model struct {
	trust map[store.Fingerprint]store.Trust
	scope map[store.Fingerprint][]string
	keys  map[string]bool // by public key
}

func public(c *x509.Certificate) string { return string(c.RawSubjectPublicKeyInfo) }

// valid is whether a certificate below the one root may be used by what was said of both.
func (m *model) valid(c *x509.Certificate, root store.Fingerprint, address string) bool {
	inScope := func(f store.Fingerprint) bool {
		return len(m.scope[f]) == 0 || slices.Contains(m.scope[f], "firma.example")
	}
	f := store.FingerprintOf(c)
	switch {
	case m.trust[f] == store.Distrusted || m.trust[root] == store.Distrusted:
		return false
	case m.trust[f] == store.Trusted && inScope(f):
		return true
	}
	return m.trust[root] == store.Anchor && inScope(root)
}

// Whatever is added, said and removed, in whatever order, the store finds what a simple model finds.
func TestModel(t *testing.T) {
	ca := cas().below
	root := store.FingerprintOf(ca.Certificate())
	var people []person
	for i := range 6 {
		o := since(i + 1)
		if i == 5 {
			o.Key = people[4].Key // renewed with the same key
		}
		address := fmt.Sprintf("user%d@firma.example", i/3)
		people = append(people, person{issue(ca, address, o), address})
	}
	memory := inMemory(t)
	var opened atomic.Int32
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t)
		b.o.Dir = filepath.Join(memory, fmt.Sprint(opened.Add(1)))
		s := b.open()
		defer s.Close()
		m := &model{trust: map[store.Fingerprint]store.Trust{}, scope: map[store.Fingerprint][]string{}, keys: map[string]bool{}}
		certificate := rapid.Custom(func(r *rapid.T) *x509.Certificate {
			return append([]*x509.Certificate{ca.Certificate()}, certificatesOf(people)...)[rapid.IntRange(0, len(people)).Draw(r, "which")]
		})
		r.Repeat(map[string]func(*rapid.T){
			"add": func(r *rapid.T) {
				c := certificate.Draw(r, "certificate")
				if _, ok := m.trust[store.FingerprintOf(c)]; !ok {
					m.trust[store.FingerprintOf(c)] = store.ByPath
				}
				b.add(s, store.ByPath, c)
			},
			"add key": func(r *rapid.T) {
				p := people[rapid.IntRange(0, len(people)-1).Draw(r, "whose")]
				m.keys[public(p.Certificate)] = true
				b.add(s, store.ByPath, p.Key)
			},
			"say": func(r *rapid.T) {
				c := certificate.Draw(r, "certificate")
				f := store.FingerprintOf(c)
				trust := rapid.SampledFrom([]store.Trust{store.ByPath, store.Trusted, store.Distrusted, store.Anchor, store.Asked}).Draw(r, "trust")
				var scope []string
				if trust == store.Trusted || trust == store.Anchor {
					scope = rapid.SampledFrom([][]string{nil, {"firma.example"}, {"other.example"}}).Draw(r, "scope")
				}
				err := s.SetTrust(t.Context(), f, trust, scope)
				switch _, known := m.trust[f]; {
				case !known:
					if !errors.Is(err, store.ErrUnknown) {
						r.Fatalf("unknown: %v", err)
					}
				case trust == store.Anchor && f != root:
					if !errors.Is(err, store.ErrNotCA) {
						r.Fatalf("anchor: %v", err)
					}
				case err != nil:
					r.Fatal(err)
				default:
					m.trust[f], m.scope[f] = trust, scope
				}
			},
			"remove": func(r *rapid.T) {
				c, withKey := certificate.Draw(r, "certificate"), rapid.Bool().Draw(r, "with key")
				m.remove(r, s, people, c, withKey)
			},
			"open again": func(r *rapid.T) {
				s.Close()
				s = b.open()
			},
			"": func(r *rapid.T) { m.compare(r, b, s, people, root) },
		})
	})
}

// inMemory is a folder that lies in memory, where the system has such: what is proved here is not that anything is on a disk, which
// would be waited for thousands of times.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "siegel-store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func certificatesOf(people []person) (all []*x509.Certificate) {
	for _, p := range people {
		all = append(all, p.Certificate)
	}
	return all
}

// remove removes a certificate from both, and compares what is said of it.
func (m *model) remove(r *rapid.T, s *store.Store, people []person, c *x509.Certificate, withKey bool) {
	f := store.FingerprintOf(c)
	_, known := m.trust[f]
	last := m.keys[public(c)]
	for _, p := range people {
		if _, ok := m.trust[store.FingerprintOf(p.Certificate)]; ok && !p.Certificate.Equal(c) && public(p.Certificate) == public(c) {
			last = false
		}
	}
	var want error
	switch {
	case !known:
		want, last = store.ErrUnknown, false
	case last && !withKey:
		want, last = store.ErrHasKey, false
	}
	gone, err := s.Remove(r.Context(), f, withKey)
	if !errors.Is(err, want) || gone != last {
		r.Fatalf("removed, key %v, %v; want key %v, %v", gone, err, last, want)
	}
	if err == nil {
		delete(m.trust, f)
		delete(m.scope, f)
	}
	if gone {
		delete(m.keys, public(c))
	}
}

// compare looks everybody up in both.
func (m *model) compare(r *rapid.T, b *bench, s *store.Store, people []person, root store.Fingerprint) {
	for _, address := range []string{"user0@firma.example", "user1@firma.example"} {
		var signs, encrypts, opens *x509.Certificate
		known := 0
		for _, p := range people { // newest first
			_, ok := m.trust[store.FingerprintOf(p.Certificate)]
			if !ok || p.address != address {
				continue
			}
			known++
			if m.keys[public(p.Certificate)] && opens == nil {
				opens = p.Certificate
			}
			if !m.valid(p.Certificate, root, address) {
				continue
			}
			if encrypts == nil {
				encrypts = p.Certificate
			}
			if signs == nil && m.keys[public(p.Certificate)] {
				signs = p.Certificate
			}
		}
		same := func(what string, got, want *x509.Certificate, err error) {
			if want == nil && err == nil || want != nil && !want.Equal(got) {
				r.Fatalf("%s %s by %s, want %s: %v", address, what, describe(got), describe(want), err)
			}
		}
		id, err := s.Signing(b.t.Context(), address, b.now)
		same("signs", id.Certificate, signs, err)
		c, err := s.Recipient(b.t.Context(), address, b.now)
		same("is encrypted to", c, encrypts, err)
		if all, err := s.ByAddress(b.t.Context(), address); err != nil || len(all) != known {
			r.Fatalf("%s has %d certificates, want %d: %v", address, len(all), known, err)
		}
		if opens != nil {
			if all, err := s.Decryption(b.t.Context(), []certs.KeyID{certs.KeyIDOf(opens)}); err != nil || len(all) != 1 || !all[0].Certificate.Equal(opens) {
				r.Fatalf("%s: %d open it, %v", address, len(all), err)
			}
		}
	}
}
