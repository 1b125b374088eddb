package smtpin

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// A frame reads one message off the wire: by dots (DATA) or by counts (BDAT). It gives the octets of the
// message as they are and holds them to CRLF.
type frame interface {
	io.Reader
	finish() error // reads to the end of the message, or ends the connection; what is wrong with the frame
	transferring() bool
	limit() time.Time // when the message must be here
	eightBit() bool
}

// What can be wrong with a frame. The first is of the message, as is errTooLarge; the others are of the connection.
var (
	errBareLine = status.Refuse(554, "5.5.2", "lines end in CRLF; a bare CR or LF, or a NUL, is not accepted")
	errAborted  = errors.New("smtpin: the client gave the message up")
	errBroken   = errors.New("smtpin: the connection broke within a message")
)

// errTooLarge is the fault of a message with more octets than are taken.
func errTooLarge(most int64) error {
	return status.Say(nil, 552, "5.3.4", texts.DoorTooLarge, texts.Values{Limit: most})
}

// tally is what both frames keep.
type tally struct {
	*door
	start time.Time
	until time.Time
	max   int64 // octets of a message that is taken
	size  int64 // octets seen
	fault error // errBareLine or errTooLarge
	ended error // io.EOF, errAborted, errBroken
	high  bool
}

// limit is the end of the time for the whole message, or the moment when what has come is too little for the time
// it took.
func (t *tally) limit() time.Time {
	limits := &t.site.limits
	due := t.start.Add(limits.Read + time.Duration(float64(t.size)/float64(limits.Rate)*float64(time.Second)))
	return earlier(t.until, due)
}

func (t *tally) eightBit() bool { return t.high }

// count notes n more octets. Of a message that is refused anyway as much again is read, so that the client
// reads why; then the connection ends.
func (t *tally) count(n int) {
	t.size += int64(n)
	t.pace.size.Store(t.size)
	if t.size > t.max && t.fault == nil {
		t.fault = errTooLarge(t.site.MaxSize)
	}
	const slack = 1 << 20
	if t.size > 2*t.max+slack {
		t.ended, t.linger = errBroken, true
		t.door.farewell(nil)
	}
}

// check looks at the octets between line ends.
func (t *tally) check(text []byte) {
	if bytes.IndexByte(text, '\r') >= 0 || bytes.IndexByte(text, 0) >= 0 {
		t.fault = errBareLine
	}
	t.high = t.high || isHigh(text)
}

func isHigh(b []byte) bool {
	const word = 8
	for ; len(b) >= word; b = b[word:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return true
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// broke ends frame and connection for an error of the network.
func (t *tally) broke(err error) error {
	t.ended, t.linger = errBroken, true
	switch {
	case errors.Is(err, errCrowded):
		t.fault = errCrowded
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.fault = status.Say(nil, 421, "4.4.2", texts.DoorSlow, texts.Values{})
	}
	t.door.farewell(nil)
	return t.result()
}

// result is what Read and finish return once there is nothing more.
func (t *tally) result() error {
	switch {
	case t.fault != nil:
		return t.fault
	case errors.Is(t.ended, errBroken):
		return errBroken
	}
	return t.ended
}

// newFrame is the frame of the message that go-smtp has just said 354 to.
func (d *door) newFrame() frame {
	now := time.Now()
	t := tally{door: d, max: d.site.MaxSize, start: now, until: now.Add(d.site.limits.Message)}
	d.inData = true
	d.pace.size.Store(0)
	d.pace.moving.Store(now.UnixNano())
	if c := d.chunk; c != nil {
		d.chunk = nil
		c.tally = t
		d.frame = c
		return c
	}
	d.frame = &dots{tally: t, start: true}
	return d.frame
}

// closeFrame reads what is left of the message.
func (d *door) closeFrame() error {
	if d.frame == nil {
		return errBroken
	}
	err := d.frame.finish()
	d.frame = nil
	d.pace.moving.Store(0)
	return err
}

// dots is the frame of DATA (RFC 5321, 4.5.2): it ends with a line that is a single dot, and with nothing
// less: both line ends around the dot must be CRLF.
type dots struct {
	tally
	rest  []byte // to be given out; of the buffer, or crlf
	start bool   // at the start of a line
	cr    bool   // a CR ended the last part, which may belong to a CRLF
}

func (f *dots) transferring() bool { return true }

// Read implements io.Reader.
func (f *dots) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(f.rest) == 0 {
			if n > 0 && f.in.Buffered() == 0 {
				return n, nil // rather than wait
			}
			if err := f.advance(); err != nil {
				if n > 0 {
					return n, nil // the error comes again
				}
				return 0, err
			}
		}
		c := copy(p[n:], f.rest)
		f.rest = f.rest[c:]
		n += c
	}
	return n, nil
}

// finish reads to the end. After a bare CR or LF it ends the connection too: the far end may hold another
// place for the end of the message, and what follows ours for part of it.
func (f *dots) finish() error {
	for f.ended == nil {
		f.advance()
	}
	if f.fault == errBareLine {
		f.linger = true
		f.door.ended = io.EOF
	}
	if err := f.result(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// advance reads the next part: a line, or what fits into the buffer. Of a message that is refused it keeps
// nothing, and reads on to the end.
func (f *dots) advance() error {
	for f.ended == nil {
		part, err := f.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return f.broke(err)
		}
		f.rest = f.part(part, err == nil)
		if f.fault != nil {
			f.rest = nil
		}
		if len(f.rest) > 0 {
			return nil
		}
	}
	return f.result()
}

// part is what one part of the wire is to the message; line says that it ends in LF.
func (f *dots) part(part []byte, line bool) []byte {
	if f.cr {
		f.cr = false
		if len(part) == 1 && line {
			f.start = true
			f.count(2)
			return []byte("\r\n")
		}
		f.fault = errBareLine
	}
	text := part
	if line {
		var ok bool
		if text, ok = bytes.CutSuffix(part, []byte("\r\n")); !ok {
			f.fault = errBareLine
		}
		line = ok
	} else if part[len(part)-1] == '\r' {
		f.cr = true
		part, text = part[:len(part)-1], part[:len(part)-1]
	}
	f.check(text)
	if f.start && len(text) > 0 && text[0] == '.' {
		if line && len(text) == 1 {
			f.ended = io.EOF
			return nil
		}
		part = part[1:]
	}
	f.start = line
	f.count(len(part))
	return part
}
