package store_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
)

// What was added is there, with where it came from; what is known stays as it was.
func TestAdd(t *testing.T) {
	b := newBench(t)
	s := b.open()
	alice := issue(cas().one, "alice@firma.example", since(10))
	first := b.add(s, store.ByPath, alice, alice.Certificate, cas().one)
	if len(first.New) != 2 || len(first.Known) != 0 || first.NewKeys != 1 || first.Lone != 0 {
		t.Errorf("%+v", first)
	}
	b.now = day.AddDate(0, 0, 3)
	a := store.Addition{Source: "signature", Trust: store.Trusted, Certificates: []*x509.Certificate{alice.Certificate}, Serves: []string{"firma.example"}}
	again, err := s.Add(t.Context(), a)
	if err != nil || len(again.New) != 0 || len(again.Known) != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	r, err := s.ByFingerprint(t.Context(), store.FingerprintOf(alice.Certificate))
	if err != nil || words(r) != `import path [] [] "store"` || !r.Added.Equal(day) || !r.Seen.Equal(b.now) || !r.Certificate.Equal(alice.Certificate) {
		t.Errorf("%s, %v: %v", words(r), r.Seen, err)
	}
	b.now = b.now.Add(time.Hour)
	if _, err := s.Add(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if r, _ := s.ByFingerprint(t.Context(), r.Fingerprint()); !r.Seen.Equal(day.AddDate(0, 0, 3)) {
		t.Errorf("seen %v: written more than once a day", r.Seen)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = b.open()
	if all, err := s.ByAddress(t.Context(), "ALICE@firma.example"); err != nil || len(all) != 1 || words(all[0]) != words(r) {
		t.Errorf("after a restart: %d, %v", len(all), err)
	}
	if _, err := s.ByFingerprint(t.Context(), store.Fingerprint{}); !errors.Is(err, store.ErrUnknown) {
		t.Error(err)
	}
}

// Keys and certificates find each other in whatever order they come, of every kind.
func TestKeysMatch(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"P-256": newKey(), "RSA": must(rsa.GenerateKey(rand.Reader, 2048)), "Ed25519": must2(ed25519.GenerateKey(rand.Reader))} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.open()
			id := issue(cas().one, "alice@firma.example", democa.Options{Key: key})
			renewed := issue(cas().one, "alice@firma.example", democa.Options{Key: id.Key, NotBefore: day.Add(-time.Minute)})
			if added := b.add(s, store.ByPath, key); added.NewKeys != 1 || added.Lone != 1 {
				t.Errorf("%+v", added)
			}
			b.add(s, store.ByPath, id.Certificate, renewed.Certificate)
			if added := b.add(s, store.ByPath, key); added.KnownKeys != 1 || added.Lone != 0 {
				t.Errorf("%+v", added)
			}
			b.opens(s, ids(id, renewed), renewed.Certificate, id.Certificate)
			rec, exported, err := s.Export(t.Context(), store.FingerprintOf(id.Certificate))
			if err != nil || !id.Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(exported.(crypto.Signer).Public()) || rec.Key != store.KeptHere {
				t.Errorf("%T, %v", exported, err)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	s := newBench(t).open()
	alice := issue(cas().one, "alice@firma.example", democa.Options{}).Certificate
	for name, c := range map[string]struct {
		a    store.Addition
		want string
	}{
		"no source":          {store.Addition{Certificates: []*x509.Certificate{alice}}, "come from"},
		"a source of lines":  {store.Addition{Source: "a\nb"}, "come from"},
		"no trust":           {store.Addition{Source: "import", Trust: "blind"}, `"blind" is no kind of trust`},
		"anchor that is not": {store.Addition{Source: "import", Trust: store.Anchor, Certificates: []*x509.Certificate{alice}}, "not that of an authority"},
		"needless scope":     {store.Addition{Source: "import", Scope: []string{"firma.example"}}, "scope"},
		"wrong scope":        {store.Addition{Source: "import", Trust: store.Trusted, Scope: []string{"firma..example"}}, `"firma..example" is neither`},
		"address served":     {store.Addition{Source: "import", Serves: []string{"a@firma.example"}}, "is an address"},
		"nil":                {store.Addition{Source: "import", Certificates: []*x509.Certificate{nil}}, "empty"},
		"endless":            {store.Addition{Source: "import", Certificates: []*x509.Certificate{{Raw: make([]byte, 1<<20)}}}, "larger"},
		"odd key":            {store.Addition{Source: "import", Keys: []crypto.PrivateKey{"key"}}, "is not kept"},
		"reference":          {store.Addition{Source: "import", References: []store.Reference{{Public: alice.PublicKey, Key: "vault:x"}}}, "expected vault:NAME:KEY"},
		"reference of what":  {store.Addition{Source: "import", References: []store.Reference{{Key: "vault:a:b"}}}, "public key"},
	} {
		if _, err := s.Add(t.Context(), c.a); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all := records(t, s, store.Filter{}); len(all) > 0 {
		t.Errorf("%d were kept", len(all))
	}
}

// Of an addition all is kept or nothing.
func TestAddIsWhole(t *testing.T) {
	b := newBench(t)
	s := b.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	alice := issue(cas().one, "alice@firma.example", democa.Options{})
	if _, err := s.Add(ctx, store.Addition{Source: "import", Certificates: []*x509.Certificate{alice.Certificate}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if all := records(t, s, store.Filter{}); len(all) > 0 || s.Check() != nil {
		t.Errorf("%d were kept, %v", len(all), s.Check())
	}
}

// Strangers cannot fill the store with certificates of roots that nobody knows.
func TestAskedIsBounded(t *testing.T) {
	b := newBench(t)
	b.o.MostAsked = 5
	s := b.open()
	mine := issue(cas().two, "alice@firma.example", democa.Options{})
	b.add(s, store.Asked, mine)
	for i := range 12 {
		b.now = b.now.Add(time.Minute)
		b.add(s, store.Asked, issue(cas().two, fmt.Sprintf("user%d@x.example", i), democa.Options{}).Certificate)
	}
	all := records(t, s, store.Filter{Trust: []store.Trust{store.Asked}})
	if len(all) != 6 || !all[0].Certificate.Equal(mine.Certificate) || certs.Addresses(all[5].Certificate)[0] != "user11@x.example" || certs.Addresses(all[1].Certificate)[0] != "user7@x.example" {
		t.Errorf("%d are kept", len(all))
	}
	if found, err := s.ByAddress(t.Context(), "user0@x.example"); err != nil || len(found) != 0 {
		t.Errorf("%d, %v", len(found), err)
	}
	s.Close()
	b.sql(`CREATE TABLE x AS SELECT 1 / (count(*) = 6) AS y FROM certificate_name`, `CREATE TABLE y (y NOT NULL)`, `INSERT INTO y SELECT y FROM x`) // no names stay behind
}

// What is chosen, page after page, in the order in which it came.
func TestAll(t *testing.T) {
	b := newBench(t)
	s := b.open()
	key := newKey()
	var many []any
	for i := range 450 {
		many = append(many, issue(cas().below, fmt.Sprintf("user%03d@x.example", i), democa.Options{Key: key, NotBefore: day.AddDate(0, 0, -i), Alter: func(c *x509.Certificate) {
			c.SerialNumber = big.NewInt(int64(1000 + i))
		}}).Certificate)
	}
	b.add(s, store.ByPath, many...)
	b.add(s, store.Anchor, cas().one)
	alice := issue(cas().one, "alice@firma.example", democa.Options{})
	b.add(s, store.Trusted, alice)
	if _, err := s.Add(t.Context(), store.Addition{Source: "directory main", Certificates: []*x509.Certificate{issue(cas().one, "bob@partner.example", democa.Options{}).Certificate}, Serves: []string{"partner.example"}}); err != nil {
		t.Fatal(err)
	}
	end := func(i int) time.Time { return day.AddDate(0, 0, -i).AddDate(1, 0, 0) }
	for name, c := range map[string]struct {
		f    store.Filter
		want int
	}{
		"all": {store.Filter{}, 453}, "anchors": {store.Filter{Trust: []store.Trust{store.Anchor}}, 1},
		"said": {store.Filter{Trust: []store.Trust{store.Anchor, store.Trusted}}, 2},
		"keys": {store.Filter{WithKey: true}, 1}, "authorities": {store.Filter{CA: true}, 1}, "serving": {store.Filter{Serving: true}, 1},
		"source": {store.Filter{Source: "directory"}, 1}, "named": {store.Filter{Source: "directory main"}, 1}, "other": {store.Filter{Source: "directory mai"}, 0},
		"address": {store.Filter{Text: "USER44"}, 10}, "name": {store.Filter{Text: "cn=User007"}, 1}, "fingerprint": {store.Filter{Text: store.FingerprintOf(alice.Certificate).String()}, 1},
		"ending":  {store.Filter{Ends: end(400)}, 49},
		"period":  {store.Filter{NotEnds: end(400), Ends: end(390)}, 10},
		"of both": {store.Filter{Text: "alice", Trust: []store.Trust{store.ByPath}}, 0},
	} {
		if got := records(t, s, c.f); len(got) != c.want {
			t.Errorf("%s: %d", name, len(got))
		}
	}
	n := 0
	for range s.All(t.Context(), store.Filter{}) {
		if n++; n == 250 {
			break
		}
	}
	if all := records(t, s, store.Filter{}); n != 250 || certs.Addresses(all[449].Certificate)[0] != "user449@x.example" {
		t.Error("the order is another one")
	}
}

// A certificate goes, its key only where that is said, and never while another certificate has it.
func TestRemove(t *testing.T) {
	b := newBench(t)
	s := b.open()
	alice := issue(cas().one, "alice@firma.example", since(20))
	renewed := issue(cas().one, "alice@firma.example", democa.Options{Key: alice.Key})
	b.add(s, store.ByPath, alice, renewed.Certificate)
	remove := func(id certs.Identity, withKey, wantGone bool, want error) {
		t.Helper()
		if gone, err := s.Remove(t.Context(), store.FingerprintOf(id.Certificate), withKey); gone != wantGone || !errors.Is(err, want) {
			t.Errorf("%v, %v", gone, err)
		}
	}
	remove(alice, true, false, nil)
	remove(alice, true, false, store.ErrUnknown)
	b.opens(s, ids(alice, renewed), renewed.Certificate)
	remove(renewed, false, false, store.ErrHasKey)
	b.opens(s, ids(renewed), renewed.Certificate)
	remove(renewed, true, true, nil)
	b.opens(s, ids(renewed))
	if added := b.add(s, store.ByPath, renewed.Certificate); len(added.New) != 1 {
		t.Errorf("%+v", added)
	}
	if _, _, err := s.Export(t.Context(), store.FingerprintOf(renewed.Certificate)); !errors.Is(err, store.ErrNoKey) {
		t.Error(err)
	}
}
