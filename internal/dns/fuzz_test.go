package dns_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/dns"
)

// hostile is a connection to a server that answers every query with its own question and what is given: the
// flags, the counts of the three sections, and the bytes that should be those sections.
type hostile struct {
	net.Conn
	rest  []byte
	reply *bytes.Reader
}

func (h *hostile) Write(b []byte) (int, error) {
	query := b[2:] // after the length that a stream has
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	head := append(bytes.Clone(h.rest), make([]byte, 8)...)[:8]
	m := append([]byte{query[0], query[1], head[0] | 0x80, head[1], 0, 1}, head[2:8]...)
	m = append(m, query[12:end+5]...)
	m = append(m, h.rest[min(8, len(h.rest)):]...)
	h.reply = bytes.NewReader(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
	return len(b), nil
}

func (h *hostile) Read(b []byte) (int, error) {
	if h.reply == nil {
		return 0, io.EOF
	}
	return h.reply.Read(b)
}

func (h *hostile) Close() error                { return nil }
func (h *hostile) SetDeadline(time.Time) error { return nil }

// Whatever a server sends, look-ups end, with host names where host names are promised and with an error of one
// class otherwise.
func FuzzReply(f *testing.F) {
	mx := "\x80\x80\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x0f\x00\x01\x00\x00\x01\x2c\x00\x09\x00\x0a\x04mail\xc0\x0c"
	cname := "\x80\x80\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x02\xc0\x0c"
	txt := "\x80\x80\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x10\x00\x01\x00\x00\x01\x2c\x00\x05\x04v=\xff\\"
	for _, s := range []string{"", mx, cname, txt, "\x82\x83", "\x80\x02", "\x80\x85\xff\xff", mx[:len(mx)-3], strings.Repeat("\xc0\x0c", 50)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		if len(rest) > 60_000 {
			return
		}
		r, err := dns.New(dns.Options{
			Servers: []string{"127.0.0.1"}, Attempts: 1, Timeout: time.Second,
			Dial: func(context.Context, string, string) (net.Conn, error) { return &hostile{rest: rest}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		route, err := r.LookupMX(t.Context(), "a.example")
		checkClass(t, err)
		for _, h := range route.Hosts {
			if name, err := dns.Name(h.Host); err != nil || name != h.Host {
				t.Errorf("MX %q", h.Host)
			}
		}
		if err == nil && len(route.Hosts) == 0 {
			t.Error("a route to nowhere")
		}
		_, err = r.LookupTXT(t.Context(), "a.example")
		checkClass(t, err)
		_, err = r.LookupHost(t.Context(), "a.example")
		checkClass(t, err)
		_, err = r.LookupTLSA(t.Context(), 25, "a.example")
		checkClass(t, err)
		_, err = r.ConfirmedNames(t.Context(), netip.MustParseAddr("192.0.2.1"))
		checkClass(t, err)
	})
}

func checkClass(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	n := 0
	for _, class := range []error{dns.ErrNotFound, dns.ErrTemporary, dns.ErrBogus, dns.ErrName, dns.ErrNullMX, dns.ErrNoHost} {
		if errors.Is(err, class) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%v is of %d classes", err, n)
	}
}
