package ldap

import (
	"bytes"
	"errors"
	"io"
	"testing"
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

func nested(depth int) []byte {
	b := []byte{}
	for range depth {
		b = element(0x30, b)
	}
	return b
}

func TestReadMessage(t *testing.T) {
	small := sequence([]byte{2, 1, 1}, element(0x61, []byte{10, 1, 0, 4, 0, 4, 0}))
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"a small one":          {small, nil},
		"an empty one":         {[]byte{0x30, 0}, nil},
		"a large one":          {sequence(element(4, make([]byte, maxMessage-20))), nil},
		"too large":            {sequence(element(4, make([]byte, maxMessage))), errFrame},
		"said to be 4 GB":      {[]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, errFrame},
		"a length of 5 octets": {[]byte{0x30, 0x85, 0, 0, 0, 0, 1, 0}, errFrame},
		"no length":            {[]byte{0x30, 0x80, 4, 0, 0, 0}, errFrame},
		"no LDAP":              {[]byte("HTTP/1.1 200 OK\r\n"), errFrame},
		"deep":                 {nested(maxDepth), nil},
		"too deep":             {nested(maxDepth + 2), errFrame},
		"too many elements":    {sequence(bytes.Repeat([]byte{5, 0}, maxElements)), errFrame},
		"an element too long":  {sequence([]byte{4, 9, 1}), errFrame},
		"a child too long":     {sequence(element(0x31, []byte{4, 3, 1}), []byte{5, 0}), errFrame},
		"a tag of two octets":  {sequence([]byte{0x1f, 0x22, 0}), errFrame},
		"no length inside":     {sequence([]byte{0x31, 0x80, 0, 0}), errFrame},
		"half a header":        {sequence([]byte{4}), errFrame},
		"cut":                  {small[:5], io.ErrUnexpectedEOF},
		"cut in its length":    {[]byte{0x30, 0x82, 1}, io.ErrUnexpectedEOF},
		"nothing":              {nil, io.EOF},
	} {
		r := bytes.NewReader(append(bytes.Clone(c.in), "what follows"...))
		if errors.Is(c.want, io.EOF) || errors.Is(c.want, io.ErrUnexpectedEOF) {
			r = bytes.NewReader(c.in)
		}
		got, err := readMessage(r)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (!bytes.Equal(got, c.in) || r.Len() != len("what follows")) {
			t.Errorf("%s: %d octets of %d, and %d are left", name, len(got), len(c.in), r.Len())
		}
	}
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

// Whatever comes: what passes is read by the library without a fault of ours, is within the bounds, and is read again the same.
func FuzzReadMessage(f *testing.F) {
	for _, s := range [][]byte{
		sequence([]byte{2, 1, 1}, element(0x78, []byte{10, 1, 0, 4, 0, 4, 0})), nested(5), nested(30), {0x30, 0x80}, {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff},
		sequence([]byte{2, 1, 2}, element(0x64, append(element(4, []byte("cn=a")), element(0x30, element(0x30, append(element(4, []byte("mail")), element(0x31, element(4, []byte("a@b.example")))...)))...))),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		message, err := readMessage(bytes.NewReader(in))
		if err != nil {
			return
		}
		if len(message) > maxMessage+6 || !bytes.HasPrefix(in, message) {
			t.Fatalf("%d octets that were not sent", len(message))
		}
		again, err := readMessage(bytes.NewReader(message))
		if err != nil || !bytes.Equal(again, message) {
			t.Fatalf("read again: %v", err)
		}
		extendedResult(message)
	})
}
