package smartcard_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// keys are made once for all tests: RSA takes long.
type keys struct {
	rsa        []*rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
}

var theKeys = sync.OnceValues(func() (k keys, err error) {
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return k, err
		}
		k.rsa = append(k.rsa, key)
	}
	if k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return k, err
	}
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return k, err
})

func getKeys(t testing.TB) keys {
	t.Helper()
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// simulated is what the tests ask of both kinds of cards.
type simulated interface {
	cardtest.Card
	Certificate(ref byte) []byte
	Tries(ref byte) int
	Counts() cardtest.Counts
	Fault(n int, match func(apdu.Command) bool, e cardtest.Effect)
	Heal()
}

func newTCOS(t testing.TB, o cardtest.TCOSOptions) *cardtest.TCOS {
	t.Helper()
	k := getKeys(t)
	o.Keys = map[byte]*rsa.PrivateKey{cardtest.KeySignature: k.rsa[0], cardtest.KeyEncryption: k.rsa[1], cardtest.KeyAuthentication: k.rsa[2]}
	c, err := cardtest.NewTCOS(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newPIV holds RSA in 9A and 9D, P-256 in 9C and 9E, P-384 for agreement in a retired slot.
func newPIV(t testing.TB, o cardtest.PIVOptions) *cardtest.PIV {
	t.Helper()
	k := getKeys(t)
	o.Keys = map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa[0], cardtest.SlotSignature: k.p256, cardtest.SlotKeyManagement: k.rsa[1],
		cardtest.SlotCardAuthentication: k.p256, cardtest.SlotRetired: k.p384}
	c, err := cardtest.NewPIV(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// desk is a rack with a wallet before it.
type desk struct {
	t      testing.TB
	rack   *cardtest.Rack
	memory smartcard.Memory
	wallet *smartcard.Wallet

	mu  sync.Mutex // where others ask for the PIN meanwhile
	pin string
}

// setPIN is what an administrator configures.
func (d *desk) setPIN(pin string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pin = pin
}

// newDesk puts cards into the readers "left" and "right".
func newDesk(t testing.TB, cards ...cardtest.Card) *desk {
	t.Helper()
	d := &desk{t: t, rack: cardtest.NewRack("left", "right"), memory: smartcard.ForThisRun(), pin: "123456"}
	for i, c := range cards {
		if err := d.rack.Insert([]string{"left", "right"}[i], c); err != nil {
			t.Fatal(err)
		}
	}
	d.restart()
	t.Cleanup(func() { d.wallet.Close() })
	return d
}

// restart is a new process that remembers what the old one has.
func (d *desk) restart() {
	d.t.Helper()
	if d.wallet != nil {
		d.wallet.Close()
	}
	w, err := smartcard.New(smartcard.Options{
		Transport: d.rack.Transport(), Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})}, Memory: d.memory,
		FingerprintKey: bytes.Repeat([]byte{7}, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return secret.New(d.pin), nil
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.wallet = w
}

func (d *desk) card(s smartcard.Selection) *smartcard.Card {
	d.t.Helper()
	c, err := d.wallet.Card(s)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// key is a key of the card in the left reader, by the reference that cardtest knows.
func (d *desk) key(c simulated, ref byte) *smartcard.Key {
	d.t.Helper()
	k, err := d.card(smartcard.Selection{Reader: "left"}).Key(d.t.Context(), smartcard.Want{Fingerprint: fingerprint(c.Certificate(ref)), Binding: true})
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

var digest = sha256.Sum256([]byte("Signed by a simulated card, and by nobody."))

func sign(k *smartcard.Key) error {
	_, err := k.Sign(nil, digest[:], crypto.SHA256)
	return err
}
