package store_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
)

// Of several certificates of an address the newest valid one is used, and every key decrypts, whatever became of its certificate.
func TestRotation(t *testing.T) {
	b := newBench(t)
	s := b.open()
	const alice = "alice@firma.example"
	expired, older, newer := issue(cas().one, alice, since(700)), issue(cas().one, alice, since(90)), issue(cas().one, "Alice@Firma.example", since(10))
	future, partner := issue(cas().one, alice, since(-30)), issue(cas().one, alice, since(1)).Certificate
	b.uses(s, alice, nil, "unknown")
	b.add(s, store.ByPath, future, older, expired)
	b.uses(s, alice, nil, "untrusted")
	b.add(s, store.Anchor, cas().one)
	b.uses(s, alice, older.Certificate, "")
	b.add(s, store.ByPath, newer)
	b.uses(s, "ALICE@firma.EXAMPLE", newer.Certificate, "")
	b.add(s, store.ByPath, partner) // has no key: encrypts, does not sign
	b.encrypts(s, alice, partner, "")
	if id, err := s.Signing(t.Context(), alice, b.now); err != nil || !id.Certificate.Equal(newer.Certificate) {
		t.Errorf("%v, %v", describe(id.Certificate), err)
	}
	b.opens(s, ids(expired, older, future, newer), future.Certificate, newer.Certificate, older.Certificate, expired.Certificate)
	b.opens(s, []certs.KeyID{{SubjectKeyID: expired.Certificate.SubjectKeyId}, {}, {SubjectKeyID: []byte{}}}, expired.Certificate)
	b.opens(s, []certs.KeyID{certs.KeyIDOf(partner), {Issuer: partner.RawIssuer, Serial: big.NewInt(1)}})
	b.now = day.AddDate(0, 0, 60)
	b.uses(s, alice, future.Certificate, "")
	b.now = day.AddDate(3, 0, 0)
	b.uses(s, alice, nil, "expired")
	b.uses(s, "no address", nil, "unknown")
}

// What an administrator said counts at once, for everything that is found and judged.
func TestTrust(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench, s *store.Store, below, alice *x509.Certificate)
		want string
	}{
		{"nothing said", func(*bench, *store.Store, *x509.Certificate, *x509.Certificate) {}, "untrusted"},
		{"an anchor", func(b *bench, s *store.Store, below, _ *x509.Certificate) { b.trust(s, below, store.Anchor) }, ""},
		{"an anchor for the domain", func(b *bench, s *store.Store, below, _ *x509.Certificate) {
			b.trust(s, below, store.Anchor, "other.example", "Firma.EXAMPLE")
		}, ""},
		{"an anchor for the address", func(b *bench, s *store.Store, below, _ *x509.Certificate) {
			b.trust(s, below, store.Anchor, "alice@firma.example")
		}, ""},
		{"an anchor for others", func(b *bench, s *store.Store, below, _ *x509.Certificate) {
			b.trust(s, below, store.Anchor, "*.firma.example", "bob@firma.example", "xfirma.example")
		}, "untrusted"},
		{"an anchor no more", func(b *bench, s *store.Store, below, _ *x509.Certificate) {
			b.trust(s, below, store.Anchor)
			b.uses(s, "alice@firma.example", nil, "")
			b.trust(s, below, store.ByPath)
		}, "untrusted"},
		{"trusted", func(b *bench, s *store.Store, _, alice *x509.Certificate) { b.trust(s, alice, store.Trusted) }, ""},
		{"trusted for another address", func(b *bench, s *store.Store, _, alice *x509.Certificate) {
			b.trust(s, alice, store.Trusted, "bob@firma.example")
		}, "untrusted"},
		{"trusted, below what is distrusted", func(b *bench, s *store.Store, below, alice *x509.Certificate) {
			b.trust(s, alice, store.Trusted)
			b.trust(s, below, store.Distrusted)
		}, "untrusted"},
		{"distrusted", func(b *bench, s *store.Store, below, alice *x509.Certificate) {
			b.trust(s, below, store.Anchor)
			b.trust(s, alice, store.Distrusted)
		}, "untrusted"},
		{"below a distrusted authority of a trusted root", func(b *bench, s *store.Store, below, _ *x509.Certificate) {
			b.add(s, store.Anchor, cas().one)
			b.trust(s, below, store.Distrusted)
		}, "untrusted"},
		{"below a distrusted root that is an anchor elsewhere", func(b *bench, s *store.Store, below, _ *x509.Certificate) {
			b.add(s, store.Distrusted, cas().one)
		}, "untrusted"},
		{"the root of one that was asked about", func(b *bench, s *store.Store, below, alice *x509.Certificate) {
			b.trust(s, alice, store.Asked)
			b.add(s, store.Anchor, cas().one)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if strings.HasSuffix(c.name, "elsewhere") {
				b.o.Surroundings.Anchors = []*x509.Certificate{cas().one.Certificate()}
			}
			s := b.open()
			alice := issue(cas().below, "alice@firma.example", democa.Options{})
			below := cas().below.Certificate()
			b.add(s, store.ByPath, alice, below)
			b.uses(s, "alice@firma.example", nil, map[bool]string{true: "", false: "untrusted"}[len(b.o.Surroundings.Anchors) > 0])
			c.do(b, s, below, alice.Certificate)
			b.uses(s, "alice@firma.example", nil, c.want)
			for _, along := range [][]*x509.Certificate{nil, {below, cas().one.Certificate()}} {
				r := s.Judge().Validate(t.Context(), alice.Certificate, along, certs.Sign, "alice@firma.example", b.now)
				if (r.Status == certs.StatusValid) != (c.want == "") || len(r.Reasons) == 0 && !r.Valid() {
					t.Errorf("of a signature: %s %q", r.Status, r.Reasons)
				}
			}
			b.opens(s, ids(alice), alice.Certificate)
		})
	}
}

