//go:build cgo || windows

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ebfe/scard"
	"github.com/siegel-mail/siegel/smartcard"
)

// Available tells whether this program was built with PC/SC.
const Available = true

// New is the readers of the system. It asks nobody: a service that starts later is found.
func New() smartcard.Transport { return &transport{} }

type transport struct{ calls calls }

// newReaders is the name that stands for readers that come and go (PC/SC part 5).
const newReaders = `\\?PnP?\Notification`

// forever is the timeout without end.
const forever time.Duration = -1

// again is how often a call is cancelled that has not noticed it.
const again = 20 * time.Millisecond

// establish opens a context of the service.
func (t *transport) establish(ctx context.Context) (*scard.Context, error) {
	return within(ctx, &t.calls, "", scard.EstablishContext, release)
}

// release gives a context back. A service that is gone has forgotten it.
func release(sc *scard.Context) { giveBack(func() { _ = sc.Release() }) }

// Readers implements smartcard.Transport.
func (t *transport) Readers(ctx context.Context) ([]smartcard.ReaderState, error) {
	sc, err := t.establish(ctx)
	if err != nil {
		return nil, err
	}
	defer release(sc)
	now, err := t.look(ctx, sc)
	return now.readers, err
}

// outlook is the readers as they are, and as the service takes them for known.
type outlook struct {
	readers []smartcard.ReaderState
	states  []scard.ReaderState
}

func (t *transport) look(ctx context.Context, sc *scard.Context) (outlook, error) {
	return within(ctx, &t.calls, "", func() (o outlook, err error) {
		o.readers, o.states, err = look(sc)
		return o, err
	}, func(outlook) {})
}

// look lists the readers, and their states as the service takes them for known.
func look(sc *scard.Context) ([]smartcard.ReaderState, []scard.ReaderState, error) {
	names, err := sc.ListReaders()
	if errors.Is(err, scard.ErrNoReadersAvailable) || err == nil && len(names) == 0 {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var states []scard.ReaderState
	for _, name := range names {
		states = append(states, scard.ReaderState{Reader: name, CurrentState: scard.StateUnaware})
	}
	if err := sc.GetStatusChange(states, 0); err != nil && !errors.Is(err, scard.ErrTimeout) {
		return nil, nil, err
	}
	var all []smartcard.ReaderState
	for i, s := range states {
		r := smartcard.ReaderState{Name: s.Reader, Changes: int(s.EventState >> 16), Mute: s.EventState&scard.StateMute != 0}
		if s.EventState&scard.StatePresent != 0 && !r.Mute {
			r.ATR = slices.Clone(s.Atr)
		}
		all = append(all, r)
		states[i].CurrentState = s.EventState &^ scard.StateChanged
	}
	return all, states, nil
}

// Watch implements smartcard.Transport, by SCardGetStatusChange.
func (t *transport) Watch(ctx context.Context, known []smartcard.ReaderState) ([]smartcard.ReaderState, error) {
	sc, err := t.establish(ctx)
	if err != nil {
		return nil, err
	}
	defer release(sc)
	for {
		now, err := t.look(ctx, sc)
		if err != nil {
			return nil, err
		}
		if !slices.EqualFunc(now.readers, known, smartcard.ReaderState.Equal) {
			return now.readers, nil
		}
		if err := wait(ctx, sc, now.states); err != nil {
			return nil, err
		}
	}
}

// wait returns at the next change, or when the context has ended. It leaves a call behind only where the service hangs.
func wait(ctx context.Context, sc *scard.Context, states []scard.ReaderState) error {
	states = append(states, scard.ReaderState{Reader: newReaders})
	done := make(chan error, 1)
	go func() { done <- sc.GetStatusChange(states, forever) }()
	select {
	case err := <-done:
		return translate(err)
	case <-ctx.Done():
	}
	giveBack(func() {
		tick := time.NewTicker(again) // a cancellation that comes before the call waits is lost
		defer tick.Stop()
		for {
			_ = sc.Cancel() // the call ends by itself where this fails: the service is gone
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return ctx.Err()
}

// Connect implements smartcard.Transport. Each link has a context of its own, since the service does one thing at a time for a context.
func (t *transport) Connect(ctx context.Context, reader string) (smartcard.Link, error) {
	l, err := within(ctx, &t.calls, "reader "+reader, func() (*link, error) { return connect(reader) }, func(l *link) { l.Close() })
	if err != nil {
		return nil, err
	}
	return l, nil
}

func connect(reader string) (*link, error) {
	sc, err := scard.EstablishContext()
	if err != nil {
		return nil, err
	}
	card, err := sc.Connect(reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		_ = sc.Release() // what matters is why it cannot be connected
		return nil, err
	}
	l := &link{sc: sc, card: card}
	status, err := card.Status()
	if err != nil {
		l.release(false)
		return nil, err
	}
	l.atr = status.Atr
	return l, nil
}

// translate says an error of PC/SC in the terms of package smartcard.
func translate(err error) error {
	code, ok := errors.AsType[scard.Error](err)
	if !ok {
		return err
	}
	for _, t := range []struct {
		to    error
		codes []scard.Error
	}{
		{smartcard.ErrReset, []scard.Error{scard.ErrResetCard}},
		{smartcard.ErrRemoved, []scard.Error{scard.ErrRemovedCard, scard.ErrUnpoweredCard, scard.ErrCommError, scard.ErrNotTransacted}},
		{smartcard.ErrNoService, []scard.Error{scard.ErrNoService, scard.ErrServiceStopped, scard.ErrInvalidHandle, scard.ErrShutdown, scard.ErrInternalError,
			// QUIRK: pcsc-lite 1.9.9 says this also when it is killed while a program speaks to it.
			scard.ErrSecurityViolation}},
		{smartcard.ErrNoReader, []scard.Error{scard.ErrUnknownReader, scard.ErrReaderUnavailable, scard.ErrNoReadersAvailable}},
		{smartcard.ErrNoCard, []scard.Error{scard.ErrNoSmartcard, scard.ErrUnresponsiveCard}},
		{smartcard.ErrBusy, []scard.Error{scard.ErrSharingViolation}},
	} {
		if slices.Contains(t.codes, code) {
			return fmt.Errorf("%w (%w)", t.to, err)
		}
	}
	return fmt.Errorf("pcsc: %w", err)
}
