package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// printAnswer writes what would become of a message: for each recipient in a sentence, then in a table where each value comes from.
func printAnswer(w io.Writer, a explain.Answer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if a.Listener != "" {
		fmt.Fprintf(t, "Taken by the listener %s.\n", safetext.Line(a.Listener, 64))
	}
	if len(a.Words) > 0 {
		fmt.Fprintf(t, "The message: %s.\n", safetext.Line(strings.Join(a.Words, ", "), 1024))
	}
	for _, s := range a.Assumed {
		fmt.Fprintf(t, "Assumed: %s\n", safetext.Line(s, 512))
	}
	if a.Refused != "" {
		fmt.Fprintf(t, "\nREFUSED. Its sender is told: %s\n", safetext.Line(a.Refused, 1024))
	}
	for _, r := range a.Recipients {
		fmt.Fprintf(t, "\n%s: %s.\n", safetext.Line(r.To, 320), outcome(r, a.Refused != ""))
		for _, line := range []struct{ name, text string }{
			{"refused", r.Refused}, {"waits", r.Holds}, {"certificate", r.Certificate}, {"lowered by the sender", joinKeys(r.Lowered)},
		} {
			if line.text != "" {
				fmt.Fprintf(t, "  %s: %s\n", line.name, safetext.Line(line.text, 1024))
			}
		}
		printSources(t, r)
	}
	return t.Flush()
}

// outcome says in a few words what a recipient gets.
func outcome(r explain.Recipient, refused bool) string {
	way := map[string]string{explain.Internal: "to the company's own mail server", explain.SMTP: "by SMTP", explain.DeMail: "by De-Mail"}[r.Way]
	how := "neither signed nor encrypted"
	switch {
	case r.Direction == "incoming":
		how = "delivered"
	case r.Sign == explain.Yes && r.Encrypt == explain.Yes:
		how = "signed and encrypted"
	case r.Sign == explain.Yes:
		how = "signed, not encrypted"
	case r.Encrypt == explain.Yes:
		how = "encrypted, not signed"
	}
	if r.TLS != "" {
		how += ", TLS " + safetext.Line(r.TLS, 32)
	}
	text := how + ", " + way
	switch {
	case r.Direction == "":
		return "not decided, since the message is refused before"
	case r.Refused != "":
		return "refused; it would have to be " + text
	case refused:
		return "not sent, since the message is refused; else " + text
	case r.Asks:
		return "waits for a certificate, for which the recipient is asked; then " + text
	case r.Holds != "":
		return "waits; then " + text
	}
	return text
}

// printSources writes the table of one recipient.
func printSources(w io.Writer, r explain.Recipient) {
	if len(r.Keys) > 0 {
		fmt.Fprintln(w, "  KEY\tVALUE\tMODE\tFROM\tLINE")
	}
	for _, s := range r.Keys {
		printSource(w, s.Key, s)
		for _, over := range s.Over {
			printSource(w, "  over", over)
		}
	}
	for _, s := range r.Dry {
		printSource(w, "  dry run: "+s.Key, s)
	}
}

func printSource(w io.Writer, name policy.Key, s policy.Source) {
	fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", safetext.Line(string(name), 64), safetext.Line(s.Value, 64), s.Mode, safetext.Line(s.By, 256), safetext.Line(s.Where, 512))
}

func joinKeys(keys []policy.Key) string {
	words := make([]string, 0, len(keys))
	for _, k := range keys {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}
