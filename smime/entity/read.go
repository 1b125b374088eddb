package entity

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Read reads a header of at most limit bytes (0: DefaultHeaderLimit) and returns it with the body that
// follows its blank line. The errors are ErrLimit and those of r.
//
// A line that is no field ends the header, and is the first line of the body: whoever writes header, blank
// line and body makes a message that every program reads as this one was read here. A header may end with
// the input; the body is empty then.
func Read(r io.Reader, limit int) (Header, io.Reader, error) {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReader(r)
	}
	h, err := ReadHeader(br, limit)
	return h, br, err
}

// ReadHeader reads a header as Read does, from a reader that it leaves at the first byte of the body.
func ReadHeader(br *bufio.Reader, limit int) (Header, error) {
	if limit <= 0 {
		limit = DefaultHeaderLimit
	}
	p := headerParser{limit: limit}
	return p.read(br)
}

// headerParser gathers the fields of a header in one block of memory.
type headerParser struct {
	limit    int
	stop     func(line []byte) bool // lines before which the header ends; nil: none
	block    []byte
	marks    []mark
	blankLen int // of the blank line after the header
}

// mark is where a field begins in the block, and the length of its name.
type mark struct{ at, name int }

func (p *headerParser) read(br *bufio.Reader) (Header, error) {
	for {
		kind, err := peekLine(br)
		if err != nil {
			return Header{}, err
		}
		stops := kind == lineContinuation && len(p.marks) == 0
		if kind == lineField {
			if stops, err = p.stopsAt(br); err != nil {
				return Header{}, err
			}
		}
		if stops {
			kind = lineOther
		}
		switch kind {
		case lineBlank:
			b, err := br.ReadSlice('\n')
			p.blankLen = len(b)
			return p.header(false), err
		case lineOther, lineNone:
			return p.header(true), nil
		}
		if err := p.take(br, kind); err != nil {
			return Header{}, err
		}
	}
}

// stopsAt asks stop about the line that comes, where it may be a boundary. A reader may give an error only once: none is
// dropped.
func (p *headerParser) stopsAt(br *bufio.Reader) (bool, error) {
	if p.stop == nil {
		return false, nil
	}
	b, err := br.Peek(2)
	if string(b) == "--" {
		b, err = br.Peek(2 * maxName)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return false, err
	}
	if !bytes.HasPrefix(b, []byte("--")) {
		return false, nil
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i+1]
	}
	return p.stop(b), nil
}

// eol is the length of the last line end that was read.
func (p *headerParser) eol() int {
	if p.blankLen > 0 {
		return p.blankLen
	}
	return lineEnd(p.block)
}

// bareLF tells whether a line ended with a bare LF.
func (p *headerParser) bareLF() bool {
	return p.blankLen == 1 || bytes.Count(p.block, []byte("\n")) != bytes.Count(p.block, []byte("\r\n"))
}

// take reads the line that peekLine looked at.
func (p *headerParser) take(br *bufio.Reader, kind lineKind) error {
	at := len(p.block)
	for {
		b, err := br.ReadSlice('\n')
		p.block = append(p.block, b...)
		if len(p.block) > p.limit {
			return ErrLimit
		}
		if err == nil || errors.Is(err, io.EOF) {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	if kind == lineField {
		_, name := nameEnd(p.block[at:])
		p.marks = append(p.marks, mark{at, name})
	}
	return nil
}

func (p *headerParser) header(bare bool) Header {
	fields := make([]Field, len(p.marks))
	text := string(p.block) // one string for all names
	for i, m := range p.marks {
		end := len(p.block)
		if i+1 < len(p.marks) {
			end = p.marks[i+1].at
		}
		fields[i] = Field{Name: text[m.at : m.at+m.name], Raw: p.block[m.at:end:end]}
	}
	return Header{fields: fields, bare: bare}
}

type lineKind int

const (
	lineNone         lineKind = iota // end of input
	lineBlank                        // CRLF or LF
	lineContinuation                 // begins with a blank
	lineField                        // a name and a colon
	lineOther
)

// maxName is the longest field name taken for one.
const maxName = 256

// peekLine tells what the next line is and consumes nothing.
func peekLine(br *bufio.Reader) (lineKind, error) {
	for n := 1; ; n = min(2*n, maxName+2) {
		b, err := br.Peek(max(n, min(br.Buffered(), maxName+2)))
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return lineNone, err
		}
		kind, sure := lineOf(b)
		if sure || err != nil || len(b) >= maxName+2 {
			return kind, nil
		}
	}
}

// lineOf judges the beginning of a line; sure is false where more bytes could change the answer.
func lineOf(b []byte) (kind lineKind, sure bool) {
	if len(b) == 0 {
		return lineNone, false
	}
	switch b[0] {
	case '\n':
		return lineBlank, true
	case ' ', '\t':
		return lineContinuation, true
	case '\r':
		if len(b) == 1 {
			return lineOther, false
		}
		if b[1] == '\n' {
			return lineBlank, true
		}
		return lineOther, true
	}
	switch end, name := nameEnd(b); {
	case end == len(b):
		return lineOther, false
	case b[end] == ':' && name > 0:
		return lineField, true
	}
	return lineOther, true
}

// nameEnd returns where a field name (RFC 5322, 3.6.8) and the blanks after it (4.5, obsolete) end, and
// the length of the name.
func nameEnd(b []byte) (end, name int) {
	for end < len(b) && isNameByte(b[end]) {
		end++
	}
	name = end
	for end < len(b) && (b[end] == ' ' || b[end] == '\t') {
		end++
	}
	return end, name
}

func isNameByte(c byte) bool { return c > ' ' && c < 0x7f && c != ':' }
