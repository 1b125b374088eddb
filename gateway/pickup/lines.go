package pickup

import (
	"bufio"
	"errors"
	"io"
)

// errBareCR is content that no line end makes right.
var errBareCR = errors.New("pickup: a CR without LF, or a NUL")

// lines reads a file of this machine as mail has it: a bare LF becomes CRLF, and the last line ends with one. A
// CR on its own and a NUL are errBareCR (RFC 5322, 2.3).
type lines struct {
	in      *bufio.Reader
	pending byte // LF to be given after a CR
	last    byte
	high    bool // a byte beyond ASCII was seen
	failed  error
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 16<<10), last: '\n'} }

// Read implements io.Reader.
func (l *lines) Read(p []byte) (n int, err error) {
	for n < len(p) && l.failed == nil {
		var c byte
		if c, l.failed = l.next(); l.failed == nil {
			p[n] = c
			n++
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, l.failed // at every further call too: who reads ahead may lose an error once
}

func (l *lines) next() (byte, error) {
	if c := l.pending; c != 0 {
		l.pending, l.last = 0, c
		return c, nil
	}
	c, err := l.in.ReadByte()
	switch {
	case isEOF(err) && l.last != '\n', err == nil && c == '\n':
		l.pending = '\n'
		return '\r', nil
	case err != nil:
		return 0, err
	case c == '\r':
		if next, err := l.in.ReadByte(); err != nil || next != '\n' {
			return 0, errBareCR
		}
		l.pending = '\n'
	case c == 0:
		return 0, errBareCR
	case c >= 0x80:
		l.high = true
	}
	l.last = c
	return c, nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
