package cms

import (
	"bytes"
	"fmt"
	"io"
)

// mark is a constructed element that raw is writing: where its content starts in the output, and which
// header stands before it.
type mark struct {
	tag    uint32
	start  int // of the content; equal to header where no header is written yet
	header int
	joined bool // pieces of an OCTET STRING, which become one
}

// rawReader copies one element from a berReader as DER-like bytes: definite minimal lengths, strings in one
// piece, order kept. What is DER already comes out unchanged.
type rawReader struct {
	r     *berReader
	out   []byte
	limit int
	marks []mark
}

// raw takes the next element, all of it, as an element of definite lengths and not over limit bytes.
func (r *berReader) raw(limit int) ([]byte, error) {
	w := &rawReader{r: r, limit: limit}
	base := len(r.frames)
	for {
		if err := w.element(); err != nil {
			return nil, err
		}
		if err := w.closeEnded(base); err != nil {
			return nil, err
		}
		if len(r.frames) == base {
			return w.out, nil
		}
	}
}

// element copies a primitive element, or opens a constructed one.
func (w *rawReader) element() error {
	at := w.r.pos
	e, err := w.r.header()
	if err != nil {
		return err
	}
	joined := len(w.marks) > 0 && w.marks[len(w.marks)-1].joined
	if joined && e.tag&^tagConstructed != tagOctetString {
		return malformed("a string has a piece that is none")
	}
	if e.constructed() {
		w.open(e, joined)
		err = w.r.enter(e)
	} else {
		if !joined {
			w.out = appendHeader(w.out, e.tag, int(min(e.length, 1<<40)))
		}
		err = w.content(e.length)
	}
	if err != nil {
		return err
	}
	return w.r.spend(w.r.pos - at)
}

func (w *rawReader) open(e element, joined bool) {
	m := mark{tag: e.tag, header: len(w.out), joined: e.tag == tagOctetString|tagConstructed}
	switch {
	case joined:
		m.tag = 0 // a piece of pieces needs no header of its own
	case m.joined:
		m.tag = tagOctetString
	case e.length != indefinite:
		w.out = appendHeader(w.out, e.tag, int(min(e.length, 1<<40)))
	}
	m.start = len(w.out)
	w.marks = append(w.marks, m)
}

// content copies n bytes of a primitive element.
func (w *rawReader) content(n int64) error {
	if n > int64(w.limit-len(w.out)) {
		return fmt.Errorf("%w: an element is too long", ErrLimit)
	}
	for n > 0 {
		step := int(min(n, readBuffer))
		have := len(w.out)
		w.out = append(w.out, make([]byte, step)...)
		if _, err := io.ReadFull(w.r.src, w.out[have:]); err != nil {
			return truncated(err)
		}
		w.r.pos += int64(step)
		n -= int64(step)
	}
	return nil
}

// closeEnded closes every element that is at its end, and corrects its header where the content has
// another length than was written, or where none was written yet.
func (w *rawReader) closeEnded(base int) error {
	for len(w.r.frames) > base {
		ok, err := w.r.more()
		if ok || err != nil {
			return err
		}
		if err = w.r.leave(); err != nil {
			return err
		}
		m := w.marks[len(w.marks)-1]
		w.marks = w.marks[:len(w.marks)-1]
		if m.tag != 0 {
			w.fix(m)
		}
		if len(w.out) > w.limit {
			return fmt.Errorf("%w: an element is too long", ErrLimit)
		}
	}
	return nil
}

func (w *rawReader) fix(m mark) {
	var space [12]byte
	header := appendHeader(space[:0], m.tag, len(w.out)-m.start)
	if bytes.Equal(header, w.out[m.header:m.start]) {
		return
	}
	size := len(w.out) - m.start
	for len(w.out) < m.header+len(header)+size {
		w.out = append(w.out, 0)
	}
	copy(w.out[m.header+len(header):], w.out[m.start:m.start+size])
	copy(w.out[m.header:], header)
	w.out = w.out[:m.header+len(header)+size]
}

// verbatim takes the next element byte for byte where its length is definite, without a look inside, and
// as raw does otherwise.
func (r *berReader) verbatim(limit int) ([]byte, error) {
	e, err := r.header()
	if err != nil {
		return nil, err
	}
	w := &rawReader{r: r, limit: limit, out: appendHeader(nil, e.tag, int(max(0, min(e.length, 1<<40))))}
	if e.length != indefinite {
		if err = w.content(e.length); err != nil {
			return nil, err
		}
		return w.out, r.spend(int64(len(w.out)))
	}
	w.out = w.out[:0]
	base := len(r.frames)
	w.open(e, false)
	if err = r.enter(e); err != nil {
		return nil, err
	}
	for {
		if err = w.closeEnded(base); err != nil {
			return nil, err
		}
		if len(r.frames) == base {
			return w.out, nil
		}
		if err = w.element(); err != nil {
			return nil, err
		}
	}
}

// octetReader reads the content of an OCTET STRING as a stream, whole or in pieces (X.690, 8.7). At its
// end the string is left and the berReader stands behind it.
type octetReader struct {
	r    *berReader
	base int   // frames open around the string
	left int64 // of the primitive piece at hand
	err  error // io.EOF at the end
}

// octets opens the next element as an OCTET STRING. Its identifier is tag, or tag with the constructed bit.
func (r *berReader) octets(tag uint32) (*octetReader, error) {
	o := &octetReader{r: r, base: len(r.frames)}
	e, err := r.header()
	if err != nil {
		return nil, err
	}
	if e.tag&^tagConstructed != tag {
		return nil, malformed("the content is not an OCTET STRING")
	}
	if e.constructed() {
		return o, r.enter(e)
	}
	o.left = e.length
	return o, nil
}

// Read implements [io.Reader]. io.EOF means that the string is complete.
func (o *octetReader) Read(p []byte) (int, error) {
	for o.left == 0 && o.err == nil {
		o.err = o.piece()
	}
	if o.err != nil {
		return 0, o.err
	}
	if int64(len(p)) > o.left {
		p = p[:o.left]
	}
	n, err := o.r.src.Read(p)
	o.r.pos += int64(n)
	o.left -= int64(n)
	if err != nil {
		o.err = truncated(err)
		return n, o.err
	}
	return n, nil
}

// piece goes to the next primitive piece; io.EOF where there is none.
func (o *octetReader) piece() error {
	if err := o.r.leaveEnded(o.base); err != nil {
		return err
	}
	if len(o.r.frames) == o.base {
		return io.EOF
	}
	e, err := o.r.header()
	if err != nil {
		return err
	}
	if e.tag&^tagConstructed != tagOctetString {
		return malformed("the content has a piece that is not an OCTET STRING")
	}
	if e.constructed() {
		return o.r.enter(e)
	}
	o.left = e.length
	return nil
}
