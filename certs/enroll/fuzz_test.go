package enroll_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
)

// scratch is a ledger of one CA in memory that forgets what it records: enough to look at what is made.
type scratch struct {
	enroll.Ledger
	all []enroll.Authority
}

func (l *scratch) Authorities(context.Context) ([]enroll.Authority, error) { return l.all, nil }
func (l *scratch) Record(context.Context, enroll.Record) error             { return nil }
func (l *scratch) Find(_ context.Context, c *x509.Certificate) (enroll.Record, error) {
	return enroll.Record{Certificate: c, Kept: true}, nil
}
func (l *scratch) AddAuthorities(_ context.Context, _ bool, all []enroll.Authority) error {
	l.all = append(all[1:], all[0])
	return nil
}
func (l *scratch) Revoked(context.Context, *x509.Certificate, time.Time) ([]enroll.Revocation, error) {
	return nil, nil
}
func (l *scratch) SaveCRL(context.Context, *x509.Certificate, int64, []byte) error { return nil }

// Whatever is asked for as an address: what is issued bears that address and no other, and is believed for it; or nothing is issued.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"alice@firma.example", "J\u00f6rg@Firma.Example", "a@b@firma.example", "\"x y\"@firma.example", "a\x00@firma.example",
		"a@mail.firma.example", "@firma.example", "a@\u00fc.firma.example", "\uff41@firma.example", "a@firma.example.", "=?utf-8?q?a?=@firma.example",
		"a@firma.example, b@firma.example", "a\r\n@firma.example"} {
		f.Add(s)
	}
	ledger := &scratch{}
	ca, err := enroll.NewCA(enroll.CAOptions{Ledger: ledger, URL: pki})
	if err != nil {
		f.Fatal(err)
	}
	all, err := ca.Found(f.Context(), founding())
	if err != nil {
		f.Fatal(err)
	}
	key := must(enroll.NewKey(enroll.P256))
	judge := certs.NewValidator([]*x509.Certificate{all[0].Certificate}, []*x509.Certificate{all[1].Certificate})
	f.Fuzz(func(t *testing.T, address string) {
		got, err := ca.Issue(t.Context(), enroll.Request{Address: address, Purpose: certs.Any, Key: key})
		if err != nil {
			var refused *enroll.RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("%q: %v", address, err)
			}
			return
		}
		bears := certs.Addresses(got.Certificate)
		if len(bears) == 0 {
			t.Fatalf("%q: it bears no address", address)
		}
		for _, b := range bears {
			if certs.AddressKey(b) != certs.AddressKey(address) {
				t.Errorf("%q: it bears %q", address, b)
			}
		}
		if r := judge.Validate(t.Context(), got.Certificate, nil, certs.Sign, address, time.Now()); !r.Valid() {
			t.Errorf("%q: %s %v", address, r.Status, r.Reasons)
		}
	})
}

func ExampleCA() {
	ledger := &scratch{} // in a gateway: store.Store.Ledger
	ca, err := enroll.NewCA(enroll.CAOptions{Ledger: ledger, URL: "http://pki.firma.example"})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if _, err := ca.Found(ctx, enroll.Founding{Organization: "Firma GmbH", Country: "DE", Domains: []string{"firma.example"}, Key: enroll.P384}); err != nil {
		panic(err)
	}
	key, err := enroll.NewKey(enroll.P256)
	if err != nil {
		panic(err)
	}
	issued, err := ca.Issue(ctx, enroll.Request{Address: "alice@firma.example", Purpose: certs.Any, Key: key})
	fmt.Println(issued.Certificate.Subject, err)
	// Output: CN=alice@firma.example <nil>
}
