package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come.
const patience = 2 * time.Minute

const configuration = `
hostname: gateway.firma.example
domains: [firma.example]
state: %s
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners:
  - {name: internal, address: "%s", role: internal, networks: [127.0.0.0/8]}
policy: {default: {sign: never, encrypt: never}}
routes:
  - {name: all, domains: "*", host: 127.0.0.1, port: %s, tls: none, concurrency: 20}
queue: {retry: [%s], expire: 1d}
admin: {socket: run/control.sock}
`

// world is a gateway with a state that outlives it, and a next hop that is there when it is told to.
type world struct {
	t       *testing.T
	dir     string
	state   string
	binary  string
	address string // of the listener
	hop     string // of the next hop
	gateway *stand.Gateway

	mu      sync.Mutex
	arrived map[string]int // subjects
}

func newWorld(t *testing.T, state, retry string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), state: state, arrived: map[string]int{}}
	if w.state == "" {
		w.state = filepath.Join(w.dir, "state")
	}
	var err error
	if w.binary, err = stand.Build(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	w.address, w.hop = freeport.Address(t), freeport.Address(t)
	_, port, _ := net.SplitHostPort(w.hop)
	for name, text := range map[string]string{"siegel.yaml": fmt.Sprintf(configuration, w.state, w.address, port, retry), "at-rest.key": atrest.NewKey().Text()} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"run", "certificates", "trust"} {
		if err := os.Mkdir(filepath.Join(w.dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	return w
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *world) start() {
	w.t.Helper()
	g, err := stand.Serve(w.context(), w.binary, filepath.Join(w.dir, "siegel.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway = g
	w.t.Cleanup(func() {
		g.Kill()
		if w.t.Failed() {
			w.t.Logf("the gateway's log:\n%s", tail(g.Log()))
		}
	})
}

func tail(s string) string { return s[max(0, len(s)-8000):] }

// listen starts the next hop.
func (w *world) listen() {
	w.t.Helper()
	l, err := net.Listen("tcp", w.hop)
	if err != nil {
		w.t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{w: w}, nil }))
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	w.t.Cleanup(func() { server.Close(); <-done })
}

// delivery is a connection to the next hop.
type delivery struct{ w *world }

// Mail is smtp.Session's.
func (*delivery) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt is smtp.Session's.
func (*delivery) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Reset is smtp.Session's.
func (*delivery) Reset() {}

// Logout is smtp.Session's.
func (*delivery) Logout() error { return nil }

// Data notes the subject.
func (d *delivery) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	subject := regexp.MustCompile(`(?m)^Subject: (\S+)`).FindSubmatch(text)
	if err != nil || subject == nil {
		return errors.Join(err, errors.New("no subject"))
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.w.arrived[string(subject[1])]++
	return nil
}

// retry makes everything due.
func (w *world) retry() {
	w.t.Helper()
	if out, err := exec.Command(w.binary, "queue", "retry", "--all", "--socket", filepath.Join(w.dir, "run", "control.sock")).CombinedOutput(); err != nil {
		w.t.Errorf("%v\n%s", err, out)
	}
}

// wantArrived waits until every message that was answered with 250 has arrived. Some may twice.
func (w *world) wantArrived(accepted map[string]bool) {
	w.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := 0
		w.mu.Lock()
		for subject := range accepted {
			if w.arrived[subject] == 0 {
				missing++
			}
		}
		w.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-deadline.C:
			w.t.Fatalf("%d of %d messages that were answered with 250 never arrived", missing, len(accepted))
		case <-tick.C:
		}
	}
}

// client is one connection to the gateway.
type client struct {
	conn net.Conn
	text *textproto.Reader
}

func (w *world) dial() (*client, error) {
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	c := &client{conn: conn, text: textproto.NewReader(bufio.NewReader(conn))}
	if _, _, err := c.text.ReadResponse(220); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if _, err := c.say("EHLO client.example"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// say says a line and returns the text of the reply, which must be positive.
func (c *client) say(line string) (string, error) {
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return "", err
	}
	code, text, err := c.text.ReadResponse(0)
	if err == nil && code >= 400 {
		err = &textproto.Error{Code: code, Msg: text}
	}
	return text, err
}

// send sends a message and returns the text of the 250.
func (c *client) send(subject string, size int) (string, error) {
	for _, line := range []string{"MAIL FROM:<alice@firma.example>", "RCPT TO:<bob@partner.example>", "DATA"} {
		if _, err := c.say(line); err != nil {
			c.say("RSET")
			return "", err
		}
	}
	body := strings.Repeat("Zeile einer Nachricht, die einfach lang ist und sonst nichts.\r\n", size/64+1)
	return c.say("From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: " + subject + "\r\nDate: Mon, 02 Jan 2006 15:04:05 +0000\r\n\r\n" + body + ".")
}

// codeOf is the code of a reply that is an error; 0 where the connection failed.
func codeOf(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}
