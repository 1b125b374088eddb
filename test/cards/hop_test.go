package cards

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	gosmtp "github.com/emersion/go-smtp"
)

// hop takes all mail without TLS and keeps it by recipient.
type hop struct {
	addr string

	mu      sync.Mutex
	got     map[string]string
	changed chan struct{} // closed at the next message
}

func newHop(t *testing.T) *hop {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hop{addr: l.Addr().String(), got: map[string]string{}, changed: make(chan struct{})}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &hopSession{hop: h}, nil }))
	done := make(chan struct{})
	go func() { server.Serve(l); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return h
}

// next waits for the message to a recipient.
func (h *hop) next(ctx context.Context, to string) (string, error) {
	for {
		h.mu.Lock()
		message, ok := h.got[to]
		changed := h.changed
		h.mu.Unlock()
		if ok {
			return message, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// has tells whether there is a message to a recipient.
func (h *hop) has(to string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.got[to]
	return ok
}

type hopSession struct {
	hop *hop
	to  []string
}

// Mail is gosmtp.Session's.
func (s *hopSession) Mail(string, *gosmtp.MailOptions) error { s.to = nil; return nil }

// Rcpt is gosmtp.Session's.
func (s *hopSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data is gosmtp.Session's.
func (s *hopSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.hop.mu.Lock()
	defer s.hop.mu.Unlock()
	for _, to := range s.to {
		s.hop.got[to] = string(content)
	}
	close(s.hop.changed)
	s.hop.changed = make(chan struct{})
	return nil
}

// Reset is gosmtp.Session's.
func (s *hopSession) Reset() { s.to = nil }

// Logout is gosmtp.Session's.
func (s *hopSession) Logout() error { return nil }