// A certificate that is trusted by itself is still held to its times, its purpose and its strength; and to what its issuer revoked.
func TestTrustedIsNotBlind(t *testing.T) {
	b := newBench(t)
	revoked := map[string]bool{}
	b.o.Surroundings.Revocation = registry(revoked)
	s := b.open()
	stranger := issue(cas().two, "bob@partner.example", democa.Options{})
	signs := issue(cas().two, "signs@partner.example", democa.Options{KeyUsage: x509.KeyUsageDigitalSignature})
	b.add(s, store.Trusted, stranger, signs)
	b.uses(s, "bob@partner.example", stranger.Certificate, "")
	b.encrypts(s, "signs@partner.example", nil, "purpose")
	r := s.Judge().Validate(t.Context(), stranger.Certificate, nil, certs.Sign, "carol@partner.example", b.now)
	if r.Status != certs.StatusMismatch {
		t.Errorf("%+v", r)
	}
	revoked[string(stranger.Certificate.Raw)] = true
	b.now = b.now.Add(2 * time.Minute)
	b.uses(s, "bob@partner.example", stranger.Certificate, "") // nobody above it is known who could revoke it
	b.add(s, store.ByPath, cas().two)
	b.trust(s, cas().two.Certificate(), store.Anchor)
	b.uses(s, "bob@partner.example", nil, "revoked")
	delete(revoked, string(stranger.Certificate.Raw))
	b.now = day.AddDate(2, 0, 0)
	b.uses(s, "bob@partner.example", nil, "expired")
}

// registry are certificates that are revoked.
type registry map[string]bool

func (r registry) Revoked(_ context.Context, chain []*x509.Certificate, _ time.Time) (all []certs.Fault) {
	for _, c := range chain[:len(chain)-1] {
		if r[string(c.Raw)] {
			all = append(all, certs.Fault{Status: certs.StatusRevoked, Reason: "it was revoked"})
		}
	}
	return all
}

