package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// tlsReportCmd prints reports that others sent.
type tlsReportCmd struct {
	File []string `arg:"" name:"file" type:"path" help:"Mails or files with reports: .eml, .json, .json.gz. - is standard input."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// Run prints each report, and goes on after one that cannot be read.
func (c *tlsReportCmd) Run(k *kong.Kong) error {
	var all []tlsrpt.Report
	var errs []error
	for _, file := range c.File {
		r, err := readTLSReport(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		all = append(all, r)
	}
	if c.JSON {
		if err := printJSON(k.Stdout, all); err != nil {
			return err
		}
	} else {
		for i, r := range all {
			if i > 0 {
				fmt.Fprintln(k.Stdout)
			}
			printTLSReport(k.Stdout, r)
		}
	}
	if len(errs) > 0 {
		return printable(errors.Join(errs...))
	}
	return nil
}

func readTLSReport(file string) (tlsrpt.Report, error) {
	if file == "-" {
		return tlsrpt.Read(os.Stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return tlsrpt.Report{}, errors.Unwrap(err)
	}
	defer f.Close()
	return tlsrpt.Read(f)
}

// printTLSReport writes who reports, then a row for each policy, and one for each kind of failure under it.
func printTLSReport(w io.Writer, r tlsrpt.Report) {
	said := func(s string) string { return safetext.Line(s, 100) }
	fmt.Fprintf(w, "%s (%s), %s to %s, report %s\n", said(r.Organization), said(r.Contact), r.Range.Start.UTC().Format(time.DateTime), r.Range.End.UTC().Format(time.DateTime), said(r.ID))
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DOMAIN\tPOLICY\tSESSIONS\tRESULT\tOUR HOST\tTHEIR ADDRESS\tREASON")
	for _, p := range r.Policies {
		head := said(p.Policy.Domain) + "\t" + said(policyOf(p.Policy))
		fmt.Fprintf(t, "%s\t%d\tsuccess\t\t\t\n", head, p.Summary.Successes)
		told := uint64(0)
		for _, f := range p.Failures {
			fmt.Fprintf(t, "\t\t%d\t%s\t%s\t%s\t%s\n", f.Sessions, said(string(f.Result)), said(ourHost(f)), said(f.SendingIP), safetext.Line(f.Reason, 200))
			told += f.Sessions
		}
		if p.Summary.Failures > told {
			fmt.Fprintf(t, "\t\t%d\tfailed, without more\t\t\t\n", p.Summary.Failures-told)
		}
	}
	t.Flush() // a strings.Builder takes everything
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// policyOf names a policy with its mode, where it has one.
func policyOf(p tlsrpt.AppliedPolicy) string {
	for _, line := range p.Strings {
		if mode, ok := strings.CutPrefix(line, "mode:"); ok {
			return string(p.Type) + " " + strings.TrimSpace(mode)
		}
	}
	if p.Type == tlsrpt.TLSA && len(p.Strings) > 0 {
		return string(p.Type) + " (" + strconv.Itoa(len(p.Strings)) + ")"
	}
	return string(p.Type)
}

func ourHost(f tlsrpt.FailureDetail) string {
	switch {
	case f.MX == "":
		return f.ReceivingIP
	case f.ReceivingIP == "":
		return f.MX
	}
	return f.MX + " " + f.ReceivingIP
}
