package mail

import (
	"fmt"
	"strings"
)

// TLSLevel is how much TLS a message demands of each hop that it is handed to, whatever the way asks for. It lowers nothing.
type TLSLevel string

// The levels, weakest first.
const (
	TLSAsRouted TLSLevel = ""         // what the way asks for
	TLSRequired TLSLevel = "required" // TLS, with any certificate
	TLSVerified TLSLevel = "verified" // TLS with a server that proves who it is
)

// ParseTLSLevel reads a level without regard to case; the empty text is TLSAsRouted.
func ParseTLSLevel(s string) (TLSLevel, error) {
	l := TLSLevel(strings.ToLower(strings.TrimSpace(s)))
	if l.rank() < 0 {
		return "", fmt.Errorf("mail: %.50q is no level of TLS; write required or verified", s)
	}
	return l, nil
}

// UnmarshalText reads a level as [ParseTLSLevel] does.
func (l *TLSLevel) UnmarshalText(text []byte) (err error) {
	*l, err = ParseTLSLevel(string(text))
	return err
}

// rank orders levels by strength; it is negative for what is no level.
func (l TLSLevel) rank() int {
	switch l {
	case TLSAsRouted:
		return 0
	case TLSRequired:
		return 1
	case TLSVerified:
		return 2
	}
	return -1
}

// Raise is the stronger of two levels.
func (l TLSLevel) Raise(to TLSLevel) TLSLevel {
	if to.rank() > l.rank() {
		return to
	}
	return l
}
