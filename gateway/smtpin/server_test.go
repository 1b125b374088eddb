package smtpin_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func TestNewReportsEveryFault(t *testing.T) {
	bad := []smtpin.Listener{
		{Name: "a", Role: smtpin.External, RequireTLS: true},
		{Name: "a", Role: smtpin.External},
		{Name: "b", Role: smtpin.Internal},
		{Name: "c", Role: smtpin.Submission},
		{Name: "d", Role: "both"},
		{Name: "e", Role: smtpin.External, Implicit: true},
	}
	_, err := smtpin.New(smtpin.Options{Hostname: "not a name", Listeners: bad})
	if !errors.Is(err, smtpin.ErrOptions) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a Handler and a Spool", `hostname "not a name"`, `listener "a": it demands TLS`, `listener "a": another`,
		`listener "b": role internal needs the networks`, `listener "c": role submission needs users`,
		`role "both" is none of`, `listener "e": it demands TLS`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestListenBindsAllOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.2:0") // where the first listener cannot happen to take the port
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first, second := listener(smtpin.External, nil), listener(smtpin.Internal, nil)
	second.Address = taken.Addr().String()
	s, err := smtpin.New(options(t, &sink{}, first, second))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background()); err == nil {
		t.Error("Serve before Listen")
	}
	if err := s.Listen(); err == nil || !strings.Contains(err.Error(), `listener "internal"`) {
		t.Errorf("Listen: %v", err)
	}
	if s.Addr("external") != nil {
		t.Error("one listener is bound")
	}
	taken.Close()
	if err := s.Listen(); err != nil || s.Addr("internal") == nil || s.Addr("nobody") != nil {
		t.Errorf("Listen: %v", err)
	}
	if err := s.Listen(); err == nil {
		t.Error("a second Listen")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
	if err := s.Serve(ctx); err == nil {
		t.Error("a second Serve")
	}
}

func TestNetworks(t *testing.T) {
	for _, role := range []smtpin.Role{smtpin.Internal, smtpin.External} {
		h := &sink{}
		l := listener(role, nil)
		l.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		dial(t, serve(t, options(t, h, l)), string(role)).say("", "554 5.7.1 ", "", "")
		if len(h.events) != 1 {
			t.Errorf("%s: %+v", role, h.events)
		}
	}
}

// A stop tells who waits 421, lets who sends finish, and then returns.
func TestStopIsGraceful(t *testing.T) {
	h := &sink{}
	accepting, finish := make(chan struct{}), make(chan struct{})
	h.fail = func(env mail.Envelope) error {
		if env.From.Local == "slow" {
			close(accepting)
			<-finish
		}
		return nil
	}
	s, done, cancel := start(t, options(t, h, listener(smtpin.External, nil)))
	fresh, chunked, sending, waiting := dial(t, s, "external"), dial(t, s, "external"), dial(t, s, "external"), dial(t, s, "external")
	fresh.say("", "220 ")
	chunked.begin()
	chunked.say("BDAT 2\r\n", "250 ")
	sending.begin()
	sending.say("DATA", "354 ")
	waiting.say("", "220 ", "HELO c", "250 ", "MAIL FROM:<slow@b.example>", "250 ", "RCPT TO:<alice@firma.example>", "250 ", "DATA", "354 ")
	waiting.send("x\r\n.\r\n")
	<-accepting
	cancel()
	fresh.say("", "421 4.3.2 ", "", "")
	chunked.say("", "421 4.3.2 ", "", "")
	if _, err := net.DialTimeout("tcp", s.Addr("external").String(), time.Second); err == nil {
		t.Error("the listener is still open")
	}
	sending.send("x\r\n.\r\nNOOP\r\n") // what was sent along is not read any more
	sending.say("", "250 2.0.0 queued as ", "", "421 4.3.2 ", "", "")
	close(finish)
	waiting.say("", "250 2.0.0 queued as ", "", "421 4.3.2 ", "", "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(h.messages()) != 2 {
		t.Errorf("%d messages", len(h.messages()))
	}
}

// Who does not finish within the grace is dropped, and so is the wait for a handler that heeds its context.
func TestStopDropsAfterGrace(t *testing.T) {
	h := &ctxSink{entered: make(chan struct{})}
	o := options(t, &h.sink, listener(smtpin.External, nil))
	o.Handler = h
	o.Limits.Grace = 50 * time.Millisecond
	s, done, cancel := start(t, o)
	p, q := dial(t, s, "external"), dial(t, s, "external")
	p.begin()
	p.say("DATA", "354 ")
	q.begin()
	q.say("DATA", "354 ")
	q.send("x\r\n.\r\n")
	<-h.entered
	cancel()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("Serve does not return")
	}
}

type ctxSink struct {
	sink
	entered chan struct{}
}

