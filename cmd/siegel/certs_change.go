package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// fingerprintArg names one certificate.
type fingerprintArg struct {
	Fingerprint string `arg:"" help:"SHA-256 of the certificate, or its beginning, as the list shows it."`
}

// certsTrustCmd says that a certificate is trusted, or takes back what was said.
type certsTrustCmd struct {
	certsFlags
	fingerprintArg
	Scope     []string `sep:"," placeholder:"DOMAIN" help:"For these domains (firma.example, *.firma.example) and addresses alone."`
	Authority bool     `help:"It is an authority, though it bears a mail address: trust what it issues. Without this such a one is trusted by itself."`
	Only      bool     `help:"Trust an authority by itself, not what it issues."`
	Reset     bool     `help:"Take back what was said: the certificate is judged by its path again."`
}

// Run has the gateway trust it, at once.
func (c *certsTrustCmd) Run(w io.Writer) error {
	q := certadmin.Trust{Fingerprint: c.Fingerprint, Scope: c.Scope, Authority: c.Authority}
	switch {
	case c.Authority && c.Only:
		return usageError("--authority trusts what it issues, and --only does not; say one of them")
	case c.Reset && (len(c.Scope) > 0 || c.Only || c.Authority):
		return usageError("--reset takes back what was said; it goes with nothing else")
	case c.Reset:
		q.Trust = "path"
	case c.Only:
		q.Trust = "trusted"
	}
	return c.say(w, q)
}

// say has the gateway say something of a certificate.
func (f certsFlags) say(w io.Writer, q certadmin.Trust) error {
	var out certadmin.Certificate
	if err := f.client().Certs(context.Background(), "trust", q, &out); err != nil {
		return printable(err)
	}
	if f.JSON {
		return printJSON(w, out)
	}
	text := map[string]string{
		"anchor":     "is trusted, and what it issues",
		"trusted":    "is trusted by itself",
		"distrusted": "is not used any more, nor anything below it",
		"path":       "is judged by its path",
	}[out.Trust]
	if len(out.Scope) > 0 {
		text += ", for " + strings.Join(out.Scope, " ")
	}
	if _, err := fmt.Fprintf(w, "%.16s  %s %s.\n", out.Fingerprint, safetext.Line(whose(out), 120), safetext.Line(text, 500)); err != nil {
		return err
	}
	return sayPerson(w, out)
}

// sayPerson says why one that calls itself an authority was trusted by itself alone.
func sayPerson(w io.Writer, c certadmin.Certificate) error {
	if c.Trust != "trusted" || !c.CA || len(c.Addresses) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%.16s  It bears a mail address, so what it issues is not trusted. If it is an authority: siegel certs trust --authority %.16s\n", c.Fingerprint, c.Fingerprint)
	return err
}

// certsDistrustCmd says that a certificate is never to be used.
type certsDistrustCmd struct {
	certsFlags
	fingerprintArg
}

// Run has the gateway distrust it, at once.
func (c *certsDistrustCmd) Run(w io.Writer) error {
	return c.say(w, certadmin.Trust{Fingerprint: c.Fingerprint, Trust: "distrusted"})
}

// certsRemoveCmd forgets a certificate.
type certsRemoveCmd struct {
	certsFlags
	fingerprintArg
	WithKey bool `help:"Its private key as well: nothing opens what was encrypted to it then. Without this a certificate with the only key stays."`
}

// Run has the gateway forget it.
func (c *certsRemoveCmd) Run(w io.Writer) error {
	var out certadmin.Removed
	if err := c.client().Certs(context.Background(), "remove", certadmin.Remove{Fingerprint: c.Fingerprint, WithKey: c.WithKey}, &out); err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(w, out)
	}
	what := "is forgotten"
	if out.KeyGone {
		what = "is forgotten, and its private key"
	}
	_, err := fmt.Fprintf(w, "%.16s  %s %s.\n", out.Fingerprint, safetext.Line(whose(out.Certificate), 120), what)
	return err
}

// certsFindCmd says which certificates an address has.
type certsFindCmd struct {
	certsFlags
	Address string `arg:"" help:"A mail address, of the company or of a partner."`
}

// Run prints which certificate would sign for the address and which would be encrypted to, and why the others not. It fails
// where there is none to encrypt to.
func (c *certsFindCmd) Run(w io.Writer) error {
	var out certadmin.Found
	if err := c.client().Certs(context.Background(), "find", certadmin.Find{Address: c.Address}, &out); err != nil {
		return printable(err)
	}
	err := error(nil)
	if out.Encrypt == "" {
		err = errSaid
	}
	if c.JSON {
		if e := printJSON(w, out); e != nil {
			return e
		}
		return err
	}
	if e := printCandidates(w, out); e != nil {
		return e
	}
	return err
}

func printCandidates(w io.Writer, f certadmin.Found) error {
	var b strings.Builder
	say := func(what, fingerprint, fault string) {
		if fingerprint != "" {
			fmt.Fprintf(&b, "%s: %.16s\n", what, fingerprint)
		} else {
			fmt.Fprintf(&b, "%s: none: %s\n", what, safetext.Line(fault, 500))
		}
	}
	say("signs with", f.Sign, f.SignError)
	say("is encrypted to", f.Encrypt, f.EncryptError)
	for _, c := range f.Candidates {
		fmt.Fprintf(&b, "\n%.16s  %s, %s to %s, trust %s, key %s, %s\n", c.Fingerprint, safetext.Line(whose(c.Certificate), 120), c.NotBefore.Local().Format("2006-01-02"),
			c.NotAfter.Local().Format("2006-01-02"), safetext.Line(c.Trust, 20), keyWord(c.Certificate), safetext.Line(c.Source, 60))
		for _, v := range c.Verdicts {
			text := v.Status
			if v.Taken {
				text = "taken"
			} else if v.Status == "valid" {
				text = "not taken"
			}
			fmt.Fprintf(&b, "  to %s: %s\n", v.Purpose, text)
			for _, r := range v.Reasons {
				fmt.Fprintf(&b, "    %s\n", safetext.Line(r, 500))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
