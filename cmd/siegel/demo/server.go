package demo

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/emersion/go-smtp"
)

// messageLimit bounds what a simulated server takes.
const messageLimit = 64 << 20

// letter is a message that a simulated mail server received.
type letter struct {
	from string
	to   []string
	body []byte
	tls  string // version, empty where the connection was plain
}

// mailServer is a simulated mail server: it takes every message and hands it to whoever waits.
type mailServer struct {
	name     string
	server   *smtp.Server
	listener net.Listener
	letters  chan letter
	done     chan error
}

// startServer listens on a free port of loopback, with STARTTLS.
func startServer(name string, cert tls.Certificate) (*mailServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &mailServer{name: name, listener: l, letters: make(chan letter, 100), done: make(chan error, 1)}
	s.server = smtp.NewServer(s)
	s.server.Domain = name
	s.server.MaxMessageBytes = messageLimit
	s.server.MaxLineLength = 64 << 10
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.server.ErrorLog = quiet{}
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

// addr is the host and port it listens on.
func (s *mailServer) addr() string { return s.listener.Addr().String() }

// close stops the server and returns when it has.
func (s *mailServer) close() {
	s.server.Close()
	<-s.done
}

// wait returns the next letter.
func (s *mailServer) wait(ctx context.Context) (letter, error) {
	select {
	case l := <-s.letters:
		return l, nil
	case <-ctx.Done():
		return letter{}, fmt.Errorf("%s received nothing: %w", s.name, context.Cause(ctx))
	}
}

// NewSession implements smtp.Backend.
func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

// session is one connection to a mailServer; go-smtp calls it from one goroutine.
type session struct {
	server *mailServer
	conn   *smtp.Conn
	letter letter
}

// Mail begins a letter.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.letter = letter{from: from}
	return nil
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to = append(s.letter.to, to)
	return nil
}

// Data takes the letter.
func (s *session) Data(r io.Reader) error {
	body, err := io.ReadAll(io.LimitReader(r, messageLimit))
	if err != nil {
		return err
	}
	s.letter.body = body
	if state, ok := s.conn.TLSConnectionState(); ok {
		s.letter.tls = tls.VersionName(state.Version)
	}
	select {
	case s.server.letters <- s.letter:
		return nil
	default:
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "the demo's mailbox is full"}
	}
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.letter = letter{} }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// quiet drops what go-smtp would log of broken connections.
type quiet struct{}

// Printf implements smtp.Logger.
func (quiet) Printf(string, ...any) {}

// Println implements smtp.Logger.
func (quiet) Println(...any) {}
