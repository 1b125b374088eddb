package mailbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

var (
	errFlood    = errors.New("the server says more than was asked for")
	errStartTLS = errors.New("the server does not begin TLS")
)

// guarded is a connection whose reader may have so many bytes, by such a time. The IMAP library sets times of its own, which are for lines and
// not for answers, and do not count here.
type guarded struct {
	net.Conn
	raw   net.Conn // below TLS: closing it ends everything at once
	left  atomic.Int64
	ahead *bytes.Reader         // read before what comes; only the reader touches it
	why   atomic.Pointer[error] // what ended the reading, which the library does not tell
}

// Read gives bytes while any are allowed. The connection is read ahead, also between commands: what is said then is part of what the next
// command may have.
func (g *guarded) Read(p []byte) (int, error) {
	if g.ahead != nil && g.ahead.Len() > 0 {
		return g.ahead.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := g.Conn.Read(p[:min(int64(len(p)), max(g.left.Load(), 1))])
	if g.left.Add(-int64(n)) < 0 {
		n, err = 0, errFlood
	}
	if err != nil {
		g.why.CompareAndSwap(nil, &err)
	}
	return n, err
}

// ended is why the reading ended; nil where it did not.
func (g *guarded) ended() error {
	if err := g.why.Load(); err != nil {
		return *err
	}
	return nil
}

// SetDeadline does nothing.
func (g *guarded) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (g *guarded) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (g *guarded) SetWriteDeadline(time.Time) error { return nil }

// allow lets a command and its answer have so many bytes, by then.
func (g *guarded) allow(n int64, by time.Time) {
	g.left.Store(n)
	_ = g.Conn.SetDeadline(by)
}

// rest is the time between two commands, which may be long: the handler stores a message.
func (g *guarded) rest() { _ = g.Conn.SetDeadline(time.Time{}) }

// secure makes the connection and TLS over it; whatever the context does ends with the returned function.
func secure(ctx context.Context, s *Server, timeout time.Duration) (*guarded, error) {
	dialing, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := s.Dial(dialing, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(dialing, func() { raw.Close() })
	defer stop()
	if s.StartTLS {
		if err := startTLS(raw); err != nil {
			raw.Close()
			return nil, err
		}
	}
	host, _, _ := net.SplitHostPort(s.Address)
	conn, _, err := s.TLS(dialing, raw, strings.TrimSuffix(host, "."))
	if err != nil {
		raw.Close()
		return nil, err
	}
	g := &guarded{Conn: conn, raw: raw}
	if s.StartTLS {
		g.ahead = bytes.NewReader([]byte("* OK TLS\r\n")) // no greeting comes after TLS, and the library waits for one
	}
	return g, nil
}

// Bounds of what is said before TLS.
const (
	maxPlainLine  = 8 << 10
	maxPlainLines = 100
)

// startTLS asks for TLS (RFC 9051, 6.2.1). It reads byte by byte, so that nothing said in plain text is taken for something said after.
func startTLS(rw io.ReadWriter) error {
	greeting, err := plainLine(rw)
	if err != nil {
		return err
	}
	if word, ok := strings.CutPrefix(greeting, "* "); !ok || !begins(word, "OK") { // PREAUTH means that TLS is not to be had any more
		return errStartTLS
	}
	if _, err := io.WriteString(rw, "S STARTTLS\r\n"); err != nil {
		return err
	}
	for range maxPlainLines {
		line, err := plainLine(rw)
		if err != nil {
			return err
		}
		if answer, ok := strings.CutPrefix(line, "S "); ok {
			if !begins(answer, "OK") {
				return errStartTLS
			}
			return nil
		}
		if !strings.HasPrefix(line, "* ") {
			return errStartTLS
		}
	}
	return errStartTLS
}

// begins tells whether a word stands first, in any case.
func begins(s, word string) bool {
	first, _, _ := strings.Cut(s, " ")
	return strings.EqualFold(first, word)
}

// plainLine reads a line of an answer, without its end.
func plainLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < maxPlainLine; {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, one[0])
	}
	return "", errFlood
}
