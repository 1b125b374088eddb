package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// printList writes a table with a row for each recipient; the message stands in its first row.
func printList(w io.Writer, l admin.List, now time.Time) error {
	if len(l.Messages) == 0 {
		_, err := fmt.Fprintln(w, "The queue holds no such message.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tAGE\tSIZE\tFROM\tTO\tSTATE\tTRIES\tNEXT\tLAST REPLY")
	recipients := 0
	for _, m := range l.Messages {
		head := fmt.Sprintf("%s\t%s\t%s\t%s", safetext.Line(string(m.ID), 64), span(now.Sub(m.Received)), size(m.Size), safetext.Line(m.From, 64))
		for _, r := range m.Recipients {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", head, recipient(r), state(m, r),
				r.Attempts, next(r, now), safetext.Line(lastReply(m, r, now), 120))
			head = "\t\t\t"
			recipients++
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	more := ""
	if l.More {
		more = "; there are more (--limit)"
	}
	_, err := fmt.Fprintf(w, "%d messages, %d recipients%s\n", len(l.Messages), recipients, more)
	return err
}

// recipient is the address of one, and of De-Mail the account that it goes by.
func recipient(r admin.Recipient) string {
	to := safetext.Line(r.Address, 64)
	if account, ok := strings.CutPrefix(r.Destination, queue.DeMailPrefix); ok {
		to += " (" + safetext.Line(account, 64) + ")"
	}
	return to
}

// printMessage writes all that is known of a message.
func printMessage(w io.Writer, m admin.Message, now time.Time) error {
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
	row("treatment", m.Note)
	if m.Pending {
		row("waits", "for its protection; it does not leave before")
		row("returned", moment(m.Expires, now)+", to its sender, where that does not come about")
	} else {
		row("given up", moment(m.Expires, now))
	}
	for _, r := range m.Recipients {
		row("to", r.Address)
		destination := r.Destination
		if r.Rerouted {
			destination += ", chosen by an operator"
		}
		row("  destination", destination)
		row("  state", fmt.Sprintf("%s, attempts: %d", state(m, r), r.Attempts))
		switch {
		case r.Busy:
			row("  next attempt", "under way")
		case r.State == queue.Queued:
			row("  next attempt", moment(r.Next, now))
		}
		if !r.LastTried.IsZero() {
			row("  last attempt", moment(r.LastTried, now))
		}
		row("  last reply", r.LastReply)
	}
	return t.Flush()
}

// state is that of a recipient; "pending" where the message waits for its protection.
func state(m admin.Message, r admin.Recipient) string {
	if m.Pending && r.State == queue.Queued {
		return "pending"
	}
	if r.InQuarantine {
		return "quarantine"
	}
	return safetext.Line(string(r.State), 16)
}

// lastReply is what was heard last; of a message that waits for its protection, how long that is tried and why
// it has not come about.
func lastReply(m admin.Message, r admin.Recipient, now time.Time) string {
	if !m.Pending || r.State != queue.Queued {
		return r.LastReply
	}
	why := r.LastReply
	if why == "" {
		why = m.Note
	}
	return "returned in " + span(m.Expires.Sub(now)) + ": " + why
}

func client(p admin.Peer) string {
	var parts []string
	add := func(prefix, value string) {
		if value != "" {
			parts = append(parts, prefix+value)
		}
	}
	add("", p.Listener)
	if p.Address.IsValid() {
		add("", p.Address.String())
	}
	add("helo ", p.Helo)
	add("user ", p.User)
	add("", p.TLS)
	return strings.Join(parts, ", ")
}

func next(r admin.Recipient, now time.Time) string {
	switch {
	case r.State != queue.Queued:
		return "-"
	case r.Busy:
		return "under way"
	case !r.Next.After(now):
		return "now"
	}
	return "in " + span(r.Next.Sub(now))
}

func moment(t, now time.Time) string {
	text := t.Local().Format("2006-01-02 15:04:05 MST")
	if d := now.Sub(t); d >= 0 {
		return text + ", " + span(d) + " ago"
	}
	return text + ", in " + span(t.Sub(now))
}

// span is a duration in its largest unit or two, to the nearest of the smaller.
func span(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	minutes := d.Round(time.Minute)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case minutes < time.Hour:
		return fmt.Sprintf("%dm", int(minutes.Minutes()))
	case minutes < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(minutes.Hours()), int(minutes.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Round(24*time.Hour).Hours())/24)
}

// size is a number of bytes in a unit that keeps it short.
func size(n int64) string {
	value, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for len(units) > 1 && value >= 999.95 {
		value /= 1000
		units = units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}
