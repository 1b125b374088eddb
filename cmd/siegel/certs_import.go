package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// certsImportCmd hands certificates and keys to the gateway.
type certsImportCmd struct {
	certsFlags
	File         []string `arg:"" name:"file" type:"path" help:"Files and folders: PEM, DER, PKCS#12, PKCS#7."`
	Trust        bool     `help:"Trust them: the authorities among them as anchors, of several that issued each other the topmost; where there is none, each certificate by itself."`
	Authority    bool     `help:"With --trust: authorities that bear a mail address are anchors, too. Without this such a one is trusted by itself."`
	Scope        []string `sep:"," placeholder:"DOMAIN" help:"Trust them for these domains (firma.example, *.firma.example) and addresses alone."`
	Serves       []string `sep:"," placeholder:"DOMAIN" help:"The certificate stands for every address of this domain: it signs for those that have none of their own, and is encrypted to for them."`
	PasswordFile []string `sep:"none" type:"path" placeholder:"FILE" help:"File whose first line is a password of encrypted files; - reads it from the terminal. May be given several times. NAME.password beside a file counts for that file."`
	Key          string   `placeholder:"WHERE" help:"The private key lies elsewhere, as in vault:main:alice, or card:signature for a key of smartcards."`
	DryRun       bool     `help:"Say what the files hold, and import nothing."`
}

// found is what files and folders hold.
type found struct {
	bundle.Contents
	report bundle.Report
}

// Run reports what each file gave, hands it over, and says what was new. It fails where a file could not be read or
// used.
func (c *certsImportCmd) Run(k *kong.Kong) error {
	if err := c.consistent(); err != nil {
		return err
	}
	all, err := c.read()
	if err != nil {
		return err
	}
	var done certadmin.Imported
	if !c.DryRun {
		if done, err = c.hand(all); err != nil {
			return printable(err)
		}
	}
	faulty := len(all.report.Problems()) > 0
	if c.JSON {
		err = printJSON(k.Stdout, importReport{all.report, c.DryRun, done})
	} else {
		err = c.print(k, all, done)
	}
	if err == nil && faulty {
		return errSaid
	}
	return err
}

// importReport is what --json prints.
type importReport struct {
	Files    bundle.Report      `json:"files"`
	DryRun   bool               `json:"dry_run"`
	Imported certadmin.Imported `json:"imported"`
}

func (c *certsImportCmd) consistent() error {
	if len(c.Scope) > 0 && !c.Trust {
		return usageError("--scope says for which addresses something is trusted: it goes with --trust")
	}
	if c.Authority && !c.Trust {
		return usageError("--authority says what may become an anchor: it goes with --trust")
	}
	return nil
}

// usageError is the error of a command line that contradicts itself.
func usageError(text string) error { return &usage{text} }

type usage struct{ text string }

// Error is the text.
func (u *usage) Error() string { return u.text }

// ExitCode is that of a command that was not understood.
func (u *usage) ExitCode() int { return exitUsage }

// read reads all files, each once.
func (c *certsImportCmd) read() (all found, err error) {
	o := bundle.Options{SoftwareBrainpool: true} // the gateway decides whether it uses them
	if o.Passwords, err = passwordsFrom(c.PasswordFile); err != nil {
		return all, err
	}
	for _, path := range c.File {
		info, err := os.Stat(path)
		if err != nil {
			return all, fmt.Errorf("%s cannot be read: %w", safetext.Line(path, 256), errors.Unwrap(err))
		}
		files := []string{path}
		o.Named = info.IsDir()
		if o.Named {
			if files, err = bundle.Files(path); err != nil {
				return all, fmt.Errorf("%s cannot be read: %w", safetext.Line(path, 256), err)
			}
		}
		for _, file := range files {
			if strings.HasSuffix(file, bundle.PasswordSuffix) && o.Named {
				continue
			}
			contents, report := bundle.Load(file, o)
			report.Path = safetext.Line(report.Path, 256)
			all.report = append(all.report, report)
			all.Add(contents)
		}
	}
	return all, nil
}

