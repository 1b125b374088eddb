// Package tlsnames knows the numbers that TLS writes and the names that people give them: versions, cipher suites, groups,
// signature schemes, alerts. It judges none of them and speaks no TLS.
package tlsnames

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknown is wrapped by the errors of the Parse functions: nobody gave this name to anything.
var ErrUnknown = errors.New("unknown name")

// Suite is a cipher suite: its number, the name that IANA registered and the name that OpenSSL uses, which may be empty. From TLS 1.3 on
// OpenSSL uses IANA's names.
type Suite struct {
	ID      uint16
	Name    string
	OpenSSL string
}

// Suites returns all cipher suites with a number of IANA's, those that mean something else (Signal) too, in the order of their numbers.
// The slice is the caller's.
func Suites() []Suite { return slices.Clone(suites[:]) }

// LookupSuite returns the cipher suite with a number.
func LookupSuite(id uint16) (Suite, bool) {
	i, found := slices.BinarySearchFunc(suites[:], id, func(s Suite, id uint16) int { return cmp.Compare(s.ID, id) })
	if !found {
		return Suite{}, false
	}
	return suites[i], true
}

// SuiteName returns IANA's name of a cipher suite; a number that it assigned to none, as in RFC 8701 or of a draft, as 0x0A0A.
func SuiteName(id uint16) string {
	if s, found := LookupSuite(id); found {
		return s.Name
	}
	return hex(id)
}

// ParseSuite returns the number of the cipher suite with one of IANA's or OpenSSL's names, in upper or lower case, or written as in
// 0xC028. The error wraps ErrUnknown.
func ParseSuite(name string) (uint16, error) {
	for i := range suites {
		s := &suites[i]
		if strings.EqualFold(name, s.Name) || s.OpenSSL != "" && strings.EqualFold(name, s.OpenSSL) {
			return s.ID, nil
		}
	}
	for _, other := range otherSuites {
		if strings.EqualFold(name, other.OpenSSL) {
			return other.ID, nil
		}
	}
	if id, ok := number(name); ok {
		return id, nil
	}
	return 0, unknown("cipher suite", name)
}

// otherSuites are names that OpenSSL used before 1.1 and still reads.
var otherSuites = [...]Suite{
	{ID: 0x0013, OpenSSL: "EDH-DSS-DES-CBC3-SHA"},
	{ID: 0x0016, OpenSSL: "EDH-RSA-DES-CBC3-SHA"},
}

// Signal reports whether the number stands among the cipher suites to say something else: RFC 5746, RFC 7507.
func (s Suite) Signal() bool { return strings.HasSuffix(s.Name, "_SCSV") }

// TLS13 reports whether the suite is one of TLS 1.3, which no earlier version has; those of earlier versions are not in TLS 1.3.
func (s Suite) TLS13() bool {
	return s.ID>>8 == 0x13 || s.ID == 0x00C6 || s.ID == 0x00C7 || s.ID == 0xC0B4 || s.ID == 0xC0B5 || s.ID >= 0xC103 && s.ID <= 0xC106
}

// TLS12 reports whether the suite came with TLS 1.2 and is not in TLS 1.1 and before: it authenticates the records itself or uses
// SHA-256 and beyond. RFC 5246, 5
func (s Suite) TLS12() bool {
	return !s.TLS13() && !s.Signal() && (s.AEAD() || strings.HasSuffix(s.Name, "_SHA256") || strings.HasSuffix(s.Name, "_SHA384"))
}

// AEAD reports whether the suite encrypts and authenticates the records in one.
func (s Suite) AEAD() bool {
	for _, mode := range []string{"_GCM", "_CCM", "_POLY1305", "_AEGIS", "_MGM"} {
		if strings.Contains(s.Name, mode) {
			return true
		}
	}
	return false
}

// KeyExchange returns how the key is agreed and who vouches for it, as the name of the suite has it: ECDHE_RSA, RSA, DHE_PSK. It is empty
// for suites of TLS 1.3, which leave that open.
func (s Suite) KeyExchange() string {
	before, _, found := strings.Cut(strings.TrimPrefix(s.Name, "TLS_"), "_WITH_")
	if !found {
		return ""
	}
	return before
}

// Authentication returns the kind of key that the server's certificate must have: RSA, ECDSA, DSS; empty where the suite leaves it open or
// asks for no certificate. The ECDH_ suites, which nobody uses, need a key on a curve: ECDSA.
func (s Suite) Authentication() string {
	switch kx := s.KeyExchange(); {
	case kx == "RSA", kx == "RSA_EXPORT", kx == "DHE_RSA", kx == "DHE_RSA_EXPORT", kx == "ECDHE_RSA", kx == "RSA_PSK", kx == "SRP_SHA_RSA":
		return "RSA"
	case strings.HasSuffix(kx, "_ECDSA"), kx == "ECDH_RSA":
		return "ECDSA"
	case strings.Contains(kx, "DSS"):
		return "DSS"
	}
	return ""
}

// ForwardSecret reports whether each connection gets keys that the server's long-lived key does not give away later.
func (s Suite) ForwardSecret() bool {
	kx := s.KeyExchange()
	return s.TLS13() || strings.HasPrefix(kx, "ECDHE_") || strings.HasPrefix(kx, "DHE_") || strings.HasPrefix(kx, "ECCPWD")
}

// unknown is the error for a name that nobody gave.
func unknown(what, name string) error {
	return fmt.Errorf("tlsnames: %w of a %s: %.80q", ErrUnknown, what, name)
}

// hex writes a number as IANA's tables and OpenSSL's option -V do.
func hex(id uint16) string { return fmt.Sprintf("0x%04X", id) }

// number reads what hex writes.
func number(s string) (uint16, bool) {
	var id uint16
	if len(s) != 6 || s[0] != '0' || s[1] != 'x' && s[1] != 'X' {
		return 0, false
	}
	for _, c := range []byte(s[2:]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, false
		}
		id = id<<4 | uint16(digit)
	}
	return id, true
}
