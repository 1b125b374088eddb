package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// tlsCheckCmd holds what is configured against its profiles.
type tlsCheckCmd struct {
	configFile
	Route    string        `placeholder:"NAME" help:"Only this route, listener, partner, backup, directory or vault, admin.http, tls.publish, outlook, outlook.entra or outlook.exchange."`
	Domain   []string      `placeholder:"DOMAIN" help:"Look at the mail servers of this domain, too, where a route finds them by MX. May be given several times."`
	JSON     bool          `name:"json" help:"Write JSON."`
	Timeout  time.Duration `default:"1m" help:"For everything (${default})."`
	Patience time.Duration `default:"10s" help:"For one answer of a server (${default})."`
}

// judgement is the verdict on one connection.
type judgement string

const (
	judgedFits  judgement = "fits"
	judgedNote  judgement = "note" // mail flows; something is to be known
	judgedFails judgement = "FAILS"
	judgedNot   judgement = "not asked"
)

// tlsRow is one connection that the gateway takes or makes.
type tlsRow struct {
	Kind       string    `json:"kind"` // listener, admin, publish, outlook, route, partner, backup, directory, vault
	Name       string    `json:"name"`
	Address    string    `json:"address"`
	Profile    string    `json:"profile,omitempty"`
	Level      string    `json:"level,omitempty"`      // whether, and whom, mail needs TLS with
	Negotiated string    `json:"negotiated,omitempty"` // by the handshake
	Verdict    judgement `json:"verdict"`
	Text       string    `json:"text,omitempty"`
	Remedy     string    `json:"remedy,omitempty"`
}

func (r *tlsRow) judge(verdict judgement, text, remedy string) {
	r.Verdict, r.Text, r.Remedy = verdict, text, remedy
}

// tlsCheck is something of the configuration that is still to be judged, which may take the network.
type tlsCheck struct {
	name string
	run  func(ctx context.Context) []tlsRow
}

// oneRow is a check that has one row.
func oneRow(row tlsRow, judge func(ctx context.Context, row *tlsRow)) tlsCheck {
	return tlsCheck{row.Name, func(ctx context.Context) []tlsRow {
		judge(ctx, &row)
		return []tlsRow{row}
	}}
}

// Run prints the table. It fails where a connection of the configuration cannot come about as configured.
func (c *tlsCheckCmd) Run(k *kong.Kong, readers smartcard.Transport) error {
	config, _, err := c.load(k)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	mail, err := newMailChecks(config, c.Domain, c.Patience, readers)
	if err != nil {
		return err
	}
	defer mail.close()
	checks := c.checks(config, mail)
	if c.Route != "" {
		checks = slices.DeleteFunc(checks, func(check tlsCheck) bool { return !strings.EqualFold(check.name, c.Route) })
	}
	if len(checks) == 0 {
		return usageError(fmt.Sprintf("the configuration has nothing by the name %q that is to be checked", c.Route))
	}
	rows := judgeAll(ctx, checks)
	if c.JSON {
		err = safetext.JSON(k.Stdout, rows)
	} else {
		err = printRows(k.Stdout, rows)
	}
	if bad := countFailing(rows); err == nil && bad > 0 {
		err = fmt.Errorf("%s of %s cannot come about as configured", count(bad, "connection"), count(len(rows), "connection"))
	}
	return err
}

func countFailing(rows []tlsRow) (n int) {
	for _, r := range rows {
		if r.Verdict == judgedFails {
			n++
		}
	}
	return n
}

// atOnce is how many servers are asked at the same time.
const atOnce = 4

// judgeAll judges all rows, in their order.
func judgeAll(ctx context.Context, checks []tlsCheck) []tlsRow {
	found := make([][]tlsRow, len(checks))
	seats := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, c := range checks {
		group.Go(func() {
			seats <- struct{}{}
			defer func() { <-seats }()
			found[i] = c.run(ctx)
		})
	}
	group.Wait()
	return slices.Concat(found...)
}

// checks lists what is configured: what the gateway takes, then what it makes.
func (c *tlsCheckCmd) checks(config *configs.Config, mail *mailChecks) []tlsCheck {
	var all []tlsCheck
	for i := range config.Listeners {
		all = append(all, checkListener(config, &config.Listeners[i], time.Now()))
	}
	all = append(all, checkAdmin(&config.Admin, time.Now())...)
	all = append(all, checkPublish(&config.TLS.Publish, time.Now())...)
	all = append(all, mail.all()...)
	o := c.probeOptions(config)
	all = append(all, checkOutlook(&config.Outlook, time.Now(), o)...)
	for i := range config.Certificates.Directories {
		all = append(all, checkDirectory(config, &config.Certificates.Directories[i], o)...)
	}
	for i := range config.Vault {
		all = append(all, checkVault(&config.Vault[i], o)...)
	}
	return all
}

func (c *tlsCheckCmd) probeOptions(config *configs.Config) probe.Options {
	return probe.Options{Hello: config.Hostname, Timeout: c.Timeout, Patience: c.Patience}
}

// printRows writes the table, and below it what is to be said of each row.
func printRows(w io.Writer, rows []tlsRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tNAME\tADDRESS\tPROFILE\tLEVEL\tNEGOTIATED\tVERDICT")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, r.Name, orDash(r.Address), orDash(r.Profile), orDash(r.Level), orDash(r.Negotiated), r.Verdict)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Text == "" {
			continue
		}
		fmt.Fprintf(w, "\n%s %s", r.Kind, r.Name)
		if r.Address != "" {
			fmt.Fprintf(w, " (%s)", r.Address)
		}
		fmt.Fprintf(w, ": %s\n", r.Text)
		if r.Remedy != "" {
			fmt.Fprintf(w, "  to do: %s\n", r.Remedy)
		}
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
