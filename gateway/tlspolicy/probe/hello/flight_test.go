package hello_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/crypto/cryptobyte"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
)

// message is a handshake message.
func message(kind byte, body ...byte) []byte {
	return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// record puts bytes into a record.
func record(kind byte, body ...byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

// serverHello is one of TLS 1.2 with a suite and extensions.
func serverHello(suite uint16, extensions ...byte) []byte {
	var b cryptobyte.Builder
	b.AddUint16(hello.TLS12)
	b.AddBytes(bytes.Repeat([]byte{7}, 32))
	b.AddUint8(0)
	b.AddUint16(suite)
	b.AddUint8(0)
	if extensions != nil {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(extensions) })
	}
	return message(2, b.BytesOrPanic()...)
}

// Every number that a suite may have is read, whatever comes in however small pieces.
func TestEverySuite(t *testing.T) {
	for suite := range 1 << 16 {
		f, err := hello.Read(bytes.NewReader(record(22, serverHello(uint16(suite))...)), hello.UntilHello)
		if err != nil || f.Hello.Suite != uint16(suite) {
			t.Fatalf("%04x: %v", suite, err)
		}
	}
	var pieces []byte
	for _, b := range serverHello(0xc028, 0, 23, 0, 0) {
		pieces = append(pieces, record(22, b)...)
	}
	f, err := hello.Read(iotest.OneByteReader(bytes.NewReader(pieces)), hello.UntilHello)
	if err != nil || f.Hello.Suite != 0xc028 || !f.Hello.MasterSecret {
		t.Errorf("in pieces: %+v, %v", f.Hello, err)
	}
}

// The record behind the answer stays where it is.
func TestReadsNoMore(t *testing.T) {
	all := bytes.NewReader(append(record(22, append(serverHello(47), message(14)...)...), "rest"...))
	if _, err := hello.Read(all, hello.UntilDone); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(all); string(rest) != "rest" {
		t.Errorf("left: %q", rest)
	}
}

func TestWarnings(t *testing.T) {
	all := slices.Concat(record(21, 1, 112), record(22, message(0)...), record(22, serverHello(47)...), record(20, 1), record(22, message(22, 1)...), record(22, message(14)...))
	f, err := hello.Read(bytes.NewReader(all), hello.UntilDone)
	if err != nil || len(f.Warnings) != 1 || f.Warnings[0].Code != 112 || !f.Stapled {
		t.Errorf("%+v, %v", f, err)
	}
}

