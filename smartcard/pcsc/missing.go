//go:build !cgo && !windows

package pcsc

import (
	"context"
	"errors"

	"github.com/siegel-mail/siegel/smartcard"
)

// ErrMissing says that this program cannot reach smart cards.
var ErrMissing = errors.New("pcsc: this program was built without PC/SC (CGO_ENABLED=0); take one that was built with it to use smart cards")

// Available tells whether this program was built with PC/SC.
const Available = false

// New is a transport that says ErrMissing.
func New() smartcard.Transport { return missing{} }

type missing struct{}

// Readers implements smartcard.Transport.
func (missing) Readers(context.Context) ([]smartcard.ReaderState, error) { return nil, ErrMissing }

// Watch implements smartcard.Transport.
func (missing) Watch(context.Context, []smartcard.ReaderState) ([]smartcard.ReaderState, error) {
	return nil, ErrMissing
}

// Connect implements smartcard.Transport.
func (missing) Connect(context.Context, string) (smartcard.Link, error) { return nil, ErrMissing }
