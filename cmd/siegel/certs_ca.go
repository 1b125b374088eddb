package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
)

// certsCACmd looks after the built-in CA.
type certsCACmd struct {
	Init   caInitCmd   `cmd:"" help:"Make the CA of the configuration (certificates.issue): a root, and an issuing CA below it for the company's domains alone."`
	Show   caShowCmd   `cmd:"" help:"Show the CA: its certificates, keys and lists of revoked certificates."`
	Export caExportCmd `cmd:"" help:"Write the certificate of the root for partners, or its key for a safe place."`
	Renew  caRenewCmd  `cmd:"" help:"Make another issuing CA below the root: for further domains, or ahead of its end."`
}

// ask has a command on the CA carried out.
func (f certsFlags) authority(command string, q gateway.AuthorityOrder) (out gateway.AuthorityAnswer, err error) {
	if err := f.client().Certs(context.Background(), command, q, &out); err != nil {
		return out, printable(err)
	}
	return out, nil
}

// show prints authorities.
func (f certsFlags) show(w io.Writer, a gateway.AuthorityAnswer) error {
	if f.JSON {
		return printJSON(w, a)
	}
	if len(a.Authorities) == 0 {
		_, err := fmt.Fprintln(w, "There is no CA yet; make it with: siegel certs ca init")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, one := range a.Authorities {
		kind, key := "issuing CA", "here"
		if one.Root {
			kind = "root"
		}
		if !one.HasKey {
			key = "offline"
		}
		fmt.Fprintf(t, "%s\t%s\n", kind, safetext.Line(one.Name, 120))
		fmt.Fprintf(t, "  fingerprint\t%s\n  valid\t%s to %s\n  key\t%s\n", one.Fingerprint, one.Begins.Local().Format("2006-01-02"), one.Ends.Local().Format("2006-01-02"), key)
		if len(one.Domains) > 0 {
			fmt.Fprintf(t, "  for\t%s\n", safetext.Line(strings.Join(one.Domains, " "), 400))
		}
		fmt.Fprintf(t, "  list\t%s\n", safetext.Line(one.Lists, 200))
		if !one.ListEnds.IsZero() {
			fmt.Fprintf(t, "\tnumber %d, counts until %s\n", one.ListNumber, one.ListEnds.Local().Format("2006-01-02 15:04"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if a.Warning != "" {
		_, err := fmt.Fprintf(w, "Look at this: %s\n", safetext.Line(a.Warning, 400))
		return err
	}
	return nil
}

// caInitCmd makes the CA.
type caInitCmd struct{ certsFlags }

// Run makes it once.
func (c *caInitCmd) Run(w io.Writer) error {
	a, err := c.authority("ca-init", gateway.AuthorityOrder{})
	if err != nil {
		return err
	}
	if err := c.show(w, a); err != nil || c.JSON {
		return err
	}
	_, err = fmt.Fprint(w, `
The CA is made. What comes next:
  siegel certs ca export --out root.pem
      the certificate of the root, which partners have to trust
  siegel certs ca export --with-key root.p12 --password-file FILE --offline
      puts the key of the root into a file for a safe place, and takes it away from this machine
`)
	return err
}

// caShowCmd shows the CA.
type caShowCmd struct{ certsFlags }

// Run prints it.
func (c *caShowCmd) Run(w io.Writer) error {
	a, err := c.authority("ca-show", gateway.AuthorityOrder{})
	if err != nil {
		return err
	}
	return c.show(w, a)
}

// caExportCmd writes the root.
type caExportCmd struct {
	certsFlags
	Out          string `type:"path" placeholder:"FILE" help:"Where the certificate of the root goes, PEM. Absent: standard output."`
	WithKey      string `type:"path" placeholder:"FILE" help:"Where the root goes with its key, PKCS#12 under a password. The file must not be there yet."`
	PasswordFile string `type:"existingfile" placeholder:"FILE" help:"A file whose first line is that password, of at least 12 characters."`
	Offline      bool   `help:"Take the key of the root away from the gateway, once the file of --with-key was written and read back."`
}

// Run writes what is asked for.
func (c *caExportCmd) Run(w io.Writer) error {
	switch {
	case c.WithKey == "" && (c.Offline || c.PasswordFile != ""):
		return usageError("--offline and --password-file go with --with-key: the key must be in a file before it is taken away")
	case c.WithKey != "" && c.PasswordFile == "":
		return usageError("--with-key needs --password-file: the key of the root is only written under a password")
	case c.WithKey != "":
		return c.withKey(w)
	}
	a, err := c.authority("ca-export", gateway.AuthorityOrder{})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w, a)
	}
	root, err := rootOf(a)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
	if c.Out == "" {
		_, err := w.Write(text)
		return err
	}
	if err := os.WriteFile(c.Out, text, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "The certificate of the root is in %s. Give it to partners, with its fingerprint by another way.\n", safetext.Line(c.Out, 300))
	return err
}

func rootOf(a gateway.AuthorityAnswer) (*x509.Certificate, error) {
	for _, one := range a.Authorities {
		if one.Root {
			return x509.ParseCertificate(one.Certificate)
		}
	}
	return nil, errors.New("there is no CA yet; make it with: siegel certs ca init")
}

// withKey writes the root with its key, and takes it offline where that is wanted.
func (c *caExportCmd) withKey(w io.Writer) error {
	const least = 12
	password, err := firstLineOf(c.PasswordFile)
	if err != nil {
		return err
	}
	if len(password.Reveal()) < least {
		return fmt.Errorf("the password has less than %d characters: who knows the key of the root can write in the name of everybody in the company", least)
	}
	a, err := c.authority("ca-export", gateway.AuthorityOrder{WithKey: true, Password: password.Reveal()})
	if err != nil {
		return err
	}
	defer clear(a.PKCS12)
	root, err := rootOf(a)
	if err != nil {
		return err
	}
	if err := writeRootKey(c.WithKey, a.PKCS12); err != nil {
		return err
	}
	if _, err := readRoot(c.WithKey, password, root); err != nil {
		return fmt.Errorf("the file that was written cannot be read back, so the key stays in the gateway: %w", err)
	}
	fmt.Fprintf(w, "The root with its key is in %s, and can be read back. Copy it to a safe place, apart from its password.\n", safetext.Line(c.WithKey, 300))
	if !c.Offline {
		return nil
	}
	if a, err = c.authority("ca-offline", gateway.AuthorityOrder{}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "The gateway has forgotten the key of the root. It needs the file once a year, for the list of revoked authorities: siegel certs ca renew --list --root FILE")
	return err
}

// writeRootKey writes a file that was not there, for its owner alone, and sees to it that it is on the disk.
func writeRootKey(path string, body []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

// readRoot reads the key of a root from a file.
func readRoot(path string, password secret.String, root *x509.Certificate) (crypto.Signer, error) {
	contents, err := bundle.ReadFile(path, bundle.Options{Passwords: []secret.String{password}})
	if err != nil {
		return nil, err
	}
	public, ok := root.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	for _, key := range contents.Keys {
		if signer, is := key.(crypto.Signer); ok && is && public.Equal(signer.Public()) {
			return signer, nil
		}
	}
	return nil, errors.New("the key of the root is not in it")
}

// firstLineOf is the first line of a file with a password.
func firstLineOf(path string) (secret.String, error) {
	const most = 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return secret.String{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return secret.String{}, err
	}
	defer clear(text)
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return secret.New(string(bytes.TrimRight(line, "\r"))), nil
}

// caRenewCmd makes another issuing CA, or the list of the root.
type caRenewCmd struct {
	certsFlags
	Root         string `type:"existingfile" placeholder:"FILE" help:"The file with the root and its key, where that lies offline. The key is not kept."`
	PasswordFile string `type:"existingfile" placeholder:"FILE" help:"A file whose first line is the password of that file."`
	List         bool   `help:"Only sign the list of revoked authorities anew, for a year."`
}

// Run makes it.
func (c *caRenewCmd) Run(w io.Writer) error {
	q := gateway.AuthorityOrder{ListOnly: c.List}
	if c.Root != "" {
		a, err := c.authority("ca-show", gateway.AuthorityOrder{})
		if err != nil {
			return err
		}
		root, err := rootOf(a)
		if err != nil {
			return err
		}
		var password secret.String
		if c.PasswordFile != "" {
			if password, err = firstLineOf(c.PasswordFile); err != nil {
				return err
			}
		}
		key, err := readRoot(c.Root, password, root)
		if err != nil {
			return fmt.Errorf("%s: %w", safetext.Line(c.Root, 256), err)
		}
		if q.RootKey, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			return err
		}
		defer clear(q.RootKey)
	}
	a, err := c.authority("ca-renew", q)
	if err != nil {
		return err
	}
	return c.show(w, a)
}
