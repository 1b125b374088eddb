package entity

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
)

const (
	base64Line  = 57 // bytes that make a line of 76 characters
	base64Lines = 256
)

// base64Writer writes base64 (RFC 2045, 6.8) in lines of 76 characters with CRLF.
type base64Writer struct {
	w    io.Writer
	in   []byte // not yet a whole line
	out  []byte
	done bool
}

// NewBase64Writer returns a writer that encodes to w in lines of 76 characters with CRLF. Close writes the
// rest and does not close w.
func NewBase64Writer(w io.Writer) io.WriteCloser { return &base64Writer{w: w} }

// EncodedSize is how many bytes NewBase64Writer writes for n bytes.
func EncodedSize(n int64) int64 {
	size := n / base64Line * 78
	if rest := n % base64Line; rest > 0 {
		size += (rest+2)/3*4 + 2
	}
	return size
}

// Write implements [io.Writer].
func (b *base64Writer) Write(p []byte) (int, error) {
	n := len(p)
	if len(b.in) > 0 {
		take := min(base64Line-len(b.in), len(p))
		b.in = append(b.in, p[:take]...)
		p = p[take:]
		if len(b.in) < base64Line {
			return n, nil
		}
		if err := b.lines(b.in); err != nil {
			return 0, err
		}
		b.in = b.in[:0]
	}
	for len(p) >= base64Line {
		take := min(len(p)/base64Line, base64Lines) * base64Line
		if err := b.lines(p[:take]); err != nil {
			return 0, err
		}
		p = p[take:]
	}
	b.in = append(b.in, p...)
	return n, nil
}

// lines encodes whole lines, or the last one.
func (b *base64Writer) lines(p []byte) error {
	b.out = b.out[:0]
	for len(p) > 0 {
		line := p[:min(base64Line, len(p))]
		b.out = base64.StdEncoding.AppendEncode(b.out, line)
		b.out = append(b.out, '\r', '\n')
		p = p[len(line):]
	}
	_, err := b.w.Write(b.out)
	return err
}

// Close writes the last line, once.
func (b *base64Writer) Close() error {
	if b.done || len(b.in) == 0 {
		return nil
	}
	b.done = true
	return b.lines(b.in)
}

// base64Reader decodes base64 as real mail has it.
type base64Reader struct {
	br    *bufio.Reader
	chars []byte // of the alphabet, not yet decoded
	buf   []byte
	out   []byte // decoded and not yet handed out; lies in buf
	err   error
}

// NewBase64Reader returns a reader that decodes base64 from r. QUIRK: it passes over every byte that is not
// of the alphabet, as RFC 2045, 6.8 has it, takes padding in the midst as the end of one of several runs,
// and a last group without its padding as it is; all of these come in real mail. It errs only where r does.
func NewBase64Reader(r io.Reader) io.Reader {
	return &base64Reader{br: bufio.NewReaderSize(r, 8<<10)}
}

// Read implements [io.Reader].
func (b *base64Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(b.out) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// fill decodes the lines that are there.
func (b *base64Reader) fill() {
	b.out = b.buf[:0]
	defer func() { b.buf = b.out[:0] }()
	for len(b.out) < 12<<10 {
		line, err := b.br.ReadSlice('\n')
		b.line(bytes.TrimRight(line, "\r\n"))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			b.err = err
			b.decode(true)
			return
		}
		if b.br.Buffered() == 0 {
			return
		}
	}
}

// line decodes a line of whole groups at once, and any other one by its characters.
func (b *base64Reader) line(line []byte) {
	if len(b.chars) == 0 && len(line)%4 == 0 && bytes.IndexByte(line, '\r') < 0 {
		if out, err := base64.StdEncoding.AppendDecode(b.out, line); err == nil {
			b.out = out
			return
		}
	}
	for _, c := range line {
		switch {
		case 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/':
			b.chars = append(b.chars, c)
		case c == '=':
			b.decode(true)
		}
	}
	b.decode(false)
}

// decode decodes the whole groups; with end also what is left of a group, and begins a new one.
func (b *base64Reader) decode(end bool) {
	whole := len(b.chars) &^ 3
	if end && len(b.chars)-whole > 1 {
		whole = len(b.chars)
	}
	// Bits left over in the last group are no error, and every byte is of the alphabet.
	b.out, _ = base64.RawStdEncoding.AppendDecode(b.out, b.chars[:whole])
	rest := b.chars[whole:]
	if end {
		rest = nil
	}
	b.chars = append(b.chars[:0], rest...)
}
