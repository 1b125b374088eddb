package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// actFlags say which messages a command is for: ids, or a filter, or all.
type actFlags struct {
	controlFlags
	queueFilter
	ID     []mail.ID `arg:"" optional:"" name:"id" help:"Id of a message, as the list and the log show it. The id under which a message was accepted stands for all its variants."`
	State  string    `enum:",queued,held" default:"" placeholder:"STATE" help:"Only recipients that are queued, or only those that are held."`
	Limit  int       `help:"Messages to change at most, the oldest first."`
	All    bool      `help:"Every message, where neither an id nor a filter is given."`
	DryRun bool      `help:"Say what would be done, and do nothing."`
	JSON   bool      `name:"json" help:"Print JSON."`
}

// countFlag confirms an act that cannot be taken back.
type countFlag struct {
	Count *int `placeholder:"N" help:"Confirms that N messages are meant. Needed with a filter; without it the command says the number and does nothing."`
}

type queueRetryCmd struct{ actFlags }

// Run has queued messages tried now.
func (c *queueRetryCmd) Run(w io.Writer) error {
	return c.run(w, "retry", "due now", admin.Order{}, nil)
}

type queueHoldCmd struct {
	actFlags
	Reason string `required:"" placeholder:"TEXT" help:"Why; the list shows it."`
}

// Run has messages set aside.
func (c *queueHoldCmd) Run(w io.Writer) error {
	return c.run(w, "hold", "held", admin.Order{Reason: c.Reason}, nil)
}

type queueReleaseCmd struct{ actFlags }

// Run has held messages delivered.
func (c *queueReleaseCmd) Run(w io.Writer) error {
	return c.run(w, "release", "released, due now", admin.Order{}, nil)
}

type queueDropCmd struct {
	actFlags
	countFlag
}

// Run has messages removed.
func (c *queueDropCmd) Run(w io.Writer) error {
	return c.run(w, "drop", "dropped", admin.Order{}, &c.countFlag)
}

type queueReturnCmd struct {
	actFlags
	countFlag
}

// Run has messages returned to their senders.
func (c *queueReturnCmd) Run(w io.Writer) error {
	return c.run(w, "return", "returned to its sender", admin.Order{}, &c.countFlag)
}

type queueRerouteCmd struct {
	actFlags
	countFlag
	To string `required:"" placeholder:"ROUTE" help:"Name of a route of the configuration."`
}

// Run has messages delivered by another route.
func (c *queueRerouteCmd) Run(w io.Writer) error {
	return c.run(w, "reroute", "goes by "+c.To+" now", admin.Order{To: c.To}, &c.countFlag)
}

// run has an act done and prints what came of it; done is what to say of a recipient for whom it was.
func (f *actFlags) run(w io.Writer, act, done string, o admin.Order, count *countFlag) error {
	o.Recipient, o.Destination, o.State, o.DryRun = f.Recipient, f.Destination, queue.State(f.State), f.DryRun
	ids, err := f.find(act, count)
	if err != nil {
		return err
	}
	all := admin.Changes{Act: act, DryRun: f.DryRun, Changed: []admin.Change{}}
	for len(ids) > 0 && err == nil {
		o.IDs = ids[:min(len(ids), admin.MaxOrder)]
		ids = ids[len(o.IDs):]
		var part admin.Changes
		part, err = f.client().Act(context.Background(), act, o)
		all.Changed, all.Missing = append(all.Changed, part.Changed...), append(all.Missing, part.Missing...)
	}
	if err != nil {
		err = printable(err)
	}
	if len(f.ID) == 0 {
		all.Missing = nil // they have left since they were listed
	}
	for _, id := range all.Missing {
		err = errors.Join(err, fmt.Errorf("%s: no such message in the queue", safetext.Line(string(id), 64)))
	}
	if f.JSON {
		return errors.Join(printJSON(w, all), err)
	}
	return errors.Join(printChanges(w, all, done), err)
}

