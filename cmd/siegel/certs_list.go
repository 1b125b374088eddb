package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// certsListCmd lists certificates.
type certsListCmd struct {
	certsFlags
	Address  string `placeholder:"ADDRESS" help:"Only certificates that bear this address."`
	Domain   string `placeholder:"DOMAIN" help:"Only those of addresses in this domain, or that serve it."`
	Expiring string `placeholder:"TIME" help:"Only those that end within this time, as in 30d, and have not ended."`
	Trust    string `enum:",path,anchor,trusted,distrusted,asked" default:"" placeholder:"TRUST" help:"Only those with this trust: path, anchor, trusted, distrusted, or asked, which wait for your word."`
	Source   string `placeholder:"SOURCE" help:"Only those that came from there: import, signature, directory, directory NAME, issued, vault."`
	WithKey  bool   `help:"Only those with a private key."`
	CA       bool   `name:"ca" help:"Only authorities."`
	Text     string `placeholder:"TEXT" help:"Only those with TEXT in the subject, an address, the serial number or the fingerprint."`
	Limit    int    `default:"200" help:"Certificates to show at most."`
}

// Run prints the list.
func (c *certsListCmd) Run(w io.Writer) error {
	q := certadmin.List{Address: c.Address, Domain: c.Domain, Trust: c.Trust, Source: c.Source, WithKey: c.WithKey, CA: c.CA, Text: c.Text}
	if c.Expiring != "" {
		within, err := parseSpan(c.Expiring)
		if err != nil {
			return err
		}
		q.NotEnds, q.Ends = time.Now(), time.Now().Add(within)
	}
	list, err := c.all(q, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w, list)
	}
	return printCertificates(w, list, time.Now())
}

// all asks for certificates page by page, up to a limit.
func (f certsFlags) all(q certadmin.List, limit int) (list certadmin.Listed, err error) {
	list.Certificates = []certadmin.Certificate{}
	for len(list.Certificates) < limit {
		q.Skip, q.Limit = len(list.Certificates), min(limit-len(list.Certificates), certadmin.MaxList)
		var page certadmin.Listed
		if err := f.client().Certs(context.Background(), "list", q, &page); err != nil {
			return list, printable(err)
		}
		list.Certificates, list.More = append(list.Certificates, page.Certificates...), page.More
		if !page.More {
			break
		}
	}
	return list, nil
}

// parseSpan reads a time as in 30d, 12h or 90m.
func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return 0, usageError(fmt.Sprintf("%s is no number of days, as in 30d", safetext.Line(text, 40)))
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, usageError(fmt.Sprintf("%s is no time, as in 30d or 12h", safetext.Line(text, 40)))
	}
	return d, nil
}

