// Package ldapframe takes LDAP messages from a connection whole, within bounds: how long one is, how many elements it has, how deep they
// are nested, and what may come in all. It knows nothing of what a message says.
//
// The library that reads them takes every length for true, up to 2 GB, and makes objects of many times the size; so what it is given was
// looked at before.
package ldapframe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits are the bounds of one LDAPMessage (RFC 4511, 4.1.1).
type Limits struct {
	Message  int // octets behind its first identifier and length
	Elements int
	Depth    int // elements within elements; the message itself is the first
}

// The errors of this package.
var (
	// ErrFrame is the error of a peer that does not keep to the protocol, or to the bounds.
	ErrFrame = errors.New("what the directory sends cannot be taken")
	// ErrTooLong is the ErrFrame of a message that has more octets than one may have.
	ErrTooLong = fmt.Errorf("%w: a message is too long", ErrFrame)
	// ErrTooMuch is the ErrFrame of a peer that sends more than it was allowed.
	ErrTooMuch = fmt.Errorf("%w: it is more than was asked for", ErrFrame)
)

// Read reads one message, and no octet of what follows it. Where nothing came, the error is io.EOF; where it ends early,
// io.ErrUnexpectedEOF.
func Read(r io.Reader, l Limits) ([]byte, error) { return read(r, l, nil) }

// read asks grant, once the length of a message is known and before it is read, whether so many octets may come.
func read(r io.Reader, l Limits, grant func(octets int) error) ([]byte, error) {
	head, length, err := start(r)
	if err != nil {
		return nil, err
	}
	if length > l.Message {
		return nil, fmt.Errorf("%w: %d octets, of %d that are taken", ErrTooLong, length, l.Message)
	}
	if grant != nil {
		if err := grant(len(head) + length); err != nil {
			return nil, err
		}
	}
	b := bytes.NewBuffer(append(make([]byte, 0, min(length+len(head), 4096)), head...))
	if _, err := io.CopyN(b, r, int64(length)); err != nil { // which grows with what comes, not with what is announced
		return nil, unexpected(err)
	}
	if err := check(b.Bytes(), l); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// start reads identifier and length of a message.
func start(r io.Reader) (head []byte, length int, err error) {
	head = make([]byte, 2, maxHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, err
	}
	more := 0
	switch {
	case head[0] != sequence:
		return nil, 0, fmt.Errorf("%w: it is not LDAP", ErrFrame)
	case head[1] > 0x80:
		more = int(head[1] & 0x7f)
	case head[1] == 0x80: // RFC 4511, 5.1: the definite form only
		return nil, 0, fmt.Errorf("%w: a message has no length", ErrFrame)
	}
	if len(head)+more > maxHead {
		return nil, 0, fmt.Errorf("%w: its length has %d octets", ErrTooLong, more)
	}
	head = head[:len(head)+more]
	if _, err := io.ReadFull(r, head[2:]); err != nil {
		return nil, 0, unexpected(err)
	}
	_, length, ok := Header(head)
	if !ok {
		return nil, 0, fmt.Errorf("%w: a message has no length that can be read", ErrFrame)
	}
	return head, length, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

const (
	sequence = 0x30
	maxHead  = 6 // identifier, length, and at most four octets of it
)

// Header reads identifier and length of an element (X.690, 8.1): how many octets these take up, and how many the contents, which may lie
// outside of b. It is not ok where the length is indefinite or has more than four octets, or the tag is above 30, which LDAP does not use.
func Header(b []byte) (octets, length int, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
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

// check holds that the elements of a message fill each other exactly, and are not too many nor too deep.
func check(b []byte, l Limits) error {
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
		octets, length, ok := Header(b[at:end])
		if !ok || length > end-at-octets {
			return fmt.Errorf("%w: an element has no length that fits", ErrFrame)
		}
		if count++; count > l.Elements {
			return fmt.Errorf("%w: a message has more than %d elements", ErrFrame, l.Elements)
		}
		constructed := b[at]&0x20 != 0
		at += octets
		if !constructed {
			at += length
			continue
		}
		if ends = append(ends, at+length); len(ends) > l.Depth {
			return fmt.Errorf("%w: its elements are nested deeper than %d", ErrFrame, l.Depth)
		}
	}
	return nil
}
