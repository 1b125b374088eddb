package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/demailadmin"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// demailListCmd lists De-Mails.
type demailListCmd struct {
	controlFlags
	Account   string        `placeholder:"NAME" help:"Only those of this account."`
	State     string        `enum:",trying,taken,refused,doubtful,waiting" default:"" placeholder:"STATE" help:"Only those that are trying, taken, refused, doubtful (nobody knows whether the provider has it) or waiting (not taken, and tried again)."`
	Sender    string        `placeholder:"ADDRESS" help:"Only those from this address, the one in the company or the one of De-Mail."`
	Recipient string        `placeholder:"ADDRESS" help:"Only those to this address."`
	Awaiting  bool          `help:"Only those of which a confirmation that was asked for has not come."`
	Late      bool          `help:"Only those of which such a confirmation is overdue."`
	Incoming  bool          `xor:"what" help:"What was fetched from the providers, instead."`
	Unmatched bool          `xor:"what" help:"Confirmations that belong to no De-Mail of the record, instead."`
	Since     time.Duration `placeholder:"TIME" help:"Only those of so long ago at most, as in 48h."`
	From      string        `placeholder:"TIME" help:"Only those of this time or later: 2026-03-01, 2026-03-01 14:30 or as in RFC 3339."`
	To        string        `placeholder:"TIME" help:"Only those before this time."`
	Limit     int           `default:"50" help:"De-Mails to show at most, up to 1000."`
	Before    int64         `placeholder:"N" help:"Go on where an earlier page ended."`
	JSON      bool          `name:"json" help:"Print JSON."`
}

// question is what the gateway is asked.
func (c *demailListCmd) question(now time.Time) (q demailadmin.List, err error) {
	q = demailadmin.List{Account: c.Account, State: proof.State(c.State), Sender: c.Sender, Recipient: c.Recipient, Awaiting: c.Awaiting, Late: c.Late,
		Incoming: c.Incoming, Unmatched: c.Unmatched, Before: c.Before, Limit: c.Limit}
	if c.Limit < 1 || c.Limit > 1000 {
		return q, usageError("--limit is from 1 to 1000")
	}
	if c.Since > 0 && c.From != "" {
		return q, usageError("--since and --from are two ways to say one thing; give one of them")
	}
	if (c.Incoming || c.Unmatched) && (c.State != "" || c.Sender != "" || c.Recipient != "" || c.Awaiting || c.Late) {
		return q, usageError("--state, --sender, --recipient, --awaiting and --late are for De-Mails that were sent")
	}
	if q.From, err = parseTime(c.From); err != nil {
		return q, err
	}
	if c.Since > 0 {
		q.From = now.Add(-c.Since)
	}
	q.To, err = parseTime(c.To)
	return q, err
}

// Run prints the list.
func (c *demailListCmd) Run(w io.Writer) error {
	q, err := c.question(time.Now())
	if err != nil {
		return err
	}
	var out demailadmin.Listed
	if err := c.client().DeMail(context.Background(), "list", q, &out); err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(w, out)
	}
	switch {
	case c.Unmatched:
		return printUnmatched(w, out.Came)
	case c.Incoming:
		return printArrivals(w, out)
	}
	return printDeMails(w, out)
}

// demailShowCmd shows De-Mails.
type demailShowCmd struct {
	controlFlags
	ID   []string `arg:"" name:"id" help:"Key of a De-Mail, its id in the queue, the id of the message that was accepted, or its Message-ID."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// Run prints them.
func (c *demailShowCmd) Run(w io.Writer) error {
	all := []bundle.Message{}
	var errs error
	for _, id := range c.ID {
		var out demailadmin.Shown
		if err := c.client().DeMail(context.Background(), "show", demailadmin.Show{ID: id}, &out); err != nil {
			errs = errors.Join(errs, printable(err))
			continue
		}
		all = append(all, out.Messages...)
	}
	if c.JSON {
		return errors.Join(printJSON(w, all), errs)
	}
	for i, m := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printDeMail(w, m); err != nil {
			return err
		}
	}
	return errs
}

// demailEvidenceCmd writes the evidence of a De-Mail.
type demailEvidenceCmd struct {
	controlFlags
	ID          string `arg:"" name:"id" help:"Key of a De-Mail, its id in the queue, the id of the message that was accepted, or its Message-ID."`
	Out         string `short:"o" required:"" type:"path" placeholder:"FILE" help:"The ZIP to write, which must not be there."`
	NoTimestamp bool   `help:"Without a timestamp, though an authority is configured: it is away, say."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

// Run writes the ZIP.
func (c *demailEvidenceCmd) Run(k *kong.Kong) error {
	if _, err := os.Lstat(c.Out); err == nil {
		return fmt.Errorf("%s is there already; name another file", safetext.Line(c.Out, 256))
	}
	n, err := writeWhole(c.Out, func(w io.Writer) (int64, error) {
		return c.client().DeMailEvidence(context.Background(), c.ID, !c.NoTimestamp, w)
	})
	if err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(k.Stdout, struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{c.Out, n})
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: %s. Look into summary.en.txt or summary.de.txt; unzip it and check it with sha256sum -c %s\n", safetext.Line(c.Out, 256), size(n), bundle.ManifestName)
	return err
}

// demailResolveCmd says what a person found out.
type demailResolveCmd struct {
	controlFlags
	ID       string `arg:"" name:"id" help:"Key of a De-Mail, its id in the queue, the id of the message that was accepted, or its Message-ID."`
	Taken    bool   `xor:"decision" help:"The provider has it: its sender is told so, and it is not sent again."`
	NotTaken bool   `xor:"decision" help:"The provider does not have it: it is not sent, and its sender is told."`
	Waive    bool   `xor:"decision" help:"It was taken, and no confirmation is awaited any more: nobody is reminded, and the record may end."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run has it written down.
func (c *demailResolveCmd) Run(w io.Writer) error {
	q := demailadmin.Resolve{ID: c.ID}
	switch {
	case c.Taken:
		q.Decision = proof.DecideTaken
	case c.NotTaken:
		q.Decision = proof.DecideNotTaken
	case c.Waive:
		q.Decision = proof.DecideWaive
	default:
		return usageError("say what you found out: --taken, --not-taken or --waive")
	}
	var out bundle.Message
	if err := c.client().DeMail(context.Background(), "resolve", q, &out); err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(w, out)
	}
	return printDeMail(w, out)
}
