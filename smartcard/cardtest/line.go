package cardtest

import (
	"context"
	"errors"
)

// Line is a connection of one program to a card in a rack. One goroutine uses it.
type Line struct {
	rack   *Rack
	slot   *slot
	stay   *stay
	resets int  // of the card, when the line was opened
	ours   bool // the turn is, from Begin to End
}

// Connect opens a line to the card in a reader, beside those of other programs.
func (r *Rack) Connect(reader string) (*Line, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, ErrStopped
	}
	s, err := r.find(reader)
	if err != nil {
		return nil, err
	}
	if s.stay == nil {
		return nil, ErrNoCard
	}
	return &Line{rack: r, slot: s, stay: s.stay, resets: s.stay.resets}, nil
}

// ATR is the answer to reset of the card.
func (l *Line) ATR() []byte { return l.stay.card.ATR() }

// state says why the line cannot be used; nil where it can.
func (l *Line) state() error {
	l.rack.mu.Lock()
	defer l.rack.mu.Unlock()
	switch {
	case l.rack.stopped:
		return ErrStopped
	case l.slot.stay != l.stay:
		return ErrPulled
	case l.stay.resets != l.resets:
		return ErrReset
	}
	return nil
}

// Begin waits until no other line speaks to the card, and keeps others waiting until End.
func (l *Line) Begin(ctx context.Context) error {
	if l.ours {
		return errors.New("cardtest: the transaction has begun already")
	}
	if err := l.take(ctx); err != nil {
		return err
	}
	l.ours = true
	return nil
}

// End lets others speak to the card. Without Begin it does nothing.
func (l *Line) End() error {
	if l.ours {
		l.ours = false
		l.slot.turn <- struct{}{}
	}
	return nil
}

func (l *Line) take(ctx context.Context) error {
	if err := l.state(); err != nil {
		return err
	}
	select {
	case <-l.slot.turn:
	case <-l.stay.pulled:
		return l.gone()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.state(); err != nil {
		l.slot.turn <- struct{}{}
		return err
	}
	return nil
}

// gone is why a card that was there is not any more.
func (l *Line) gone() error {
	if err := l.state(); err != nil {
		return err
	}
	return ErrPulled
}

// Transmit sends one command; outside a transaction it waits for those of others. The answer has the status word at its end. Where ctx
// ends first, or the card is pulled, the card may have carried the command out or not, and keeps others waiting until it has.
func (l *Line) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if !l.ours {
		if err := l.take(ctx); err != nil {
			return nil, err
		}
	} else if err := l.state(); err != nil {
		return nil, err
	}
	ours := l.ours
	l.ours = false // until the card has answered
	command = append([]byte{}, command...)
	answer := make(chan []byte, 1)
	go func() {
		a := l.stay.card.Transmit(command)
		if a == nil {
			l.rack.pulled(l.slot, l.stay)
		}
		answer <- a
		if !ours {
			l.slot.turn <- struct{}{}
		}
	}()
	select {
	case a := <-answer:
		l.ours = ours
		if a == nil {
			return nil, ErrPulled
		}
		if err := l.state(); err != nil { // reset while it was carried out
			return nil, err
		}
		return a, nil
	case <-l.stay.pulled:
		l.later(ours, answer)
		return nil, l.gone()
	case <-ctx.Done():
		l.later(ours, answer)
		return nil, ctx.Err()
	}
}

// later gives the turn of a transaction back when the card has answered what nobody waits for any more.
func (l *Line) later(ours bool, answer <-chan []byte) {
	if ours {
		go func() { <-answer; l.slot.turn <- struct{}{} }()
	}
}

// pulled empties the reader where a fault has pulled the card.
func (r *Rack) pulled(s *slot, was *stay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.stay == was {
		r.exchange(s, nil)
	}
}

// Close ends the line and its transaction. A second call does nothing.
func (l *Line) Close() error { return l.End() }
