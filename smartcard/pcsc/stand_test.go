//go:build cgo && unix

package pcsc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// patience is longer than anything takes on a loaded machine.
const patience = 90 * time.Second

// stand is a wallet and a monitor at the real service.
type stand struct {
	*pcscdtest.Daemon
	t       *testing.T
	wallet  *smartcard.Wallet
	monitor *smartcard.Monitor
	end     func() // the end of the test does it too

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
}

// newStand begins to watch. The readers need not be there.
func newStand(t *testing.T, d *pcscdtest.Daemon, bindings ...smartcard.Binding) *stand {
	t.Helper()
	d.Setenv(t)
	s := &stand{Daemon: d, t: t, wallet: newWallet(t, "123456"), changed: make(chan struct{})}
	var err error
	s.monitor, err = s.wallet.Monitor(smartcard.Watching{Bindings: bindings, Changed: func(_, _ smartcard.Status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.changed)
		s.changed = make(chan struct{})
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.monitor.Run(ctx) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.wallet.Close()
	})
	t.Cleanup(s.end)
	return s
}

func newWallet(t *testing.T, pin string) *smartcard.Wallet {
	t.Helper()
	w, err := smartcard.New(smartcard.Options{
		Transport: pcsc.New(), Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})}, Memory: smartcard.ForThisRun(),
		FingerprintKey: bytes.Repeat([]byte{7}, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New(pin), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// await waits until a card is as it should be.
func (s *stand) await(name string, want smartcard.Condition) smartcard.Status {
	s.t.Helper()
	over := time.After(patience)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		now, _ := s.monitor.Status(name)
		if now.Condition == want {
			return now
		}
		select {
		case <-changed:
		case <-over:
			s.t.Fatalf("%v, %v; want %s", now, now.Err, want)
		}
	}
}

// quick is a PIV card with P-256 in 9A, which does not take long.
func quick(t *testing.T, serial uint32) *cardtest.PIV {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cardtest.NewPIV(cardtest.PIVOptions{Serial: serial, Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bind is a binding to the key in 9A.
func bind(name string, c *cardtest.PIV, s smartcard.Selection) smartcard.Binding {
	return smartcard.Binding{Name: name, Selection: s, Want: smartcard.Want{Fingerprint: fingerprint(c.Certificate(cardtest.SlotAuthentication))}}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// sign signs with the key of a binding, as a program that has just begun.
func (s *stand) sign(b smartcard.Binding) error {
	c, err := s.wallet.Card(b.Selection)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	k, err := c.Key(ctx, b.Want)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(nil)
	_, err = k.WithContext(ctx).Sign(nil, digest[:], crypto.SHA256)
	return err
}

// innocent looks whether a card was ever given a wrong PIN.
func innocent(t *testing.T, c *cardtest.PIV) {
	t.Helper()
	if n := c.Counts(); n.Refused != 0 || c.Tries(cardtest.PIVPIN) != 3 {
		t.Errorf("%+v; %d tries left", n, c.Tries(cardtest.PIVPIN))
	}
}
