package store_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
)

// Strangers whose certificates wait for an administrator name their authorities as they like. However many bear the name of a known
// one: what that one issued is found valid, and what is trusted by itself is believed.
func TestStrangersWithNamesOfOthers(t *testing.T) {
	b := newBench(t)
	s := b.open()
	key := newKey()
	lower := must(cas().below.Intermediate("Lower", democa.Options{Key: newKey(), Alter: func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 1, false }}))
	own, friend := issue(lower, "alice@firma.example", since(3)), issue(cas().two, "bob@partner.example", since(3))
	b.add(s, store.Anchor, cas().one)
	b.add(s, store.Trusted, friend.Certificate)
	b.add(s, store.Distrusted, must(democa.NewCA(day)))
	var fakes []any
	for i := range 500 {
		name := cas().below.Certificate()
		if i%2 == 0 {
			name = cas().two.Certificate()
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i)), RawSubject: name.RawSubject, NotBefore: day.AddDate(0, 0, -1), NotAfter: day.AddDate(1, 0, 0),
			BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: name.SubjectKeyId,
		}
		above := &x509.Certificate{Subject: pkix.Name{CommonName: "Stranger"}}
		fakes = append(fakes, must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, above, key.Public(), key)))))
	}
	b.add(s, store.Asked, fakes...)
	valid := func(who certs.Identity, address string, alongside ...*x509.Certificate) {
		t.Helper()
		if r := s.Judge().Validate(t.Context(), who.Certificate, alongside, certs.Sign, address, b.now); !r.Valid() {
			t.Errorf("%s: %s, %q", address, r.Status, r.Reasons)
		}
	}
	valid(own, "alice@firma.example", lower.Certificate(), cas().below.Certificate())
	valid(friend, "bob@partner.example")
}

// A scope holds for all addresses of a certificate, however many there are, and for those that cannot be compared.
func TestScopeOfManyAddresses(t *testing.T) {
	b := newBench(t)
	s := b.open()
	b.add(s, store.ByPath, cas().one)
	b.trust(s, cas().one.Certificate(), store.Anchor, "partner.example")
	for name, c := range map[string]struct {
		more []string
		want certs.Status
	}{
		"all in it":           {nil, certs.StatusValid},
		"one behind many":     {[]string{"boss@firma.example"}, certs.StatusUntrusted},
		"one nobody can tell": {[]string{"boss@" + strings.Repeat("x", 300) + ".example"}, certs.StatusUntrusted},
		"no address":          {[]string{"none"}, certs.StatusValid},
	} {
		many := 1000
		if name != "one behind many" {
			many = 3
		}
		id := issue(cas().one, "a0@partner.example", democa.Options{Alter: func(t *x509.Certificate) {
			t.EmailAddresses = nil
			for i := range many {
				t.EmailAddresses = append(t.EmailAddresses, fmt.Sprintf("a%d@partner.example", i))
			}
			t.EmailAddresses = append(t.EmailAddresses, c.more...)
		}})
		if r := s.Judge().Validate(t.Context(), id.Certificate, nil, certs.Sign, "", b.now); r.Status != c.want {
			t.Errorf("%s: %s, want %s: %q", name, r.Status, c.want, r.Reasons)
		}
	}
}

// What waits below an authority counts as soon as that one is trusted.
func TestAskedBelowTrusted(t *testing.T) {
	b := newBench(t)
	s := b.open()
	alice := issue(cas().below, "alice@firma.example", since(3))
	b.add(s, store.Asked, alice.Certificate, cas().below, cas().one)
	b.encrypts(s, "alice@firma.example", nil, "untrusted")
	b.trust(s, cas().one.Certificate(), store.Anchor)
	b.encrypts(s, "alice@firma.example", alice.Certificate, "")
}
