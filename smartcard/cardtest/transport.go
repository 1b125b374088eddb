package cardtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/siegel-mail/siegel/smartcard"
)

// Transport is the readers of the rack as package smartcard sees those of PC/SC.
func (r *Rack) Transport() smartcard.Transport { return transport{r} }

type transport struct{ rack *Rack }

// Readers lists the readers.
func (t transport) Readers(ctx context.Context) ([]smartcard.ReaderState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slots, err := t.rack.State()
	if err != nil {
		return nil, translate(err)
	}
	var all []smartcard.ReaderState
	for _, s := range slots {
		all = append(all, smartcard.ReaderState{Name: s.Reader, ATR: s.ATR, Mute: s.Mute, Changes: s.Changes})
	}
	return all, nil
}

// Watch waits for a change.
func (t transport) Watch(ctx context.Context, known []smartcard.ReaderState) ([]smartcard.ReaderState, error) {
	for {
		changed := t.rack.Changed()
		now, err := t.Readers(ctx)
		if err != nil || !slices.EqualFunc(now, known, smartcard.ReaderState.Equal) {
			return now, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Connect opens a line.
func (t transport) Connect(ctx context.Context, reader string) (smartcard.Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := t.rack.Connect(reader)
	if err != nil {
		return nil, translate(err)
	}
	return link{l}, nil
}

// link is a line that errs in the terms of package smartcard.
type link struct{ *Line }

// Begin begins a transaction.
func (l link) Begin(ctx context.Context) error { return translate(l.Line.Begin(ctx)) }

// Transmit sends one command.
func (l link) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := l.Line.Transmit(ctx, command)
	return answer, translate(err)
}

func translate(err error) error {
	for ours, theirs := range map[error]error{ErrNoReader: smartcard.ErrNoReader, ErrNoCard: smartcard.ErrNoCard, ErrReset: smartcard.ErrReset,
		ErrStopped: smartcard.ErrNoService, ErrPulled: smartcard.ErrRemoved} {
		if errors.Is(err, ours) {
			return fmt.Errorf("%w (%w)", theirs, err)
		}
	}
	return err
}
