package addin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/crowd"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// The bounds of what a server takes upon itself, however many come. Behind a proxy everybody comes from one address.
const (
	maxConnections = 1024
	maxOfOne       = 256
	headerBytes    = 32 << 10 // a token has up to token.Max bytes
	headerTime     = 5 * time.Second
	readTime       = 10 * time.Second
	writeTime      = 20 * time.Second // beyond the time of an answer
	idleTime       = 2 * time.Minute
	stopTime       = 2 * time.Second
)

// Options are what a Server keeps for its life. Address, Explain and Setup are needed.
type Options struct {
	Address string // host and port
	Explain Explainer
	Log     logrus.FieldLogger // nil: none
	Now     func() time.Time   // nil: time.Now
	Setup   Setup

	figures *figures
	atOnce  chan struct{}
	turns   *turns
}

// Server serves the add-in. Call Listen once, then Serve once. Set is for one goroutine at a time.
type Server struct {
	o        Options
	server   *http.Server
	listener net.Listener
	current  atomic.Pointer[terms]
	requests sync.WaitGroup
}

// terms are what is in force; each Set makes others.
type terms struct {
	handler *handler
	tls     *tls.Config
}

// New returns a Server; it touches nothing yet.
func New(o Options) (*Server, error) {
	if o.Address == "" || o.Explain == nil {
		return nil, errors.New("addin: an address and somebody who explains are needed")
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.figures, o.atOnce, o.turns = newFigures(), make(chan struct{}, maxAtOnce), newTurns(halfOfAll())
	s := &Server{o: o}
	if err := s.Set(o.Setup); err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s.server = &http.Server{
		Handler: s, MaxHeaderBytes: headerBytes, ConnContext: withTerms, Protocols: protocols,
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: readTime + time.Minute + writeTime, IdleTimeout: idleTime,
		ErrorLog: stdlog.New(logWriter{o.Log}, "", 0),
	}
	return s, nil
}

// logWriter takes what net/http has to say, which strangers can cause at will.
type logWriter struct{ log logrus.FieldLogger }

// Write logs one line.
func (w logWriter) Write(line []byte) (int, error) {
	text := safetext.Line(strings.TrimSuffix(string(line), "\n"), 2048)
	if strings.HasPrefix(text, "http: panic") {
		w.log.Error("Outlook: " + text)
	} else {
		w.log.Debug("Outlook: " + text)
	}
	return len(line), nil
}

// Collectors are the figures for Prometheus.
func (s *Server) Collectors() []prometheus.Collector { return s.o.figures.collectors() }

// Check reports whether Set would take a setup.
func (s *Server) Check(setup Setup) error {
	_, err := s.terms(setup)
	return err
}

// Set puts a setup into force, or changes nothing. Connections of before end: they came under other terms.
func (s *Server) Set(setup Setup) error {
	t, err := s.terms(setup)
	if err != nil {
		return err
	}
	s.current.Store(t)
	if s.server != nil {
		s.server.SetKeepAlivesEnabled(false) // closes those that are idle
		s.server.SetKeepAlivesEnabled(true)
	}
	return nil
}

func (s *Server) terms(setup Setup) (*terms, error) {
	if setup.Certificate == nil {
		return nil, errors.New("addin: a certificate is needed")
	}
	var before *handler
	if t := s.current.Load(); t != nil {
		before = t.handler
	}
	h, err := s.o.newHandler(setup, before)
	if err != nil {
		return nil, err
	}
	config := setup.TLS.ServerConfig(setup.Certificate, false)
	config.NextProtos = []string{"http/1.1"}
	return &terms{h, config}, nil
}

// Listen binds the address.
func (s *Server) Listen() error {
	l, err := net.Listen("tcp", s.o.Address)
	if err != nil {
		return fmt.Errorf("addin: %w", err)
	}
	s.listener = covered{crowd.New(l, maxConnections, maxOfOne), s}
	return nil
}

// Addr is the bound address, nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Close releases a server that listens and is not served.
func (s *Server) Close() error {
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// Serve answers until ctx ends, then returns nil after the last request has been answered or, 2 seconds later, cut off.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("addin: Serve before Listen")
	}
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	requests = context.WithValue(requests, lastingKey{}, requests)
	s.server.BaseContext = func(net.Listener) context.Context { return requests }
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer done()
		if s.server.Shutdown(grace) != nil {
			cut()
			s.server.Close()
		}
	})
	err := s.server.Serve(s.listener)
	if stop() { // ctx has not ended: the listener failed
		s.server.Close()
	} else {
		<-stopped
	}
	cut()
	s.requests.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// lastingKey is the key of what [lasting] returns.
type lastingKey struct{}

// lasting is the context of all requests, which ends with the server and not when a client goes: who hangs up early must not keep keys from being fetched, nor use of
// what is shared unfinished.
func lasting(ctx context.Context) context.Context {
	if all, ok := ctx.Value(lastingKey{}).(context.Context); ok {
		return all
	}
	return context.WithoutCancel(ctx)
}

// covered is a listener whose connections have the TLS that is in force when they come.
type covered struct {
	net.Listener
	s *Server
}

// Accept returns the next connection. Its handshake comes with its first byte, within the time that a header has.
func (l covered) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := l.s.current.Load()
	return tls.Server(visit{raw, t}, t.tls), nil
}

// visit is a connection with the terms under which it came.
type visit struct {
	net.Conn
	under *terms
}

// termsKey is the key of a request's terms in its context.
type termsKey struct{}

// withTerms notes the terms of a connection for its requests.
func withTerms(ctx context.Context, c net.Conn) context.Context {
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	v, _ := c.(visit)
	return context.WithValue(ctx, termsKey{}, v.under)
}

// ServeHTTP answers requests that came under the terms in force, and ends the connections of others.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	defer s.requests.Done()
	t := s.current.Load()
	if under, _ := r.Context().Value(termsKey{}).(*terms); under != t {
		w.Header().Set("Connection", "close")
		t.handler.secure(w.Header())
		t.handler.fail(w, misdirected) // RFC 9110, 15.5.20: a browser asks again by a new connection
		return
	}
	t.handler.ServeHTTP(w, r)
}
