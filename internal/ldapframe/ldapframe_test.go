package ldapframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// limits are those of the tests.
func limits() Limits { return Limits{Message: 1 << 20, Elements: 1000, Depth: 20} }

// message is an LDAPMessage around what it holds.
func message(content ...[]byte) []byte { return element(sequence, bytes.Join(content, nil)) }

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
		b = element(sequence, b)
	}
	return b
}

func TestRead(t *testing.T) {
	small := message([]byte{2, 1, 1}, element(0x61, []byte{10, 1, 0, 4, 0, 4, 0}))
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"a small one":          {small, nil},
		"an empty one":         {[]byte{0x30, 0}, nil},
		"a large one":          {message(element(4, make([]byte, 1<<20-10))), nil},
		"too large":            {message(element(4, make([]byte, 1<<20))), ErrTooLong},
		"said to be 4 GB":      {[]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, ErrTooLong},
		"a length of 5 octets": {[]byte{0x30, 0x85, 0, 0, 0, 0, 1, 0}, ErrTooLong},
		"no length":            {[]byte{0x30, 0x80, 4, 0, 0, 0}, ErrFrame},
		"no LDAP":              {[]byte("HTTP/1.1 200 OK\r\n"), ErrFrame},
		"deep":                 {nested(limits().Depth), nil},
		"too deep":             {nested(limits().Depth + 1), ErrFrame},
		"too many elements":    {message(bytes.Repeat([]byte{5, 0}, limits().Elements)), ErrFrame},
		"an element too long":  {message([]byte{4, 9, 1}), ErrFrame},
		"a child too long":     {message(element(0x31, []byte{4, 3, 1}), []byte{5, 0}), ErrFrame},
		"a tag of two octets":  {message([]byte{0x1f, 0x22, 0}), ErrFrame},
		"no length inside":     {message([]byte{0x31, 0x80, 0, 0}), ErrFrame},
		"half a header":        {message([]byte{4}), ErrFrame},
		"cut":                  {small[:5], io.ErrUnexpectedEOF},
		"cut in its length":    {[]byte{0x30, 0x82, 1}, io.ErrUnexpectedEOF},
		"nothing":              {nil, io.EOF},
	} {
		r := bytes.NewReader(append(bytes.Clone(c.in), "what follows"...))
		if errors.Is(c.want, io.EOF) || errors.Is(c.want, io.ErrUnexpectedEOF) {
			r = bytes.NewReader(c.in)
		}
		got, err := Read(r, limits())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (!bytes.Equal(got, c.in) || r.Len() != len("what follows")) {
			t.Errorf("%s: %d octets of %d, and %d are left", name, len(got), len(c.in), r.Len())
		}
	}
}

// served is a connection on which a peer says all of said, and then nothing.
func served(t *testing.T, said []byte) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() {
		theirs.Write(said)
		theirs.Close()
	}()
	return New(ours, limits())
}

// What was allowed is handed on octet by octet as it came.
func TestConn(t *testing.T) {
	said := append(message([]byte{2, 1, 1}), message([]byte{2, 1, 2}, element(0x61, make([]byte, 300)))...)
	c := served(t, said)
	c.Allow(2, int64(len(said)))
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
	got, err := io.ReadAll(iotest.OneByteReader(c))
	if err != nil || !bytes.Equal(got, said) {
		t.Errorf("%d octets of %d, %v", len(got), len(said), err)
	}
	if !errors.Is(c.Err(), io.EOF) {
		t.Errorf("the end: %v", c.Err())
	}
}

// What was not allowed is not handed on, nor is a message of which a part cannot be taken.
func TestConnBounds(t *testing.T) {
	one := message([]byte{2, 1, 1})
	for name, c := range map[string]struct {
		said     []byte
		messages int
		octets   int64
		whole    int // messages that arrive
		want     error
	}{
		"nothing is allowed": {one, 0, 100, 0, ErrTooMuch},
		"no octet is":        {one, 1, 0, 0, ErrTooMuch},
		"one octet less":     {one, 1, int64(len(one)) - 1, 0, ErrTooMuch},
		"one message less":   {bytes.Repeat(one, 3), 2, 100, 2, ErrTooMuch},
		"no LDAP behind one": {append(bytes.Clone(one), "HTTP/1.1"...), 5, 100, 1, ErrFrame},
		"cut behind one":     {append(bytes.Clone(one), one[:4]...), 5, 100, 1, io.ErrUnexpectedEOF},
	} {
		conn := served(t, c.said)
		conn.Allow(c.messages, c.octets)
		got, err := io.ReadAll(conn)
		if !errors.Is(err, c.want) || !errors.Is(conn.Err(), c.want) || len(got) != c.whole*len(one) {
			t.Errorf("%s: %d octets, %v, %v", name, len(got), err, conn.Err())
		}
	}
}

// A message that may not come is refused by its length: nothing behind that is waited for.
func TestConnRefusesEarly(t *testing.T) {
	for want, c := range map[error]struct{ announced, allowed int }{ErrTooMuch: {1 << 10, 1000}, ErrTooLong: {1<<20 + 1, 1 << 30}} {
		ours, theirs := net.Pipe()
		conn := New(ours, limits())
		conn.Allow(1, int64(c.allowed))
		go theirs.Write(binary.BigEndian.AppendUint32([]byte{sequence, 0x84}, uint32(c.announced)))
		if _, err := conn.Read(make([]byte, 10)); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		ours.Close()
		theirs.Close()
	}
}

// A connection that we close is no fault of the peer.
func TestConnClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := New(raw, limits())
	c.Allow(1, 100)
	c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || c.Err() != nil {
		t.Errorf("%v, and the fault is %v", err, c.Err())
	}
}

// Whatever comes: what passes is read by the library without a fault of ours, is within the bounds, and is read again the same.
func FuzzRead(f *testing.F) {
	for _, s := range [][]byte{
		message([]byte{2, 1, 1}, element(0x78, []byte{10, 1, 0, 4, 0, 4, 0})), nested(5), nested(30), {0x30, 0x80}, {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff},
		message([]byte{2, 1, 2}, element(0x64, append(element(4, []byte("cn=a")), element(0x30, element(0x30, append(element(4, []byte("mail")), element(0x31, element(4, []byte("a@b.example")))...)))...))),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Read(bytes.NewReader(in), limits())
		if err != nil {
			return
		}
		if len(got) > limits().Message+maxHead || !bytes.HasPrefix(in, got) {
			t.Fatalf("%d octets that were not sent", len(got))
		}
		again, err := Read(bytes.NewReader(got), limits())
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("read again: %v", err)
		}
	})
}
