package smtpin_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// received is one message that the handler got.
type received struct {
	env     mail.Envelope
	content string
}

// sink is a Handler and a Recorder that keeps what it gets.
type sink struct {
	mu     sync.Mutex
	got    []received
	events []track.Event
	fail   func(mail.Envelope) error
}

func (s *sink) Accept(_ context.Context, env mail.Envelope, content mail.Content) error {
	if s.fail != nil {
		if err := s.fail(env); err != nil {
			return err
		}
	}
	r, err := content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != content.Size() {
		return fmt.Errorf("%d of %d octets: %w", len(b), content.Size(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, received{env, string(b)})
	return nil
}

func (s *sink) Record(e track.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.To = append([]string(nil), e.To...)
	s.events = append(s.events, e)
}

func (s *sink) messages() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.got...)
}

func (s *sink) recorded(kind track.Kind) (found []track.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// users is an Authenticator of one user.
type users struct{ err error }

func (u users) Authenticate(_ context.Context, user, password string) (mail.Patterns, error) {
	switch {
	case u.err != nil:
		return nil, u.err
	case user == "alice" && password == "correct horse":
		return patterns("alice@firma.example", "@team.firma.example"), nil
	}
	return nil, fmt.Errorf("users: %w", smtpin.ErrCredentials)
}

func patterns(texts ...string) mail.Patterns {
	ps, err := mail.ParsePatterns(texts...)
	if err != nil {
		panic(err)
	}
	return ps
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// listener is a usable listener of each role.
func listener(role smtpin.Role, config *tls.Config) smtpin.Listener {
	l := smtpin.Listener{Name: string(role), Address: "127.0.0.1:0", Role: role, TLSConfig: config}
	switch role {
	case smtpin.Internal:
		l.Networks, l.Senders = loopback, patterns("@firma.example")
	case smtpin.Submission:
		l.Auth = users{}
	}
	return l
}

func options(t testing.TB, h *sink, listeners ...smtpin.Listener) smtpin.Options {
	t.Helper()
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return smtpin.Options{
		Hostname: "mx.firma.example", Local: patterns("@firma.example", "@*.firma.example"),
		Listeners: listeners, Handler: h, Recorder: h, Spool: spool,
	}
}

// serve runs a server until the test ends, and fails the test when it does not stop.
func serve(t testing.TB, o smtpin.Options) *smtpin.Server {
	t.Helper()
	s, err := smtpin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not return")
		}
	})
	return s
}

// peer is a client that speaks bytes.
type peer struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func dial(t testing.TB, s *smtpin.Server, name string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr(name).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return newPeer(t, c)
}

func newPeer(t testing.TB, c net.Conn) *peer {
	c.SetDeadline(time.Now().Add(patience))
	return &peer{t: t, Conn: c, in: bufio.NewReader(c)}
}

func (p *peer) send(raw string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, raw); err != nil {
		p.t.Fatalf("send %.40q: %v", raw, err)
	}
}

// line reads one reply line; "" is the end of the connection.
func (p *peer) line() string {
	p.t.Helper()
	l, err := p.in.ReadString('\n')
	if errors.Is(err, io.EOF) && l == "" {
		return ""
	}
	if err != nil || !strings.HasSuffix(l, "\r\n") {
		p.t.Fatalf("read %q: %v", l, err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// reply reads a reply with all its lines and returns the last.
func (p *peer) reply() string {
	p.t.Helper()
	for {
		if l := p.line(); len(l) < 4 || l[3] != '-' {
			return l
		}
	}
}

// say sends each line and expects the reply after it to begin as told.
func (p *peer) say(pairs ...string) {
	p.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != "" {
			p.send(pairs[i] + "\r\n")
		}
		if got := p.reply(); !strings.HasPrefix(got, pairs[i+1]) || pairs[i+1] == "" && got != "" {
			p.t.Fatalf("after %.60q: %q, want %q", pairs[i], got, pairs[i+1])
		}
	}
}

// begin greets and opens a transaction from outside to inside.
func (p *peer) begin() {
	p.t.Helper()
	p.say("", "220 ", "EHLO client.example", "250 ")
	p.envelope()
}

func (p *peer) envelope() {
	p.t.Helper()
	p.say("MAIL FROM:<eve@partner.example>", "250 ", "RCPT TO:<alice@firma.example>", "250 ")
}

func (p *peer) startTLS(config *tls.Config) {
	p.t.Helper()
	c := tls.Client(p.Conn, config)
	if err := c.Handshake(); err != nil {
		p.t.Fatalf("handshake: %v", err)
	}
	p.Conn, p.in = c, bufio.NewReader(c)
}

// certificate makes a server's TLS configuration and what a client trusts it by.
var certificate = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.firma.example"}, DNSNames: []string{"mx.firma.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }},
		&tls.Config{RootCAs: pool, ServerName: "mx.firma.example"}
})

func serverTLS() *tls.Config { s, _ := certificate(); return s }
func clientTLS() *tls.Config { _, c := certificate(); return c }

// body is the content after the header the door has written.
func body(t testing.TB, content string) string {
	t.Helper()
	_, b, ok := bytes.Cut([]byte(content), []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("no blank line in %q", content)
	}
	return string(b)
}
