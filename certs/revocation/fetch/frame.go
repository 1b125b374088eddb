package fetch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Bounds of an LDAPMessage (RFC 4511, 4.1.1) beside its size.
const (
	maxElements = 1000
	maxDepth    = 12
	maxMessages = 2 * maxEntries
)

var errFrame = errors.New("what the directory sends cannot be taken")

// framed hands whole messages on, each of which was looked at: the library takes every length it reads for true, and makes room
// for it.
type framed struct {
	net.Conn
	in       *bufio.Reader
	ready    []byte
	left     int64 // bytes that may still come
	messages int

	mu    sync.Mutex
	fault error
}

func newFramed(c net.Conn, limit int64) *framed {
	return &framed{Conn: c, in: bufio.NewReader(c), left: limit}
}

// err is why reading ended.
func (f *framed) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// Read is net.Conn. One goroutine of the library calls it.
func (f *framed) Read(p []byte) (int, error) {
	if len(f.ready) == 0 {
		message, err := f.next()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				f.mu.Lock()
				f.fault = err
				f.mu.Unlock()
			}
			return 0, err
		}
		f.ready = message
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// next reads one message.
func (f *framed) next() ([]byte, error) {
	if f.messages++; f.messages > maxMessages {
		return nil, fmt.Errorf("%w: too many messages", errFrame)
	}
	head, err := f.in.Peek(2)
	if err != nil {
		return nil, err
	}
	if more := int(head[1] & 0x7f); head[1] > 0x80 && more <= 4 {
		if head, err = f.in.Peek(2 + more); err != nil {
			return nil, err
		}
	}
	header, length, ok := element(head)
	total := int64(header) + length
	switch {
	case !ok || head[0] != 0x30:
		return nil, fmt.Errorf("%w: it is no LDAP", errFrame)
	case total > f.left:
		return nil, fmt.Errorf("%w: more than may come", ErrTooBig)
	}
	f.left -= total
	message, err := io.ReadAll(io.LimitReader(f.in, total)) // grows as bytes come, not as they are promised
	if err == nil && int64(len(message)) < total {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	budget := maxElements
	if !nested(message, 0, &budget) {
		return nil, fmt.Errorf("%w: it is no LDAP", errFrame)
	}
	return message, nil
}

// element reads the head of an element with a definite length: how long the head is, and the content.
func element(b []byte) (header int, length int64, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f { // LDAP has no tags of several bytes
		return 0, 0, false
	}
	if b[1] < 0x80 {
		return 2, int64(b[1]), true
	}
	n := int(b[1] & 0x7f)
	if n == 0 || n > 4 || len(b) < 2+n {
		return 0, 0, false
	}
	for _, one := range b[2 : 2+n] {
		length = length<<8 | int64(one)
	}
	return 2 + n, length, true
}

// nested reports whether every element lies whole within the one around it.
func nested(b []byte, depth int, budget *int) bool {
	for len(b) > 0 {
		header, length, ok := element(b)
		if *budget--; !ok || *budget < 0 || length > int64(len(b)-header) {
			return false
		}
		content := b[header : header+int(length)]
		if b[0]&0x20 != 0 && (depth == maxDepth || !nested(content, depth+1, budget)) {
			return false
		}
		b = b[header+int(length):]
	}
	return true
}
