package smtpin

import (
	"bufio"
	"errors"
	"os"
	"sync"
	"time"
)

// filler reads the network for d.in. Replies go out before the door waits, all that have gathered in one write.
type filler struct{ *door }

// Read implements io.Reader.
func (f filler) Read(p []byte) (int, error) {
	if f.early {
		f.early = false
		return copy(p, f.first[:]), nil
	}
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.readUntil(p)
}

// readUntil reads what comes before the deadline. It is woken where the server stops or the door is to make room.
func (d *door) readUntil(p []byte) (int, error) {
	for {
		until := d.deadline()
		d.link.SetReadDeadline(until)
		switch {
		case d.pace.evicted.Load():
			return 0, errCrowded
		case d.server.stopping.Load() && !d.transferring():
			return 0, errStopping
		}
		n, err := d.link.Read(p)
		interrupted := errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(until)
		if n > 0 || !interrupted {
			return n, err
		}
	}
}

// interrupt wakes a door that waits. It may be called from anywhere, once the server is marked as stopping or
// the door as evicted.
func (d *door) interrupt() { d.raw.SetReadDeadline(time.Unix(1, 0)) }

func (d *door) transferring() bool { return d.frame != nil && d.frame.transferring() }

// deadline is when what is waited for must be here: a whole command, or the next bytes of a message.
func (d *door) deadline() time.Time {
	limits := &d.site.limits
	if d.transferring() {
		return earlier(time.Now().Add(limits.Read), d.frame.limit())
	}
	until := earlier(d.began.Add(limits.Idle), d.fresh.Add(limits.Quiet))
	if d.frame != nil { // between two chunks
		until = earlier(until, d.frame.limit())
	}
	if !d.brief.IsZero() {
		until = earlier(until, d.brief)
	}
	return until
}

// waits notes that a command is waited for from now on.
func (d *door) waits() {
	d.began = time.Now()
	d.pace.silent.Store(d.began.UnixNano())
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// briefly is how long a buffer is kept for who says nothing.
const briefly = time.Second

// await returns when the far end has said something. While it is silent for longer than a moment it costs no
// buffers of the door.
func (d *door) await() error {
	if d.in.Buffered() > 0 {
		return nil
	}
	d.brief = time.Now().Add(briefly)
	_, err := d.in.Peek(1)
	d.brief = time.Time{}
	if !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(d.deadline()) {
		return err
	}
	d.giveReader()
	d.out, d.partial = nil, nil
	n, err := d.readUntil(d.first[:])
	d.takeReader()
	if d.early = n > 0; d.early {
		return nil
	}
	return err
}

// buffers are those of doors that nobody speaks at.
type buffers struct{ sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}}
}

func (d *door) takeReader() {
	d.in = d.server.buffers.Get().(*bufio.Reader)
	d.in.Reset(filler{d})
}

func (d *door) giveReader() {
	d.in.Reset(nil)
	d.server.buffers.Put(d.in)
	d.in = nil
}
