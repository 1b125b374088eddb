package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/connectors/webservice"
)

// demailCmd groups what an administrator needs for De-Mail.
type demailCmd struct {
	Profile  demailProfileCmd  `cmd:"" help:"Profiles: what a provider's web service is like."`
	Simulate demailSimulateCmd `cmd:"" help:"Run two simulated providers on this machine, with a company at each, for rehearsals. They prove nothing."`
	Rehearse demailRehearseCmd `cmd:"" help:"Be the other side of a rehearsal: send to the gateway's company, look into mailboxes, make something go wrong."`
}

// demailProfileCmd groups what is done with profiles.
type demailProfileCmd struct {
	Check demailProfileCheckCmd `cmd:"" help:"Check a profile, show every request that it makes, filled with example values, and what it reads from its own examples of answers. Asks no provider. Exit code 1: something is wrong."`
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
	fmt.Fprintf(w, "\n%d requests, %d examples of answers read as they should, %d not. No provider was asked: whether it takes these requests is not known.\n", len(rendered), read, wrong)
	if wrong > 0 {
		return errSaid
	}
	return nil
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
