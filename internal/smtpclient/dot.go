package smtpclient

import (
	"bytes"
	"errors"
	"io"
)

// errBare is the error for a CR or LF that stands alone. It is never mended here: changed bytes break
// signatures, and a bare LF before a dot is how mail is smuggled (RFC 5321, 2.3.8).
//
// It is that for a NUL too where dots are stuffed: servers that drop it find a dot alone on a line where we found none.
var errBare = errors.New("the message holds a carriage return or line feed that stands alone, or a NUL")

// lineWriter passes a message through and refuses bare CR and LF. With stuff set it doubles dots at the
// start of lines (RFC 5321, 4.5.2).
type lineWriter struct {
	w     io.Writer
	stuff bool
	cr    bool // the last byte was CR
	mid   bool // the last byte was within a line
	err   error
}

// Write passes p on. After an error nothing more is written.
func (d *lineWriter) Write(p []byte) (int, error) {
	if d.err == nil {
		d.err = d.write(p)
	}
	if d.err != nil {
		return 0, d.err
	}
	return len(p), nil
}

func (d *lineWriter) write(p []byte) error {
	done := 0 // bytes of p written
	for i := 0; i < len(p); {
		if d.cr {
			if p[i] != '\n' {
				return errBare
			}
			d.cr, d.mid = false, false
			i++
			continue
		}
		if !d.mid && d.stuff && p[i] == '.' {
			if _, err := d.w.Write(p[done : i+1]); err != nil {
				return err
			}
			done = i
		}
		end := bytes.IndexByte(p[i:], '\r')
		d.cr = end >= 0
		if !d.cr {
			end = len(p) - i
		}
		if bytes.IndexByte(p[i:i+end], '\n') >= 0 {
			return errBare
		}
		if d.stuff && bytes.IndexByte(p[i:i+end], 0) >= 0 {
			return errBare
		}
		d.mid = true
		i += end
		if d.cr {
			i++
		}
	}
	_, err := d.w.Write(p[done:])
	return err
}

// end writes the final dot. A message whose last line is not ended is given its CRLF (RFC 5321, 4.1.1.4).
func (d *lineWriter) end() error {
	switch {
	case d.err != nil:
	case d.cr:
		d.err = errBare
	case d.mid:
		_, d.err = io.WriteString(d.w, "\r\n.\r\n")
	default:
		_, d.err = io.WriteString(d.w, ".\r\n")
	}
	return d.err
}
