package ldap

import (
	"bytes"
	"testing"

	"github.com/siegel-mail/siegel/internal/ldapframe"
)

// sequence is an LDAPMessage around what it holds.
func sequence(content ...[]byte) []byte { return element(0x30, bytes.Join(content, nil)) }

func element(tag byte, content []byte) []byte {
	n := len(content)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 1<<8:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	case n < 1<<16:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
	return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, content...)
}

func TestExtendedResult(t *testing.T) {
	result := func(id, tag, code byte) []byte {
		return sequence([]byte{2, 1, id}, element(tag, []byte{10, 1, code, 4, 0, 4, 0}))
	}
	for name, c := range map[string]struct {
		in   []byte
		code int
		ok   bool
	}{
		"success":         {result(1, 0x78, 0), 0, true},
		"refused":         {result(1, 0x78, 52), 52, true},
		"another message": {result(2, 0x78, 0), 0, false},
		"another answer":  {result(1, 0x61, 0), 0, false},
		"empty":           {[]byte{0x30, 0}, 0, false},
		"no result":       {sequence([]byte{2, 1, 1}, element(0x78, nil)), 0, false},
	} {
		if code, ok := extendedResult(c.in); code != c.code || ok != c.ok {
			t.Errorf("%s: %d, %v", name, code, ok)
		}
	}
}

// Whatever answers the wish for TLS: it is read without a fault of ours.
func FuzzExtendedResult(f *testing.F) {
	f.Add(sequence([]byte{2, 1, 1}, element(0x78, []byte{10, 1, 0, 4, 0, 4, 0})))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		message, err := ldapframe.Read(bytes.NewReader(in), messageLimits())
		if err != nil {
			return
		}
		extendedResult(message)
	})
}