// printCertificates writes a table.
func printCertificates(w io.Writer, list certadmin.Listed, now time.Time) error {
	if len(list.Certificates) == 0 {
		_, err := fmt.Fprintln(w, "There is no such certificate.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FINGERPRINT\tWHOSE\tUNTIL\tTRUST\tKEY\tSOURCE")
	for _, c := range list.Certificates {
		fmt.Fprintf(t, "%.16s\t%s\t%s\t%s\t%s\t%s\n", c.Fingerprint, safetext.Line(whose(c), 80), until(c, now), c.Trust, keyWord(c), safetext.Line(c.Source, 60))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if list.More {
		fmt.Fprintln(w, "There are more (--limit).")
	}
	_, err := fmt.Fprintln(w, count(len(list.Certificates), "certificate"))
	return err
}

// whose are the addresses of a certificate, or its subject.
func whose(c certadmin.Certificate) string {
	var who []string
	for _, d := range c.Serves {
		who = append(who, "@"+d)
	}
	who = append(who, c.Addresses...)
	switch {
	case len(who) > 2:
		return fmt.Sprintf("%s and %d more", strings.Join(who[:2], " "), len(who)-2)
	case len(who) > 0:
		return strings.Join(who, " ")
	}
	return c.Subject
}

func until(c certadmin.Certificate, now time.Time) string {
	day := c.NotAfter.Local().Format("2006-01-02")
	switch {
	case now.After(c.NotAfter):
		return day + " (ended)"
	case now.Before(c.NotBefore):
		return day + " (not yet valid)"
	}
	return day
}

func keyWord(c certadmin.Certificate) string {
	switch c.Key {
	case "":
		return "-"
	case "store":
		return "here"
	}
	return safetext.Line(c.Key, 60)
}

// certsExpiringCmd lists what ends soon, for people and for monitoring.
type certsExpiringCmd struct {
	certsFlags
	Within string `default:"30d" placeholder:"TIME" help:"How soon, as in 30d."`
	All    bool   `help:"Certificates of partners as well, and those that another follows already."`
}

// Run prints what ends soon; it fails where something does.
func (c *certsExpiringCmd) Run(k *kong.Kong) error {
	within, err := parseSpan(c.Within)
	if err != nil {
		return err
	}
	now := time.Now()
	list, err := c.ending(now.Add(within))
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(k.Stdout, list)
	} else if len(list.Certificates) == 0 {
		_, err = fmt.Fprintf(k.Stdout, "No certificate ends within %s.\n", c.Within)
	} else {
		err = printCertificates(k.Stdout, list, now)
	}
	if err == nil && len(list.Certificates) > 0 {
		err = errSaid
	}
	return err
}

// ending asks for what ends before a time, page by page.
func (c *certsExpiringCmd) ending(before time.Time) (list certadmin.Listed, err error) {
	q := certadmin.Expiring{Ends: before, All: c.All, Limit: certadmin.MaxList}
	list.Certificates = []certadmin.Certificate{}
	for {
		var page certadmin.Listed
		if err := c.client().Certs(context.Background(), "expiring", q, &page); err != nil {
			return list, printable(err)
		}
		list.Certificates, list.More = append(list.Certificates, page.Certificates...), page.More
		if q.Skip += len(page.Certificates); !page.More || len(page.Certificates) < q.Limit {
			return list, nil
		}
	}
}

// certsShowCmd shows certificates.
type certsShowCmd struct {
	certsFlags
	Fingerprint []string `arg:"" help:"SHA-256 of a certificate, or its beginning, as the list shows it."`
}

// Run prints all that is known of each.
func (c *certsShowCmd) Run(w io.Writer) error {
	var all []certadmin.Shown
	var bad error
	for _, f := range c.Fingerprint {
		var one certadmin.Shown
		if err := c.client().Certs(context.Background(), "show", certadmin.Show{Fingerprint: f}, &one); err != nil {
			bad = errors.Join(bad, printable(err))
			continue
		}
		all = append(all, one)
	}
	if c.JSON {
		return errors.Join(printJSON(w, all), bad)
	}
	for _, one := range all {
		if err := printCertificate(w, one); err != nil {
			return err
		}
	}
	return bad
}

func printCertificate(w io.Writer, c certadmin.Shown) error {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, safetext.Line(text, 1000))
		}
	}
	line("Fingerprint", c.Fingerprint)
	line("Subject", c.Subject)
	line("Addresses", strings.Join(c.Addresses, " "))
	line("Serves", strings.Join(c.Serves, " "))
	line("Issuer", c.Issuer)
	line("Serial", c.Serial)
	line("Valid", c.NotBefore.Local().Format("2006-01-02 15:04")+" to "+c.NotAfter.Local().Format("2006-01-02 15:04"))
	kind := c.Algorithm
	if c.CA {
		kind += ", of an authority"
	}
	line("Public key", kind)
	line("Private key", map[string]string{"": "none", "store": "here"}[c.Key])
	if c.Key != "" && c.Key != "store" {
		line("Private key", "in "+c.Key)
	}
	trust := c.Trust
	if len(c.Scope) > 0 {
		trust += ", for " + strings.Join(c.Scope, " ")
	}
	line("Trust", trust)
	line("Source", c.Source+", "+c.Added.Local().Format("2006-01-02 15:04")+", last seen "+c.Seen.Local().Format("2006-01-02"))
	for _, above := range c.Chain {
		line("Above it", above)
	}
	for _, v := range c.Verdicts {
		line("To "+v.Purpose, v.Status)
		for _, r := range v.Reasons {
			line("", r)
		}
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}
