package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/expect"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/rehearse"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// newRehearsal makes what explains by a configuration alone. The caller closes it.
func newRehearsal(c *configs.Config) (*rehearse.Rehearsal, error) {
	rules, err := policy.New(c.Policy.Set())
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	o := rehearse.Options{
		Hostname: c.Hostname, Local: c.Domains, Policy: rules, Vocabulary: c.Policy.Vocabulary(),
		SMIME: protect.SMIME{Legacy: c.SMIME.LegacyDecryption, SoftwareBrainpool: c.SMIME.SoftwareBrainpool},
	}
	o.Vocabulary.DeMail = deMailWords(c.DeMail.Tags)
	for _, l := range c.Listeners {
		o.Listeners = append(o.Listeners, smtpin.Listener{
			Name: l.Name, Address: l.Address, Role: smtpin.Role(l.Role), Senders: l.Senders, Tenant: l.ExchangeOnline.ID(), MaxSize: int64(l.MaxSize), MaxRecipients: l.MaxRecipients,
		})
	}
	for _, b := range c.Backup {
		o.Routes = append(o.Routes, road(b.Domains, keeping(b).SMTP, c))
	}
	for _, r := range c.Routes {
		o.Routes = append(o.Routes, road(r.Domains, route(r).SMTP, c))
	}
	if len(c.DeMail.Accounts)+len(c.DeMail.Domains) > 0 {
		mails := deMailOptions(c.DeMail)
		o.DeMail = &mails
	}
	desk, err := dispatch.New(dispatch.Options{Domains: c.DeMail.Domains})
	if err != nil {
		return nil, err
	}
	if o.Texts, err = texts.New(c.Texts.Options()); err != nil {
		return nil, err
	}
	o.Ask = asking(c.Certificates.Find.Ask).May(c.Domains, desk.IsDeMail)
	return rehearse.New(o)
}

// road is a route, as far as explanations go.
func road(domains mail.Patterns, o smtpout.Options, c *configs.Config) rehearse.Route {
	hops(&o, c, smtpout.Sources{}, nil)
	return rehearse.Route{Domains: domains, WithoutTLS: o.WithoutTLS}
}

// anyDirectory stands where a directory is asked for De-Mail addresses.
type anyDirectory struct{ dispatch.Lookup }

// testPolicy holds the tests that a configuration names (policy.tests). Each line of the error is one that does not hold, or why it could not be told.
func testPolicy(ctx context.Context, c *configs.Config) error {
	if len(c.Policy.Tests) == 0 {
		return nil
	}
	var files []string
	for _, f := range c.Policy.Tests {
		files = append(files, f.String())
	}
	_, failures, err := runTests(ctx, c, files)
	if err != nil || len(failures) == 0 {
		return err
	}
	lines := make([]string, 0, len(failures)+1)
	lines = append(lines, fmt.Sprintf("the policy does not do what its tests expect (policy.tests); %s not hold:", plural(len(failures), "expectation does", "expectations do")))
	for _, f := range failures {
		lines = append(lines, f.String())
	}
	return testsError{strings.Join(lines, "\n")}
}

// testsError is the error of a policy that does not pass its tests.
type testsError struct{ text string }

// Error is a line for each expectation.
func (e testsError) Error() string { return e.text }

// runTests runs the tests in some files, and counts them.
func runTests(ctx context.Context, c *configs.Config, files []string) (n int, failures []expect.Failure, err error) {
	r, err := newRehearsal(c)
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	for _, name := range files {
		f, err := readTests(name)
		if err != nil {
			return n, failures, err
		}
		failed, err := f.Run(ctx, r)
		if err != nil {
			return n, failures, err
		}
		n, failures = n+len(f.Tests), append(failures, failed...)
	}
	return n, failures, nil
}

func readTests(name string) (expect.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return expect.File{}, printable(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, expect.MaxFile+1))
	if err != nil {
		return expect.File{}, printable(err)
	}
	return expect.Parse(safetext.Line(name, 256), text)
}

// testsCheck tells of a policy that did not pass its tests when the gateway began with it all the same.
func testsCheck(err error) admin.Check {
	return admin.Check{
		Name: "policy tests", Warning: true, Advice: "Mail goes on by this policy. Look at it with siegel policy test, correct the policy or its tests, and reload.",
		Run: func(context.Context) error { return err },
	}
}

// plural is a number with the word for one thing, or for several.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
