package ldap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Bounds of one LDAPMessage (RFC 4511, 4.1.1), before the library sees it. An entry with a hundred certificates has 200 KB.
const (
	maxMessage  = 2 << 20
	maxElements = 50_000
	maxDepth    = 20
)

// errFrame is the error of a directory that does not keep to the protocol, or to the bounds.
var errFrame = errors.New("what the directory sends cannot be taken")

// framed is a connection that hands whole messages on, each of which was looked at: its size, the number of its elements and
// their depth are bounded, and so is what one question may bring. The library reads what it is told to read,
// up to 2 GB, and makes objects of many times the size.
type framed struct {
	net.Conn
	in    *bufio.Reader
	ready []byte // of a message, not read yet

	mu       sync.Mutex
	bytes    int // that may still come
	messages int
	fault    error
}

func newFramed(c net.Conn) *framed { return &framed{Conn: c, in: bufio.NewReader(c)} }

// allow says how much may come from now on.
func (f *framed) allow(messages, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages, f.bytes = messages, bytes
}

// err is why reading ended, which the library tells as text only.
func (f *framed) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// Read is net.Conn.
func (f *framed) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(f.ready) == 0 {
		message, err := f.next()
		if err != nil {
			f.mu.Lock()
			f.fault = err
			f.mu.Unlock()
			return 0, err
		}
		f.ready = message
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// next reads one message and takes it off what may come.
func (f *framed) next() ([]byte, error) {
	message, err := readMessage(f.in)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages--
	f.bytes -= len(message)
	if f.messages < 0 || f.bytes < 0 {
		return nil, fmt.Errorf("%w: it is more than was asked for", errFrame)
	}
	return message, nil
}

// readMessage reads one LDAPMessage, and no byte of what follows it.
func readMessage(r io.Reader) ([]byte, error) {
	var head [6]byte // identifier, length, and at most four octets of it
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return nil, err
	}
	more := 0
	switch {
	case head[0] != tagSequence:
		return nil, fmt.Errorf("%w: it is not LDAP", errFrame)
	case head[1] > 0x80:
		more = int(head[1] & 0x7f)
	case head[1] == 0x80: // RFC 4511, 5.1: the definite form only
		return nil, fmt.Errorf("%w: a message has no length", errFrame)
	}
	if more > 4 {
		return nil, fmt.Errorf("%w: a message is too large", errFrame)
	}
	if _, err := io.ReadFull(r, head[2:2+more]); err != nil {
		return nil, unexpected(err)
	}
	_, length, ok := header(head[:2+more])
	if !ok || length > maxMessage {
		return nil, fmt.Errorf("%w: a message has %d bytes; %d at most are taken, so leave large attributes out, or give people fewer values", errFrame, length, maxMessage)
	}
	b := bytes.NewBuffer(append(make([]byte, 0, min(length+len(head), 4096)), head[:2+more]...))
	if _, err := io.CopyN(b, r, int64(length)); err != nil { // which grows with what comes, not with what is announced
		return nil, unexpected(err)
	}
	if err := checkElements(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

const tagSequence = 0x30

// header reads identifier and length of an element (X.690, 8.1): how many octets they take up, and the length of the contents.
func header(b []byte) (octets, length int, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f { // LDAP has no tag above 30
		return 0, 0, false
	}
	if b[1] < 0x80 {
		return 2, int(b[1]), true
	}
	more := int(b[1] & 0x7f)
	if more == 0 || more > 4 || len(b) < 2+more {
		return 0, 0, false
	}
	for _, octet := range b[2 : 2+more] {
		length = length<<8 | int(octet)
	}
	return 2 + more, length, length >= 0
}

// checkElements holds that the elements of a message fill each other exactly, and are not too many nor too deep.
func checkElements(b []byte) error {
	var ends []int // of the elements around the place
	count := 0
	for at := 0; at < len(b); {
		for len(ends) > 0 && at == ends[len(ends)-1] {
			ends = ends[:len(ends)-1]
		}
		end := len(b)
		if len(ends) > 0 {
			end = ends[len(ends)-1]
		}
		octets, length, ok := header(b[at:end])
		if !ok || length > end-at-octets {
			return fmt.Errorf("%w: an element has no length that fits", errFrame)
		}
		if count++; count > maxElements {
			return fmt.Errorf("%w: a message has more than %d elements", errFrame, maxElements)
		}
		constructed := b[at]&0x20 != 0
		at += octets
		if !constructed {
			at += length
			continue
		}
		if ends = append(ends, at+length); len(ends) > maxDepth {
			return fmt.Errorf("%w: its elements are nested deeper than %d", errFrame, maxDepth)
		}
	}
	return nil
}
