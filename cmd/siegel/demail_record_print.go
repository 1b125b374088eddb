package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/demailadmin"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// localTime is a time of this machine.
func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// printDeMails writes a line for each.
func printDeMails(w io.Writer, l demailadmin.Listed) error {
	var b strings.Builder
	if len(l.Messages) == 0 {
		b.WriteString("no such De-Mail in the record\n")
	}
	for _, m := range l.Messages {
		to := ""
		if len(m.Recipients) > 0 {
			to = m.Recipients[0].Address
		}
		if more := len(m.Recipients) - 1; more > 0 {
			to += fmt.Sprintf(" and %d more", more)
		}
		line := fmt.Sprintf("%s  %s  %-8s  %s -> %s", localTime(m.Began), m.Key, m.State, m.Sender, to)
		if len(m.Late) > 0 {
			line += "; overdue: " + strings.Join(m.Late, ", ")
		} else if len(m.Awaiting) > 0 {
			line += "; awaits " + strings.Join(m.Awaiting, ", ")
		}
		fmt.Fprintln(&b, safetext.Line(line, 1000))
	}
	return finishPage(w, &b, l.Next)
}

// finishPage says how to go on.
func finishPage(w io.Writer, b *strings.Builder, next int64) error {
	if next > 0 {
		fmt.Fprintf(b, "There is more: --before %d\n", next)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printArrivals writes a line for each message that was fetched.
func printArrivals(w io.Writer, l demailadmin.Listed) error {
	var b strings.Builder
	if len(l.Arrivals) == 0 {
		b.WriteString("nothing was fetched\n")
	}
	for _, a := range l.Arrivals {
		line := fmt.Sprintf("%s  %s  %s  %s -> %s; %s", localTime(a.Fetched), a.Queue, a.Kind, a.Sender, a.Mailbox, judged(a.Proven, a.State, a.Reason))
		if a.Delivered == nil {
			line += "; not yet in the queue"
		} else {
			line += "; for " + strings.Join(a.To, ", ")
		}
		fmt.Fprintln(&b, safetext.Line(line, 1000))
	}
	return finishPage(w, &b, l.Next)
}

// printUnmatched writes a line for each confirmation that belongs to nothing.
func printUnmatched(w io.Writer, all []bundle.Came) error {
	var b strings.Builder
	if len(all) == 0 {
		b.WriteString("every confirmation belongs to a De-Mail of the record\n")
	}
	for _, c := range all {
		line := fmt.Sprintf("%s  %s  %s", localTime(c.Fetched), c.Kind, c.ID)
		if n := len(c.Verdicts); n > 0 {
			v := c.Verdicts[n-1]
			line += fmt.Sprintf("; of %s by %s; %s", v.PrivateID, v.Sender, judged(v.Proven, v.State, v.Reason))
		}
		fmt.Fprintln(&b, safetext.Line(line, 1000))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// judged is a verdict in words.
func judged(proven bool, state, reason string) string {
	switch {
	case proven:
		return "proven"
	case reason != "":
		return "not proven (" + state + ": " + reason + ")"
	}
	return "not proven (" + state + ")"
}

// sheet is names and values, one to a line.
type sheet struct{ strings.Builder }

func (s *sheet) add(name, value string) {
	if value != "" {
		fmt.Fprintf(s, "%-16s %s\n", name, safetext.Line(value, 1000))
	}
}

func (s *sheet) at(name string, t *time.Time) {
	if t != nil {
		s.add(name, localTime(*t))
	}
}

// printDeMail writes all that is known of one.
func printDeMail(w io.Writer, m bundle.Message) error {
	s := &sheet{}
	s.add("key", m.Key)
	s.add("id", string(m.ID)+", accepted as "+string(m.Origin))
	s.add("account", m.Account)
	s.add("from", m.Sender)
	s.add("author", m.Author)
	for _, r := range m.Recipients {
		s.add(r.As, strings.TrimSpace(r.Name+" <"+r.Address+">"))
	}
	s.add("subject", m.Subject)
	s.add("message-id", m.MessageID)
	s.add("options", strings.Join(m.Options, ", "))
	s.at("accepted", m.Accepted)
	s.add("state", stateWords(m))
	s.at("taken", m.Taken)
	s.add("provider's id", m.ReceiptID)
	s.at("provider's time", m.ReceiptTime)
	s.add("content", fmt.Sprintf("%s, SHA-256 %s", size(m.Content.Size), m.Content.SHA256))
	if m.Waived {
		s.add("awaits", "nothing any more, as a person decided")
	}
	s.add("awaits", strings.Join(m.Awaiting, ", "))
	s.add("overdue", strings.Join(m.Late, ", "))
	for _, c := range m.Came {
		s.came(c)
	}
	for _, step := range m.Steps {
		s.step(step)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// stateWords say what a state means, and what to do about it.
func stateWords(m bundle.Message) string {
	words := map[string]string{
		"trying": "being submitted", "taken": "the provider has it", "refused": "the provider does not take it", "waiting": "not taken, and tried again",
		"doubtful": "nobody knows whether the provider has it; ask the provider, then siegel demail resolve " + m.Key + " --taken or --not-taken",
	}[string(m.State)]
	return fmt.Sprintf("%s: %s (attempts: %d)", m.State, words, m.Attempts)
}

func (s *sheet) came(c bundle.Came) {
	line := localTime(c.Fetched) + "  " + c.Kind
	if n := len(c.Verdicts); n > 0 {
		v := c.Verdicts[n-1]
		line += ", " + judged(v.Proven, v.State, v.Reason)
	}
	switch c.SameBody {
	case "yes":
		line += ", of the body that was sent"
	case "no":
		line += ", OF ANOTHER BODY than was sent"
	}
	s.add("came", line)
}

func (s *sheet) step(step bundle.Step) {
	line := localTime(step.Time) + "  " + string(step.State)
	if step.Count > 1 && step.Last != nil {
		line += fmt.Sprintf(", %d times, the last at %s", step.Count, localTime(*step.Last))
	}
	for _, more := range []string{step.Class, step.Text, step.Who} {
		if more != "" {
			line += "; " + more
		}
	}
	s.add("step", line)
}
