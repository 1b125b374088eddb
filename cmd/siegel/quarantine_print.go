package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// printQuarantine writes a table with a row for each copy; the message stands in its first row.
func printQuarantine(w io.Writer, l admin.List, now time.Time) error {
	if len(l.Messages) == 0 {
		_, err := fmt.Fprintln(w, "Nothing of that is in quarantine.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tAGE\tSIZE\tFROM\tTO\tCAUSE\tENDS\tWHY")
	copies := 0
	for _, m := range l.Messages {
		head := fmt.Sprintf("%s\t%s\t%s\t%s", safetext.Line(string(m.ID), 64), span(now.Sub(m.Received)), size(m.Size), safetext.Line(m.From, 64))
		for _, r := range m.Recipients {
			d := known(r)
			ends := "-"
			if !r.Ends.IsZero() {
				ends = "in " + span(r.Ends.Sub(now))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", head, safetext.Line(r.Address, 64), safetext.Line(string(d.Cause), 16), ends, safetext.Line(d.Why, 120))
			head = "\t\t\t"
			copies++
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	more := ""
	if l.More {
		more = "; there are more (--limit)"
	}
	_, err := fmt.Fprintf(w, "%s, %s in quarantine%s\n", messageCount(len(l.Messages)), plural(copies, "copy", "copies"), more)
	return err
}

// known is what is known of a copy.
func known(r admin.Recipient) quarantine.Details {
	if r.Quarantine == nil {
		return quarantine.Details{Why: quarantine.ErrDetails.Error()}
	}
	return *r.Quarantine
}

// printInQuarantine writes all that is known of a message and why each copy of it is in quarantine, or was.
func printInQuarantine(w io.Writer, m admin.Message, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, safetext.Line(value, 1024))
		}
	}
	fmt.Fprintln(t, safetext.Line(string(m.ID), 64))
	if m.Origin != m.ID {
		row("accepted as", string(m.Origin))
	}
	row("from", m.From)
	row("received", moment(m.Received, now))
	row("client", client(m.Client))
	row("size", size(m.Size))
	if m.Pending {
		row("form", "as its sender wrote it; it is protected when it is released")
	} else {
		row("form", "as it came; nothing of it was opened")
	}
	for _, r := range m.Recipients {
		if r.Quarantine == nil && !r.InQuarantine {
			continue
		}
		row("to", r.Address)
		printDetails(row, r, now)
	}
	return t.Flush()
}

// printDetails writes why a copy is in quarantine.
func printDetails(row func(name, value string), r admin.Recipient, now time.Time) {
	d := known(r)
	state := "in quarantine"
	if !r.InQuarantine {
		state = "not in quarantine any more: " + string(r.State)
	}
	row("  state", state)
	row("  cause", string(d.Cause))
	row("  why", d.Why)
	if !d.Since.IsZero() {
		row("  since", moment(d.Since, now))
	}
	if !r.Ends.IsZero() {
		row("  ends", moment(r.Ends, now))
	}
	row("  verdict", d.Verdict)
	for _, reason := range d.Reasons {
		row("  reason", reason)
	}
	for i, layer := range d.Layers {
		row(fmt.Sprintf("  layer %d", i+1), layer)
	}
	told := strings.Join(d.Notify, ", ")
	for _, s := range d.Sources {
		text := fmt.Sprintf("%s by %s", s.Value, s.By)
		if s.Where != "" {
			text += ", " + s.Where
		}
		if s.Key == policy.KeyNotify {
			told = text
			continue
		}
		row("  "+string(s.Key), text)
	}
	row("  told", told)
	for _, x := range d.Released {
		row("  released", fmt.Sprintf("by %s, %s, from quarantine for: %s", x.By, moment(x.At, now), x.Cause))
	}
}
