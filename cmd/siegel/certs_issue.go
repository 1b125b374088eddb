package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	maxListed   = 1_000_000 // addresses of a list
	issueAtOnce = 100       // addresses in one question
)

// issueFlags say whose certificates are meant.
type issueFlags struct {
	certsFlags
	Address   []string `arg:"" optional:"" help:"Addresses of the company."`
	List      string   `type:"existingfile" placeholder:"FILE" help:"A file with one address a line; # begins a comment."`
	Directory string   `placeholder:"NAME" help:"All addresses of a directory of the configuration."`
}

// addresses are those that are meant.
func (f *issueFlags) addresses(ctx context.Context) ([]string, error) {
	given := 0
	for _, is := range []bool{len(f.Address) > 0, f.List != "", f.Directory != ""} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, usageError("name the addresses, or a file with --list, or a directory with --directory")
	case f.List != "":
		return readAddresses(f.List)
	case f.Directory != "":
		var found gateway.DirectoryAnswer
		if err := f.client().Certs(ctx, "issue-directory", gateway.DirectoryOrder{Directory: f.Directory}, &found); err != nil {
			return nil, printable(err)
		}
		return found.Addresses, nil
	}
	return f.Address, nil
}

// readAddresses reads a list with one address a line.
func readAddresses(file string) (all []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4096)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(all) == maxListed {
			return nil, fmt.Errorf("%s: more than %d addresses", safetext.Line(file, 256), maxListed)
		}
		all = append(all, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", safetext.Line(file, 256), err)
	}
	return all, nil
}

// run has certificates issued, some at a time, and prints what came of it.
func (f *issueFlags) run(w io.Writer, again bool) error {
	ctx := context.Background()
	left, err := f.addresses(ctx)
	if err != nil {
		return err
	}
	all := gateway.IssueAnswer{Addresses: []gateway.IssuedAddress{}}
	for len(left) > 0 {
		now := left[:min(issueAtOnce, len(left))]
		var answer gateway.IssueAnswer
		if err := f.client().Certs(ctx, "issue", gateway.IssueOrder{Addresses: now, Again: again}, &answer); err != nil {
			return errors.Join(f.print(w, all), printable(err))
		}
		if len(answer.Addresses) == 0 {
			return errors.Join(f.print(w, all), errors.New("the gateway issues nothing; look into its log"))
		}
		all.Addresses = append(all.Addresses, answer.Addresses...)
		left = left[len(answer.Addresses):]
	}
	if err := f.print(w, all); err != nil {
		return err
	}
	for _, a := range all.Addresses {
		if a.Error != "" {
			return errSaid
		}
	}
	return nil
}

func (f *issueFlags) print(w io.Writer, all gateway.IssueAnswer) error {
	if f.JSON {
		return printJSON(w, all)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	issued, had, failed := 0, 0, 0
	for _, a := range all.Addresses {
		what, which := "", a.Fingerprint
		switch {
		case a.Error != "":
			failed++
			what = "not issued: " + a.Error
		case a.Done:
			issued++
			what = "issued, until " + a.Until.Local().Format("2006-01-02")
		default:
			had++
			what = "has one until " + a.Until.Local().Format("2006-01-02")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", safetext.Line(a.Address, 80), safetext.Line(what, 400), safetext.Line(which, 64))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d issued, %d had one, %d failed\n", issued, had, failed)
	return err
}

// certsIssueCmd has certificates issued ahead of time.
type certsIssueCmd struct{ issueFlags }

// Run issues to those who have none.
func (c *certsIssueCmd) Run(w io.Writer) error { return c.run(w, false) }

// certsRenewCmd has certificates issued again.
type certsRenewCmd struct{ issueFlags }

// Run issues to all who are named, with new keys; the old keys go on opening mail.
func (c *certsRenewCmd) Run(w io.Writer) error { return c.run(w, true) }

// certsRevokeCmd revokes a certificate that was issued here.
type certsRevokeCmd struct {
	certsFlags
	Fingerprint string `arg:"" help:"SHA-256 of the certificate, as siegel certs list shows it."`
	Reason      string `enum:"unspecified,keyCompromise,affiliationChanged,superseded,cessationOfOperation,privilegeWithdrawn" default:"unspecified" help:"Why: ${enum}. After affiliationChanged, cessationOfOperation and privilegeWithdrawn the address gets no other certificate by itself."`
}

// Run revokes it; the list says so when Run returns.
func (c *certsRevokeCmd) Run(w io.Writer) error {
	var answer gateway.RevokeAnswer
	if err := c.client().Certs(context.Background(), "revoke", gateway.RevokeOrder{Fingerprint: c.Fingerprint, Reason: c.Reason}, &answer); err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(w, answer)
	}
	_, err := fmt.Fprintf(w, "%s is revoked. The list of revoked certificates says so from now on; others see it when they fetch the list again.\n",
		safetext.Line(answer.Certificate, 300))
	return err
}