// A domain certificate stands for all addresses that have none of their own, both ways, and only where an administrator said so.
func TestDomainCertificate(t *testing.T) {
	b := newBench(t)
	s := b.open()
	own, gateway := issue(cas().one, "alice@firma.example", since(5)), issue(cas().one, "gateway@firma.example", since(1))
	b.add(s, store.ByPath, own, gateway)
	b.add(s, store.Anchor, cas().one)
	judged := func(address string, want certs.Status, wantServes bool) {
		t.Helper()
		r := s.Judge().Validate(t.Context(), gateway.Certificate, nil, certs.Sign, address, b.now)
		if r.Status != want || s.Judge().Serves(gateway.Certificate, address) != wantServes {
			t.Errorf("%s: %s %q", address, r.Status, r.Reasons)
		}
	}
	b.uses(s, "bob@firma.example", nil, "unknown")
	judged("bob@firma.example", certs.StatusMismatch, false)
	b.serve(s, gateway.Certificate, "Firma.example", "*.firma.example")
	b.uses(s, "bob@firma.example", gateway.Certificate, "")
	b.uses(s, "bob@x.y.firma.example", gateway.Certificate, "")
	b.uses(s, "alice@firma.example", own.Certificate, "")
	b.uses(s, "bob@xfirma.example", nil, "unknown")
	judged("bob@firma.example", certs.StatusValid, true)
	judged("bob@sub.FIRMA.example", certs.StatusValid, true)
	judged("bob@other.example", certs.StatusMismatch, false)
	b.trust(s, own.Certificate, store.Distrusted)
	b.uses(s, "alice@firma.example", gateway.Certificate, "")
	b.trust(s, gateway.Certificate, store.Distrusted)
	b.uses(s, "bob@firma.example", nil, "untrusted")
	b.trust(s, gateway.Certificate, store.ByPath)
	b.serve(s, gateway.Certificate)
	b.uses(s, "bob@firma.example", nil, "unknown")
	b.uses(s, "gateway@firma.example", gateway.Certificate, "")
	judged("bob@firma.example", certs.StatusMismatch, false)
	if found, err := s.Serving(t.Context(), "bob@firma.example"); err != nil || len(found) != 0 {
		t.Errorf("%d, %v", len(found), err)
	}
}

// What a scope covers is all that a certificate is for, served domains as well.
func TestScopeOfDomainCertificate(t *testing.T) {
	b := newBench(t)
	s := b.open()
	bare := issue(cas().one, "gw", democa.Options{Alter: func(c *x509.Certificate) { c.EmailAddresses = nil }})
	b.add(s, store.ByPath, bare, cas().one)
	b.serve(s, bare.Certificate, "firma.example")
	for scope, want := range map[string]string{"firma.example": "", "other.example": "untrusted", "*.example": "", "bob@firma.example": "untrusted"} {
		b.trust(s, cas().one.Certificate(), store.Anchor, scope)
		b.uses(s, "bob@firma.example", nil, want)
	}
	b.serve(s, bare.Certificate)
	b.trust(s, cas().one.Certificate(), store.Anchor, "*.example")
	if r := s.Judge().Validate(t.Context(), bare.Certificate, nil, certs.Sign, "", b.now); r.Valid() {
		t.Error("a certificate for nobody is in a scope")
	}
}

