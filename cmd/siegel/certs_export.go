package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
)

// certsExportCmd writes a certificate, and where that is said its key.
type certsExportCmd struct {
	certsFlags
	fingerprintArg
	Out          string `short:"o" type:"path" placeholder:"FILE" help:"The file to write, which must not be there; without it, standard output."`
	Form         string `enum:"pem,der,pkcs7,pkcs12" default:"pem" help:"pem, der, pkcs7 (.p7b), or with --key pkcs12 (.p12)."`
	Chain        bool   `help:"The authorities above it as well."`
	Key          bool   `help:"Its private key as well, encrypted under a password. This stands in the audit log."`
	PasswordFile string `type:"path" placeholder:"FILE" help:"File whose first line is that password, of 8 characters or more; - or none: asked for at the terminal."`
	Legacy       bool   `help:"With pkcs12: for programs from before about 2019, in encryption that is weak today."`
}

// Run writes what was asked for.
func (c *certsExportCmd) Run(k *kong.Kong) error {
	q := certadmin.Export{Fingerprint: c.Fingerprint, Form: c.Form, Chain: c.Chain, Key: c.Key, Legacy: c.Legacy}
	switch {
	case c.Key != (c.Form == "pkcs12") && c.Form != "pem":
		return usageError("pkcs12 is for a certificate with its key, and a key goes as pem or pkcs12: --key --form pkcs12")
	case c.PasswordFile != "" && !c.Key, c.Legacy && c.Form != "pkcs12":
		return usageError("--password-file goes with --key, and --legacy with --form pkcs12")
	}
	if c.Out != "" {
		if _, err := os.Lstat(c.Out); err == nil {
			return fmt.Errorf("%s is there already; name another file", safetext.Line(c.Out, 256))
		}
	}
	if c.Key {
		password, err := newPassword(c.PasswordFile)
		if err != nil {
			return err
		}
		q.Password = password.Reveal()
	}
	var out certadmin.Exported
	if err := c.client().Certs(context.Background(), "export", q, &out); err != nil {
		return printable(err)
	}
	defer clear(out.Data)
	if c.Out == "" {
		return c.print(k.Stdout, out)
	}
	_, err := writeWhole(c.Out, func(w io.Writer) (int, error) { return w.Write(out.Data) })
	if err != nil {
		return err
	}
	if c.JSON {
		out.Data = nil
		return printJSON(k.Stdout, out)
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: %s\n", safetext.Line(c.Out, 256), safetext.Line(whose(out.Certificate), 120))
	return err
}

func (c *certsExportCmd) print(w io.Writer, out certadmin.Exported) error {
	if c.JSON {
		return printJSON(w, out)
	}
	_, err := w.Write(out.Data)
	return err
}

// newPassword reads a password that something will rest under; at the terminal it is asked for twice.
func newPassword(file string) (secret.String, error) {
	if file == "" {
		file = "-"
	}
	p, err := passwordFrom(file, "Password for the private key: ")
	if err != nil || file != "-" || !terminal() {
		return p, err
	}
	again, err := passwordFrom(file, "Again: ")
	if err == nil && again.Reveal() != p.Reveal() {
		err = fmt.Errorf("the two passwords differ; try again")
	}
	return p, err
}

// certsRequestCmd asks an authority for a certificate.
type certsRequestCmd struct {
	certsFlags
	Address []string `arg:"" help:"The mail addresses of one certificate."`
	Name    string   `placeholder:"NAME" help:"Common name in the subject; without it the first address."`
	KeyKind string   `enum:"rsa2048,rsa3072,rsa4096,p256,p384" default:"rsa3072" help:"The kind of the new key: rsa2048, rsa3072, rsa4096, p256 or p384."`
	Out     string   `short:"o" type:"path" placeholder:"FILE" help:"The file to write, which must not be there; without it, standard output."`
}

// Run has the gateway make a key, which stays there, and writes the request for its certificate.
func (c *certsRequestCmd) Run(k *kong.Kong) error {
	if c.Out != "" {
		if _, err := os.Lstat(c.Out); err == nil {
			return fmt.Errorf("%s is there already; name another file", safetext.Line(c.Out, 256))
		}
	}
	var out certadmin.Requested
	q := certadmin.Request{Addresses: c.Address, Name: c.Name, Kind: c.KeyKind}
	if err := c.client().Certs(context.Background(), "request", q, &out); err != nil {
		return printable(err)
	}
	if c.Out != "" {
		if _, err := writeWhole(c.Out, func(w io.Writer) (int, error) { return io.WriteString(w, out.PEM) }); err != nil {
			return err
		}
	}
	switch {
	case c.JSON:
		return printJSON(k.Stdout, out)
	case c.Out == "":
		_, err := io.WriteString(k.Stdout, out.PEM)
		return err
	}
	_, err := fmt.Fprintf(k.Stdout, "%s: give it to your authority, and import what comes back: siegel certs import FILE. The key stays in the gateway.\n", safetext.Line(c.Out, 256))
	return err
}
