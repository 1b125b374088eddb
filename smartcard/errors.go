package smartcard

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/smartcard/internal/padding"
)

// outage is an error that may pass by itself: what needs the card is held, not failed.
type outage struct{ text string }

// Error says what is away, and what to do.
func (e *outage) Error() string { return "smartcard: " + e.text }

// Temporary is true.
func (e *outage) Temporary() bool { return true }

// Errors of what may come back by itself. Each has the method Temporary, which is true.
var (
	ErrRemoved   error = &outage{"the card was pulled, or its reader was"}
	ErrReset     error = &outage{"another program has reset the card"}
	ErrNoService error = &outage{"the service for smart cards (pcscd) does not run; start it, and see that this user may use it"}
	ErrNoReader  error = &outage{"the reader is not there; look at its cable, or at the USB server it is on"}
	ErrNoCard    error = &outage{"no card is in the reader"}
	ErrNotHere   error = &outage{"no such card is in any reader"}
	ErrBusy      error = &outage{"too many are waiting for the card"}
)

// Errors that a human must mend.
var (
	ErrUnknownCard    = errors.New("smartcard: the card is of no family that is known")
	ErrAmbiguous      = errors.New("smartcard: more than one card fits; name its serial number, or its reader where two cards are alike")
	ErrNoCertificate  = errors.New("smartcard: the card holds no such certificate")
	ErrNonRepudiation = errors.New("smartcard: the key binds its holder by what it signs (non-repudiation), and is used only where it was named for that")
	ErrUnsupported    = padding.ErrUnsupported
	ErrAnswer         = errors.New("smartcard: the card's answer makes no sense")
	ErrDecryption     = padding.ErrDecryption
	errClosed         = errors.New("smartcard: closed")
)

// Temporary tells whether the error may pass by itself: the card is away, or its turn has not come in time.
func Temporary(err error) bool {
	if t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err); ok {
		return t.Temporary()
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Reason is why a PIN was not presented, or not accepted.
type Reason int

// The reasons.
const (
	PINMissing     Reason = iota // none is configured, or it is empty
	PINForm                      // too short, too long, or of other characters than the card takes
	PINRefused                   // by the card, now
	PINRefusedOnce               // by the card, some time ago; it was not presented
	PINFewTries                  // fewer than three tries are left; it was not presented
	PINBlocked                   // no try is left
	PINNull                      // the holder has not set one yet (NullPIN)
	PINTransport                 // the card still has the PIN it was sent with
	PINNoCounter                 // the card does not say how many tries are left; it was not presented
	PINUnsettled                 // what became of the try is not known: the card went away, or its answer was garbled
	PINMemory                    // what is remembered of PINs could not be read or written; it was not presented
	PINNotHere                   // the card has no PIN of this number
	PINDoubtful                  // the answer to it was lost some time ago, and it may have been refused; it was not presented
	PINUnreadable                // what is configured cannot be read now; it was not presented
	PINNewForm                   // the new one is too short, too long, or of other characters than the card takes; nothing was presented
	PUKRefused                   // by the card, now
	PUKBlocked                   // no try is left for the PUK
)

// PINError says why a PIN does not open a key. It never holds the PIN.
type PINError struct {
	Card   Identity
	PIN    PIN
	Reason Reason
	Tries  int   // that are left; -1 where that is not known
	Err    error // what lies behind it; may be nil
	Token  bool  // the card is a token of a PKCS#11 module, about whose PIN other things are to be done
}

// Error says what has happened and what to do.
func (e *PINError) Error() string {
	text := fmt.Sprintf("smartcard: %s of card %s: %s", e.PIN, e.Card, e.Reason.text(e.PIN))
	if e.Token {
		text = fmt.Sprintf("smartcard: %s of token %s: %s", e.PIN, e.Card, e.Reason.tokenText(e.PIN))
	}
	if e.Tries >= 0 {
		text += fmt.Sprintf(" (tries left: %d)", e.Tries)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap is what lies behind it.
func (e *PINError) Unwrap() error { return e.Err }

// Temporary tells whether the error may pass by itself: the PIN or what is remembered of it comes from elsewhere, or the counter will tell
// what became of a try. All others need a human.
func (e *PINError) Temporary() bool {
	return e.Reason == PINUnsettled || e.Reason == PINUnreadable || e.Reason == PINMemory
}

func (p PIN) characters() string {
	if p.Digits {
		return "digits"
	}
	return "characters"
}

func (r Reason) text(p PIN) string {
	switch r {
	case PINMissing:
		return "none is configured; name it in the configuration of this card"
	case PINForm:
		return fmt.Sprintf("what is given cannot be it: it has %d to %d %s. A shorter one may be the transport PIN of the letter that came with the card: its holder sets the real one first by \"siegel smartcard change-pin\"", p.Min, p.Max, p.characters())
	case PINRefused:
		return "the card has refused it, and it will not be presented again; configure the right one"
	case PINRefusedOnce:
		return "the card has refused this one before, so it was not presented; configure the right one, or say by \"siegel smartcard unlock\" that it is right now"
	case PINFewTries:
		return "it was not presented, since fewer than three tries are left; present the right one once by \"siegel smartcard unlock\""
	case PINBlocked:
		return "blocked; its holder unblocks it with the PUK by \"siegel smartcard unlock --puk\""
	case PINNull:
		return "none has been set yet (NullPIN); its holder sets one by \"siegel smartcard change-pin\""
	case PINTransport:
		return "the card still has its transport PIN; its holder sets the real one by \"siegel smartcard change-pin\""
	case PINNoCounter:
		return "it was not presented, since the card does not say how many tries are left; where another program has opened it, pull the card and put it back"
	case PINUnsettled:
		return "the card went away or gave no clear answer while it was presented; its counter will tell"
	case PINMemory:
		return "it was not presented, since what is remembered of refused PINs cannot be read or written"
	case PINDoubtful:
		return "the card went away while it was presented some time ago, and whether it was refused cannot be known any more, so it was not presented; see that it is right, and present it once by \"siegel smartcard unlock\""
	case PINUnreadable:
		return "what is configured cannot be read now, so it was not presented"
	case PINNewForm:
		return fmt.Sprintf("the new one must have %d to %d %s; nothing was presented", p.Min, p.Max, p.characters())
	case PUKRefused:
		return "the card has refused its PUK; look it up before the next try: a card whose PUK is blocked is lost"
	case PUKBlocked:
		return "its PUK is blocked; only who issued the card can help, often by a new one"
	}
	return "the card has no PIN of this number; correct pin_reference of this card"
}
