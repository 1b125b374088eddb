package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/siegel-mail/siegel/internal/ldapframe"
)

const (
	idleTime   = 2 * time.Minute  // after which a connection is not used again; firewalls forget it, servers end it
	downTime   = 30 * time.Second // for which a server that failed is asked last
	awayTime   = 5 * time.Second  // for which nothing is asked where no server could be reached
	refusal    = 30 * time.Minute // for which a password that was refused is not tried again
	idleBytes  = 64 << 10         // that may come while nothing was asked: a notice of disconnection (RFC 4511, 4.4.1)
	idleNotice = 16
)

// messageLimits are the bounds of one message of a directory. An entry with a hundred certificates has 200 KB.
func messageLimits() ldapframe.Limits {
	return ldapframe.Limits{Message: 2 << 20, Elements: 50_000, Depth: 20}
}

// conn is a connection that is logged in. One question at a time uses it.
type conn struct {
	*goldap.Conn
	raw    net.Conn // closing it ends everything on it
	frames *ldapframe.Conn
	server *server
	used   time.Time
	reused bool
	spent  bool // more comes on it that nobody wants
}

// close ends a connection. The library's own Close waits for its goroutines, which end when there is nothing to read.
func (c *conn) close() {
	c.raw.Close()
	c.Conn.Close()
}

// refusedError is a login that was refused.
type refusedError struct {
	err   error
	until time.Time
}

// Error says what becomes of it.
func (e *refusedError) Error() string {
	return fmt.Sprintf("%v; so that the account is not locked it is not tried again before %s: put it right and reload", e.err, e.until.Format("15:04:05"))
}

// Unwrap returns the refusal itself.
func (e *refusedError) Unwrap() error { return e.err }

// acquire waits for room and returns a connection: an idle one where fresh is not set, else one of the first server that takes us in.
func (d *Directory) acquire(ctx context.Context, fresh bool) (*conn, error) {
	if err := d.askable(); err != nil {
		return nil, err
	}
	select {
	case d.room <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("all %d connections are in use: %w", d.o.Connections, context.Cause(ctx))
	}
	if !fresh {
		if c := d.takeIdle(); c != nil {
			return c, nil
		}
	}
	c, err := d.alone(ctx, func() (*conn, error) { return d.connect(ctx) })
	if err != nil {
		<-d.room
		return nil, err
	}
	return c, nil
}

// askable is the error of a directory that is away, or has refused us, and is left alone for a while.
func (d *Directory) askable() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if left := d.until.Sub(d.o.Now()); d.away != nil && left > 0 && left <= refusal {
		return d.away
	}
	return nil
}

// takeIdle returns the connection that was used last, and ends those that are too old or broken.
func (d *Directory) takeIdle() *conn {
	now := d.o.Now()
	var old []*conn
	defer func() {
		for _, c := range old {
			c.close()
		}
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.idle) > 0 {
		c := d.idle[len(d.idle)-1]
		d.idle = d.idle[:len(d.idle)-1]
		if !c.IsClosing() && now.Sub(c.used).Abs() < idleTime {
			c.reused = true
			return c
		}
		old = append(old, c)
	}
	return nil
}

// release gives a connection back. One that is broken is ended, and with it those that have idled beside it.
func (d *Directory) release(c *conn, broken bool) {
	defer func() { <-d.room }()
	c.frames.Allow(idleNotice, idleBytes)
	c.used = d.o.Now()
	d.mu.Lock()
	keep := !broken && !c.spent && !d.closed && !c.IsClosing() && len(d.idle) < d.o.Connections
	var old []*conn
	if keep {
		d.idle = append(d.idle, c)
	} else if broken {
		old, d.idle = d.idle, nil
	}
	d.mu.Unlock()
	if !keep {
		c.close()
	}
	for _, o := range old {
		o.close()
	}
}

