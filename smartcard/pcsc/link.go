//go:build cgo || windows

package pcsc

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/ebfe/scard"
	"github.com/siegel-mail/siegel/smartcard"
)

// link is a connection to a card. A call to the service cannot be ended: where the context ends first it goes on alone, and Close waits for
// it in the background.
type link struct {
	sc   *scard.Context
	card *scard.Card
	atr  []byte

	begun, closed bool
	late          chan struct{} // closed when a call that was left alone has returned; nil where there is none
}

// ATR implements smartcard.Link.
func (l *link) ATR() []byte { return slices.Clone(l.atr) }

// Begin implements smartcard.Link.
func (l *link) Begin(ctx context.Context) error {
	_, err := l.call(ctx, func() ([]byte, error) { return nil, l.card.BeginTransaction() })
	l.begun = err == nil
	return err
}

// End implements smartcard.Link.
func (l *link) End() error {
	if !l.begun || l.late != nil {
		return nil
	}
	l.begun = false
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_, err := l.call(ctx, func() ([]byte, error) { return nil, l.card.EndTransaction(scard.LeaveCard) })
	return err
}

// Transmit implements smartcard.Link.
func (l *link) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	command = slices.Clone(command)
	answer, err := l.call(ctx, func() ([]byte, error) {
		defer clear(command) // it may hold a PIN
		return l.card.Transmit(command)
	})
	if err == nil && len(answer) == 0 {
		// QUIRK: drivers say so of a card that is pulled while it is busy, among them vpcd.
		return nil, fmt.Errorf("%w (the reader has no answer)", smartcard.ErrRemoved)
	}
	return answer, err
}

func (l *link) call(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.late != nil || l.closed {
		return nil, context.Canceled // of no more use, as smartcard.Link says
	}
	var out []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = f()
	}()
	select {
	case <-done:
		return out, translate(err)
	case <-ctx.Done():
		l.late = done
		return nil, late(ctx)
	}
}

// Close implements smartcard.Link.
func (l *link) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	if l.late == nil {
		giveBack(func() { l.release(l.begun) })
		return nil
	}
	go func() {
		<-l.late
		l.release(true)
	}()
	return nil
}

// release leaves the card as it is. The service forgets a link whose card or whose self is gone, so that errors here mean nothing; the
// transaction ends with the link.
func (l *link) release(begun bool) {
	if begun {
		_ = l.card.EndTransaction(scard.LeaveCard)
	}
	if runtime.GOOS == "windows" {
		_ = l.card.Disconnect(scard.LeaveCard)
	}
	// QUIRK: SCardDisconnect of pcsc-lite takes the handle out of its lists without the lock that guards them, and the process
	// crashes where another thread looks for a handle at that time. With its context, which has no other, the handle ends under the
	// lock, and the service leaves the card as it is.
	_ = l.sc.Release()
}