// find lists the ids a command is for. A filter is answered by the gateway before anything is changed, so
// that what is changed is what was found and counted.
func (f *actFlags) find(act string, count *countFlag) ([]mail.ID, error) {
	filtered := f.queueFilter != queueFilter{} || f.State != ""
	switch {
	case len(f.ID) > 0 && (f.All || f.Sender != "" || f.OlderThan != 0 || f.Limit != 0):
		return nil, errors.New("give ids, or a filter, not both (--recipient, --destination and --state go with ids)")
	case len(f.ID) > 0:
		return f.plausible()
	case !filtered && !f.All:
		return nil, errors.New("which messages? Give ids, a filter (--sender, --recipient, --destination, --state, --older-than), or --all for every message")
	}
	ids, err := f.list(act)
	if err != nil {
		return nil, err
	}
	switch {
	case count == nil || f.DryRun:
	case count.Count == nil && len(ids) > 0:
		return nil, fmt.Errorf("%s would be changed; nothing was done. Look with --dry-run, and confirm with --count %d", messageCount(len(ids)), len(ids))
	case count.Count != nil && *count.Count != len(ids):
		return nil, fmt.Errorf("%s would be changed, not %d; nothing was done. Look with --dry-run, and confirm with --count %d", messageCount(len(ids)), *count.Count, len(ids))
	}
	return ids, nil
}

// plausible is the ids on the command line; what cannot be one is an error before anything is done.
func (f *actFlags) plausible() ([]mail.ID, error) {
	var bad error
	for _, id := range f.ID {
		if strings.Trim(string(id), "0123456789abcdefghijklmnopqrstuvwxyz") != "" || id == "" {
			bad = errors.Join(bad, fmt.Errorf("%s: no such message in the queue", safetext.Line(string(id), 64)))
		}
	}
	return f.ID, bad
}

// list asks for the ids of all messages that pass the filter, page by page.
func (f *actFlags) list(act string) ([]mail.ID, error) {
	filter := f.filter(f.State, admin.MaxList)
	if from := admin.Acts()[act]; len(from) == 1 && f.State == "" {
		filter.State = from[0]
	}
	var ids []mail.ID
	for {
		page, err := f.client().Queue(context.Background(), filter)
		if err != nil {
			return nil, printable(err)
		}
		for _, m := range page.Messages {
			if slices.ContainsFunc(m.Recipients, func(r admin.Recipient) bool { return !r.State.Final() }) {
				ids = append(ids, m.ID)
			}
			filter.After = m.ID
		}
		if f.Limit > 0 && len(ids) >= f.Limit {
			return ids[:f.Limit], nil
		}
		if !page.More {
			return ids, nil
		}
	}
}

func messageCount(n int) string { return plural(n, "message", "messages") }

// printChanges writes a line for each recipient, and the sum.
func printChanges(w io.Writer, all admin.Changes, done string) error {
	if all.DryRun {
		done = "would be: " + done
	}
	var b strings.Builder
	line := func(id mail.ID, recipient, text string) {
		fmt.Fprintf(&b, "%s  %s  %s\n", safetext.Line(string(id), 64), safetext.Line(recipient, 320), safetext.Line(text, 1024))
	}
	messages, recipients, left := 0, 0, 0
	for _, c := range all.Changed {
		for _, r := range c.Done {
			line(c.ID, r, done)
		}
		for _, r := range c.Busy {
			line(c.ID, r, "left alone: it is being delivered right now; look again when the attempt has ended")
		}
		for _, r := range c.Refused {
			line(c.ID, r.Recipient, "left alone: "+r.Reason)
		}
		if len(c.Done) > 0 {
			messages++
		}
		recipients += len(c.Done)
		left += len(c.Busy) + len(c.Refused)
	}
	verb := "changed"
	if all.DryRun {
		verb = "would be changed"
	}
	fmt.Fprintf(&b, "%s, %s %s", messageCount(messages), plural(recipients, "recipient", "recipients"), verb)
	if left > 0 {
		fmt.Fprintf(&b, ", %d left alone", left)
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}