func (h *ctxSink) Accept(ctx context.Context, _ mail.Envelope, _ mail.Content) error {
	close(h.entered)
	<-ctx.Done()
	return ctx.Err()
}

func start(t *testing.T, o smtpin.Options) (*smtpin.Server, chan error, context.CancelFunc) {
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
	t.Cleanup(cancel)
	return s, done, cancel
}

// A reload changes what the next connection meets; those that are open go on as they began.
func TestReload(t *testing.T) {
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil), listener(smtpin.Internal, nil))
	s := serve(t, o)
	before := s.Addr("external").String()
	old, gone := dial(t, s, "external"), dial(t, s, "internal")
	old.say("", "220 mx.firma.example ", "EHLO c", "250 ")
	gone.say("", "220 ")
	internal := s.Addr("internal").String()

	changed := listener(smtpin.External, serverTLS())
	changed.MaxSize = 1000
	added := listener(smtpin.Submission, serverTLS())
	o.Hostname, o.Listeners = "new.firma.example", []smtpin.Listener{changed, added}
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	if after := s.Addr("external").String(); after != before {
		t.Errorf("the socket moved from %s to %s", before, after)
	}
	if _, err := net.DialTimeout("tcp", internal, time.Second); err == nil {
		t.Error("the listener that is gone is still open")
	}
	old.say("STARTTLS", "502 ", "MAIL FROM:<a@b.example> SIZE=2000", "250 ")
	gone.say("NOOP", "250 ")
	dial(t, s, "external").say("", "220 new.firma.example ", "HELO c", "250 ", "MAIL FROM:<a@b.example> SIZE=2000", "552 ", "STARTTLS", "220 ")
	dial(t, s, "submission").say("", "220 ")
}

func TestReloadFailsWhole(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	s := serve(t, o)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	worse := o
	worse.Hostname = "new.firma.example"
	bad := listener(smtpin.Internal, nil)
	bad.Address = taken.Addr().String()
	worse.Listeners = []smtpin.Listener{listener(smtpin.External, nil), bad}
	if err := s.Reload(worse); err == nil {
		t.Error("an address that is taken")
	}
	worse.Hostname = ""
	if err := s.Reload(worse); !errors.Is(err, smtpin.ErrOptions) {
		t.Errorf("no hostname: %v", err)
	}
	dial(t, s, "external").say("", "220 mx.firma.example ")
}

// A certificate that is renewed is taken up by GetCertificate, also where the configuration stays.
func TestImplicitTLS(t *testing.T) {
	h := &sink{}
	l := listener(smtpin.External, serverTLS())
	l.Implicit = true
	s := serve(t, options(t, h, l))
	p := dial(t, s, "external")
	p.startTLS(clientTLS())
	p.begin()
	p.say("DATA", "354 ", "x\r\n.", "250 ", "QUIT", "221 ", "", "")
	if c := h.messages()[0].env.Client; !strings.HasPrefix(c.TLS, "TLS1.3 TLS_") {
		t.Errorf("%+v", c)
	}
	plain := dial(t, s, "external")
	plain.send("EHLO c\r\n") // no handshake: no reply that were not TLS
	if b, _ := plain.in.Peek(1); len(b) > 0 && b[0] != 21 {
		t.Errorf("answered with %q", b)
	}
	old := clientTLS().Clone()
	old.MaxVersion = tls.VersionTLS11
	if err := tls.Client(dial(t, s, "external").Conn, old).Handshake(); err == nil {
		t.Error("TLS 1.1")
	}
}

// When the spool cannot write, the message is put off, and the connection goes on.
func TestSpoolFails(t *testing.T) {
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil))
	dir := t.TempDir() + "/spool"
	var err error
	if o.Spool, err = atrest.NewSpool(dir, atrest.NewKey(), 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	p := dial(t, serve(t, o), "external")
	p.begin()
	p.say("DATA", "354 ", "\r\n"+strings.Repeat("0123456789\r\n", 100_000)+".", "451 4.3.0 ")
	p.envelope()
	big := strings.Repeat("0123456789\r\n", 100_000)
	p.say("BDAT 1200000\r\n"+big[:len(big)-2], "451 4.3.0 ")
	p.envelope()
	p.say("DATA", "354 ", "small enough\r\n.", "250 ")
	if len(h.messages()) != 1 {
		t.Errorf("%d messages", len(h.messages()))
	}
}

// A handler that panics costs its message and its connection, nothing else.
func TestHandlerPanics(t *testing.T) {
	h := &sink{fail: func(env mail.Envelope) error { panic("boom") }}
	s := serve(t, options(t, h, listener(smtpin.External, nil)))
	p := dial(t, s, "external")
	p.begin()
	p.say("DATA", "354 ", "x\r\n.", "421 ", "", "")
	dial(t, s, "external").say("", "220 ")
}
