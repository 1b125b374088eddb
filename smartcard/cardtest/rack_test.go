package cardtest_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// smallPIV has one key, and is made fast.
func smallPIV(t *testing.T) *cardtest.PIV {
	t.Helper()
	return newPIV(t, cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotSignature: getKeys(t).p256}})
}

func connect(t *testing.T, r *cardtest.Rack) *cardtest.Line {
	t.Helper()
	l, err := r.Connect("left")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func insert(t *testing.T, r *cardtest.Rack, c cardtest.Card) {
	t.Helper()
	if err := r.Insert("left", c); err != nil {
		t.Fatal(err)
	}
}

// says tests what a line says to a command.
func says(t *testing.T, l *cardtest.Line, want error) {
	t.Helper()
	got, err := l.Transmit(t.Context(), unhex(t, selectPIV))
	if !errors.Is(err, want) || (err == nil) != bytes.HasSuffix(got, []byte{0x90, 0}) {
		t.Errorf("%x, %v; want %v", got, err, want)
	}
}

func TestRackState(t *testing.T) {
	r := cardtest.NewRack("left", "right")
	c := smallPIV(t)
	for _, step := range []struct {
		do      func() error
		changes int
		in      bool
	}{
		{func() error { return r.Insert("left", c) }, 1, true},
		{func() error { return r.Pull("left") }, 2, false},
		{func() error { return r.Insert("left", c) }, 3, true},
	} {
		changed := r.Changed()
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		<-changed
		s, err := r.State()
		if err != nil || len(s) != 2 || s[0].Reader != "left" || (s[0].ATR != nil) != step.in || s[0].Changes != step.changes || s[1].ATR != nil || s[1].Changes != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	changed := r.Changed()
	r.Stop()
	<-changed
	if _, err := r.State(); !errors.Is(err, cardtest.ErrStopped) {
		t.Error(err)
	}
	if _, err := r.Connect("left"); !errors.Is(err, cardtest.ErrStopped) {
		t.Error(err)
	}
	r.Start()
	says(t, connect(t, r), nil)
	for name, err := range map[string]error{"insert": r.Insert("up", c), "pull": r.Pull("up"), "reset": r.Reset("up")} {
		if !errors.Is(err, cardtest.ErrNoReader) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Connect("right"); !errors.Is(err, cardtest.ErrNoCard) {
		t.Error(err)
	}
	if err := r.Reset("right"); !errors.Is(err, cardtest.ErrNoCard) {
		t.Error(err)
	}
}

// What is done to the card is told by the lines that were open, and by no line opened afterwards.
func TestRackLines(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(r *cardtest.Rack) error
		want error
	}{
		"reset":   {func(r *cardtest.Rack) error { return r.Reset("left") }, cardtest.ErrReset},
		"pulled":  {func(r *cardtest.Rack) error { return r.Pull("left") }, cardtest.ErrPulled},
		"stopped": {func(r *cardtest.Rack) error { r.Stop(); return nil }, cardtest.ErrStopped},
		"restart": {func(r *cardtest.Rack) error { r.Stop(); r.Start(); return nil }, cardtest.ErrPulled},
	} {
		t.Run(name, func(t *testing.T) {
			r, card := cardtest.NewRack("left"), smallPIV(t)
			insert(t, r, card)
			l, other := connect(t, r), connect(t, r)
			says(t, l, nil)
			if err := c.do(r); err != nil {
				t.Fatal(err)
			}
			says(t, l, c.want)
			says(t, l, c.want)
			if err := other.Begin(t.Context()); !errors.Is(err, c.want) {
				t.Error(err)
			}
			r.Start()
			insert(t, r, card)
			says(t, connect(t, r), nil)
		})
	}
}

// While one line has a transaction the others wait, as long as their contexts last.
func TestRackTransactions(t *testing.T) {
	r := cardtest.NewRack("left")
	insert(t, r, smallPIV(t))
	a, b := connect(t, r), connect(t, r)
	if err := a.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Begin(t.Context()); err == nil {
		t.Error("a second transaction within the first")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Begin(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := b.Transmit(ended, unhex(t, selectPIV)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	says(t, a, nil)
	var wait sync.WaitGroup
	wait.Go(func() { says(t, b, nil) })
	if err := a.End(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if err := errors.Join(a.End(), a.Begin(t.Context()), a.Close(), a.Close()); err != nil {
		t.Error(err)
	}
	says(t, b, nil)
	if !bytes.Equal(a.ATR(), smallPIV(t).ATR()) {
		t.Errorf("%x", a.ATR())
	}
}

// Pulling the card ends a command that it is busy with, and so does a fault; a command that is given up is carried out all the same.
func TestRackWhileBusy(t *testing.T) {
	r, card := cardtest.NewRack("left"), smallPIV(t)
	insert(t, r, card)
	l := connect(t, r)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	card.Fault(1, nil, cardtest.Effect{Before: func() {
		if err := r.Pull("left"); err != nil {
			t.Error(err)
		}
		<-release
	}})
	says(t, l, cardtest.ErrPulled)
	close(release)

	insert(t, r, card)
	l = connect(t, r)
	card.Fault(1, nil, cardtest.RemovedAfter())
	says(t, l, cardtest.ErrPulled)
	if s, err := r.State(); err != nil || s[0].ATR != nil {
		t.Errorf("%+v, %v", s, err)
	}

	insert(t, r, card)
	l = connect(t, r)
	busy, release := make(chan struct{}), make(chan struct{})
	card.Fault(1, cardtest.Instruction(apdu.Select), cardtest.Effect{Before: func() { close(busy); <-release }})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-busy; cancel() }()
	before := card.Counts().Commands
	if _, err := l.Transmit(ctx, unhex(t, selectPIV)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	says(t, connect(t, r), nil) // waits until the card has done the other
	if got := card.Counts().Commands - before; got != 2 {
		t.Errorf("%d commands", got)
	}

	card.Fault(1, nil, cardtest.Meanwhile(func() {
		if err := r.Reset("left"); err != nil {
			t.Error(err)
		}
	}))
	says(t, l, cardtest.ErrReset)
}
