package store_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/store"

	"github.com/siegel-mail/siegel/certs"
)

// issuer is a CA on the ledger of a bench.
func (b *bench) issuer(s *store.Store) (*enroll.CA, []enroll.Authority) {
	b.t.Helper()
	ca, err := enroll.NewCA(enroll.CAOptions{Ledger: s.Ledger(), URL: "http://pki.firma.example", Now: func() time.Time { return b.now }})
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := ca.Found(b.t.Context(), enroll.Founding{Organization: "Planted GmbH", Country: "DE", Domains: []string{"planted.example"}, Key: enroll.P256})
	if err != nil {
		b.t.Fatal(err)
	}
	return ca, all
}

func (b *bench) issueTo(ca *enroll.CA, address string) *x509.Certificate {
	b.t.Helper()
	key, err := enroll.NewKey(enroll.P256)
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := ca.Issue(b.t.Context(), enroll.Request{Address: address, Purpose: certs.Any, Key: key})
	if err != nil {
		b.t.Fatal(err)
	}
	return got.Certificate
}

// What was issued comes back whole, also after a restart; who else asks gets nothing.
func TestLedger(t *testing.T) {
	b := newBench(t)
	s := b.open()
	ca, all := b.issuer(s)
	first := b.issueTo(ca, "alice@planted.example")
	b.now = b.now.Add(time.Minute)
	second := b.issueTo(ca, "Alice@PLANTED.example")
	l := s.Ledger()
	ctx := t.Context()
	if unkept, err := l.Unkept(ctx); err != nil || len(unkept) != 2 {
		t.Fatalf("%v, %v", unkept, err)
	}
	if err := errors.Join(l.Keep(ctx, first), l.Keep(ctx, first), l.Keep(ctx, second), l.Revoke(ctx, first, b.now, enroll.KeyCompromise), l.Revoke(ctx, first, b.now.Add(time.Hour), enroll.Superseded)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := l.Find(ctx, first); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	l = b.open().Ledger()
	records, err := l.IssuedTo(ctx, "alice@planted.EXAMPLE")
	if err != nil || len(records) != 2 || !records[0].Certificate.Equal(second) || !records[1].Certificate.Equal(first) {
		t.Fatalf("%v, %v", records, err)
	}
	if r := records[1]; r.Address != "alice@planted.example" || !r.Kept || !r.Revoked.Equal(b.now.Truncate(time.Millisecond)) || r.Reason != enroll.KeyCompromise {
		t.Errorf("%+v", r)
	}
	for _, address := range []string{"bob@planted.example", "alice", ""} {
		if others, err := l.IssuedTo(ctx, address); err != nil || len(others) != 0 {
			t.Errorf("%q: %v, %v", address, others, err)
		}
	}
	if revoked, err := l.Revoked(ctx, all[1].Certificate, b.now); err != nil || len(revoked) != 1 || revoked[0].Serial.Cmp(first.SerialNumber) != 0 {
		t.Errorf("%v, %v", revoked, err)
	}
	if revoked, err := l.Revoked(ctx, all[0].Certificate, b.now); err != nil || len(revoked) != 0 {
		t.Errorf("by the root: %v, %v", revoked, err)
	}
	count := 0
	err = l.Expiring(ctx, b.now, second.NotAfter, func(r enroll.Record) {
		if count++; !r.Certificate.Equal(second) {
			t.Errorf("%+v", r)
		}
	})
	if err != nil || count != 1 {
		t.Errorf("%d end, %v", count, err)
	}
}

// What is not there is not changed, and lists go forward only.
func TestLedgerRefuses(t *testing.T) {
	b := newBench(t)
	s := b.open()
	_, all := b.issuer(s)
	l, ctx := s.Ledger(), t.Context()
	other := newBench(t)
	_, others := other.issuer(other.open())
	stranger := others[0].Certificate
	for what, err := range map[string]error{
		"Keep": l.Keep(ctx, stranger), "Revoke": l.Revoke(ctx, stranger, b.now, 0), "DropKey": l.DropKey(ctx, stranger), "SaveCRL": l.SaveCRL(ctx, stranger, 1, nil),
	} {
		if !errors.Is(err, enroll.ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := l.AddAuthorities(ctx, true, others); !errors.Is(err, enroll.ErrExists) {
		t.Errorf("a second CA: %v", err)
	}
	now, err := l.Authorities(ctx)
	if err != nil || len(now) != 2 {
		t.Fatalf("%v, %v", now, err)
	}
	if err := l.SaveCRL(ctx, all[0].Certificate, 1, []byte("old")); err == nil {
		t.Error("the list went back")
	}
	if err := l.DropKey(ctx, all[0].Certificate); err != nil {
		t.Fatal(err)
	}
	for _, a := range must(l.Authorities(ctx)) {
		if a.IsRoot() == (a.Key != nil) {
			t.Errorf("%s: key %v", a.Certificate.Subject, a.Key != nil)
		}
	}
}

// The files name nobody but in the lists that all the world gets, and hold no key in clear.
func TestLedgerIsSealed(t *testing.T) {
	b := newBench(t)
	s := b.open()
	ca, all := b.issuer(s)
	b.issueTo(ca, "alice@planted.example")
	for _, a := range all { // the lists bear the name of their issuer
		if err := s.Ledger().SaveCRL(t.Context(), a.Certificate, 1<<40, []byte("list")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.sql(`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`)
	key, err := x509.MarshalPKCS8PrivateKey(all[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(b.o.Dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string][]byte{"a name": []byte("planted"), "the organization": []byte("Planted"), "a key": key[len(key)-32:], "a key's scalar": key[36:60]} {
			if bytes.Contains(raw, secret) {
				t.Errorf("%s holds %s", name, what)
			}
		}
	}
}

// A row that somebody altered is damage, found when it is used.
func TestLedgerIsAltered(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		use       func(store.Ledger) error
	}{
		"a revocation taken back": {`UPDATE issued SET revoked = 0 WHERE revoked <> 0`, nil},
		"a revocation made up":    {`UPDATE issued SET revoked = 1`, nil},
		"kept":                    {`UPDATE issued SET kept = 1 - kept`, nil},
		"a body":                  {`UPDATE issued SET body = zeroblob(length(body))`, nil},
		"bodies exchanged": {`CREATE TABLE x AS SELECT certificate, body FROM issued; UPDATE issued SET body = (SELECT body FROM x WHERE x.certificate <> issued.certificate);
			DROP TABLE x`, nil},
		"an authority": {`UPDATE authority SET body = zeroblob(length(body))`, func(l store.Ledger) error { _, err := l.Authorities(t.Context()); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.open()
			ca, _ := b.issuer(s)
			c1 := b.issueTo(ca, "alice@planted.example")
			if err := s.Ledger().Revoke(t.Context(), c1, b.now, 1); err != nil {
				t.Fatal(err)
			}
			b.issueTo(ca, "bob@planted.example")
			b.sql(c.statement)
			use := c.use
			if use == nil {
				use = func(l store.Ledger) error {
					_, err := l.IssuedTo(t.Context(), "alice@planted.example")
					_, other := l.IssuedTo(t.Context(), "bob@planted.example")
					return errors.Join(err, other)
				}
			}
			if err := use(s.Ledger()); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("got %v", err)
			}
			if s.Check() == nil {
				t.Error("the store goes on")
			}
		})
	}
}

// What was told is known after a restart, and forgotten after years.
func TestTold(t *testing.T) {
	b := newBench(t)
	s := b.open()
	if err := s.Tell(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = b.open()
	told := must(s.Told(t.Context(), []string{"a", "b", "c"}))
	if got := fmt.Sprint(told); got != "map[a:true b:true c:false]" {
		t.Error(got)
	}
	b.now = b.now.AddDate(4, 0, 0)
	if err := s.Tell(t.Context(), []string{"c"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(must(s.Told(t.Context(), []string{"a", "c"}))); got != "map[a:false c:true]" {
		t.Error(got)
	}
}
