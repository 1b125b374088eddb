package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// printFound writes a table with a row for each recipient; the message stands in its first row.
func printFound(w io.Writer, f track.Found) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(f.Messages) > 0 {
		fmt.Fprintln(t, "ID\tTIME\tFROM\tTO\tSTATE\tREPLY")
	}
	for _, m := range f.Messages {
		head := fmt.Sprintf("%s\t%s\t%s", safetext.Line(string(m.ID), 64), m.Time.Local().Format("2006-01-02 15:04:05"), safetext.Line(orNull(m.From), 64))
		if len(m.Recipients) == 0 {
			fmt.Fprintf(t, "%s\t-\t%s\t%s\n", head, track.Refused, safetext.Line(m.Reply, 80))
		}
		for i, r := range m.Recipients {
			if i == shownRecipients {
				fmt.Fprintf(t, "\t\t\tand %d more\t\t\n", len(m.Recipients)-i)
				break
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", head, safetext.Line(r.Address, 64), safetext.Line(string(r.State), 16), safetext.Line(r.Reply, 80))
			head = "\t\t"
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, foundEnd(f))
	return err
}

// shownRecipients is how many recipients of a message the table shows.
const shownRecipients = 20

func foundEnd(f track.Found) string {
	text := count(len(f.Messages), "message") + " found"
	switch {
	case len(f.Messages) == 0 && !f.Cut:
		return "The record holds no such message."
	case f.Cut:
		return fmt.Sprintf("%s so far; there was too much to look through in one go, go on with --before %d, or give a whole address or a shorter time.", text, f.Next)
	case f.Next > 0:
		return fmt.Sprintf("%s; there are more: --before %d", text, f.Next)
	}
	return text
}

// printLife writes what a message is, what became of it, and each step with its time.
func printLife(w io.Writer, l track.Life) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, safetext.Line(value, 1024))
		}
	}
	m := l.Message
	fmt.Fprintln(t, safetext.Line(string(m.ID), 64))
	row("from", orNull(m.From))
	row("came", m.Time.Local().Format("2006-01-02 15:04:05 MST"))
	row("client", clientText(m.Client))
	row("message id", m.MessageID)
	row("subject", m.Subject)
	if m.Size > 0 {
		row("size", size(m.Size))
	}
	for _, r := range m.Recipients {
		row("to", fmt.Sprintf("%s: %s", r.Address, r.State))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var day string
	for _, s := range l.Steps {
		at := s.Time.Local()
		if date := at.Format("2006-01-02"); date != day {
			day = date
			fmt.Fprintf(w, "\n%s\n", day)
		}
		if _, err := fmt.Fprintf(w, "  %s  %s\n", at.Format("15:04:05.000"), safetext.Line(sentence(s), 2048)); err != nil {
			return err
		}
		for _, line := range reasons(s) {
			if _, err := fmt.Fprintf(w, "                %s\n", safetext.Line(line, 1024)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reasons are the lines below a step that decided: where each value came from, what the sender lowered, and what rules of a dry run would have changed.
func reasons(s track.Step) []string {
	lines := slices.Clone(s.Why)
	if len(s.Lowered) > 0 {
		lines = append(lines, "the sender lowered: "+strings.Join(s.Lowered, ", "))
	}
	for _, d := range s.Dry {
		lines = append(lines, "a dry run would have: "+d)
	}
	return lines
}

func orNull(address string) string {
	if address == "" {
		return "<>"
	}
	return address
}

func clientText(c track.Client) string {
	var parts []string
	for _, p := range []struct{ prefix, value string }{{"listener ", c.Listener}, {"", addressText(c)}, {"helo ", c.Helo}, {"user ", c.User},
		{"certificate ", c.Cert}, {"", c.TLS}} {
		if p.value != "" {
			parts = append(parts, p.prefix+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

func addressText(c track.Client) string {
	if !c.Addr.IsValid() {
		return ""
	}
	return c.Addr.String()
}

// sentence says in words what a step was.
func sentence(s track.Step) string {
	to := recipientList(s.To)
	if name, ok := strings.CutPrefix(s.Destination, queue.ArchivePrefix); ok {
		to = "the archive " + name
	}
	switch s.Kind {
	case track.Accepted:
		return fmt.Sprintf("Accepted from %s%s%s, for %s%s.", orNull(s.From), by(clientText(s.Client)), sized(s.Size), to, said("; answered ", s.Reply))
	case track.Refused:
		return fmt.Sprintf("Refused, from %s%s%s%s.", orNull(s.From), by(clientText(s.Client)), prefixed(", for ", to), said(": ", s.Reply))
	case track.Decided:
		return fmt.Sprintf("Decided for %s: %s%s%s%s.", to, s.Rule, prefixed("; asked for: ", s.Flags), prefixed("; known: ", s.Known), prefixed("; refused: ", s.Reply))
	case track.Protected:
		return fmt.Sprintf("Made variant %s:%s%s%s.", s.ID, prefixed(" signed with ", s.SignedBy), prefixed(" encrypted to ", strings.Join(s.EncryptedTo, ", ")), prefixed("; algorithms: ", s.Algorithms)+prefixed("; DKIM ", s.DKIM))
	case track.Opened:
		return fmt.Sprintf("Looked into: %s%s%s.", s.Verdict, prefixed("; layers: ", strings.Join(s.Layers, " / ")), prefixed("; signed by ", s.SignedBy))
	case track.Judged:
		return fmt.Sprintf("Origin judged, for %s: %s.", to, s.Authentication)
	case track.Queued:
		return fmt.Sprintf("Queued as %s for %s by %s%s%s.", s.ID, to, s.Destination, sized(s.Size), prefixed("; ", s.Rule))
	case track.Reported:
		return fmt.Sprintf("A report to %s was queued as %s.", to, s.ID)
	case track.Asked:
		return fmt.Sprintf("Asked %s for a signed message, to learn the certificate; the request was queued as %s.", to, s.ID)
	case track.Fetched:
		return fmt.Sprintf("Fetched as De-Mail from %s, for %s%s: integrity %s%s.", orNull(s.From), to, sized(s.Size), s.Verdict, prefixed(", ", s.Reply))
	case track.Confirmed:
		return fmt.Sprintf("The De-Mail provider said what became of it: %s.", s.Verdict)
	case track.Archived:
		return fmt.Sprintf("Archived: %s has the copy %s%s.", to, s.ID, said(", and said: ", s.Reply))
	case track.Delivered, track.Deferred, track.Failed, track.Held, track.Quarantined:
		return attemptSentence(s, to)
	}
	return fmt.Sprintf("%s, for %s%s%s%s.", capital(string(s.Kind)), to, prefixed(", by ", s.Destination), prefixed(": ", s.Reply), prefixed("; by ", s.By))
}

// attemptSentence says how an attempt ended.
func attemptSentence(s track.Step, to string) string {
	what := map[track.Kind]string{track.Delivered: "Delivered", track.Deferred: "Put off", track.Failed: "Failed for good", track.Held: "Held", track.Quarantined: "Set aside in quarantine"}[s.Kind]
	if s.Attempt > 0 {
		what += fmt.Sprintf(" at attempt %d", s.Attempt)
	}
	how := prefixed(" at ", s.Host)
	if s.Host != "" {
		how += by(s.TLS)
		if s.TLS == "" {
			how += " without TLS"
		}
	}
	next := ""
	if !s.Next.IsZero() {
		next = ", next attempt " + s.Next.Local().Format("2006-01-02 15:04:05")
	}
	took := ""
	if s.Elapsed > 0 {
		took = ", after " + s.Elapsed.Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%s, for %s%s%s%s%s%s.", what, to, how, took, next, prefixed("; by ", s.By), said(": ", s.Reply))
}

func recipientList(list []string) string {
	const shown = 10
	if len(list) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
	}
	return strings.Join(list, ", ")
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// said is a reply in quotes, with a prefix.
func said(prefix, reply string) string {
	if reply == "" {
		return ""
	}
	return fmt.Sprintf("%s%q", prefix, reply)
}

func by(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func sized(n int64) string {
	if n == 0 {
		return ""
	}
	return ", " + size(n)
}

func capital(s string) string {
	if s == "" {
		return "?"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
