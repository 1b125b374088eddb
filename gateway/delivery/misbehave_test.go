package delivery_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// wild is a next hop each of whose connections has a fault of its own, at one stage: "hang RCPT".
type wild struct {
	faults []string

	mu      sync.Mutex
	dialled int
	taken   map[string]int // by subject
	unheard int            // messages that were taken though the client heard no reply
	running sync.WaitGroup
}

// Dial connects to the hop. Every other connection is a good one, so that there is an end.
func (w *wild) Dial(context.Context, string, string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fault := ""
	if w.dialled%2 == 0 {
		fault = w.faults[w.dialled/2%len(w.faults)]
	}
	w.dialled++
	here, there := net.Pipe()
	w.running.Go(func() {
		defer there.Close()
		kind, stage, _ := strings.Cut(fault, " ")
		c := talk{wild: w, conn: there, r: bufio.NewReaderSize(there, 1<<16), kind: kind, stage: stage}
		c.serve()
	})
	return here, nil
}

// talk is one connection.
type talk struct {
	*wild
	conn        net.Conn
	r           *bufio.Reader
	kind, stage string
}

// says replies at a stage, or does what the fault has there instead; false ends the connection.
func (c *talk) says(stage, reply string) bool {
	if stage != c.stage {
		_, err := io.WriteString(c.conn, reply)
		return err == nil
	}
	switch c.kind {
	case "hang":
		io.Copy(io.Discard, c.r) // until the client goes
		return false
	case "drop":
		return false
	case "endless":
		for i := 0; ; i++ {
			if _, err := io.WriteString(c.conn, "250-and more\r\n"); err != nil {
				return false
			}
		}
	case "smuggle":
		io.WriteString(c.conn, reply+"250 2.0.0 taken\r\n250 2.0.0 taken\r\n250 2.0.0 taken\r\n")
		return true
	}
	_, err := io.WriteString(c.conn, c.kind+" 4.3.2 not so fast\r\n")
	return err == nil && !strings.HasPrefix(c.kind, "421")
}

// serve is a session.
func (c *talk) serve() {
	if !c.says("greeting", "220 wild\r\n") {
		return
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		verb, _, _ = strings.Cut(verb, ":")
		reply := "250 ok\r\n"
		switch verb {
		case "EHLO":
			reply = "250-wild\r\n250-8BITMIME\r\n250 DSN\r\n"
			if c.stage == "STARTTLS" {
				reply = "250-wild\r\n250 STARTTLS\r\n"
			}
		case "STARTTLS":
			reply = "220 go\r\n"
		case "DATA":
			if !c.says("DATA", "354 go\r\n") || !c.body() {
				return
			}
			continue
		}
		if !c.says(verb, reply) || verb == "QUIT" {
			return
		}
	}
}

// body reads a message and takes it, unless the fault is a refusal.
func (c *talk) body() bool {
	subject := ""
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		if s, ok := strings.CutPrefix(line, "Subject: "); ok {
			subject = strings.TrimSpace(s)
		}
	}
	refused := c.stage == "end" && strings.HasPrefix(c.kind, "4")
	if !refused {
		c.mu.Lock()
		c.taken[subject]++
		c.mu.Unlock()
	}
	heard := c.says("end", "250 2.0.0 taken\r\n") // nobody takes it from the pipe where the client has gone, for its fault or since the machine is slow
	if !refused && (!heard || c.stage == "end") {
		c.mu.Lock()
		c.unheard++
		c.mu.Unlock()
	}
	return heard
}

// stages are those at which a hop may misbehave.
var stages = []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"}

// A next hop that hangs, drops, puts off, never ends or answers what was not asked, at each stage: every message
// arrives, once but for those whose reply was lost, none is returned, and no lane is stuck.
func TestMisbehavingHop(t *testing.T) {
	faults := []string{"hang STARTTLS", "drop STARTTLS", "hang QUIT", "drop QUIT", "421 RCPT", "421 MAIL", "451 MAIL", "451 RCPT", "451 end"}
	for _, stage := range stages {
		faults = append(faults, "hang "+stage, "drop "+stage, "endless "+stage, "smuggle "+stage)
	}
	const messages = 120
	w := &wild{faults: faults, taken: map[string]int{}}
	const soon = 300 * time.Millisecond
	transport, err := smtpout.New(smtpout.Options{
		Hosts: []string{"wild:25"}, Hello: "gw.firma.example", TLS: smtpout.Security{Level: smtpout.Opportunistic}, Dial: w.Dial, PerConn: 2,
		Timeouts: smtpclient.Timeouts{Connect: soon, Greeting: soon, Command: soon, DataStart: soon, DataBlock: soon, DataEnd: soon, Quit: soon},
		Penalty:  time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(t, messages, 2000, table(t, delivery.Route{Name: "partner", Transport: transport, Concurrency: 10}))
	r.run()
	transport.Close()
	w.running.Wait()
	extra := 0
	for i := range messages {
		n := w.taken[fmt.Sprintf("message %d.", i)]
		if n == 0 {
			t.Errorf("message %d was lost", i)
		}
		extra += n - 1
	}
	if extra > w.unheard {
		t.Errorf("%d messages came twice, %d replies were lost", extra, w.unheard)
	}
	if r.failed.Load() != 0 {
		t.Errorf("%d were returned", r.failed.Load())
	}
	if stats, err := r.Stats(t.Context()); err != nil || stats.Messages != 0 {
		t.Errorf("left in the queue: %+v, %v", stats, err)
	}
	if w.dialled < 2*len(faults) {
		t.Errorf("%d connections for %d faults", w.dialled, len(faults))
	}
}
