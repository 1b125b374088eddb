//go:build cgo && unix

package pcsc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
	"github.com/siegel-mail/siegel/smartcard/transporttest"
)

// until watches the readers until they are as they should be.
func until(t *testing.T, what string, ok func([]smartcard.ReaderState) bool) {
	t.Helper()
	var known []smartcard.ReaderState
	for {
		now, err := pcsc.New().Watch(t.Context(), known)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok(now) {
			return
		}
		known = now
	}
}

// Through the real service two cards sign in two readers, one is pulled and put back, the service is killed and started again, and no PIN is
// refused.
func TestRealService(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	p, err := cardtest.NewPIV(cardtest.PIVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := cardtest.NewTCOS(cardtest.TCOSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pull := d.Plug(t, 0, p)
	d.Plug(t, 1, n)
	w, err := smartcard.New(smartcard.Options{
		Transport: pcsc.New(), Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})}, Memory: smartcard.ForThisRun(),
		FingerprintKey: bytes.Repeat([]byte{7}, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New("123456"), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	keys := []*smartcard.Key{key(t, w, "12345678", p.Certificate(cardtest.SlotAuthentication)),
		key(t, w, "89490176940000000001", n.Certificate(cardtest.KeyAuthentication))}
	signs(t, keys, nil, nil)

	pull()
	until(t, "pulled", func(r []smartcard.ReaderState) bool { return len(r) == 2 && r[0].ATR == nil && r[1].ATR != nil })
	signs(t, keys, smartcard.ErrNotHere, nil)
	d.Plug(t, 0, p)
	signs(t, keys, nil, nil)

	d.Stop()
	signs(t, keys, smartcard.ErrNoService, smartcard.ErrNoService)
	d.Restart(t)
	d.Plug(t, 0, p)
	d.Plug(t, 1, n)
	signs(t, keys, nil, nil)
	if a, b := p.Counts().Refused, n.Counts().Refused; a != 0 || b != 0 {
		t.Errorf("%d and %d PINs refused", a, b)
	}
}

func key(t *testing.T, w *smartcard.Wallet, serial string, der []byte) *smartcard.Key {
	t.Helper()
	c, err := w.Card(smartcard.Selection{Serial: serial})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	k, err := c.Key(t.Context(), smartcard.Want{Fingerprint: hex.EncodeToString(sum[:])})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signs(t *testing.T, keys []*smartcard.Key, want ...error) {
	t.Helper()
	digest := sha256.Sum256(nil)
	for i, k := range keys {
		if _, err := k.Sign(nil, digest[:], crypto.SHA256); !errors.Is(err, want[i]) || (err == nil) != (want[i] == nil) {
			t.Errorf("key %d: %v; want %v", i, err, want[i])
		}
	}
}

// Watch ends with its context.
func TestWatchEnds(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	known, err := pcsc.New().Readers(t.Context())
	if err != nil || len(known) != 2 || known[0].Name != d.Reader(0) {
		t.Fatalf("%+v, %v", known, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := pcsc.New().Watch(ctx, known)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The readers of the system keep the contract of a transport.
func TestTransport(t *testing.T) {
	c, err := cardtest.NewPIV(cardtest.PIVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	transporttest.Run(t, func(t *testing.T) transporttest.Stand {
		d := pcscdtest.Start(t)
		d.Setenv(t)
		pull := func() {}
		return transporttest.Stand{Transport: pcsc.New(), Reader: d.Reader(0), ATR: c.ATR(),
			Plug:  func(t *testing.T) { pull = d.Plug(t, 0, c) },
			Pull:  func(*testing.T) { pull() },
			Stop:  func(*testing.T) { d.Stop() },
			Start: func(t *testing.T) { d.Restart(t) },
		}
	})
}

// Who asks a service that hangs is not kept longer than he waits, whatever he asks, and all goes on when it does.
func TestHangingService(t *testing.T) {
	c, err := cardtest.NewPIV(cardtest.PIVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := pcscdtest.Start(t)
	d.Setenv(t)
	d.Plug(t, 0, c)
	p := pcsc.New()
	known, err := p.Readers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	links := []smartcard.Link{connected(t, p, d), connected(t, p, d)}
	watching, stop := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() {
		_, err := p.Watch(watching, known)
		watched <- err
	}()
	d.Freeze(t)
	for i := range 3 { // what is left alone does not pile up
		for name, ask := range map[string]func(context.Context) error{
			"readers": func(ctx context.Context) error { _, err := p.Readers(ctx); return err },
			"watch":   func(ctx context.Context) error { _, err := p.Watch(ctx, known); return err },
			"connect": func(ctx context.Context) error { _, err := p.Connect(ctx, d.Reader(0)); return err },
			"begin":   func(ctx context.Context) error { return links[0].Begin(ctx) },
			"send": func(ctx context.Context) error {
				_, err := links[1].Transmit(ctx, []byte("\x00\x20\x00\x80"))
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) && (i == 0 || !errors.Is(err, context.Canceled)) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
	}
	for _, l := range links {
		l.Close()
	}
	stop()
	if err := <-watched; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d.Thaw(t)
	if now, err := p.Readers(t.Context()); err != nil || len(now) != len(known) {
		t.Error(now, err)
	}
	l := connected(t, p, d)
	defer l.Close()
	if err := l.Begin(t.Context()); err != nil {
		t.Error(err)
	}
	if a, err := l.Transmit(t.Context(), []byte("\x00\xA4\x04\x00\x05\xA0\x00\x00\x03\x08\x00")); err != nil || len(a) < 2 {
		t.Error(a, err)
	}
}

func connected(t *testing.T, p smartcard.Transport, d *pcscdtest.Daemon) smartcard.Link {
	t.Helper()
	l, err := p.Connect(t.Context(), d.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	return l
}
