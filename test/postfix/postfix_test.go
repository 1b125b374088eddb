package postfix_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/smtp"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/postfix"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come.
const patience = 2 * time.Minute

func start(t *testing.T, o postfix.Options) *postfix.Server {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	port := freeport.Port(t)
	o.Port = port
	s, err := postfix.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if c, err := net.Dial("tcp", s.Addr()); err == nil {
			c.Close()
			t.Error("it answers after Stop")
		}
	})
	return s
}

func next(t *testing.T, s *postfix.Server, mailbox string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.Next(ctx, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	return string(m)
}

// Two instances: the first relays what it has no mailbox for to the second, over TLS.
func TestDeliverAndRelay(t *testing.T) {
	authority, err := stand.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	partner := start(t, postfix.Options{
		Hostname: "mail.partner.example", Mailboxes: []string{"bob@partner.example"}, Certificate: cert, Key: key,
	})
	company := start(t, postfix.Options{
		Hostname: "mail.firma.example", Mailboxes: []string{"alice@firma.example", "anna@firma.example"}, Relay: partner.Addr(),
	})
	to := []string{"alice@firma.example", "bob@partner.example"}
	if err := smtp.SendMail(company.Addr(), nil, "anna@firma.example", to, []byte("Subject: both\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	for s, mailbox := range map[*postfix.Server]string{company: to[0], partner: to[1]} {
		if m := next(t, s, mailbox); !strings.Contains(m, "\nSubject: both\n") || !strings.HasSuffix(m, "\n\nhello\n") {
			t.Errorf("%s got\n%s", mailbox, m)
		}
		if n, err := s.Waiting(); n != 0 || err != nil {
			t.Errorf("%d more messages, %v", n, err)
		}
	}
	wantLog(t, partner, "client=localhost[127.0.0.1]")
}

// wantLog waits until the log says something: a daemon of its own writes it, in its own time.
func wantLog(t *testing.T, s *postfix.Server, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.Log(), words) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no %q in the log:\n%s", words, s.Log())
		}
	}
}

func TestRefuses(t *testing.T) {
	s := start(t, postfix.Options{Hostname: "mail.partner.example", Mailboxes: []string{"bob@partner.example"}})
	for _, to := range []string{"nobody@partner.example", "carol@elsewhere.example"} {
		err := smtp.SendMail(s.Addr(), nil, "anna@firma.example", []string{to}, []byte("\r\n"))
		if err == nil || !strings.Contains(err.Error(), "<"+to+">: Recipient address rejected") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestStartTLS(t *testing.T) {
	authority, err := stand.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, postfix.Options{Hostname: "mail.partner.example", Mailboxes: []string{"bob@partner.example"}, Certificate: cert, Key: key})
	c, err := smtp.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{RootCAs: authority.Pool(), ServerName: "127.0.0.1"}); err != nil {
		t.Error(err)
	}
}

// What waits for long is tried at once.
func TestFlush(t *testing.T) {
	port := freeport.Port(t)
	dir, err := os.MkdirTemp("", "postfix-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	hour := map[string]string{"queue_run_delay": "1h", "minimal_backoff_time": "1h", "maximal_backoff_time": "1h"}
	company := start(t, postfix.Options{
		Hostname: "mail.firma.example", Dir: dir, Settings: hour, Relay: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
	})
	if err := smtp.SendMail(company.Addr(), nil, "alice@firma.example", []string{"bob@partner.example"}, []byte("Subject: later\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	wantLog(t, company, "status=deferred")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	partner, err := postfix.Start(ctx, postfix.Options{Hostname: "mail.partner.example", Port: port, Mailboxes: []string{"bob@partner.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer partner.Stop()
	if err := company.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	next(t, partner, "bob@partner.example")
}

// A wait that ends in vain says what Postfix had to say.
func TestNextGivesUp(t *testing.T) {
	s := start(t, postfix.Options{Hostname: "mail.partner.example", Mailboxes: []string{"bob@partner.example"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx, "bob@partner.example"); err == nil || !strings.Contains(err.Error(), "mail.partner.example") {
		t.Errorf("the error is %v", err)
	}
}
