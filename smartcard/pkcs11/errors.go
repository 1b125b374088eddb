package pkcs11

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/smartcard"
)

// outage is an error that may pass by itself.
type outage struct{ text string }

// Error says what is away, and what to do.
func (e *outage) Error() string { return "pkcs11: " + e.text }

// Temporary is true.
func (e *outage) Temporary() bool { return true }

// Errors of what may come back by itself, beside those of package smartcard. Each has the method Temporary, which is true.
var (
	ErrHung    error = &outage{"the module does not return from a call; where this lasts, look at what it speaks to, and restart this program"}
	ErrStart   error = &outage{"the module cannot be initialised; look whether what it speaks to (a service, an HSM) runs, and at its own configuration"}
	ErrTrouble error = &outage{"the token or its module is in trouble"}
)

// told is an error of package smartcard in words for tokens.
type told struct {
	text string
	is   error
}

// Error says it with the name of this package.
func (e *told) Error() string { return "pkcs11: " + e.text }

// Unwrap is the error of package smartcard, which also tells whether it may pass by itself.
func (e *told) Unwrap() error { return e.is }

// Errors of package smartcard, which speak of cards and readers there.
var (
	errNotHere       error = &told{"no such token is there", smartcard.ErrNotHere}
	errNoToken       error = &told{"no token is there", smartcard.ErrNoCard}
	errRemoved       error = &told{"the token is away", smartcard.ErrRemoved}
	errReset         error = &told{"the token has ended the session", smartcard.ErrReset}
	errAmbiguous     error = &told{"more than one token fits", smartcard.ErrAmbiguous}
	errNoCertificate error = &told{"the token holds no such certificate", smartcard.ErrNoCertificate}
)

// Errors that a human must mend.
var (
	ErrModule   = errors.New("pkcs11: this is no PKCS #11 module that can be loaded")
	ErrNoKey    = errors.New("pkcs11: the token holds no private key for this certificate")
	ErrManyKeys = errors.New("pkcs11: more than one private key of the token fits the certificate; give each key and its certificate a CKA_ID of their own")
	errClosed   = errors.New("pkcs11: closed")
)

// translate says an error of a module in the terms of package smartcard, where it has them.
func translate(err error) error {
	e, ok := errors.AsType[*Error](err)
	if _, pin := errors.AsType[*smartcard.PINError](err); pin || !ok {
		return err
	}
	switch e.Code {
	case pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SLOT_ID_INVALID:
		return fmt.Errorf("%w (%w)", errRemoved, err)
	case pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_USER_NOT_LOGGED_IN,
		pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID:
		return fmt.Errorf("%w (%w)", errReset, err)
	case pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_KEY_TYPE_INCONSISTENT,
		pkcs11.CKR_FUNCTION_NOT_SUPPORTED, pkcs11.CKR_ACTION_PROHIBITED, pkcs11.CKR_KEY_SIZE_RANGE:
		return fmt.Errorf("%w (%w)", smartcard.ErrUnsupported, err)
	}
	// All else is the token's or the module's trouble: what needs the key is held until it has passed, or a human has looked.
	return fmt.Errorf("%w (%w)", ErrTrouble, err)
}

// fresh tells errors after which the token is looked for anew, once, in the same call; not those of a PIN, which is not presented twice.
func fresh(err error) bool {
	if _, ok := errors.AsType[*smartcard.PINError](err); ok {
		return false
	}
	return errors.Is(err, smartcard.ErrReset) || errors.Is(err, smartcard.ErrRemoved) || errors.Is(err, ErrTrouble)
}
