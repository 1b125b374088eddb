package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
)

// maxSilent is after how many questions without an answer a server is left alone.
const maxSilent = 3

// prober asks one server. It is used by several goroutines at once.
type prober struct {
	target  Target
	options Options
	seats   chan struct{}

	mu        sync.Mutex
	made      int   // connections
	answered  int   // of them, those to which TLS was answered, if only by an alert
	silent    int   // and those to which nothing came in time
	hungUp    int   // and those that ended without an alert
	stopped   error // nothing is asked any more
	malformed error // the first answer that broke the rules
}

// errHungUp is the refusal of a server that ends the connection and says nothing.
var errHungUp = errors.New("it hung up without an alert")

// errSilent is the refusal of a server that says nothing in time.
var errSilent = errors.New("no answer in time")

// Refusal is why one hello got no hello in return: an *hello.Alert, an *hello.NotTLS, or that the server hung up, was silent or broke
// the rules. The server may be asked something else.
type Refusal struct{ Err error }

// Error is the cause.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

func isRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}

// ask sends a hello on a connection of its own. The error is a *Refusal, or one after which nothing more is asked.
func (p *prober) ask(ctx context.Context, h hello.ClientHello, until hello.Until) (hello.Flight, error) {
	record, err := h.Record()
	if err != nil {
		return hello.Flight{}, err
	}
	var flight hello.Flight
	err = p.connection(ctx, func(ctx context.Context, c net.Conn) error {
		if _, err := c.Write(record); err != nil {
			return err
		}
		var err error
		flight, err = hello.Read(c, until)
		if err == nil { // it is told that this is all
			version := min(flight.Hello.Version, hello.TLS12)
			c.Write([]byte{21, byte(version >> 8), byte(version), 0, 2, 1, 0}) // close_notify
		}
		return err
	})
	if err != nil && flight.Hello != nil && until == hello.UntilDone && isRefusal(err) {
		return flight, nil // the choice was made; what is missing of the rest is seen there
	}
	return flight, err
}

// connection does something on a connection where TLS is to begin. An error of the door, in the middle of everything, is
// given a second chance.
func (p *prober) connection(ctx context.Context, do func(context.Context, net.Conn) error) error {
	select {
	case p.seats <- struct{}{}:
		defer func() { <-p.seats }()
	case <-ctx.Done():
		return p.ended(ctx)
	}
	var err error
	for range 2 {
		if err := p.begin(ctx); err != nil {
			return err
		}
		err = p.once(ctx, do)
		var door *DoorError
		if ctx.Err() != nil || !errors.As(err, &door) || p.first() {
			break
		}
	}
	return p.end(ctx, err)
}

func (p *prober) once(ctx context.Context, do func(context.Context, net.Conn) error) error {
	ctx, cancel := p.pace(ctx)
	defer cancel()
	c, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := do(ctx, c); err != nil {
		return &Refusal{cause(err)}
	}
	return nil
}

// first reports whether nothing was answered yet.
func (p *prober) first() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered == 0
}

// begin counts a connection that is about to be made.
func (p *prober) begin(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stopped != nil:
		return p.stopped
	case ctx.Err() != nil:
		return p.endedLocked(ctx)
	case p.made >= p.options.MaxConnections:
		p.stopped = fmt.Errorf("%w: %d connections", ErrEnough, p.made)
		return p.stopped
	}
	p.made++
	return nil
}

// end notes what became of a connection, and gives its error.
func (p *prober) end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return p.ended(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var alert *hello.Alert
	var door *DoorError
	switch {
	case err == nil, errors.As(err, &alert), isAlert(err):
		p.answered++
		p.silent = 0
	case errors.Is(err, errHungUp):
		p.hungUp++
	case errors.Is(err, errSilent):
		if p.silent++; p.silent >= maxSilent && p.stopped == nil {
			p.stopped = fmt.Errorf("%w: it left %d questions one after another without an answer", ErrEnough, p.silent)
		}
	case errors.Is(err, hello.ErrMalformed), errors.Is(err, hello.ErrTooMuch), errors.Is(err, hello.ErrNotTLS):
		if p.malformed == nil {
			p.malformed = err
		}
	case errors.As(err, &door) && p.stopped == nil:
		p.stopped = err
	}
	return err
}

func (p *prober) ended(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endedLocked(ctx)
}

func (p *prober) endedLocked(ctx context.Context) error {
	if p.stopped == nil {
		p.stopped = fmt.Errorf("%w: %s", ErrEnough, p.options.Timeout)
		if errors.Is(ctx.Err(), context.Canceled) {
			p.stopped = ctx.Err()
		}
	}
	return p.stopped
}

// cause puts the errors of the network into the few kinds that matter here.
func cause(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return errSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errHungUp
	}
	return err
}
