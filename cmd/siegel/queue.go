package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// controlFlags say which running gateway a command is for.
type controlFlags struct {
	Socket string `default:"/run/siegel/control.sock" env:"SIEGEL_SOCKET" type:"path" placeholder:"PATH" help:"Control socket of the running gateway."`
}

func (f controlFlags) client() *admin.Client { return admin.NewClient(f.Socket) }

// queueCmd looks into the queue of the running gateway and changes it.
type queueCmd struct {
	List    queueListCmd    `cmd:"" help:"List the messages in the queue, oldest first."`
	Show    queueShowCmd    `cmd:"" help:"Show all that is known of a message."`
	Retry   queueRetryCmd   `cmd:"" help:"Try to deliver now what waits for its next attempt."`
	Hold    queueHoldCmd    `cmd:"" help:"Set messages aside, so that nothing is tried until they are released."`
	Release queueReleaseCmd `cmd:"" help:"Deliver what is held, now."`
	Drop    queueDropCmd    `cmd:"" help:"Remove messages from the queue. Their senders are not told."`
	Return  queueReturnCmd  `cmd:"" help:"Give messages up, with a report to their senders."`
	Reroute queueRerouteCmd `cmd:"" help:"Deliver messages by another configured route."`
}

// queueListCmd lists messages.
type queueListCmd struct {
	controlFlags
	queueFilter
	State string `placeholder:"STATE" help:"Only messages with a recipient that is queued, pending (waits for its protection), held, delivered, failed or dropped."`
	Limit int    `default:"100" help:"Messages to show at most."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// queueFilter selects messages.
type queueFilter struct {
	Sender      string        `placeholder:"TEXT" help:"Only messages whose sender contains TEXT."`
	Recipient   string        `placeholder:"TEXT" help:"Only messages with a recipient that contains TEXT."`
	Destination string        `placeholder:"ROUTE" help:"Only messages for this route or mx:domain."`
	OlderThan   time.Duration `placeholder:"TIME" help:"Only messages that arrived longer ago than TIME, as in 90m or 48h."`
}

// filter is the filter for the gateway.
func (f queueFilter) filter(state string, limit int) queue.Filter {
	out := queue.Filter{Sender: f.Sender, Recipient: f.Recipient, Destination: f.Destination, State: queue.State(state), Limit: limit}
	if f.OlderThan > 0 {
		out.Before = time.Now().Add(-f.OlderThan)
	}
	return out
}

// Run prints the list.
func (c *queueListCmd) Run(w io.Writer) error {
	list, err := c.client().Queue(context.Background(), c.filter(c.State, c.Limit))
	if err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(w, list)
	}
	return printList(w, list, time.Now())
}

// queueShowCmd shows messages.
type queueShowCmd struct {
	controlFlags
	ID   []mail.ID `arg:"" name:"id" help:"Id of a message, as the list and the log show it. The id under which a message was accepted stands for all its variants."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run prints the messages.
func (c *queueShowCmd) Run(w io.Writer) error {
	var found []admin.Message
	err := forEach(c.ID, func(id mail.ID) error {
		messages, err := c.client().Show(context.Background(), id)
		found = append(found, messages...)
		return err
	})
	if c.JSON {
		return errors.Join(printJSON(w, admin.List{Messages: found}), err)
	}
	for _, m := range found {
		if werr := printMessage(w, m, time.Now()); werr != nil {
			return werr
		}
	}
	return err
}

// forEach goes on after an error, and names the id in it.
func forEach(ids []mail.ID, do func(mail.ID) error) error {
	var all []error
	for _, id := range ids {
		if err := do(id); err != nil {
			all = append(all, fmt.Errorf("%s: %w", safetext.Line(string(id), 64), printable(err)))
		}
	}
	return errors.Join(all...)
}

// printable is err with a text that is safe on a terminal: it may hold what a stranger wrote.
func printable(err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = safetext.Line(line, 2048)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// printJSON writes v, indented, in characters that are safe on a terminal.
func printJSON(w io.Writer, v any) error { return safetext.JSON(w, v) }
