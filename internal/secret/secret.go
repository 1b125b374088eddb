// Package secret holds strings that must never be printed. It does not fetch, store or encrypt them.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
)

// Redacted is what every way of printing a secret gives.
const Redacted = "<secret>"

// String is a secret string: a password, a PIN, a key in text form. However it is printed, formatted or
// marshalled, alone or inside another value, it gives [Redacted], so that neither its text nor whether
// it is empty shows. The zero value is the empty secret. It is immutable and may be used from many
// goroutines at once.
//
// Strings do not compare usefully with ==; use [String.Equal].
type String struct {
	// A pointer, because fmt cannot call methods on an unexported field of a surrounding struct and
	// would print a string kept here; of a pointer it prints the address.
	text *string
}

// New makes a secret of s.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{text: &s}
}

// Reveal returns the secret itself. Its result must not be logged or put into an error.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s String) IsZero() bool { return s.text == nil }

// Equal reports whether the secret is other, in a time that does not depend on where they differ.
func (s String) Equal(other string) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String gives [Redacted].
func (String) String() string { return Redacted }

// GoString gives [Redacted] (fmt's %#v).
func (String) GoString() string { return Redacted }

// Format writes [Redacted] for every verb (fmt.Formatter).
func (String) Format(f fmt.State, _ rune) { io.WriteString(f, Redacted) }

// MarshalText gives [Redacted] (encoding.TextMarshaler).
func (String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON gives [Redacted] as a JSON string (json.Marshaler).
func (String) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalYAML gives [Redacted] (yaml.Marshaler).
func (String) MarshalYAML() (any, error) { return Redacted, nil }
