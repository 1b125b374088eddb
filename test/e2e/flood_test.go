package e2e

import (
	"context"
	"fmt"
	"net/smtp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/test/stand"
)

func (w *world) serve(ctx context.Context) (*stand.Gateway, error) {
	return stand.Serve(ctx, w.binary, w.dir+"/siegel.yaml")
}

// floodSessions is how many connections a flood has at once.
const floodSessions = 4

// flood ADDRESS FROM TO COUNT: sends messages over several connections, kills the gateway without warning
// once COUNT were answered with 250, and remembers all that were.
func floodCommand(_ context.Context, _ *testscript.TestScript, w *world, _ bool, args []string) error {
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	acked := make(chan string)
	var senders sync.WaitGroup
	for session := range floodSessions {
		senders.Go(func() { pour(args[0], args[1], args[2], session, acked) })
	}
	go func() { senders.Wait(); close(acked) }()
	w.acked = nil
	for id := range acked {
		w.acked = append(w.acked, id)
		if len(w.acked) == count {
			senders.Go(w.gateway.Kill)
		}
	}
	if len(w.acked) < count {
		return fmt.Errorf("only %d messages were accepted", len(w.acked))
	}
	return nil
}

// pour sends message after message until the gateway is gone.
func pour(addr, from, to string, session int, acked chan<- string) {
	c, err := smtp.Dial(addr)
	if err != nil {
		return
	}
	defer c.Close()
	for n := 0; ; n++ {
		id := fmt.Sprintf("<flood.%d.%d@firma.example>", session, n)
		if send(c, from, to, "From: "+from+"\r\nTo: "+to+"\r\nMessage-ID: "+id+"\r\n\r\nnumber "+strconv.Itoa(n)+"\r\n") != nil {
			return
		}
		acked <- id
	}
}

func send(c *smtp.Client, from, to, message string) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	data, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write([]byte(message)); err != nil {
		return err
	}
	return data.Close()
}

// complete company|partner MAILBOX: waits until every message of the flood that was answered with 250 has come,
// once or more.
func completeCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	missing := slices.Clone(w.acked)
	messages := 0
	for len(missing) > 0 {
		m, err := w.servers[args[0]].server.Next(ctx, args[1])
		if err != nil {
			return fmt.Errorf("%d of %d accepted messages are missing: %w", len(missing), len(w.acked), err)
		}
		messages++
		missing = slices.DeleteFunc(missing, func(id string) bool { return strings.Contains(string(m), "\nMessage-ID: "+id+"\n") })
	}
	ts.Logf("%d messages were accepted, %d came", len(w.acked), messages)
	return nil
}
