package harvest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/harvest"
)

// anew are other certificates of an authority, for the same name and key.
func anew(t *testing.T, above, below *democa.CA, name string, n int) (all []*x509.Certificate) {
	t.Helper()
	for range n {
		c, err := above.Intermediate(name, democa.Options{Key: below.Key()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Certificate())
	}
	return all
}

// Who has a certificate kept already does not fill the store with authorities above it.
func TestAuthoritiesAreBounded(t *testing.T) {
	w := world()
	known, unknown := anew(t, w.ca, w.below, "below", 20), anew(t, w.stranger, w.strangerBelow, "strange", 20)
	run(t, func(b *bench) {
		offer := func(leaf, above *x509.Certificate, valid bool) {
			b.Offer(harvest.Signature{From: bob, Certificate: leaf, Others: []*x509.Certificate{above}, Valid: valid})
			synctest.Wait()
			time.Sleep(61 * time.Minute) // it is looked at again
		}
		for i := range 20 {
			offer(w.deep, known[i], true)
			offer(w.foreignLow, unknown[i], false)
		}
		// A signer a day, with what is above it, and as many others as there may be signers.
		if n := len(b.keeper.kept); n < 3 || n > 12 {
			b.Errorf("%d certificates of valid signatures are kept", n)
		}
		if n := len(b.keeper.unknown); n < 2 || n > 8 {
			b.Errorf("%d certificates of unknown issuers are kept", n)
		}
	})
}

// dear is a key whose signatures take long to check.
func dear(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	for {
		p, errP := rand.Prime(rand.Reader, 1024)
		q, errQ := rand.Prime(rand.Reader, 1024)
		if errP != nil || errQ != nil {
			t.Fatal(errP, errQ)
		}
		one, e := big.NewInt(1), big.NewInt(1<<31-1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(e, phi); d != nil {
			key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())}, D: d, Primes: []*big.Int{p, q}}
			key.Precompute()
			return key
		}
	}
}

// Strangers keep nobody busy with keys whose signatures take long to check.
func TestDearKeysAreNotClimbed(t *testing.T) {
	w := world()
	strange, err := w.stranger.Intermediate("dear", democa.Options{Key: dear(t)})
	if err != nil {
		t.Fatal(err)
	}
	id, err := strange.Issue("bob@partner.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(b *bench) {
		b.offer(harvest.Signature{Certificate: id.Certificate, Others: []*x509.Certificate{strange.Certificate()}})
		if fmt.Sprint(b.told) != "[asked bob@partner.example]" || len(b.keeper.unknown) != 1 {
			b.Errorf("told %q, %d kept", b.told, len(b.keeper.unknown))
		}
	})
}
