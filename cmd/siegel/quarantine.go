package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// quarantineCmd decides on what waits for a person.
type quarantineCmd struct {
	List    quarantineListCmd    `cmd:"" help:"List what is in quarantine, oldest first."`
	Show    quarantineShowCmd    `cmd:"" help:"Show why messages are in quarantine: verdict, rule, line of the configuration. Never what is in them."`
	Release quarantineReleaseCmd `cmd:"" help:"Let messages go: they are delivered, or protected by the rules of now and sent."`
	Return  quarantineReturnCmd  `cmd:"" help:"Give messages of people inside back to them, with a report."`
	Delete  quarantineDeleteCmd  `cmd:"" help:"Remove messages. Their senders are not told."`
}

// quarantineFilter selects what is in quarantine.
type quarantineFilter struct {
	Sender    string        `placeholder:"TEXT" help:"Only messages whose sender contains TEXT."`
	Recipient string        `placeholder:"TEXT" help:"Only copies for recipients that contain TEXT."`
	OlderThan time.Duration `placeholder:"TIME" help:"Only messages that arrived longer ago than TIME, as in 90m or 48h."`
	Cause     string        `enum:",origin,invalid,unsigned,unopened,rule" default:"" placeholder:"CAUSE" help:"Only copies that are there for this: origin, invalid, unsigned, unopened, rule."`
}

// filter is the filter for the gateway; the cause is looked at here.
func (f quarantineFilter) filter(limit int) queue.Filter {
	return queueFilter{Sender: f.Sender, Recipient: f.Recipient, Destination: queue.Quarantine, OlderThan: f.OlderThan}.filter(string(queue.Held), limit)
}

// of is what of a message is in quarantine and meant; false where nothing is.
func (f quarantineFilter) of(m admin.Message) (admin.Message, bool) {
	m.Recipients = slices.DeleteFunc(slices.Clone(m.Recipients), func(r admin.Recipient) bool {
		return !r.InQuarantine || f.Cause != "" && (r.Quarantine == nil || string(r.Quarantine.Cause) != f.Cause) ||
			!strings.Contains(strings.ToLower(r.Address), strings.ToLower(f.Recipient))
	})
	return m, len(m.Recipients) > 0
}

// find asks for what is in quarantine and meant, page by page: at most limit messages, 0 for all, and whether there are more.
func (f quarantineFilter) find(c *admin.Client, limit int) (found []admin.Message, more bool, err error) {
	filter := f.filter(admin.MaxList)
	for {
		page, err := c.Queue(context.Background(), filter)
		if err != nil {
			return nil, false, printable(err)
		}
		for _, m := range page.Messages {
			filter.After = m.ID
			if m, ok := f.of(m); ok {
				if limit > 0 && len(found) == limit {
					return found, true, nil
				}
				found = append(found, m)
			}
		}
		if !page.More {
			return found, false, nil
		}
	}
}

