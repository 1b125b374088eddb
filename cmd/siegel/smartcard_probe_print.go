package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// printProbed writes a line for each algorithm, and below the table what went wrong.
func printProbed(w io.Writer, results []probed) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "READER\tCARD\tCERTIFICATE\tPIN\tALGORITHM\tRESULT\tONE SIGNATURE")
	for _, r := range results {
		head := strings.Join([]string{clean(r.Reader), dash(r.Card), dash(commonName(r.Certificate)), dash(r.PIN)}, "\t")
		if len(r.Trials) == 0 {
			fmt.Fprintf(t, "%s\t-\tnot tried\t-\n", head)
		}
		for _, trial := range r.Trials {
			result, took := "FAILED", "-"
			if trial.Good {
				result, took = "good", milliseconds(trial.Median)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", head, trial.Algorithm, result, took)
			head = "\t\t\t"
		}
	}
	t.Flush()
	for _, r := range results {
		for _, text := range remarks(r) {
			fmt.Fprintf(&b, "\n%s: %s\n", where(r), clean(text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// where names a key in remarks.
func where(r probed) string {
	if r.Name != "" {
		return "card:" + r.Name
	}
	if r.Key == "" {
		return clean(r.Reader)
	}
	return clean(r.Card + ", " + r.Key)
}

// remarks are what an administrator is to know beside the table, each once.
func remarks(r probed) []string {
	var all []string
	if r.Problem != "" {
		all = append(all, r.Problem)
	}
	said := map[string]bool{}
	padded, more := false, false
	for _, t := range r.Trials {
		if t.Problem != "" && !said[t.Problem] {
			said[t.Problem] = true
			all = append(all, t.Problem)
		}
		old := strings.HasPrefix(t.Algorithm, "RSA PKCS #1 v1.5")
		padded, more = padded || old && t.Good, more || !old && t.Good
	}
	if padded && !more {
		all = append(all, "it signs by PKCS #1 v1.5 alone, which TLS 1.3 does not take: servers must speak TLS 1.2 with it")
	}
	return all
}

// commonName is the last part of a subject that begins with CN=, or all of it.
func commonName(subject string) string {
	for part := range strings.SplitSeq(subject, ",") {
		if name, ok := strings.CutPrefix(part, "CN="); ok {
			return clean(name)
		}
	}
	return clean(subject)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return clean(s)
}

func milliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}
