package cms

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Identifier octets (X.690, 8.1.2) this package meets.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagUTCTime     = 0x17
	tagGenTime     = 0x18
	tagConstructed = 0x20
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext     = 0x80 // context class, primitive
	tagContextCons = 0xa0 // context class, constructed
)

const (
	indefinite = -1      // the length of an element that ends with end-of-contents octets
	unbounded  = 1 << 62 // the end of what no definite length encloses
	maxDepth   = 32      // of open elements, whatever Limits says
	readBuffer = 32 << 10
)

// element is the identifier and length of one BER element. For a tag number over 30 the identifier holds
// the leading octet in its top byte and the octets of the number below it.
type element struct {
	tag    uint32
	length int64 // or indefinite
}

func (e element) constructed() bool {
	if e.tag > 0xff {
		return e.tag>>24&tagConstructed != 0
	}
	return e.tag&tagConstructed != 0
}

// frame is an open constructed element.
type frame struct {
	end        int64 // no byte of it is at or after this position of the stream
	indefinite bool
}

// berReader reads BER (X.690, 8) element by element from a stream, in time linear in what is read. It
// keeps no more than one buffer and a stack of bounded depth. Its position is always between elements,
// or within a primitive one that the caller reads to its end.
type berReader struct {
	src    *bufio.Reader
	pos    int64
	budget int64 // bytes that raw and skip may still take
	frames []frame
	depth  int // most frames
}

func newBERReader(r io.Reader, l Limits) *berReader {
	return &berReader{
		src:    bufio.NewReaderSize(r, readBuffer),
		budget: int64(l.HeaderBytes),
		depth:  l.Depth,
		frames: make([]frame, 0, maxDepth),
	}
}

// truncated turns an end of input into ErrMalformed and leaves errors of the source as they are.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrMalformed)
	}
	return err
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// end is the position no element may reach beyond.
func (r *berReader) end() int64 {
	if len(r.frames) == 0 {
		return unbounded
	}
	return r.frames[len(r.frames)-1].end
}

// next takes one byte.
func (r *berReader) next() (byte, error) {
	if r.pos >= r.end() {
		return 0, malformed("an element is longer than the one around it")
	}
	c, err := r.src.ReadByte()
	if err != nil {
		return 0, truncated(err)
	}
	r.pos++
	return c, nil
}

// more reports whether the innermost open element has another element.
func (r *berReader) more() (bool, error) {
	if len(r.frames) == 0 {
		return true, nil
	}
	f := r.frames[len(r.frames)-1]
	if !f.indefinite {
		return r.pos < f.end, nil
	}
	if f.end-r.pos < 2 {
		return false, malformed("end-of-contents is missing")
	}
	b, err := r.src.Peek(2)
	if err != nil {
		return false, truncated(err)
	}
	return b[0] != 0 || b[1] != 0, nil
}

// peek returns the identifier octet of the next element, 0 where there is none.
func (r *berReader) peek() (byte, error) {
	ok, err := r.more()
	if !ok || err != nil {
		return 0, err
	}
	b, err := r.src.Peek(1)
	if err != nil {
		return 0, truncated(err)
	}
	return b[0], nil
}

// header takes the identifier and length of the next element.
func (r *berReader) header() (element, error) {
	if ok, err := r.more(); err != nil {
		return element{}, err
	} else if !ok {
		return element{}, malformed("an element is missing")
	}
	tag, err := r.identifier()
	if err != nil {
		return element{}, err
	}
	e := element{tag: tag}
	if e.length, err = r.length(); err != nil {
		return element{}, err
	}
	if e.length == indefinite && !e.constructed() {
		return element{}, malformed("indefinite length of a primitive element")
	}
	if e.length > r.end()-r.pos {
		return element{}, malformed("an element is longer than the one around it")
	}
	return e, nil
}

func (r *berReader) identifier() (uint32, error) {
	c, err := r.next()
	if err != nil {
		return 0, err
	}
	if c == 0 {
		return 0, malformed("end-of-contents where an element should be")
	}
	if c&0x1f != 0x1f {
		return uint32(c), nil
	}
	tag := uint32(c) << 24
	for n := uint32(0); ; {
		if c, err = r.next(); err != nil {
			return 0, err
		}
		n = n<<8 | uint32(c)
		if c&0x80 == 0 {
			return tag | n, nil
		}
		if n > 0xffff {
			return 0, malformed("a tag number is too large")
		}
	}
}

// length takes length octets (X.690, 8.1.3).
func (r *berReader) length() (int64, error) {
	c, err := r.next()
	if err != nil || c < 0x80 {
		return int64(c), err
	}
	if c == 0x80 {
		return indefinite, nil
	}
	n := int64(0)
	for i := c & 0x7f; i > 0; i-- {
		if c, err = r.next(); err != nil {
			return 0, err
		}
		if n = n<<8 | int64(c); n > unbounded>>8 {
			return 0, malformed("a length is too large")
		}
	}
	return n, nil
}

// enter opens e, which header has just returned.
func (r *berReader) enter(e element) error {
	if !e.constructed() {
		return malformed("a primitive element where a constructed one should be")
	}
	if len(r.frames) >= r.depth {
		return fmt.Errorf("%w: elements are nested too deep", ErrLimit)
	}
	f := frame{end: r.end(), indefinite: e.length == indefinite}
	if !f.indefinite {
		f.end = r.pos + e.length
	}
	r.frames = append(r.frames, f)
	return nil
}

// open takes the next element, which must be tag, and opens it.
func (r *berReader) open(tag uint32) error {
	e, err := r.header()
	if err != nil {
		return err
	}
	if e.tag != tag {
		return malformed(fmt.Sprintf("element %#02x where %#02x should be", e.tag, tag))
	}
	return r.enter(e)
}

// leave closes the innermost open element, which must be at its end.
func (r *berReader) leave() error {
	if ok, err := r.more(); err != nil {
		return err
	} else if ok {
		return malformed("an element has more content than it should")
	}
	if r.frames[len(r.frames)-1].indefinite {
		if _, err := r.src.Discard(2); err != nil {
			return truncated(err)
		}
		r.pos += 2
	}
	r.frames = r.frames[:len(r.frames)-1]
	return nil
}

// spend takes n bytes from the budget.
func (r *berReader) spend(n int64) error {
	if r.budget -= n; r.budget < 0 {
		return fmt.Errorf("%w: too many bytes beside the content", ErrLimit)
	}
	return nil
}

// skip passes over the next element.
func (r *berReader) skip() error {
	base := len(r.frames)
	for {
		at := r.pos
		e, err := r.header()
		if err != nil {
			return err
		}
		if e.length == indefinite {
			err = r.enter(e)
		} else {
			err = r.discard(e.length)
		}
		if err == nil {
			err = r.spend(r.pos - at)
		}
		if err != nil {
			return err
		}
		if err = r.leaveEnded(base); err != nil || len(r.frames) == base {
			return err
		}
	}
}

// leaveEnded closes every open element above base that is at its end.
func (r *berReader) leaveEnded(base int) error {
	for len(r.frames) > base {
		ok, err := r.more()
		if ok || err != nil {
			return err
		}
		if err = r.leave(); err != nil {
			return err
		}
	}
	return nil
}

func (r *berReader) discard(n int64) error {
	if n > r.budget {
		return r.spend(n)
	}
	d, err := r.src.Discard(int(n))
	r.pos += int64(d)
	return truncated(err)
}
