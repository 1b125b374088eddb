package connectors

import (
	"errors"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// The errors, in the terms of a provider. Every error of a Provider wraps exactly one of the first seven, and where it is said there ErrNotFound or ErrUnsupported.
var (
	// ErrUnavailable: the provider, the way to it, or the card that opens it is away, or what it says makes no sense. Trying later may help.
	ErrUnavailable = errors.New("connectors: the provider is not available")
	// ErrRejected: the provider refuses this message, or this request, for good.
	ErrRejected = errors.New("connectors: the provider refused it")
	// ErrNoSuchAddress: an address does not exist, or cannot be reached as the options want; Addresses of the *Error tell which.
	ErrNoSuchAddress = errors.New("connectors: no such De-Mail address")
	// ErrNotEntitled: the account may not do this, such as use an option, or send from an address; or not at present, such as send more
	// today: then After of the *Error is set.
	ErrNotEntitled = errors.New("connectors: the account is not entitled to this")
	// ErrTooLarge: the message is larger than the provider takes.
	ErrTooLarge = errors.New("connectors: the message is too large")
	// ErrLogin: the provider does not let the account in. A person has to mend that; more tries may lock it.
	ErrLogin = errors.New("connectors: the provider does not let the account in")
	// ErrInDoubt: what became of it is not known, and it must not be done again before that is.
	ErrInDoubt = errors.New("connectors: it is not known whether the provider has taken the message")
	// ErrNotFound: no message of this key was taken.
	ErrNotFound = errors.New("connectors: the provider has no such message")
	// ErrUnsupported: this way to the provider has no such request. It is Lookup's alone.
	ErrUnsupported = errors.New("connectors: there is no such request on this way to the provider")
	// ErrLeave is for a Handler: this message stays at the provider, and Fetch goes on with the next one.
	ErrLeave = errors.New("connectors: left for the next time")
)

// Error is what a provider said.
type Error struct {
	Class     error            // one of the errors of this package; nil counts as ErrInDoubt
	Code      string           // the provider's own, if any
	Text      string           // in its words, or ours; a stranger's text
	Addresses []demail.Address // those that it is about, if any
	After     time.Duration    // when the provider wants to be asked again; zero where it does not say
	Err       error            // what lies behind it; may be nil. It is not printed: it may hold what was sent
}

// Error is one line that is safe to print: the class, the code and the text.
func (e *Error) Error() string {
	parts := []string{e.class().Error()}
	if e.Code != "" {
		parts = append(parts, safetext.Line(e.Code, 60))
	}
	if e.Text != "" {
		parts = append(parts, safetext.Line(e.Text, 300))
	}
	for i, a := range e.Addresses {
		if i == 3 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ": ")
}

// class is the careful one where it was forgotten.
func (e *Error) class() error {
	if e.Class == nil {
		return ErrInDoubt
	}
	return e.Class
}

// Unwrap is the class, and what lies behind.
func (e *Error) Unwrap() []error {
	errs := []error{e.class()}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Class tells which of the errors of this package it is; nil where it is none. One that is several, since something lies behind it, is what
// it says first: of an *Error its Class.
func Class(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.class()
	}
	for _, class := range []error{ErrInDoubt, ErrLogin, ErrNoSuchAddress, ErrNotEntitled, ErrTooLarge, ErrRejected, ErrNotFound, ErrUnavailable, ErrUnsupported, ErrLeave} {
		if errors.Is(err, class) {
			return class
		}
	}
	return nil
}

// Outcome is what an error of Submit means to who called it.
type Outcome int

// The outcomes. The zero one is the careful one.
const (
	Doubtful Outcome = iota // hold it: Find, a confirmation or a person tells
	Taken                   // it is the provider's now
	Later                   // it was not taken; try again
	Never                   // it was not taken; tell the sender
	Mend                    // it was not taken; nothing of this account will be, until a person has mended it
)

// OutcomeOf tells what an error of Submit means. An error that is none of this package, such as a bug makes, is in doubt.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Taken
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Class == ErrNotEntitled && e.After > 0 {
		return Later
	}
	switch Class(err) {
	case ErrUnavailable:
		return Later
	case ErrRejected, ErrNoSuchAddress, ErrNotEntitled, ErrTooLarge:
		return Never
	case ErrLogin:
		return Mend
	}
	return Doubtful
}

// Unsent is the error for what failed before anything reached the provider: of the class that cause has, else ErrUnavailable.
func Unsent(cause error, text string) error {
	class := Class(cause)
	if class == nil || class == ErrInDoubt {
		class = ErrUnavailable
	}
	return &Error{Class: class, Text: text, Err: cause}
}

// Lost is the error for what failed after the provider may have taken the message: ErrInDoubt, whatever the cause.
func Lost(cause error, text string) error {
	return &Error{Class: ErrInDoubt, Text: text, Err: cause}
}
