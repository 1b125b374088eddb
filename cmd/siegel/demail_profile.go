package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/dmda/trial"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// demailCmd groups what an administrator needs for De-Mail.
type demailCmd struct {
	Check    demailCheckCmd    `cmd:"" help:"Try the way from an account to its provider, step by step: reader, card, PIN, DNS, TCP, TLS, login, domains. Presents no PIN that the gateway would not present. Exit code 1: something fails."`
	List     demailListCmd     `cmd:"" help:"List the De-Mails that were sent, the newest first; with --incoming those that were fetched."`
	Show     demailShowCmd     `cmd:"" help:"Show all that is known of a De-Mail: its recipients, confirmations and what they prove."`
	Evidence demailEvidenceCmd `cmd:"" help:"Write the evidence of a De-Mail into a ZIP that can be checked without Siegel. This stands in the audit log."`
	Resolve  demailResolveCmd  `cmd:"" help:"Say of a De-Mail that is in doubt whether the provider has it, or that no confirmation is awaited any more. This stands in the audit log."`
	Profile  demailProfileCmd  `cmd:"" help:"Profiles: what a provider's web service is like."`
	Simulate demailSimulateCmd `cmd:"" help:"Run two simulated providers on this machine, with a company at each, for rehearsals. They prove nothing."`
	Rehearse demailRehearseCmd `cmd:"" help:"Be the other side of a rehearsal: send to the gateway's company, look into mailboxes, make something go wrong."`
}

// demailProfileCmd groups what is done with profiles.
type demailProfileCmd struct {
	Check demailProfileCheckCmd `cmd:"" help:"Check a profile, show every request that it makes, filled with example values, and what it reads from its own examples of answers; and make all of them to a simulated provider within this process. Asks no real one. Exit code 1: something is wrong."`
}

// demailProfileCheckCmd checks a profile.
type demailProfileCheckCmd struct {
	Operation string `placeholder:"NAME" help:"Show this operation alone, such as submit."`
	File      string `arg:"" type:"existingfile" help:"The profile."`
}

// Run writes the requests, or everything that is wrong.
func (c *demailProfileCheckCmd) Run(w io.Writer) error {
	p, err := webservice.LoadFile(c.File)
	if err != nil {
		return err
	}
	rendered, err := p.Check()
	if err != nil {
		return err
	}
	if c.Operation != "" {
		rendered = slices.DeleteFunc(rendered, func(r webservice.Rendered) bool { return string(r.Operation) != c.Operation })
		if len(rendered) == 0 {
			return usageError("the profile has no operation of the name that --operation gives")
		}
	}
	fmt.Fprintf(w, "%s: the profile %s, %s\n", c.File, p.Name, p.Form())
	wrong, read := 0, 0
	for _, r := range rendered {
		printRendered(w, r)
		switch {
		case r.Err != nil:
			wrong++
		case r.Example != "":
			read++
		}
	}
	fmt.Fprintf(w, "\n%d requests, %d examples of answers read as they should, %d not.\n", len(rendered), read, wrong)
	failed, err := c.try(w, p)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\nNo provider was asked: whether it takes these requests is not known.")
	if wrong+failed > 0 {
		return errSaid
	}
	return nil
}

// try makes the requests to a simulated provider, and counts what is wrong.
func (c *demailProfileCheckCmd) try(w io.Writer, p *webservice.Profile) (failed int, err error) {
	dir, err := os.MkdirTemp("", "siegel-profile-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	spool, err := atrest.NewSpool(dir, atrest.NewKey(), 0)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	steps, err := trial.Run(ctx, p, spool)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(w, "\n== against a SIMULATED provider in this process, which knows of the service only what the profile says\n")
	for _, s := range steps {
		if c.Operation != "" && string(s.Operation) != c.Operation {
			continue
		}
		said := s.Said
		if s.Err != nil {
			failed++
			said = "wrong: " + s.Err.Error()
		}
		fmt.Fprintf(w, "%-12s %s\n", s.Operation, said)
	}
	return failed, nil
}

// printRendered writes one request and what becomes of the example of its answer.
func printRendered(w io.Writer, r webservice.Rendered) {
	fmt.Fprintf(w, "\n== %s\nPOST %s\n", r.Operation, r.Path)
	for _, name := range []string{"Content-Type", "Soapaction"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(w, "%s: %s\n", strings.Replace(name, "Soapaction", "SOAPAction", 1), v)
		}
	}
	fmt.Fprintf(w, "\n%s\n", strings.TrimRight(strings.ReplaceAll(string(r.Body), "\r\n", "\n"), "\n"))
	switch {
	case r.Err != nil:
		fmt.Fprintf(w, "-- the example of the answer is wrong: %v\n", r.Err)
	case r.Example != "":
		fmt.Fprintf(w, "-- from the example of the answer: %s\n", r.Example)
	default:
		fmt.Fprintf(w, "-- nothing is to be read from the answer, or the profile has no example of it\n")
	}
}
