package demail

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	gosmtp "github.com/emersion/go-smtp"
)

// letter is a message as a mail server got it.
type letter struct {
	from string
	to   []string
	text string
}

// sink is a mail server that takes everything, and keeps it in its order.
type sink struct {
	addr string

	mu      sync.Mutex
	all     []letter
	changed chan struct{} // closed at the next message
}

func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{addr: l.Addr().String(), changed: make(chan struct{})}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &sinkSession{sink: s}, nil }))
	server.MaxLineLength = 1 << 16
	done := make(chan struct{})
	go func() { _ = server.Serve(l); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return s
}

// letters are those that fit.
func (s *sink) letters(fits func(letter) bool) []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []letter
	for _, l := range s.all {
		if fits(l) {
			out = append(out, l)
		}
	}
	return out
}

// await waits until so many fit.
func (s *sink) await(ctx context.Context, n int, fits func(letter) bool) ([]letter, error) {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if found := s.letters(fits); len(found) >= n {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.letters(fits), context.Cause(ctx)
		}
	}
}

type sinkSession struct {
	sink *sink
	letter
}

// Mail is gosmtp.Session's.
func (s *sinkSession) Mail(from string, _ *gosmtp.MailOptions) error {
	s.letter = letter{from: from}
	return nil
}

// Rcpt is gosmtp.Session's.
func (s *sinkSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data is gosmtp.Session's.
func (s *sinkSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.text = string(content)
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.all = append(s.sink.all, s.letter)
	close(s.sink.changed)
	s.sink.changed = make(chan struct{})
	return nil
}

// Reset is gosmtp.Session's.
func (s *sinkSession) Reset() { s.letter = letter{} }

// Logout is gosmtp.Session's.
func (s *sinkSession) Logout() error { return nil }
