package main

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/rehearse"
)

// policyCmd groups what looks after the policy.
type policyCmd struct {
	Test policyTestCmd `cmd:"" help:"Hold what an administrator expects of the policy against the configuration."`
}

// policyTestCmd is `siegel policy test`.
type policyTestCmd struct {
	Config string   `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file (${default})."`
	File   []string `arg:"" optional:"" type:"path" help:"Files of tests. Without: those that policy.tests of the configuration names."`
}

// Help is what stands below the flags.
func (c *policyTestCmd) Help() string {
	return "Nobody is asked: who has a certificate, and who is in which group, stands in the tests.\n\nThe exit code is 0 where everything holds; 3 where something does not; 1 where it cannot be told, " +
		"since the configuration or a file of tests cannot be used; 2 where the command line is none."
}

// Run runs the tests and prints what does not hold.
func (c *policyTestCmd) Run(k *kong.Kong, w io.Writer) error {
	config, problems := configs.Load(c.Config, configs.Options{})
	if config == nil {
		for _, p := range problems {
			fmt.Fprintln(k.Stderr, p)
		}
		return errSaid
	}
	files := c.File
	if len(files) == 0 {
		for _, f := range config.Policy.Tests {
			files = append(files, f.String())
		}
	}
	if len(files) == 0 {
		return usageError("name a file of tests, or put it under policy.tests of the configuration")
	}
	n, failures, err := runTests(context.Background(), config, files)
	for _, f := range failures {
		fmt.Fprintln(w, f)
	}
	if err != nil {
		return err
	}
	if len(failures) == 0 {
		fmt.Fprintf(w, "%s: everything holds.\n", count(n, "test"))
		return nil
	}
	fmt.Fprintf(w, "%s: %s not hold.\n", count(n, "test"), plural(len(failures), "expectation does", "expectations do"))
	return refusedError{}
}

// offline answers by the configuration alone. It takes everybody to have a certificate and nobody to be in a group, and says so.
func (c *explainCmd) offline(ctx context.Context, q explain.Question) (explain.Answer, error) {
	config, problems := configs.Load(c.Config, configs.Options{})
	if config == nil {
		return explain.Answer{}, problems.Err()
	}
	r, err := newRehearsal(config)
	if err != nil {
		return explain.Answer{}, err
	}
	defer r.Close()
	a, err := r.Explain(ctx, q, rehearse.Facts{Certificates: mail.Patterns{mail.Pattern{}}})
	a.Assumed = append([]string{
		"No gateway was asked. It was not looked up who has a certificate: everybody is taken to have one.",
		"It was not looked up who is in which group of the directory: everybody is taken to be in none.",
		"It was not looked up which recipients exist, which De-Mail addresses the directory has, and how many De-Mails were sent today.",
	}, a.Assumed...)
	for i := range a.Recipients {
		a.Recipients[i].Certificate = "not looked up"
	}
	return a, err
}