// quarantineListCmd lists messages.
type quarantineListCmd struct {
	controlFlags
	quarantineFilter
	Limit int  `default:"100" help:"Messages to show at most."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Run prints the list.
func (c *quarantineListCmd) Run(w io.Writer) error {
	found, more, err := c.find(c.client(), max(c.Limit, 1))
	if err != nil {
		return err
	}
	if found == nil {
		found = []admin.Message{}
	}
	list := admin.List{Messages: found, More: more}
	if c.JSON {
		return printJSON(w, list)
	}
	return printQuarantine(w, list, time.Now())
}

// quarantineShowCmd shows messages.
type quarantineShowCmd struct {
	controlFlags
	ID   []mail.ID `arg:"" name:"id" help:"Id of a message, as the list and notices show it. The id under which a message was accepted stands for all that became of it."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run prints the messages.
func (c *quarantineShowCmd) Run(w io.Writer) error {
	found := []admin.Message{}
	err := forEach(c.ID, func(id mail.ID) error {
		messages, err := c.client().Show(context.Background(), id)
		was := slices.DeleteFunc(slices.Clone(messages), func(m admin.Message) bool { return !wasInQuarantine(m) })
		found = append(found, was...)
		if err == nil && len(was) == 0 {
			err = errors.New("it is not in quarantine, and never was; see siegel queue show")
		}
		return err
	})
	if c.JSON {
		return errors.Join(printJSON(w, admin.List{Messages: found}), err)
	}
	for _, m := range found {
		if werr := printInQuarantine(w, m, time.Now()); werr != nil {
			return werr
		}
	}
	return err
}

func wasInQuarantine(m admin.Message) bool {
	return slices.ContainsFunc(m.Recipients, func(r admin.Recipient) bool { return r.InQuarantine || r.Quarantine != nil })
}

// quarantineActFlags say which messages a decision is for.
type quarantineActFlags struct {
	controlFlags
	quarantineFilter
	countFlag
	ID     []mail.ID `arg:"" optional:"" name:"id" help:"Id of a message, as the list and notices show it."`
	To     []string  `placeholder:"ADDRESS" help:"Only the copy for this recipient; may be repeated. The others stay in quarantine."`
	Limit  int       `help:"Messages to decide on at most, the oldest first."`
	All    bool      `help:"Everything in quarantine, where neither an id nor a filter is given."`
	DryRun bool      `help:"Say what would be done, and do nothing."`
	JSON   bool      `name:"json" help:"Print JSON."`
}

type quarantineReleaseCmd struct{ quarantineActFlags }

// Run has messages let go.
func (c *quarantineReleaseCmd) Run(w io.Writer) error {
	return c.run(w, "release", "released, due now")
}

type quarantineReturnCmd struct{ quarantineActFlags }

// Run has messages returned to their senders inside.
func (c *quarantineReturnCmd) Run(w io.Writer) error {
	return c.run(w, "return", "returned to its sender")
}

type quarantineDeleteCmd struct{ quarantineActFlags }

// Run has messages removed.
func (c *quarantineDeleteCmd) Run(w io.Writer) error { return c.run(w, "delete", "deleted") }

// decision is what is meant of one message: all of its copies in quarantine, or those for some addresses.
type decision struct {
	id mail.ID
	to []string
}

// run has a decision done and prints what came of it.
func (f *quarantineActFlags) run(w io.Writer, act, done string) error {
	meant, err := f.meant()
	if err != nil {
		return err
	}
	all := admin.Changes{Act: act, DryRun: f.DryRun, Changed: []admin.Change{}}
	for len(meant) > 0 && err == nil {
		o := admin.Order{Recipient: f.Recipient, DryRun: f.DryRun, Only: meant[0].to}
		for len(meant) > 0 && len(o.IDs) < admin.MaxOrder && slices.Equal(meant[0].to, o.Only) {
			o.IDs, meant = append(o.IDs, meant[0].id), meant[1:]
		}
		var part admin.Changes
		part, err = f.client().Decide(context.Background(), act, o)
		all.Changed, all.Missing = append(all.Changed, part.Changed...), append(all.Missing, part.Missing...)
	}
	if err != nil {
		err = printable(err)
	}
	if len(f.ID) == 0 {
		all.Missing = nil // somebody has decided since they were listed
	}
	for _, id := range all.Missing {
		err = errors.Join(err, fmt.Errorf("%s: no such message in quarantine", safetext.Line(string(id), 64)))
	}
	if f.JSON {
		return errors.Join(printJSON(w, all), err)
	}
	return errors.Join(printChanges(w, all, done), err)
}

// meant lists what a decision is for. A filter is answered before anything is changed, so that what is changed is what was found and counted.
func (f *quarantineActFlags) meant() ([]decision, error) {
	filtered := f.quarantineFilter != quarantineFilter{} || len(f.To) > 0
	switch {
	case len(f.ID) > 0 && (f.All || f.Sender != "" || f.OlderThan != 0 || f.Cause != "" || f.Limit != 0):
		return nil, errors.New("give ids, or a filter, not both (--to and --recipient go with ids)")
	case len(f.ID) > 0:
		ids, err := (&actFlags{ID: f.ID}).plausible()
		var out []decision
		for _, id := range ids {
			out = append(out, decision{id, f.To})
		}
		return out, err
	case !filtered && !f.All:
		return nil, errors.New("which messages? Give ids, a filter (--sender, --recipient, --to, --cause, --older-than), or --all for everything in quarantine")
	}
	found, _, err := f.find(f.client(), f.Limit)
	if err != nil {
		return nil, err
	}
	var out []decision
	for _, m := range found {
		to := f.To
		if f.Cause != "" && len(to) == 0 { // other copies of the message may be there for other causes
			for _, r := range m.Recipients {
				to = append(to, r.Address)
			}
		}
		if len(f.To) == 0 || names(m, f.To) {
			out = append(out, decision{m.ID, to})
		}
	}
	if !f.DryRun && len(out) > 0 && (f.Count == nil || *f.Count != len(out)) {
		return nil, fmt.Errorf("%s would be changed; nothing was done. Look with --dry-run, and confirm with --count %d", messageCount(len(out)), len(out))
	}
	return portions(out), nil
}

// mostNamed bounds the recipients that one order names: fewer than admin.MaxOrder, since addresses may be long.
const mostNamed = 100

// portions are the same decisions, none of which names more recipients than fit into an order.
func portions(all []decision) (out []decision) {
	for _, d := range all {
		for len(d.to) > mostNamed {
			out = append(out, decision{d.id, d.to[:mostNamed]})
			d.to = d.to[mostNamed:]
		}
		out = append(out, d)
	}
	return out
}

// names reports whether a message is for one of the addresses.
func names(m admin.Message, to []string) bool {
	return slices.ContainsFunc(m.Recipients, func(r admin.Recipient) bool {
		return slices.ContainsFunc(to, func(a string) bool { return strings.EqualFold(a, r.Address) })
	})
}
