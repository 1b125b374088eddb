package entity

import (
	"bytes"
	"io"
)

// canonicalWriter makes bare LF, and where asked bare CR, CRLF.
type canonicalWriter struct {
	w      io.Writer
	bareCR bool
	cr     bool // the last byte was a CR
	buf    []byte
}

// NewCanonicalWriter returns a writer that passes bytes on to w and makes each LF that has no CR before it
// CRLF (RFC 8551, 3.1.1). A CR without LF stays.
func NewCanonicalWriter(w io.Writer) io.Writer { return &canonicalWriter{w: w} }

// Write implements [io.Writer].
func (c *canonicalWriter) Write(p []byte) (int, error) {
	rest := p
	for len(rest) > 0 {
		out := c.convert(rest[:min(len(rest), 16<<10)])
		if _, err := c.w.Write(out); err != nil {
			return 0, err
		}
		rest = rest[min(len(rest), 16<<10):]
	}
	return len(p), nil
}

// convert returns p itself where it has nothing to change.
func (c *canonicalWriter) convert(p []byte) []byte {
	c.buf = c.buf[:0]
	from := 0
	if c.bareCR && c.cr && p[0] != '\n' {
		c.buf = append(c.buf, '\n')
	}
	for i := 0; i < len(p); {
		j := c.index(p[i:])
		if j < 0 {
			break
		}
		i += j
		if p[i] == '\n' && !(i > 0 && p[i-1] == '\r') && !(i == 0 && c.cr) {
			c.buf = append(append(c.buf, p[from:i]...), '\r')
			from = i
		}
		if i++; p[i-1] == '\r' && i < len(p) && p[i] != '\n' {
			c.buf = append(append(c.buf, p[from:i]...), '\n')
			from = i
		}
	}
	c.cr = p[len(p)-1] == '\r'
	if len(c.buf) == 0 {
		return p
	}
	c.buf = append(c.buf, p[from:]...)
	return c.buf
}

func (c *canonicalWriter) index(p []byte) int {
	if c.bareCR {
		return bytes.IndexAny(p, "\r\n")
	}
	return bytes.IndexByte(p, '\n')
}

// finish ends the line of a CR that was the last byte.
func (c *canonicalWriter) finish() error {
	if !c.bareCR || !c.cr {
		return nil
	}
	c.cr = false
	_, err := c.w.Write([]byte{'\n'})
	return err
}

// canonicalReader is canonicalWriter for reading.
type canonicalReader struct {
	r   io.Reader
	w   canonicalWriter
	out bytes.Buffer
	in  []byte
	err error
}

// NewCanonicalReader returns a reader that gives the bytes of r with each LF that has no CR before it made
// CRLF.
func NewCanonicalReader(r io.Reader) io.Reader {
	c := &canonicalReader{r: r, in: make([]byte, 16<<10)}
	c.w.w = &c.out
	return c
}

// Read implements [io.Reader].
func (c *canonicalReader) Read(p []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.err != nil {
			return 0, c.err
		}
		var n int
		n, c.err = c.r.Read(c.in)
		c.w.Write(c.in[:n])
	}
	return c.out.Read(p)
}
