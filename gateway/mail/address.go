package mail

import (
	"errors"
	"strings"
)

// Address is a mailbox (RFC 5321, 4.1.2; RFC 6531, 3.3) taken apart: the local part without quoting and
// the domain in lower case. The zero value is the null reverse-path. Addresses compare with ==, but the
// local part keeps its case: see [Address.Key].
type Address struct {
	Local  string
	Domain string
}

// ErrAddress is the error of every address that cannot be read or must not be relayed.
var ErrAddress = errors.New("mail: not a usable address")

// IsNull reports whether a is the null reverse-path.
func (a Address) IsNull() bool { return a == Address{} }

// Key is the address in lower case, for look-ups and comparisons: Siegel treats local parts as
// case-insensitive (RFC 8550, 3 allows it; RFC 5321, 2.4 discourages depending on case).
func (a Address) Key() string { return strings.ToLower(a.String()) }

// ParseAddress reads a mailbox without angle brackets. It refuses what must not be relayed.
func ParseAddress(s string) (Address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 {
		return Address{}, ErrAddress
	}
	return Address{Local: s[:at], Domain: strings.ToLower(s[at+1:])}, nil
}

// String is the mailbox as it stands in a path, quoted where it must be; the null reverse-path is "".
func (a Address) String() string {
	if a.IsNull() {
		return ""
	}
	return a.Local + "@" + a.Domain
}
