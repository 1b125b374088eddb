package smartcard

import (
	"bytes"
	"context"
)

// Transport is the readers that a program can see. Its methods may be called at once. Their errors are ErrNoService, ErrNoReader and
// ErrNoCard, wrapped, and those of the context.
type Transport interface {
	// Readers lists the readers now, in the order in which the service names them.
	Readers(ctx context.Context) ([]ReaderState, error)
	// Watch waits until the readers differ from those in known, and lists them. It does not poll. A card that was pulled and put back
	// meanwhile is a difference; that the service has ended is an error.
	Watch(ctx context.Context, known []ReaderState) ([]ReaderState, error)
	// Connect opens a link to the card in a reader, beside those of other programs.
	Connect(ctx context.Context, reader string) (Link, error)
}

// ReaderState is a reader and what is in it.
type ReaderState struct {
	Name string
	// ATR is the answer to reset of the card; nil where none is in, or where it does not answer.
	ATR []byte
	// Mute tells that a card is in the reader which does not answer: it lies the wrong way, or is broken.
	Mute bool
	// Changes tells two states apart between which a card was pulled and put back.
	Changes int
}

// Link is a connection to one card, used by one goroutine. After ErrReset, ErrRemoved or ErrNoService it is of no more use but for Close.
type Link interface {
	// ATR is the answer to reset of the card.
	ATR() []byte
	// Begin waits until no other link speaks to the card, and keeps others waiting until End.
	Begin(ctx context.Context) error
	// End lets others speak to the card. Without Begin it does nothing.
	End() error
	// Transmit sends one command as octets, and returns the answer with its status word. It keeps no reference to the command. Where it
	// returns an error the card may have carried the command out or not; where the context ended, the link is of no more use.
	Transmit(ctx context.Context, command []byte) ([]byte, error)
	// Close ends the transaction and the link, and leaves the card as it is. A second call does nothing.
	Close() error
}

// Equal tells whether nothing has changed between two states.
func (s ReaderState) Equal(o ReaderState) bool {
	return s.Name == o.Name && bytes.Equal(s.ATR, o.ATR) && s.Mute == o.Mute && s.Changes == o.Changes
}
