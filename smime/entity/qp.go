package entity

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const hexDigits = "0123456789ABCDEF"

// qpEncoder writes quoted-printable (RFC 2045, 6.7).
type qpEncoder struct {
	w    *bufio.Writer
	col  int
	soft bool // the line began after a soft line break
}

// EncodeQuotedPrintable encodes r to w. CRLF in r is a line end, every other CR and LF is data. No line of
// what it writes is over 76 characters, ends with a blank, or begins with "From ".
func EncodeQuotedPrintable(w io.Writer, r io.Reader) error {
	e := qpEncoder{w: bufio.NewWriter(w)}
	br := bufio.NewReader(r)
	for {
		piece, err := br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return err
		}
		text, ended := bytes.CutSuffix(piece, []byte("\r\n"))
		if errors.Is(err, bufio.ErrBufferFull) && bytes.HasSuffix(text, []byte("\r")) {
			br.UnreadByte() // it may be half of a line end
			text = text[:len(text)-1]
		}
		e.text(text)
		if ended {
			e.w.WriteString("\r\n")
			e.col, e.soft = 0, false
		}
		if errors.Is(err, io.EOF) {
			return e.w.Flush()
		}
	}
}

// text writes a piece of a line, without its end.
func (e *qpEncoder) text(text []byte) {
	for i, c := range text {
		literal := c > ' ' && c < 0x7f && c != '=' || isBlank(c) && i < len(text)-1
		if e.col == 0 && (c == 'F' && bytes.HasPrefix(text[i:], []byte("From ")) || c == '-' && e.soft) {
			literal = false // a soft line break must not make a boundary
		}
		width := 3
		if literal {
			width = 1
		}
		if e.col+width > 75 {
			e.w.WriteString("=\r\n")
			e.col, e.soft = 0, true
			if c == 'F' || c == '-' {
				literal, width = false, 3
			}
		}
		if literal {
			e.w.WriteByte(c)
		} else {
			e.w.Write([]byte{'=', hexDigits[c>>4], hexDigits[c&15]})
		}
		e.col += width
	}
}

// qpReader decodes quoted-printable as real mail has it.
type qpReader struct {
	br    *bufio.Reader
	carry []byte // the beginning of a piece that cannot be judged yet
	out   []byte
	buf   []byte
	err   error
}

// NewQuotedPrintableReader returns a reader that decodes quoted-printable from r. Line ends come out as
// CRLF. QUIRK: a "=" that no two hexadecimal digits follow stays as it is, digits may be lower case, and
// 8-bit bytes pass; blanks at the end of a line are taken off (RFC 2045, 6.7, rule 3). It errs only where r
// does.
func NewQuotedPrintableReader(r io.Reader) io.Reader { return &qpReader{br: bufio.NewReader(r)} }

// Read implements [io.Reader].
func (q *qpReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(q.out) == 0 {
		if q.err != nil {
			return 0, q.err
		}
		q.fill()
	}
	n := copy(p, q.out)
	q.out = q.out[n:]
	return n, nil
}

// fill decodes the next line, or the next piece of a long one.
func (q *qpReader) fill() {
	piece, err := q.br.ReadSlice('\n')
	if len(q.carry) > 0 {
		piece = append(q.carry, piece...)
		q.carry = nil
	}
	text, ended := bytes.CutSuffix(piece, []byte("\n"))
	switch {
	case ended:
		text = bytes.TrimRight(text, " \t\r")
	case errors.Is(err, bufio.ErrBufferFull):
		text = q.keep(text)
	default:
		q.err = err
		text = bytes.TrimRight(text, " \t\r")
	}
	q.out = q.buf[:0]
	soft := q.decode(text, ended || q.err != nil)
	if ended && !soft {
		q.out = append(q.out, '\r', '\n')
	}
	q.buf = q.out[:0]
}

// keep holds back the end of a piece whose meaning depends on what follows.
func (q *qpReader) keep(text []byte) []byte {
	n := len(bytes.TrimRight(text, " \t\r"))
	if len(text)-n > maxLine {
		n = len(text) // blanks without end are text
	}
	if i := bytes.LastIndexByte(text[:n], '='); i >= 0 && i >= n-2 {
		n = i
	}
	q.carry = bytes.Clone(text[n:])
	return text[:n]
}

// decode appends what text means to out; soft is true where it ends with a soft line break.
func (q *qpReader) decode(text []byte, last bool) (soft bool) {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			q.out = append(q.out, text...)
			return false
		}
		q.out = append(q.out, text[:i]...)
		text = text[i+1:]
		switch {
		case len(text) == 0 && last:
			return true
		case len(text) >= 2 && unhex(text[0]) >= 0 && unhex(text[1]) >= 0:
			q.out = append(q.out, byte(unhex(text[0])<<4|unhex(text[1])))
			text = text[2:]
		default:
			q.out = append(q.out, '=')
		}
	}
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// Decode returns a reader for what a body in this transfer encoding means (RFC 2045, 6). An encoding that
// is not known changes nothing.
func Decode(r io.Reader, transferEncoding string) io.Reader {
	switch transferEncoding {
	case "base64":
		return NewBase64Reader(r)
	case "quoted-printable":
		return NewQuotedPrintableReader(r)
	}
	return r
}
