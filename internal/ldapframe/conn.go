package ldapframe

import (
	"bufio"
	"errors"
	"net"
	"sync"
)

// Conn is a connection that hands on whole messages only, each of which was looked at. Nothing may come before Allow was called.
// Read is for one goroutine, as the library has it; Allow and Err may be called beside it.
type Conn struct {
	net.Conn
	limits Limits
	in     *bufio.Reader
	ready  []byte // of a message, not read yet

	mu       sync.Mutex
	octets   int64 // that may still come
	messages int
	fault    error
}

// New is a connection whose messages keep to l.
func New(c net.Conn, l Limits) *Conn { return &Conn{Conn: c, limits: l, in: bufio.NewReader(c)} }

// Allow says how many messages may come from now on, and how many octets of them.
func (c *Conn) Allow(messages int, octets int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages, c.octets = messages, octets
}

// Err is why reading ended, which the library tells as text only; nil where it goes on, or we have closed the connection.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// Read is net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.ready) == 0 {
		message, err := read(c.in, c.limits, c.grant)
		if err != nil {
			c.note(err)
			return 0, err
		}
		c.ready = message
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

func (c *Conn) note(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = err
}

// grant takes a message off what may come.
func (c *Conn) grant(octets int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages--
	c.octets -= int64(octets)
	if c.messages < 0 || c.octets < 0 {
		return ErrTooMuch
	}
	return nil
}
