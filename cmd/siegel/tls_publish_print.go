package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// printPublication writes a zone file, with the policy and advice as its comments.
func printPublication(w io.Writer, p *publication) error {
	var b strings.Builder
	b.WriteString("; The MTA-STS policy (RFC 8461). Serve it, as text/plain and with a certificate of a public authority, at\n;\n")
	for _, at := range p.Served {
		b.WriteString(";     " + at + "\n")
	}
	b.WriteString(";\n")
	for line := range strings.Lines(p.Policy) {
		b.WriteString(";     " + strings.TrimRight(line, "\r\n") + "\n")
	}
	b.WriteString(";\n; Publish these records when it is there. Change the policy first, its record then.\n\n")
	dane := false
	for _, r := range p.Records {
		if r.Type == "TLSA" && !dane {
			dane = true
			b.WriteString(daneAdvice)
		}
		if r.Note != "" {
			b.WriteString("; " + safetext.Line(r.Note, 300) + ":\n")
		}
		b.WriteString(r.Zone() + "\n")
	}
	for _, n := range p.Notes {
		b.WriteString("\n; " + safetext.Line(n, 500) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const daneAdvice = `
; DANE (RFC 7672): only in a zone that is signed by DNSSEC. A certificate that is renewed with its old key needs no new record.
; Before a key changes: print these records with --next NEW.pem, publish them, wait for twice their TTL, change the key, and
; remove the old record last. Between the first and the last step both stand there.
`

// printFindings writes a line for each thing that was looked at, and under it what should stand there, what does, and what to do.
func printFindings(w io.Writer, all []announce.Finding) error {
	var b strings.Builder
	said := func(head string, lines []string) {
		for _, l := range lines {
			b.WriteString("    " + head + safetext.Line(l, 500) + "\n")
		}
	}
	for _, f := range all {
		fmt.Fprintf(&b, "%-8s %s\n", f.State, safetext.Line(f.Subject, 300))
		if f.State != announce.Right {
			said("wanted: ", f.Wanted)
			said("found:  ", f.Found)
		}
		if f.Remark != "" {
			said("", []string{f.Remark})
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
