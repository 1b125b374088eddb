package torture

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// sink is the next hop of every route. It writes into the ledger what comes, and misbehaves at random.
type sink struct {
	book   *ledger
	dice   *dice
	sealed *sealed
	open   func([]byte) ([]byte, error) // decrypts with bob's key
	shut   atomic.Bool                  // takes nothing for now
}

// listen serves SMTP until the test ends, and returns its port.
func listen(t *testing.T, b smtp.Backend) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(b)
	server.MaxRecipients, server.EnableSMTPUTF8 = 1000, true
	server.ErrorLog = silent{}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

type silent struct{}

// Printf is smtp.Logger's.
func (silent) Printf(string, ...any) {}

// Println is smtp.Logger's.
func (silent) Println(...any) {}

// NewSession is smtp.Backend's. The gateway says with EHLO which of its lives it is in.
func (s *sink) NewSession(c *smtp.Conn) (smtp.Session, error) {
	name, _, _ := strings.Cut(c.Hostname(), ".")
	life, _ := strconv.Atoi(strings.TrimPrefix(name, "life"))
	return &delivery{sink: s, conn: c.Conn(), life: life}, nil
}

// delivery is one connection to the sink.
type delivery struct {
	*sink
	conn net.Conn
	life int
	from string
	to   []string
}

// later is a refusal that passes.
func later(code int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "the next hop does not feel like it"}
}

// Mail is smtp.Session's.
func (d *delivery) Mail(from string, _ *smtp.MailOptions) error {
	if d.shut.Load() || d.spite(1) {
		return later(451)
	}
	d.from, d.to = from, nil
	return nil
}

// Rcpt is smtp.Session's.
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == nobody {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "there is nobody"}
	}
	if d.spite(2) {
		return later(450)
	}
	d.to = append(d.to, to)
	return nil
}

// Data is smtp.Session's.
func (d *delivery) Data(r io.Reader) error {
	if d.spite(1) {
		io.CopyN(io.Discard, r, 1000)
		d.conn.Close()
		return later(421)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch {
	case d.spite(1):
		return later(451)
	case d.spite(1): // taken, and not said so
		d.take(content, false)
		d.conn.Close()
		return later(421)
	case d.spite(2): // taken; the reply dawdles
		d.take(content, true)
		<-time.After(d.dice.upTo(200 * time.Millisecond))
		return nil
	}
	d.take(content, true)
	return nil
}

// spite is true in so many of a hundred cases.
func (d *delivery) spite(percent int) bool { return d.dice.percent(percent) }

// Reset is smtp.Session's.
func (d *delivery) Reset() { d.from, d.to = "", nil }

// Logout is smtp.Session's.
func (d *delivery) Logout() error { return nil }

// What tells a report's subject.
var (
	reportedID = regexp.MustCompile(`(?i)\nMessage-ID: <(letter\.[0-9]+)@torture\.example>`)
	finalRcpt  = regexp.MustCompile(`(?i)\nFinal-Recipient: rfc822; *([^\r\n]+)`)
)

// take writes a message into the ledger.
func (d *delivery) take(content []byte, confirmed bool) {
	a := arrival{life: d.life, confirmed: confirmed}
	if d.from == "" {
		d.takeReport(content, a)
		return
	}
	m, err := mail.ReadMessage(bufio.NewReader(bytes.NewReader(content)))
	if err != nil {
		d.book.fault("what came is no message: %v", err)
		return
	}
	id, _, _ := strings.Cut(strings.Trim(m.Header.Get("Message-ID"), "<>"), "@")
	l := d.book.find(id)
	if l == nil {
		d.book.fault("what came was never sent: %q", id)
		return
	}
	for _, to := range d.to {
		if wrong := l.check(to, content, d.sealed, d.open); wrong != "" {
			d.book.fault("%s (%s) to %s %s", id, l.name, to, wrong)
		}
		d.book.arrived(l, to, a)
	}
}

func (d *delivery) takeReport(content []byte, a arrival) {
	a.report = true
	id, to := reportedID.FindSubmatch(content), finalRcpt.FindAllSubmatch(content, -1)
	if id == nil || to == nil || bytes.Contains(content, []byte(planted)) {
		d.book.fault("a report that tells too little, or too much:\n%s", content)
		return
	}
	l := d.book.find(string(id[1]))
	if l == nil {
		d.book.fault("a report of what was never sent: %q", id[1])
		return
	}
	for _, address := range to {
		d.book.arrived(l, string(address[1]), a)
	}
}

// newLines is a reader for replies.
func newLines(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 1024) }
