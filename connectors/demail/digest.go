package demail

import (
	"bytes"
	"crypto"
	"hash"
	"io"
)

// bodyHasher hashes a body in the form "simple" (RFC 6376, 3.4.3): as it is, but with exactly one line end at its end.
type bodyHasher struct {
	to      hash.Hash
	pending int  // line ends that are held back
	cr      bool // and a CR, which may begin another
	ends    []byte
}

func newBodyHasher(h crypto.Hash) *bodyHasher {
	return &bodyHasher{to: h.New(), ends: bytes.Repeat([]byte("\r\n"), 256)}
}

// Write takes more of the body.
func (h *bodyHasher) Write(p []byte) (int, error) {
	text := bytes.TrimRight(p, "\r\n")
	if len(text) > 0 {
		h.flush()
		h.to.Write(text)
	}
	for _, c := range p[len(text):] {
		switch {
		case c == '\n' && h.cr:
			h.cr = false
			h.pending++
		case c == '\r':
			if h.cr {
				h.flush()
			}
			h.cr = true
		default:
			h.flush()
			h.to.Write([]byte{c})
		}
	}
	return len(p), nil
}

// flush writes what was held back: it was not the end.
func (h *bodyHasher) flush() {
	for h.pending > 0 {
		n := min(h.pending, len(h.ends)/2)
		h.to.Write(h.ends[:2*n])
		h.pending -= n
	}
	if h.cr {
		h.to.Write(h.ends[:1])
	}
	h.cr = false
}

// sum ends the body.
func (h *bodyHasher) sum() []byte {
	if h.cr {
		h.flush()
	}
	h.pending = 1
	h.flush()
	return h.to.Sum(nil)
}

// BodyHash is the digest of a body as the tag bh holds it. The error is that of r.
func BodyHash(r io.Reader, with crypto.Hash) ([]byte, error) {
	h := newBodyHasher(with)
	if _, err := io.Copy(h, r); err != nil {
		return nil, err
	}
	return h.sum(), nil
}

// headerHash is the digest of the header (RFC 6376, 3.7): the topmost field of each name (3.4, 3.1.21) as it is, then field, which is
// X-de-mail-integrity, without its value.
func headerHash(h Header, i *Integrity, field Field) ([]byte, error) {
	sum := i.Hash.New()
	for _, name := range i.Fields {
		if f, ok := h.First(name); ok { // one that is not there counts as nothing (RFC 6376, 5.4)
			sum.Write(f.Raw)
		}
	}
	last, err := withoutValue(field.Raw)
	if err != nil {
		return nil, integrityError("%v", err)
	}
	sum.Write(last)
	return sum.Sum(nil), nil
}