// alone runs f while nobody else logs in, so that a password that is wrong is presented once and not by all who wait.
func (d *Directory) alone(ctx context.Context, f func() (*conn, error)) (*conn, error) {
	select {
	case d.binding <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("its servers have not taken us in: %w", context.Cause(ctx))
	}
	defer func() { <-d.binding }()
	if err := d.askable(); err != nil { // found out by whoever was before us
		return nil, err
	}
	return f()
}

// connect tries the servers, those first that did not fail lately.
func (d *Directory) connect(ctx context.Context) (*conn, error) {
	var errs []error
	for _, s := range d.inOrder() {
		c, err := d.connectTo(ctx, s)
		if err == nil {
			return c, nil
		}
		var refused *refusedError
		if errors.As(err, &refused) {
			return nil, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.url, err))
		err = errors.Join(errs...)
		if errors.Is(context.Cause(ctx), context.Canceled) { // who asked has gone
			return nil, err
		}
		d.failed(s, err)
		if ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, errors.Join(errs...)
}

// inOrder returns the servers as they are named, but for those that failed lately.
func (d *Directory) inOrder() []*server {
	now := d.o.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	var good, bad []*server
	for _, s := range d.servers {
		if s.isDown(now) {
			bad = append(bad, s)
		} else {
			good = append(good, s)
		}
	}
	return slices.Concat(good, bad)
}

// failed has a server asked last for a while, and where all have failed nothing asked for a moment.
func (d *Directory) failed(s *server, err error) {
	now := d.o.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	s.down = now.Add(downTime)
	if !slices.ContainsFunc(d.servers, func(s *server) bool { return !s.isDown(now) }) {
		d.away, d.until = err, now.Add(awayTime)
	}
}

// isDown reports whether a server failed lately. The directory's mutex is held.
func (s *server) isDown(now time.Time) bool {
	left := s.down.Sub(now)
	return left > 0 && left <= downTime
}

// leave has nothing asked until then.
func (d *Directory) leave(err error, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away, d.until = err, until
}

// connectTo connects to one server and logs in. A login that is refused ends all questions for a while. The caller holds binding.
func (d *Directory) connectTo(ctx context.Context, s *server) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Connect, errors.New("it did not take us in within "+d.o.Connect.String()))
	defer cancel()
	raw, err := s.dial(ctx, d.o)
	if err != nil {
		return nil, orCause(ctx, err)
	}
	frames := ldapframe.New(raw, messageLimits())
	frames.Allow(idleNotice, idleBytes)
	c := &conn{Conn: goldap.NewConn(frames, true), raw: raw, frames: frames, server: s} // TLS is ours to begin, not the library's
	c.Start()
	err = c.within(ctx, func() error { return d.bind(c) })
	if err == nil {
		return c, nil
	}
	c.close()
	var result *goldap.Error
	if errors.As(err, &result) && result.ResultCode < firstOwnCode && !passing(result.ResultCode) {
		refused := &refusedError{errors.New(explainLogin(d.o, result)), d.o.Now().Add(refusal)}
		d.leave(refused, refused.until)
		return nil, refused
	}
	return nil, err
}

// bind logs in (RFC 4513, 5).
func (d *Directory) bind(c *conn) error {
	switch d.o.Method {
	case Simple:
		_, err := c.SimpleBind(goldap.NewSimpleBindRequest(d.o.DN, d.o.Password.Reveal(), nil))
		return err
	case External:
		return c.ExternalBind()
	}
	return nil
}

// within runs f, whose connection is cut when ctx ends, and returns what ended it.
func (c *conn) within(ctx context.Context, f func() error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	err := f()
	if !stop() {
		return orCause(ctx, errors.Join(err, context.Cause(ctx)))
	}
	var result *goldap.Error
	if errors.As(err, &result) && result.ResultCode < firstOwnCode {
		return err
	}
	if fault := c.frames.Err(); err != nil && fault != nil { // the library has it as text only
		if errors.Is(fault, ldapframe.ErrTooLong) {
			return fmt.Errorf("%w; leave large attributes out, or give people fewer values", fault)
		}
		return fault
	}
	return err
}

// orCause prefers what ended ctx to what came of that.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
