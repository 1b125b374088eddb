package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// directoryCmd groups what looks into directories without a running gateway.
type directoryCmd struct {
	Test directoryTestCmd `cmd:"" help:"Log in to a directory, look for addresses, and say what was found and how long it took."`
}

// directoryTestCmd asks a directory as the gateway does.
type directoryTestCmd struct {
	Config  string   `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file."`
	All     bool     `help:"Read all addresses, too, as for recipients.directory, and count them."`
	Name    string   `arg:"" help:"Name of the directory in the configuration."`
	Address []string `arg:"" optional:"" help:"Addresses to look for."`
}

// Run fails where the directory does not answer, or has nothing of an address.
func (c *directoryTestCmd) Run(k *kong.Kong) error {
	d, err := c.open(k)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx := context.Background() // each question is bounded by the directory's own times
	start := time.Now()
	if err := d.Check(ctx); err != nil {
		return printable(err)
	}
	fmt.Fprintf(k.Stdout, "%s: %s answers, in %s\n", c.Name, d.State().Server, since(start))
	var bad error
	for _, address := range c.Address {
		if err := lookInto(ctx, k.Stdout, d, address); err != nil {
			bad = err
		}
	}
	if c.All {
		start := time.Now()
		all, err := d.Addresses(ctx)
		if err != nil {
			return printable(err)
		}
		slices.Sort(all)
		fmt.Fprintf(k.Stdout, "all: %d addresses in %s\n", len(slices.Compact(all)), since(start))
	}
	return bad
}

func (c *directoryTestCmd) open(k *kong.Kong) (*ldap.Directory, error) {
	config, _, err := configFile{c.Config}.load(k)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range config.Certificates.Directories {
		name := config.Certificates.Directories[i].Name
		if strings.EqualFold(name, c.Name) {
			if err := vaultSecrets(config, "certificates.directories["+name+"].bind.password"); err != nil {
				return nil, err
			}
			return ldap.New(config.Certificates.Directories[i].LDAP()) // with the secret
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errors.New("the configuration has no directories; add one under certificates.directories")
	}
	return nil, fmt.Errorf("the configuration has no directory of this name, but %s", strings.Join(names, ", "))
}

func since(start time.Time) string { return time.Since(start).Round(100 * time.Microsecond).String() }

// lookInto prints the entries of an address.
func lookInto(ctx context.Context, w io.Writer, d *ldap.Directory, address string) error {
	start := time.Now()
	entries, err := d.Look(ctx, address)
	fmt.Fprintf(w, "%s: %s, in %s\n", safetext.Line(address, 320), entriesFound(len(entries)), since(start))
	exists := false
	for _, e := range entries {
		fmt.Fprintf(w, "  %s\n", safetext.Line(e.DN, 500))
		printEntry(w, e)
		exists = exists || !e.Disabled && slices.Contains(e.Addresses, certs.AddressKey(address))
	}
	if err == nil && d.KnowsGroups() && len(entries) > 0 {
		err = printGroups(ctx, w, d, address, entries)
	}
	switch {
	case err != nil:
		fmt.Fprintf(w, "  %s\n", printable(err))
		return errSaid
	case len(entries) == 0:
		return errSaid
	case !exists:
		fmt.Fprintln(w, "  mail for it is not taken by recipients.directory: no entry that is in use has it among the attributes for addresses")
	}
	return nil
}

// printGroups prints the groups of an address, as policy.rules[].from_groups knows them.
func printGroups(ctx context.Context, w io.Writer, d *ldap.Directory, address string, entries []ldap.Entry) error {
	ids, err := d.GroupsOf(ctx, address)
	ids = slices.DeleteFunc(ids, func(id string) bool {
		return slices.ContainsFunc(entries, func(e ldap.Entry) bool { return ldap.DNKey(e.DN) == id })
	})
	const shown = 50
	for _, id := range ids[:min(len(ids), shown)] {
		fmt.Fprintf(w, "  in the group %s\n", safetext.Line(id, 500))
	}
	if n := len(ids) - shown; n > 0 {
		fmt.Fprintf(w, "  and in %d more\n", n)
	}
	return err
}

func entriesFound(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func printEntry(w io.Writer, e ldap.Entry) {
	line := func(name, value string) { fmt.Fprintf(w, "    %-20s %s\n", name, value) }
	if e.Disabled {
		line("disabled", "it counts as absent")
	}
	const shown = 10
	line("addresses", safetext.Line(strings.Join(e.Addresses[:min(len(e.Addresses), shown)], " "), 1000))
	if n := len(e.Addresses) - shown; n > 0 {
		line("", fmt.Sprintf("and %d more", n))
	}
	for _, c := range e.Certificates {
		line("certificate", describeCertificate(c))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Values)) {
		line(name, strings.Join(e.Values[name], " "))
	}
	for _, f := range e.Faults {
		line("cannot be read", f)
	}
}

// describeCertificate says whose a certificate is; whether it is valid only the gateway judges.
func describeCertificate(c *x509.Certificate) string {
	whose := "of " + strings.Join(certs.Addresses(c), " ")
	if c.IsCA {
		whose = "of an authority"
	}
	return safetext.Line(fmt.Sprintf("%s, %s, issued by %s, until %s", whose, x509x.Name(c.RawSubject), x509x.Name(c.RawIssuer), c.NotAfter.UTC().Format(time.DateOnly)), 500)
}
