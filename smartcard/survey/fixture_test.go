package survey_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/survey"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// now is when all cards are looked at; their certificates began an hour before.
var now = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func getRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newPIV holds RSA in 9A and P-256 in 9C and 9E.
func newPIV(t testing.TB) *cardtest.PIV {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cardtest.NewPIV(cardtest.PIVOptions{Now: func() time.Time { return now }, Keys: map[byte]crypto.Signer{
		cardtest.SlotAuthentication: getRSA(t), cardtest.SlotSignature: ec, cardtest.SlotCardAuthentication: ec}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTCOS(t testing.TB, o cardtest.TCOSOptions) *cardtest.TCOS {
	t.Helper()
	k := getRSA(t)
	o.Now = func() time.Time { return now }
	o.Keys = map[byte]*rsa.PrivateKey{cardtest.KeySignature: k, cardtest.KeyEncryption: k, cardtest.KeyAuthentication: k}
	c, err := cardtest.NewTCOS(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// desk is readers, and what looks into them.
type desk struct {
	rack *cardtest.Rack
	o    survey.Options
}

// newDesk puts cards into the readers "a", "b" and so on; nil leaves one empty.
func newDesk(t testing.TB, cards ...cardtest.Card) *desk {
	t.Helper()
	var names []string
	for i := range cards {
		names = append(names, string(rune('a'+i)))
	}
	d := &desk{rack: cardtest.NewRack(names...)}
	for i, c := range cards {
		if c == nil {
			continue
		}
		if err := d.rack.Insert(names[i], c); err != nil {
			t.Fatal(err)
		}
	}
	families := []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})}
	w, err := smartcard.New(smartcard.Options{Transport: d.rack.Transport(), Families: families, Memory: smartcard.ForThisRun(), FingerprintKey: bytes.Repeat([]byte{7}, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New("123456"), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	d.o = survey.Options{Transport: d.rack.Transport(), Wallet: w, Families: families, Now: func() time.Time { return now }}
	return d
}

func (d *desk) take(t testing.TB) []survey.Reader {
	t.Helper()
	all, err := survey.Take(t.Context(), d.o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// stranger is a card that has no application that we know, and says so in a way of its own.
type stranger struct{ atr, answer []byte }

func (s stranger) ATR() []byte            { return s.atr }
func (stranger) Reset()                   {}
func (s stranger) Transmit([]byte) []byte { return s.answer }
