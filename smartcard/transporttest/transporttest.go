// Package transporttest holds every smartcard.Transport to its contract. It does not test what is said to cards.
package transporttest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
)

// Stand is a transport with hands that put a card in and pull it.
type Stand struct {
	Transport smartcard.Transport
	Reader    string // where the card goes; empty when the test begins
	ATR       []byte // of the card
	Plug      func(t *testing.T)
	Pull      func(t *testing.T)
	Stop      func(t *testing.T) // the service
	Start     func(t *testing.T) // again, without a card
}

// Run tests a transport. The stand makes what each test needs.
func Run(t *testing.T, stand func(t *testing.T) Stand) {
	for name, test := range map[string]func(*testing.T, Stand){"Watch": watch, "Links": links, "Transactions": transactions, "Service": service} {
		t.Run(name, func(t *testing.T) { test(t, stand(t)) })
	}
}

// until watches until the reader holds a card with this ATR, or none.
func until(t *testing.T, s Stand, atr []byte) []smartcard.ReaderState {
	t.Helper()
	known, err := s.Transport.Readers(t.Context())
	for err == nil {
		i := slices.IndexFunc(known, func(r smartcard.ReaderState) bool { return r.Name == s.Reader })
		if i >= 0 && bytes.Equal(known[i].ATR, atr) {
			return known
		}
		known, err = s.Transport.Watch(t.Context(), known)
	}
	t.Fatal(err)
	return nil
}

func watch(t *testing.T, s Stand) {
	empty := until(t, s, nil)
	s.Plug(t)
	full := until(t, s, s.ATR)
	if now, err := s.Transport.Watch(t.Context(), empty); err != nil || slices.EqualFunc(now, empty, smartcard.ReaderState.Equal) {
		t.Errorf("what has changed already: %+v, %v", now, err)
	}
	s.Pull(t)
	until(t, s, nil)
	s.Plug(t)
	if again := until(t, s, s.ATR); slices.EqualFunc(again, full, smartcard.ReaderState.Equal) {
		t.Errorf("a card that was pulled and put back is no change: %+v", again)
	}
	known := until(t, s, s.ATR)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Transport.Watch(ctx, known)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for name, err := range map[string]error{"watch": second(s.Transport.Watch(ctx, known)), "readers": second(s.Transport.Readers(ctx))} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// command is one that every card answers in some way: SELECT of the master file.
func command() []byte { return []byte{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00} }

func connect(t *testing.T, s Stand) smartcard.Link {
	t.Helper()
	l, err := s.Transport.Connect(t.Context(), s.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func links(t *testing.T, s Stand) {
	if _, err := s.Transport.Connect(t.Context(), s.Reader); !errors.Is(err, smartcard.ErrNoCard) {
		t.Error(err)
	}
	if _, err := s.Transport.Connect(t.Context(), "no such reader"); !errors.Is(err, smartcard.ErrNoReader) {
		t.Error(err)
	}
	s.Plug(t)
	until(t, s, s.ATR)
	l := connect(t, s)
	if answer, err := l.Transmit(t.Context(), command()); err != nil || len(answer) < 2 || !bytes.Equal(l.ATR(), s.ATR) {
		t.Errorf("%x, %x, %v", answer, l.ATR(), err)
	}
	s.Pull(t)
	until(t, s, nil)
	if _, err := l.Transmit(t.Context(), command()); !smartcard.Temporary(err) {
		t.Errorf("a card that was pulled: %v", err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	s.Plug(t)
	until(t, s, s.ATR)
	if _, err := connect(t, s).Transmit(t.Context(), command()); err != nil {
		t.Error(err)
	}
}

func transactions(t *testing.T, s Stand) {
	s.Plug(t)
	until(t, s, s.ATR)
	a, b := connect(t, s), connect(t, s)
	if err := errors.Join(a.End(), a.Begin(t.Context())); err != nil {
		t.Fatal(err)
	}
	begun := make(chan error, 1)
	go func() { begun <- b.Begin(t.Context()) }()
	if _, err := a.Transmit(t.Context(), command()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-begun:
		t.Errorf("two transactions at once: %v", err)
	default:
	}
	if err := a.End(); err != nil {
		t.Error(err)
	}
	if err := <-begun; err != nil {
		t.Error(err)
	}
	if _, err := b.Transmit(t.Context(), command()); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil { // ends its transaction
		t.Error(err)
	}
	if err := errors.Join(a.Begin(t.Context()), a.End()); err != nil {
		t.Error(err)
	}
}

func service(t *testing.T, s Stand) {
	s.Plug(t)
	known := until(t, s, s.ATR)
	l := connect(t, s)
	done := make(chan error, 1)
	go func() { done <- second(s.Transport.Watch(t.Context(), known)) }()
	s.Stop(t)
	if err := <-done; !errors.Is(err, smartcard.ErrNoService) {
		t.Errorf("watch: %v", err)
	}
	if _, err := l.Transmit(t.Context(), command()); !smartcard.Temporary(err) {
		t.Errorf("transmit: %v", err)
	}
	for name, err := range map[string]error{"readers": second(s.Transport.Readers(t.Context())), "connect": second(s.Transport.Connect(t.Context(), s.Reader))} {
		if !errors.Is(err, smartcard.ErrNoService) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Start(t)
	s.Plug(t)
	until(t, s, s.ATR)
	if _, err := connect(t, s).Transmit(t.Context(), command()); err != nil {
		t.Error(err)
	}
}
