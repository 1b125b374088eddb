// Package publish serves what everybody may see, the lists of a certificate authority or a policy, by HTTP; it takes nothing and asks nobody who they are.
package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/crowd"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Document is what is served under one name.
type Document struct {
	Type    string // media type
	Body    []byte
	Changed time.Time
	Until   time.Time // when another one is to be expected; zero: never
}

// Options are what a Server serves. Address and Find are needed.
type Options struct {
	Address string // host and port
	// Find returns the document of a name: the last element of a path. It may be called at once.
	Find func(name string) (Document, bool)
	TLS  *tls.Config        // nil: plain HTTP
	Log  logrus.FieldLogger // nil: none
	Now  func() time.Time   // nil: time.Now
}

// The bounds of what a server takes upon itself, however many come.
const (
	maxConnections = 256
	maxOfOne       = 32 // connections of one address, or of one IPv6 network of 64 bits
	headerBytes    = 8 << 10
	headerTime     = 5 * time.Second
	answerTime     = time.Minute
	idleTime       = 10 * time.Second
	stopTime       = 2 * time.Second
	cacheTime      = time.Hour // how long others may keep a document, at most
)

// Server answers GET and HEAD for documents, and everything else with an error. Call Listen once, then Serve once.
type Server struct {
	o        Options
	server   *http.Server
	listener net.Listener
	requests sync.WaitGroup
}

// New returns a Server; it touches nothing yet.
func New(o Options) (*Server, error) {
	if o.Address == "" || o.Find == nil {
		return nil, errors.New("publish: an address and documents are needed")
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o}
	s.server = &http.Server{
		Handler: s, MaxHeaderBytes: headerBytes,
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		ErrorLog: stdlog.New(logWriter{o.Log}, "", 0),
	}
	return s, nil
}

// logWriter takes what net/http has to say, which strangers can cause at will.
type logWriter struct{ log logrus.FieldLogger }

// Write logs one line.
func (w logWriter) Write(line []byte) (int, error) {
	w.log.Debug(safetext.Line(strings.TrimSuffix(string(line), "\n"), 512))
	return len(line), nil
}

// Listen binds the address.
func (s *Server) Listen() error {
	l, err := net.Listen("tcp", s.o.Address)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	s.listener = crowd.New(l, maxConnections, maxOfOne)
	if s.o.TLS != nil {
		s.listener = tls.NewListener(s.listener, s.o.TLS)
	}
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
		return errors.New("publish: Serve before Listen")
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer done()
		if s.server.Shutdown(grace) != nil {
			s.server.Close()
		}
	})
	err := s.server.Serve(s.listener)
	if stop() { // ctx has not ended: the listener failed
		s.server.Close()
	} else {
		<-stopped
	}
	s.requests.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	defer s.requests.Done()
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		header.Set("Connection", "close") // whatever body comes with it is not read
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	d, ok := s.o.Find(path.Base(r.URL.Path))
	if !ok {
		http.Error(w, "there is no such document", http.StatusNotFound)
		return
	}
	header.Set("Content-Type", d.Type)
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(s.cache(d)/time.Second)))
	http.ServeContent(w, r, "", d.Changed, bytes.NewReader(d.Body))
}

// cache is how long others may keep a document: never past the time for which it counts.
func (s *Server) cache(d Document) time.Duration {
	if d.Until.IsZero() {
		return cacheTime
	}
	return max(0, min(cacheTime, d.Until.Sub(s.o.Now())))
}
