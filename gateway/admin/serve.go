package admin

import (
	"context"
	"errors"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// stopGrace is how long requests may go on after the end of a server was asked for.
const stopGrace = 2 * time.Second

// maxQuestion is the largest body of a request, where nothing else is said.
const maxQuestion = 64 << 10

// newServer is an http.Server with every limit set but that of bodies; write is how long the slowest answer may take.
func newServer(h http.Handler, write time.Duration, log logrus.FieldLogger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      write,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(serverLog{log}, "", 0),
	}
}

// serverLog takes what net/http has to say: a panic of a handler, a broken connection.
type serverLog struct{ log logrus.FieldLogger }

// Write logs one line.
func (l serverLog) Write(line []byte) (int, error) {
	l.log.Warn(safetext.Line(strings.TrimSuffix(string(line), "\n"), 2048))
	return len(line), nil
}

// drain hands requests on and knows when the last one has been answered.
type drain struct {
	handler http.Handler
	open    sync.WaitGroup
}

// ServeHTTP implements http.Handler.
func (d *drain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.open.Add(1)
	defer d.open.Done()
	d.handler.ServeHTTP(w, r)
}

// serve runs s on l until ctx ends, and returns after the last request. The requests' contexts end with
// the grace, not with ctx.
func (d *drain) serve(ctx context.Context, s *http.Server, l net.Listener) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s.BaseContext = func(net.Listener) context.Context { return requests }
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, done := context.WithTimeout(requests, stopGrace)
		defer done()
		if s.Shutdown(grace) != nil {
			cut()
			s.Close()
		}
	})
	err := s.Serve(l)
	if stop() { // ctx has not ended: the listener failed
		s.Close()
	} else {
		<-stopped
	}
	cut()
	d.open.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// gate is a listener that keeps a number of connections open at most, and turns away who may not come in.
type gate struct {
	net.Listener
	slots chan struct{}
	admit func(net.Conn) (user int, err error) // nil: everybody
	done  chan struct{}
	once  sync.Once
}

func newGate(l net.Listener, limit int, admit func(net.Conn) (int, error)) *gate {
	return &gate{Listener: l, slots: make(chan struct{}, limit), admit: admit, done: make(chan struct{})}
}

// Accept waits for room, then for somebody who may come in.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case g.slots <- struct{}{}:
	case <-g.done:
		return nil, net.ErrClosed
	}
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			<-g.slots
			return nil, err
		}
		user := -1
		if g.admit != nil {
			if user, err = g.admit(c); err != nil {
				c.Close()
				continue
			}
		}
		return &guest{Conn: c, user: user, leave: sync.OnceFunc(func() { <-g.slots })}, nil
	}
}

// Close ends waiting Accepts too.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.done) })
	return g.Listener.Close()
}

// guest is an admitted connection.
type guest struct {
	net.Conn
	user  int // user id of the peer; -1 where it is not known
	leave func()
}

// Close closes the connection and makes room for another.
func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}

func orSilent(log logrus.FieldLogger) logrus.FieldLogger {
	if log != nil {
		return log
	}
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	return silent
}
