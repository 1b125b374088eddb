package demail

import (
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// Errors of what is not as the guideline has it.
var (
	// ErrAddress is for a text that is no De-Mail address.
	ErrAddress = errors.New("demail: not a De-Mail address")
	// ErrHeader is for a header that cannot be read: a line that is no field, line ends that are not CRLF.
	ErrHeader = errors.New("demail: not a header")
	// ErrField is for a field whose value the guideline does not have; it is always in a *FieldError.
	ErrField = errors.New("demail: not the value of such a field")
	// ErrLimit is for what is larger than anything that belongs here.
	ErrLimit = errors.New("demail: over a limit")
	// ErrConfirmation is for a message that is not the confirmation or notification that it claims to be.
	ErrConfirmation = errors.New("demail: not a confirmation or notification")
	// ErrOptions is for options that a sender may not use, or not together.
	ErrOptions = errors.New("demail: these options are not allowed")
	// ErrNeedsPrivate is for a confirmation of retrieve without private; it comes with ErrOptions.
	ErrNeedsPrivate = errors.New("a confirmation of retrieve goes with private only")
	// ErrPseudonym is for what no pseudonym may ask for; it comes with ErrOptions.
	ErrPseudonym = errors.New("nothing is sent as authoritative from a pseudonym")
	// ErrKey is for a key that cannot sign as it was asked to.
	ErrKey = errors.New("demail: the key cannot sign so")
)

// FieldError says which field is wrong. Of the value, which is a stranger's text, it holds a short and printable piece at most, and of a
// subject nothing.
type FieldError struct {
	Field   string // its name as the guideline writes it
	Problem string
}

// Error says which field, and what is wrong with it.
func (e *FieldError) Error() string { return "demail: " + e.Field + ": " + e.Problem }

// Unwrap is ErrField.
func (e *FieldError) Unwrap() error { return ErrField }

func fieldError(name, format string, args ...any) error {
	return &FieldError{Field: name, Problem: fmt.Sprintf(format, args...)}
}

// quote makes a stranger's text fit for an error.
func quote(s string) string { return `"` + safetext.Line(s, 60) + `"` }
