package smartcard_test

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// A card that is looked at makes nobody wait for longer than the one look, and is not looked at while others use it for long.
func TestMonitorKeepsBack(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{})
		d := newDesk(t, c)
		b := binding(c, cardtest.SlotAuthentication, smartcard.Selection{Reader: "left"})
		k := d.key(c, cardtest.SlotAuthentication)
		c.Fault(1, cardtest.Using, cardtest.Effect{Before: func() { time.Sleep(20 * time.Second) }})
		signed := make(chan time.Time, 2)
		for range 2 {
			go func() {
				if err := sign(k); err != nil {
					t.Error(err)
				}
				signed <- time.Now()
			}()
		}
		synctest.Wait()
		p := watched(t, d, b)
		begin := time.Now()
		if s := p.is("card", smartcard.Asking); s.Waiting == 0 {
			t.Error("nobody waits")
		}
		for range 2 {
			if took := (<-signed).Sub(begin); took > 20*time.Second {
				t.Errorf("a signature took %v", took)
			}
		}
		p.is("card", smartcard.Ready)
		if s := p.is("card", smartcard.Ready); s.Signatures != 2 {
			t.Errorf("%d signatures", s.Signatures)
		}
	})
}

// A card that another program holds, or that hangs, is named so; the look ends.
func TestMonitorBusy(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{})
		d := newDesk(t, c)
		l, err := d.rack.Connect("left")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := watched(t, d, binding(c, cardtest.SlotAuthentication, smartcard.Selection{Reader: "left"}))
		time.Sleep(15 * time.Second)
		p.is("card", smartcard.Busy)
		l.Close()
		time.Sleep(5 * time.Minute)
		p.is("card", smartcard.Ready)
	})
}

// A transport that errs for good, or that errs at once again and again, is not asked for ever without a pause.
func TestMonitorBrokenTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broken{err: errors.New("built without")}
		w, err := smartcard.New(smartcard.Options{Transport: b, Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})},
			Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		p := watched(t, &desk{t: t, wallet: w}, smartcard.Binding{Name: "card"})
		p.is("card", smartcard.NoSupport)
		time.Sleep(time.Hour)
		if n := b.calls(); n > 3600/7+10 || n < 3600/15 {
			t.Errorf("%d calls in an hour", n)
		}
		b.set(nil)
		time.Sleep(time.Minute)
		p.is("card", smartcard.NoReader)
		b.set(errHangs)
		time.Sleep(time.Minute)
		p.is("card", smartcard.NoService)
		b.set(nil)
		time.Sleep(time.Minute)
		p.is("card", smartcard.NoReader)
		n := b.calls()
		time.Sleep(time.Minute)
		if got := b.calls() - n; got > 1300 { // each is a change: the pause between two is short
			t.Errorf("%d changes followed in a minute", got)
		}
	})
}

// broken is a transport that errs, or tells changes where there are none.
type broken struct {
	smartcard.Transport
	mu  sync.Mutex
	n   int
	err error
}

func (b *broken) calls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func (b *broken) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// errHangs lets calls hang.
var errHangs = errors.New("hangs")

func (b *broken) Readers(ctx context.Context) ([]smartcard.ReaderState, error) {
	b.mu.Lock()
	b.n++
	err := b.err
	b.mu.Unlock()
	if err == errHangs {
		<-ctx.Done()
		err = ctx.Err()
	}
	return nil, err
}

func (b *broken) Watch(ctx context.Context, _ []smartcard.ReaderState) ([]smartcard.ReaderState, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a watch that hangs ends by itself, in the end
	defer cancel()
	return b.Readers(ctx)
}

// The PIN source is asked by nobody who has the card's turn.
func TestMonitorSlowPINSource(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{})
		rack := cardtest.NewRack("left")
		if err := rack.Insert("left", c); err != nil {
			t.Fatal(err)
		}
		slow := make(chan struct{})
		w, err := smartcard.New(smartcard.Options{Transport: rack.Transport(), Families: []smartcard.Family{piv.New(piv.Options{})},
			Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32),
			PINs: func(ctx context.Context, _ smartcard.Identity, _ smartcard.PIN) (secret.String, error) {
				select {
				case <-slow:
				case <-ctx.Done():
				}
				return secret.New("123456"), ctx.Err()
			}})
		if err != nil {
			t.Fatal(err)
		}
		p := watched(t, &desk{t: t, wallet: w}, binding(c, cardtest.SlotAuthentication, smartcard.Selection{}))
		p.is("card", smartcard.Asking)
		card, err := w.Card(smartcard.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		k, err := card.Key(t.Context(), smartcard.Want{Fingerprint: fingerprint(c.Certificate(cardtest.SlotCardAuthentication))}) // without PIN
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(nil, digest[:], crypto.SHA256); err != nil {
			t.Error(err)
		}
		close(slow)
		p.is("card", smartcard.Ready)
	})
}
