package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardExportCmd writes a certificate of a card.
type smartcardExportCmd struct {
	Name string `arg:"" optional:"" help:"The key of the configuration whose certificate is meant. Without it the one that the flags find."`
	cardFlags
	tokenFlags
	Config string `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"With a name: the configuration that has it (${default})."`
	Cert   string `placeholder:"SHA-256" help:"The certificate, by the digits of its SHA-256 or the first 8 or more of them. May be left out where there is one only."`
	Form   string `enum:"pem,der" default:"pem" help:"pem or der."`
	Out    string `short:"o" type:"path" placeholder:"FILE" help:"The file to write, which must not be there; without it, standard output."`
}

// Run writes the certificate. The key stays on the card.
func (c *smartcardExportCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	if c.Out != "" {
		if _, err := os.Lstat(c.Out); err == nil {
			return fmt.Errorf("%s is there already; name another file", clean(c.Out))
		}
	}
	if err := c.named(); err != nil {
		return err
	}
	d, err := c.openDesk(t, c.cardFlags, cardPINs{})
	if err != nil {
		return err
	}
	defer d.close()
	ctx, stop := interrupted()
	defer stop()
	readers, err := d.look(ctx)
	if err != nil {
		return printable(err)
	}
	one, err := c.choose(readers)
	if err != nil {
		return err
	}
	data := one.certificate.Info.Certificate.Raw
	if c.Form == "pem" {
		data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data})
	}
	if c.Out == "" {
		_, err := k.Stdout.Write(data)
		return err
	}
	if _, err := writeWhole(c.Out, func(w io.Writer) (int, error) { return w.Write(data) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: %s, %s\n", clean(c.Out), clean(one.certificate.Subject), one.certificate.Expiry)
	return err
}

// named puts what the entry of a name says in the place of flags.
func (c *smartcardExportCmd) named() error {
	switch {
	case c.Name == "":
		return nil
	case c.Cert != "" || c.cardFlags != (cardFlags{}) || c.tokenFlags != (tokenFlags{}):
		return usageError("a key of the configuration names its card and certificate; leave the other flags out")
	}
	config, problems := configs.Load(c.Config, configs.Options{})
	if err := problems.Err(); err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	entry, ok := config.Smartcard(strings.TrimPrefix(c.Name, "card:"))
	if !ok {
		s := cardSecrets{config: config}
		return usageError(fmt.Sprintf("%s has no smart card named %q; it has: %s", clean(c.Config), clean(c.Name), s.names()))
	}
	c.cardFlags, c.Cert = cardFlags{Reader: entry.Reader, Serial: entry.Serial}, entry.Want().Fingerprint
	if p := entry.PKCS11; p.Given() {
		c.tokenFlags, c.Serial = tokenFlags{Module: p.Module.String(), Token: p.Token}, p.Serial
	}
	return nil
}

// choose finds the certificate that is meant.
func (c *smartcardExportCmd) choose(readers []survey.Reader) (chosen, error) {
	if c.Cert != "" {
		return withFingerprint(readers, c.Cert)
	}
	var all []chosen
	for _, r := range readers {
		if r.Card != nil {
			for _, one := range r.Card.Certificates {
				all = append(all, chosen{r, one})
			}
		}
	}
	switch len(all) {
	case 0:
		return chosen{}, errNoCard(readers)
	case 1:
		return all[0], nil
	}
	return chosen{}, errors.New("there are several certificates; name one by --cert:\n" + inventory(readers))
}