// What was read before an answer went wrong is not lost.
func TestPartly(t *testing.T) {
	cert := message(11, 0, 0, 5, 0, 0, 2, 1, 2)
	all := slices.Concat(record(22, slices.Concat(serverHello(47), cert)...), record(21, 2, 80))
	f, err := hello.Read(bytes.NewReader(all), hello.UntilDone)
	var alert *hello.Alert
	if !errors.As(err, &alert) || alert.Code != 80 || f.Hello == nil || len(f.Certificates) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestNoAnswers(t *testing.T) {
	endless := strings.Repeat(string(record(22)), 1000)
	big := record(22, make([]byte, 1<<14)...) // requests for a hello, and nothing else
	for name, c := range map[string]struct {
		said string
		want error
	}{
		"nothing":                   {"", io.EOF},
		"half a head":               {"\x16\x03", io.ErrUnexpectedEOF},
		"half a record":             {"\x16\x03\x03\x00\x09\x02", io.ErrUnexpectedEOF},
		"SMTP":                      {"220 mx.example ESMTP\r\nsecond", hello.ErrNotTLS},
		"a word":                    {"no", hello.ErrNotTLS},
		"HTTP":                      {"HTTP/1.1 400 Bad Request\r\n\r\n", hello.ErrNotTLS},
		"SSL 2.0":                   {"\x80\x2e\x04\x00\x00", hello.ErrNotTLS},
		"a record of another world": {"\x16\x09\x03\x00\x01\x02", hello.ErrNotTLS},
		"application data":          {string(record(23, 1, 2)), hello.ErrMalformed},
		"a long alert":              {string(record(21, 2, 40, 1)), hello.ErrMalformed},
		"a large record":            {"\x16\x03\x03\xff\xff", hello.ErrMalformed},
		"no end of records":         {endless, hello.ErrTooMuch},
		"no end of bytes":           {strings.Repeat(string(big), 40), hello.ErrTooMuch},
		"no end of warnings":        {strings.Repeat(string(record(21, 1, 112)), 1000), hello.ErrTooMuch},
		"a huge message":            {string(record(22, 11, 0xff, 0xff, 0xff)), hello.ErrTooMuch},
		"certificates first":        {string(record(22, message(11, 0, 0, 0)...)), hello.ErrMalformed},
		"two hellos":                {string(record(22, slices.Concat(serverHello(1), serverHello(1))...)), hello.ErrMalformed},
		"two lists":                 {string(record(22, slices.Concat(serverHello(1), message(11, 0, 0, 0), message(11, 0, 0, 0))...)), hello.ErrMalformed},
		"a client's message":        {string(record(22, slices.Concat(serverHello(1), message(16))...)), hello.ErrMalformed},
		"a short hello":             {string(record(22, message(2, 3, 3)...)), hello.ErrMalformed},
		"an extension twice":        {string(record(22, serverHello(1, 0, 23, 0, 0, 0, 23, 0, 0)...)), hello.ErrMalformed},
		"half an extension":         {string(record(22, serverHello(1, 0, 23, 0)...)), hello.ErrMalformed},
		"no version":                {string(record(22, serverHello(1, 0, 43, 0, 1, 3)...)), hello.ErrMalformed},
		"two protocols":             {string(record(22, serverHello(1, 0, 16, 0, 6, 0, 4, 1, 'a', 1, 'b')...)), hello.ErrMalformed},
		"an empty certificate":      {string(record(22, slices.Concat(serverHello(1), message(11, 0, 0, 3, 0, 0, 0))...)), hello.ErrMalformed},
		"half a request":            {string(record(22, slices.Concat(serverHello(1), message(13, 1, 1))...)), hello.ErrMalformed},
	} {
		_, err := hello.Read(strings.NewReader(c.said), hello.UntilDone)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What an administrator who meets another service needs to know is kept.
func TestNotTLS(t *testing.T) {
	_, err := hello.Read(strings.NewReader("220 mx.example ESMTP\r\nsecond"), hello.UntilHello)
	var other *hello.NotTLS
	if !errors.As(err, &other) || string(other.Said) != "220 mx.example ESMTP" || strings.Contains(err.Error(), "mx.example") {
		t.Errorf("%v: %q", err, other.Said)
	}
}

func TestParseKeyExchange(t *testing.T) {
	for name, c := range map[string]struct {
		body    []byte
		how     hello.Agreement
		version uint16
		want    string // empty: an error
	}{
		"a curve":          {[]byte{3, 0, 25, 1, 4, 6, 1, 0, 0}, hello.Agreement{Ephemeral: true, Elliptic: true}, hello.TLS12, "25 [] 0601"},
		"a curve, TLS 1.1": {[]byte{3, 0, 25, 1, 4, 0, 0}, hello.Agreement{Ephemeral: true, Elliptic: true}, hello.TLS11, "25 [] 0000"},
		"nobody signs":     {[]byte{3, 0, 25, 1, 4}, hello.Agreement{Ephemeral: true, Elliptic: true, Anonymous: true}, hello.TLS12, "25 [] 0000"},
		"with a hint":      {[]byte{0, 1, 'h', 3, 0, 25, 1, 4}, hello.Agreement{Ephemeral: true, Elliptic: true, PSK: true}, hello.TLS12, "25 [] 0000"},
		"a hint":           {[]byte{0, 1, 'h'}, hello.Agreement{PSK: true}, hello.TLS12, "0 [] 0000"},
		"a prime":          {[]byte{0, 3, 0, 9, 8, 0, 1, 2, 0, 1, 7, 4, 1}, hello.Agreement{Ephemeral: true}, hello.TLS12, "0 [9 8] 0401"},
		"written out":      {[]byte{1, 0, 25, 1, 4, 6, 1}, hello.Agreement{Ephemeral: true, Elliptic: true}, hello.TLS12, ""},
		"nothing":          {nil, hello.Agreement{Ephemeral: true, Elliptic: true}, hello.TLS12, ""},
		"half a prime":     {[]byte{0, 9, 1}, hello.Agreement{Ephemeral: true}, hello.TLS12, ""},
		"no signature":     {[]byte{3, 0, 25, 1, 4}, hello.Agreement{Ephemeral: true, Elliptic: true}, hello.TLS12, ""},
		"half a hint":      {[]byte{0, 9, 1}, hello.Agreement{PSK: true}, hello.TLS12, ""},
	} {
		k, err := hello.ParseKeyExchange(c.body, c.how, c.version)
		switch got := fmt.Sprintf("%d %v %04x", k.Group, k.Prime, k.Scheme); {
		case c.want == "" && !errors.Is(err, hello.ErrMalformed):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err != nil || got != c.want):
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// No answer makes the reader fail otherwise than by an error of its own, nor take up more than it may.
func FuzzRead(f *testing.F) {
	f.Add(record(22, serverHello(0xc028, 0, 23, 0, 0, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 25)...))
	f.Add(slices.Concat(record(22, serverHello(0xc02f)...), record(22, slices.Concat(message(11, 0, 0, 5, 0, 0, 2, 1, 2), message(12, 3, 0, 25, 1, 4, 6, 1, 0, 0), message(13, 1, 1, 0, 2, 4, 1, 0, 4, 0, 2, 48, 0), message(14))...)))
	f.Add(record(21, 2, 40))
	f.Add([]byte("220 mx.example\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		flight, err := hello.Read(bytes.NewReader(said), hello.UntilDone)
		var alert *hello.Alert
		known := errors.Is(err, hello.ErrMalformed) || errors.Is(err, hello.ErrTooMuch) || errors.Is(err, hello.ErrNotTLS) || errors.As(err, &alert) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !known || err == nil && flight.Hello == nil {
			t.Fatalf("%+v, %v", flight, err)
		}
		size := 0
		for _, c := range flight.Certificates {
			size += len(c)
		}
		if size > len(said) {
			t.Fatalf("%d bytes of certificates out of %d", size, len(said))
		}
		for how := range 16 {
			hello.ParseKeyExchange(flight.KeyExchange, hello.Agreement{Ephemeral: how&1 > 0, Elliptic: how&2 > 0, PSK: how&4 > 0, Anonymous: how&8 > 0}, hello.TLS12)
		}
	})
}