// hand gives all to the gateway, in portions.
func (c *certsImportCmd) hand(all found) (sum certadmin.Imported, err error) {
	var items []certadmin.Item
	trusted := c.trusted(all.Certificates)
	for _, cert := range all.Certificates {
		items = append(items, certadmin.Item{Certificate: cert.Raw, Trust: trusted[cert]})
	}
	if c.Key != "" {
		if items, err = c.elsewhere(all, items); err != nil {
			return sum, err
		}
	}
	var keys [][]byte
	for _, key := range all.Keys {
		der, err := x509x.MarshalPrivateKey(key)
		if err != nil {
			return sum, fmt.Errorf("a private key cannot be written as PKCS#8: %w", err)
		}
		defer clear(der)
		keys = append(keys, der)
	}
	// The keys go with the last certificates, so that the gateway can tell which of them have none.
	for first := true; first || len(items)+len(keys) > 0; first = false {
		q := certadmin.Import{Scope: c.Scope, Serves: c.Serves, Authority: c.Authority}
		q.Items, items = portion(items)
		if len(items) == 0 {
			q.Keys, keys = portion(keys)
		}
		var done certadmin.Imported
		if err := c.client().Certs(context.Background(), "import", q, &done); err != nil {
			return sum, err
		}
		sum.New, sum.Known = append(sum.New, done.New...), append(sum.Known, done.Known...)
		sum.Notes = append(sum.Notes, done.Notes...)
		sum.NewKeys, sum.KnownKeys, sum.Lone = sum.NewKeys+done.NewKeys, sum.KnownKeys+done.KnownKeys, sum.Lone+done.Lone
	}
	return sum, nil
}

// portion takes what fits into one question.
func portion[T any](all []T) (part, rest []T) {
	n := min(len(all), certadmin.MaxImport)
	return all[:n], all[n:]
}

// elsewhere says of the one certificate that is no authority's where its key lies.
func (c *certsImportCmd) elsewhere(all found, items []certadmin.Item) ([]certadmin.Item, error) {
	users := 0
	for i, cert := range all.Certificates {
		if !cert.IsCA {
			users++
			items[i].Key = c.Key
		}
	}
	switch {
	case users != 1:
		return nil, usageError(fmt.Sprintf("--key says where the key of one certificate lies; the files hold %d that are no authority's", users))
	case len(all.Keys) > 0:
		return nil, usageError("--key says that the key lies elsewhere, but the files hold one")
	}
	return items, nil
}

// trusted says what of the certificates is to be trusted, and how.
func (c *certsImportCmd) trusted(all []*x509.Certificate) map[*x509.Certificate]string {
	how, anchors := map[*x509.Certificate]string{}, false
	if !c.Trust {
		return how
	}
	for _, cert := range all {
		switch {
		case !cert.IsCA || issuedAmong(cert, all):
		case !c.Authority && len(certs.Addresses(cert)) > 0: // a person's, who may not issue for others
			how[cert] = "trusted"
		default:
			how[cert], anchors = "anchor", true
		}
	}
	if !anchors {
		for _, cert := range all {
			how[cert] = "trusted"
		}
	}
	return how
}

// issuedAmong reports whether another one of the authorities issued c.
func issuedAmong(c *x509.Certificate, all []*x509.Certificate) bool {
	for _, above := range all {
		if above != c && above.IsCA && bytes.Equal(above.RawSubject, c.RawIssuer) && !bytes.Equal(c.RawSubject, c.RawIssuer) && x509x.CheckSignatureFrom(c, above) == nil {
			return true
		}
	}
	return false
}

// print writes the report of the files and what the gateway made of them.
func (c *certsImportCmd) print(k *kong.Kong, all found, done certadmin.Imported) error {
	var b strings.Builder
	b.WriteString(all.report.String())
	if c.DryRun {
		fmt.Fprintf(&b, "%s and %s would be imported\n", count(len(all.Certificates), "certificate"), count(len(all.Keys), "key"))
	} else {
		for _, cert := range done.New {
			fmt.Fprintf(&b, "new: %s\n", describe(cert))
		}
		fmt.Fprintf(&b, "%s new, %s known before; %s new, %s known before\n", count(len(done.New), "certificate"), count(len(done.Known), "certificate"),
			count(done.NewKeys, "key"), count(done.KnownKeys, "key"))
		if done.Adopted > 0 {
			fmt.Fprintf(&b, "%s had been found by the gateway itself, and count as brought in now\n", count(done.Adopted, "known certificate"))
		}
		for _, cert := range append(done.New[:len(done.New):len(done.New)], done.Known...) {
			if c.Trust {
				sayPerson(&b, cert)
			}
		}
		for _, note := range done.Notes {
			fmt.Fprintf(&b, "note: %s\n", safetext.Line(note, 512))
		}
		if done.Lone > 0 {
			fmt.Fprintf(&b, "%s without a certificate: import that as well\n", count(done.Lone, "key"))
		}
	}
	_, err := fmt.Fprint(k.Stdout, b.String())
	return err
}

// describe is a certificate in a line.
func describe(c certadmin.Certificate) string {
	text := fmt.Sprintf("%.16s  %s, until %s", c.Fingerprint, safetext.Line(whose(c), 120), c.NotAfter.UTC().Format("2006-01-02"))
	if c.Trust != "path" {
		text += ", " + c.Trust
	}
	if c.Key != "" {
		text += ", with its key"
	}
	return text
}