// An authority that was distrusted does not come back under another certificate of its key.
func TestDistrustIsByKey(t *testing.T) {
	b := newBench(t)
	s := b.open()
	evil := must(cas().one.Intermediate("Evil", democa.Options{Key: newKey()}))
	again := must(cas().two.Intermediate("Evil", democa.Options{Key: evil.Key()}))
	alice := issue(evil, "alice@firma.example", democa.Options{})
	b.add(s, store.ByPath, alice)
	b.add(s, store.Anchor, cas().one, cas().two)
	b.add(s, store.Distrusted, evil)
	r := s.Judge().Validate(t.Context(), alice.Certificate, []*x509.Certificate{again.Certificate()}, certs.Sign, "", b.now)
	if r.Status != certs.StatusUntrusted || !strings.Contains(strings.Join(r.Reasons, " "), "distrusted by an administrator") {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
}

// shelf is what else has certificates.
type shelf []certs.Identity

func (f shelf) Held(address string) (all []certs.Held) {
	for _, id := range f {
		if slices.Contains(certs.Addresses(id.Certificate), address) {
			all = append(all, certs.Held{Candidate: &certs.Candidate{Certificate: id.Certificate, Signs: true}, Identity: &id})
		}
	}
	return all
}

func (f shelf) Decryption(_ context.Context, ids []certs.KeyID) (all []certs.Identity, err error) {
	for _, id := range f {
		if slices.ContainsFunc(ids, func(k certs.KeyID) bool { return k.Matches(id.Certificate) }) {
			all = append(all, id)
		}
	}
	return all, nil
}

// The newest valid certificate is taken, whichever of both has it; what the store distrusts is not used from elsewhere.
func TestWithin(t *testing.T) {
	b := newBench(t)
	s := b.open()
	const alice = "alice@firma.example"
	kept, newer := issue(cas().below, alice, since(9)), issue(cas().below, alice, since(3))
	gateway := issue(cas().below, "gateway@firma.example", since(1))
	v := s.Within(store.Surroundings{
		Anchors: []*x509.Certificate{cas().one.Certificate()}, Intermediates: []*x509.Certificate{cas().below.Certificate()}, Shelf: shelf{newer, kept},
	})
	b.uses(v, alice, newer.Certificate, "")
	b.add(s, store.ByPath, kept, gateway)
	b.serve(s, gateway.Certificate, "firma.example")
	b.uses(v, alice, newer.Certificate, "")
	b.uses(v, "bob@firma.example", gateway.Certificate, "")
	b.uses(s, alice, nil, "untrusted") // the store alone
	id, err := v.Signing(t.Context(), alice, b.now)
	if err != nil || !id.Certificate.Equal(newer.Certificate) {
		t.Fatal(err)
	}
	b.add(s, store.Distrusted, newer.Certificate)
	b.uses(v, alice, kept.Certificate, "")
	if id, err = v.Signing(t.Context(), alice, b.now); err != nil || len(id.Chain) != 1 || !id.Chain[0].Equal(cas().below.Certificate()) {
		t.Errorf("chain %v, %v", id.Chain, err)
	}
	b.opens(v, ids(kept, newer), newer.Certificate, kept.Certificate)
	if anchors, err := v.Anchors(t.Context()); err != nil || len(anchors) != 1 {
		t.Errorf("%d anchors, %v", len(anchors), err)
	}
}

// vault is a key source that may be away.
type vault struct {
	keys map[string]crypto.PrivateKey
	away bool
}

func (v *vault) Key(_ context.Context, reference string, _ *x509.Certificate) (crypto.PrivateKey, error) {
	if v.away {
		return nil, &certs.UnavailableError{Source: "vault main", Err: errors.New("sealed")}
	}
	return v.keys[reference], nil
}

// A key that lies elsewhere is fetched when it is used; while it is away others are not taken in its place.
func TestKeysElsewhere(t *testing.T) {
	b := newBench(t)
	v := &vault{keys: map[string]crypto.PrivateKey{}}
	b.o.Surroundings.KeySources = map[string]store.KeySource{"vault:main": v}
	s := b.open()
	older, alice := issue(cas().one, "alice@firma.example", since(9)), issue(cas().one, "alice@firma.example", since(3))
	b.add(s, store.ByPath, older, alice.Certificate)
	b.add(s, store.Anchor, cas().one)
	add := func(c *x509.Certificate, key store.KeyRef) {
		t.Helper()
		if _, err := s.Add(t.Context(), store.Addition{Source: "vault main", References: []store.Reference{{Public: c.PublicKey, Key: key}}}); err != nil {
			t.Fatal(err)
		}
	}
	add(alice.Certificate, "vault:main:alice")
	v.keys["vault:main:alice"] = alice.Key
	b.uses(s, "alice@firma.example", alice.Certificate, "")
	b.opens(s, ids(alice, older), alice.Certificate, older.Certificate)
	v.away = true
	if _, err := s.Signing(t.Context(), "alice@firma.example", b.now); outcome(err) != "away" {
		t.Errorf("%v", err)
	}
	b.encrypts(s, "alice@firma.example", alice.Certificate, "")
	found, err := s.Decryption(t.Context(), ids(alice, older))
	if len(found) != 1 || !found[0].Certificate.Equal(older.Certificate) || outcome(err) != "away" {
		t.Errorf("%d, %v", len(found), err)
	}
	v.away, v.keys["vault:main:alice"] = false, older.Key
	if _, err := s.Signing(t.Context(), "alice@firma.example", b.now); outcome(err) != "away" || !strings.Contains(err.Error(), "is not that of") {
		t.Errorf("another key: %v", err)
	}
	bob := issue(cas().one, "bob@firma.example", democa.Options{})
	b.add(s, store.ByPath, bob.Certificate)
	add(bob.Certificate, "card:x:bob")
	if _, err := s.Signing(t.Context(), "bob@firma.example", b.now); outcome(err) != "away" || !strings.Contains(err.Error(), "card:x is not available: the configuration has no card:x") {
		t.Errorf("no source: %v", err)
	}
	add(older.Certificate, "vault:main:older") // what is known stays
	if r, err := s.ByFingerprint(t.Context(), store.FingerprintOf(older.Certificate)); err != nil || r.Key != store.KeptHere {
		t.Errorf("%q, %v", r.Key, err)
	}
	if _, _, err := s.Export(t.Context(), store.FingerprintOf(alice.Certificate)); !errors.Is(err, store.ErrNoKey) {
		t.Error(err)
	}
}
