package store_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/certs/store"
)

// found keeps what the gateway found by itself.
func (b *bench) found(s *store.Store, source string, trust store.Trust, all ...*x509.Certificate) {
	b.t.Helper()
	if _, err := s.Add(b.t.Context(), store.Addition{Certificates: all, Source: source, Trust: trust}); err != nil {
		b.t.Fatal(err)
	}
}

// What the gateway found never displaces what an administrator brought in, however new it is, as long as that is valid.
func TestFoundComesLast(t *testing.T) {
	b := newBench(t)
	s := b.open()
	const bob = "bob@partner.example"
	b.add(s, store.Anchor, cas().one)
	imported, harvested := issue(cas().one, bob, since(300)), issue(cas().one, bob, since(2)).Certificate
	newest, directory := issue(cas().one, bob, since(1)).Certificate, issue(cas().one, bob, since(5)).Certificate
	b.found(s, "directory partner", store.ByPath, directory)
	b.encrypts(s, bob, directory, "")
	b.found(s, "signature", store.ByPath, harvested)
	b.encrypts(s, bob, harvested, "")
	b.add(s, store.ByPath, imported)
	b.encrypts(s, bob, imported.Certificate, "")
	b.found(s, "signature", store.ByPath, newest)
	b.uses(s, bob, imported.Certificate, "")
	if got, err := s.ByAddress(t.Context(), bob); err != nil || len(got) != 4 || !got[0].WasFound() || got[3].WasFound() {
		t.Errorf("what is shown: %v, %v", got, err)
	}
	b.trust(s, directory, store.Trusted)
	b.encrypts(s, bob, directory, "") // an administrator said so; it is newer than what was imported
	b.trust(s, directory, store.Distrusted)
	b.encrypts(s, bob, imported.Certificate, "")
	b.now = day.AddDate(0, 0, 100) // what was imported is over
	b.encrypts(s, bob, newest, "")
}

// Whoever waits for a certificate is told when there may be one, of whom, and not of what is not used.
func TestChanged(t *testing.T) {
	b := newBench(t)
	var told []string
	b.o.Changed = func(addresses []string) { told = append(told, fmt.Sprint(addresses)) }
	s := b.open()
	want := func(what string, want ...string) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %q, want %q", what, told, want)
		}
		told = nil
	}
	bob, carol := issue(cas().below, "bob@partner.example", since(1)).Certificate, issue(cas().below, "Carol@partner.example", since(1)).Certificate
	b.found(s, "signature", store.ByPath, bob, carol)
	want("two certificates", "[bob@partner.example Carol@partner.example]")
	b.found(s, "signature", store.ByPath, bob)
	want("nothing new")
	b.found(s, "signature", store.Asked, issue(cas().two, "dora@other.example", since(1)).Certificate, cas().two.Certificate())
	want("what waits for a word")
	b.found(s, "signature", store.ByPath, cas().below.Certificate())
	want("an authority", "[]")
	b.trust(s, cas().two.Certificate(), store.Anchor)
	want("a word", "[]")
}

// However many newer ones are found for an address, what an administrator brought in is encrypted to.
func TestFoundCrowd(t *testing.T) {
	b := newBench(t)
	s := b.open()
	const bob = "bob@partner.example"
	b.add(s, store.Anchor, cas().one)
	imported := issue(cas().one, bob, since(300))
	b.add(s, store.ByPath, imported)
	key := newKey()
	var crowd []*x509.Certificate
	for i := range 150 {
		o := since(i%9 + 1)
		o.Key = key
		crowd = append(crowd, issue(cas().one, bob, o).Certificate)
	}
	b.found(s, "signature", store.ByPath, crowd...)
	b.uses(s, bob, imported.Certificate, "")
	if got, err := s.ByAddress(t.Context(), bob); err != nil || len(got) != 100 {
		t.Errorf("%d are shown, %v", len(got), err)
	}
}

// What the gateway found by itself is an administrator's once he brings it in, and waits for no word then.
func TestFoundIsBroughtIn(t *testing.T) {
	b := newBench(t)
	s := b.open()
	const bob = "bob@partner.example"
	b.add(s, store.Anchor, cas().one)
	mine, newer := issue(cas().one, bob, since(5)).Certificate, issue(cas().one, bob, since(1)).Certificate
	b.found(s, "signature", store.ByPath, mine, newer)
	b.encrypts(s, bob, newer, "")
	bring := func(want int, all ...*x509.Certificate) {
		t.Helper()
		if added, err := s.Add(t.Context(), store.Addition{Certificates: all, Source: "import"}); err != nil || added.Adopted != want || len(added.Known) != len(all) {
			t.Errorf("%+v, %v", added, err)
		}
	}
	bring(1, mine)
	bring(0, mine)
	b.encrypts(s, bob, mine, "")
	b.found(s, "signature", store.ByPath, mine) // which does not make it found again
	b.encrypts(s, bob, mine, "")
	asked := issue(cas().two, "dora@other.example", since(1)).Certificate
	b.found(s, "signature", store.Asked, asked)
	bring(1, asked)
	for c, trust := range map[*x509.Certificate]store.Trust{mine: store.ByPath, asked: store.ByPath} {
		if rec, err := s.ByFingerprint(t.Context(), store.FingerprintOf(c)); err != nil || rec.Source != "import" || rec.Trust != trust || rec.WasFound() {
			t.Errorf("%+v, %v", rec, err)
		}
	}
	b.trust(s, newer, store.Distrusted)
	bring(1, newer)
	if rec, err := s.ByFingerprint(t.Context(), store.FingerprintOf(newer)); err != nil || rec.Trust != store.Distrusted {
		t.Errorf("what was distrusted: %+v, %v", rec, err)
	}
}
