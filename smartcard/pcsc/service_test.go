//go:build cgo && unix

package pcsc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
)

// Two cards of one kind are told apart by their readers, and both sign at once.
func TestTwoAlike(t *testing.T) {
	d := pcscdtest.Start(t)
	a, b := quick(t, 1), quick(t, 2)
	left, right := bind("left", a, smartcard.Selection{Reader: "*00 00"}), bind("right", b, smartcard.Selection{Reader: d.Reader(1)})
	s := newStand(t, d, left, right)
	d.Plug(t, 0, a)
	s.await("left", smartcard.Ready)
	s.await("right", smartcard.NoCard)
	d.Plug(t, 1, b)
	s.await("right", smartcard.Ready)
	if err := s.sign(bind("either", a, smartcard.Selection{})); !errors.Is(err, smartcard.ErrAmbiguous) {
		t.Error(err)
	}
	var both, all sync.WaitGroup // each signature waits until the other card has begun one too
	both.Add(2)
	for card, bound := range map[*cardtest.PIV]smartcard.Binding{a: left, b: right} {
		card.Fault(1, cardtest.Using, cardtest.Effect{Before: func() { both.Done(); both.Wait() }})
		all.Go(func() {
			for range 5 {
				if err := s.sign(bound); err != nil {
					t.Error(bound.Name, err)
				}
			}
		})
	}
	all.Wait()
	for name, want := range map[string]string{"left": d.Reader(0), "right": d.Reader(1)} {
		if now := s.await(name, smartcard.Ready); now.Signatures != 5 || now.Reader != want {
			t.Errorf("%+v", now)
		}
	}
	innocent(t, a)
	innocent(t, b)
}

// A card that is pulled while it signs is an outage, and signs again when it is back.
func TestUnpluggedWhileItSigns(t *testing.T) {
	d := pcscdtest.Start(t)
	c := quick(t, 1)
	b := bind("card", c, smartcard.Selection{Serial: "1"})
	s := newStand(t, d, b)
	pull := d.Plug(t, 0, c)
	s.await("card", smartcard.Ready)
	for _, match := range []func(apdu.Command) bool{cardtest.Presenting, cardtest.Using} {
		if err := s.sign(b); err != nil {
			t.Error(err)
		}
		c.Reset() // so that the PIN is presented again
		release, pulled := make(chan struct{}), make(chan struct{})
		c.Fault(1, match, cardtest.Effect{Before: func() { close(pulled); <-release }})
		signed := make(chan error, 1)
		go func() { signed <- s.sign(b) }()
		<-pulled
		close(release)
		pull()
		if err := <-signed; err != nil && !smartcard.Temporary(err) {
			t.Errorf("%v", err)
		}
		s.await("card", smartcard.NoCard)
		pull = d.Plug(t, 0, c)
		s.await("card", smartcard.Ready)
		if err := s.sign(b); err != nil {
			t.Error(err)
		}
	}
	innocent(t, c)
}

// The service need not be there at the start; killed while a card signs, and started again, it is found again without a hand.
func TestServiceComesAndGoes(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Stop()
	c := quick(t, 1)
	b := bind("card", c, smartcard.Selection{Serial: "1"})
	s := newStand(t, d, b)
	s.await("card", smartcard.NoService)
	if err := s.sign(b); !errors.Is(err, smartcard.ErrNoService) {
		t.Error(err)
	}
	for _, match := range []func(apdu.Command) bool{cardtest.Presenting, cardtest.Using, cardtest.Instruction(apdu.Select)} {
		d.Restart(t)
		d.Plug(t, 0, c)
		s.await("card", smartcard.Ready)
		if err := s.sign(b); err != nil {
			t.Error(err)
		}
		c.Reset()
		c.Fault(1, match, cardtest.Meanwhile(d.Stop))
		if err := s.sign(b); err != nil && !smartcard.Temporary(err) {
			t.Error(err)
		}
		c.Heal()
		d.Stop()
		s.await("card", smartcard.NoService)
	}
	innocent(t, c)
}

// A service that hangs keeps nobody longer than their contexts last, and works on when it is awake again; what hung leaves nothing behind.
func TestServiceHangs(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	c := quick(t, 1)
	d.Plug(t, 0, c)
	until(t, "in", func(r []smartcard.ReaderState) bool { return r[0].ATR != nil })
	tr := pcsc.New()
	known, err := tr.Readers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tr.Connect(t.Context(), d.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	threads := runtime.NumGoroutine()
	watching, stop := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- second(tr.Watch(watching, known)) }()
	d.Freeze(t)
	for name, call := range map[string]func(context.Context) error{
		"readers":  func(ctx context.Context) error { return second(tr.Readers(ctx)) },
		"watch":    func(ctx context.Context) error { return second(tr.Watch(ctx, nil)) },
		"transmit": func(ctx context.Context) error { return second(l.Transmit(ctx, []byte{0, 0xA4, 4, 0, 0})) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	stop()
	if err := <-watched; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	before := runtime.NumGoroutine()
	for range 40 { // no thread for each of those who come while it hangs
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := second(tr.Readers(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
	}
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("%d goroutines, after %d", n, before)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	d.Thaw(t)
	eventually(t, "goroutines", func() (int, bool) { n := runtime.NumGoroutine(); return n, n <= threads })
	if _, err := tr.Readers(t.Context()); err != nil {
		t.Error(err)
	}
	if l, err := tr.Connect(t.Context(), d.Reader(0)); err != nil {
		t.Error(err)
	} else if err := errors.Join(l.Begin(t.Context()), l.End(), l.Close()); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// eventually waits until a number is as it should be.
func eventually(t *testing.T, what string, ok func() (int, bool)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := time.After(patience)
	for {
		n, good := ok()
		if good {
			return
		}
		select {
		case <-tick.C:
		case <-over:
			t.Errorf("%s: %d", what, n)
			return
		}
	}
}

// handles is how many files this process has open.
func handles(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(all) == 0 {
		if _, err := os.Stat("/proc/self/fd"); err != nil {
			t.Skip("no /proc")
		}
		t.Fatal(err)
	}
	return len(all)
}
