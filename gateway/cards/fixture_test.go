package cards_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// theKeys are made once for all tests: RSA takes long.
var theKeys = sync.OnceValues(func() (all [2]*rsa.PrivateKey, err error) {
	for i := range all {
		if all[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return all, err
		}
	}
	return all, nil
})

func newTCOS(t testing.TB) *cardtest.TCOS {
	t.Helper()
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cardtest.NewTCOS(cardtest.TCOSOptions{Keys: map[byte]*rsa.PrivateKey{cardtest.KeySignature: k[0], cardtest.KeyEncryption: k[1], cardtest.KeyAuthentication: k[0]}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newPIV(t testing.TB) *cardtest.PIV {
	t.Helper()
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k[0], cardtest.SlotKeyManagement: ec}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// certified is a simulated card.
type certified interface {
	cardtest.Card
	Certificate(ref byte) []byte
	Counts() cardtest.Counts
}

// desk is readers with a holder before them.
type desk struct {
	t        *testing.T
	rack     *cardtest.Rack
	memory   smartcard.Memory
	holder   *cards.Holder
	log      *test.Hook
	returned chan []string
}

func newDesk(t *testing.T, all ...cardtest.Card) *desk {
	t.Helper()
	d := &desk{t: t, rack: cardtest.NewRack("left", "right"), memory: smartcard.ForThisRun(), returned: make(chan []string, 100)}
	for i, c := range all {
		if err := d.rack.Insert([]string{"left", "right"}[i], c); err != nil {
			t.Fatal(err)
		}
	}
	d.restart()
	t.Cleanup(func() { d.holder.Close() })
	return d
}

// restart is a new process that remembers what the old one has.
func (d *desk) restart() {
	if d.holder != nil {
		d.holder.Close()
	}
	var log *logrus.Logger
	log, d.log = test.NewNullLogger()
	d.holder = cards.New(cards.Options{
		Transport: d.rack.Transport(), Memory: d.memory, FingerprintKey: make([]byte, 32), Log: log,
		Returned: func(names ...string) { d.returned <- names },
	})
}

// entry is the key of a card in the left reader.
func entry(name string, c certified, ref byte, pin string) cards.Entry {
	return cards.Entry{Name: name, Selection: smartcard.Selection{Reader: "left"}, Want: smartcard.Want{Fingerprint: fingerprint(c, ref)}, PIN: secret.New(pin)}
}

func fingerprint(c certified, ref byte) string {
	sum := sha256.Sum256(c.Certificate(ref))
	return hex.EncodeToString(sum[:])
}

func certificate(t *testing.T, c certified, ref byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(c.Certificate(ref))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// use makes a set and brings it into force; the function that it returns ends it.
func (d *desk) use(entries ...cards.Entry) (s *cards.Set, end func()) {
	d.t.Helper()
	s, err := d.holder.Set(entries)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	end = func() {
		cancel()
		<-done
	}
	d.t.Cleanup(end)
	return s, end
}

// await waits until the key of a name is in a condition.
func (d *desk) await(name string, want smartcard.Condition) {
	d.t.Helper()
	var got smartcard.Condition
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		changed := d.rack.Changed()
		for _, s := range d.holder.Status() {
			if s.Name == name {
				got = s.Condition
			}
		}
		if got == want {
			return
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Millisecond):
		}
	}
	d.t.Fatalf("%s is %s, not %s", name, got, want)
}

// sign signs by the key of a name, as S/MIME does.
func (d *desk) sign(s *cards.Set, name string) ([]byte, error) {
	key, err := s.Key(d.t.Context(), cards.Source(name), nil)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("a message"))
	return key.(crypto.Signer).Sign(nil, sum[:], crypto.SHA256)
}
