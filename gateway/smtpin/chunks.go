package smtpin

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/status"
)

// chunks is the frame of BDAT (RFC 3030): each command says how many octets follow it.
type chunks struct {
	tally
	left int64 // of this chunk
	last bool  // this chunk is the last
	wait bool  // between two chunks
	cr   bool  // the last octet was CR

	mend  *mender // nil: line ends must be right
	ready []byte  // mended, to be given out
}

func (f *chunks) transferring() bool { return !f.wait }

func (f *chunks) limit() time.Time {
	if f.wait {
		return f.until
	}
	return f.tally.limit()
}

// Read implements io.Reader.
func (f *chunks) Read(p []byte) (int, error) {
	if f.mend != nil {
		return f.readMended(p)
	}
	return f.readStrict(p)
}

// readMended is readStrict with line ends that were mended.
func (f *chunks) readMended(p []byte) (int, error) {
	for len(f.ready) == 0 {
		var raw [bufferSize]byte
		n, err := f.readStrict(raw[:])
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if n > 0 {
			f.ready = f.mend.next(raw[:n])
			f.count(len(f.ready) - n)
		} else if f.ready = f.mend.next(nil); len(f.ready) == 0 {
			return 0, err
		}
		if f.mend.mended && f.mend.signed {
			f.fault = errSigned
		}
		if f.fault != nil {
			f.ready = nil
			return 0, f.fault
		}
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// readStrict reads octets of the chunks, and holds them to CRLF unless they are mended.
func (f *chunks) readStrict(p []byte) (int, error) {
	for f.left == 0 && f.ended == nil && f.fault == nil {
		if f.last {
			f.lineEnd(nil)
			f.ended = io.EOF
			break
		}
		f.nextChunk()
	}
	if f.size+f.left > f.max && f.fault == nil {
		f.fault = errTooLarge(f.site.MaxSize)
	}
	if f.ended != nil || f.fault != nil {
		return 0, f.result()
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.left)])
	if err != nil {
		return n, f.broke(err)
	}
	f.left -= int64(n)
	f.lineEnd(p[:n])
	f.count(n)
	if f.fault != nil {
		return 0, f.fault
	}
	return n, nil
}

// lineEnd holds octets, of which the chunks make arbitrary pieces, to CRLF; nil is the end.
func (f *chunks) lineEnd(b []byte) {
	if f.mend != nil {
		if bytes.IndexByte(b, 0) >= 0 {
			f.fault = errBareLine
		}
		f.high = f.high || isHigh(b)
		return
	}
	if f.cr && (len(b) == 0 || b[0] != '\n') {
		f.fault = errBareLine
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		text, ok := bytes.CutSuffix(b[:i], []byte{'\r'})
		if !ok && !(i == 0 && f.cr) {
			f.fault = errBareLine
		}
		f.check(text)
		b, f.cr = b[i+1:], false
	}
	if len(b) > 0 {
		text, ok := bytes.CutSuffix(b, []byte{'\r'})
		f.check(text)
		f.cr = ok
	}
}

// nextChunk answers the last chunk and reads commands up to the next one. RSET and its like give the message
// up: they are read once more, by go-smtp, when it has seen the message end.
func (f *chunks) nextChunk() {
	f.say(status.Reply{Code: 250, Enhanced: [3]int{2, 0, 0}, Text: "go on"})
	f.wait = true
	f.pace.moving.Store(0)
	start := time.Now()
	defer func() {
		f.wait = false
		f.start = f.start.Add(time.Since(start)) // the rate is that of the chunks
		f.pace.moving.Store(f.start.UnixNano())
	}()
	for {
		line, err := f.command()
		if err != nil {
			f.ended, f.mute = errBroken, 1 // the last word was said
			return
		}
		verb, arg, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "BDAT":
			if !f.announce(strings.TrimSpace(arg)) {
				f.ended, f.mute = errBroken, 1
			}
			return
		case "RSET", "EHLO", "HELO", "QUIT":
			f.again, f.mute = line, 1 // no reply of its own to the message
			f.ended = errAborted
			return
		case "NOOP":
			f.say(status.Reply{Code: 250, Enhanced: [3]int{2, 0, 0}, Text: "ok"})
		default:
			f.refuse(503, "5.5.1", "a message is being sent by BDAT")
		}
	}
}

// finish reads the rest of the chunk that failed: each has a reply of its own, and the message ends with the
// first that is refused. A chunk that is far too large is not waited for.
func (f *chunks) finish() error {
	const slack = 1 << 20
	if f.left > 2*f.site.MaxSize+slack {
		f.linger = true
		f.farewell(nil)
		return errTooLarge(f.site.MaxSize)
	}
	for f.left > 0 && f.ended == nil {
		n, err := f.in.Discard(int(min(f.left, bufferSize)))
		f.left -= int64(n)
		if err != nil {
			return f.broke(err)
		}
	}
	switch err := f.result(); {
	case err == nil:
		return errAborted // by the reader
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}
