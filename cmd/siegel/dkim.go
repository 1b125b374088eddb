package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns"
)

// dkimCmd groups what an administrator needs for DKIM.
type dkimCmd struct {
	New    dkimNewCmd    `cmd:"" help:"Make a key, and print the record to publish for it."`
	Record dkimRecordCmd `cmd:"" help:"Print the DNS record for each key of the configuration, as it stands in a zone file."`
	Check  dkimCheckCmd  `cmd:"" help:"Look up whether the record of each key is published."`
}

// dkimNewCmd makes a key.
type dkimNewCmd struct {
	Domain   []string           `required:"" placeholder:"DOMAIN" help:"Domain whose mail the key signs. May be given several times."`
	Selector string             `required:"" help:"Name that tells the keys of a domain apart, such as gw2027."`
	Type     mailauth.Algorithm `enum:"rsa,ed25519" default:"rsa" help:"rsa, which everybody reads, or ed25519, beside one of rsa."`
	Bits     int                `default:"2048" help:"Size of an RSA key, 2048 to 4096."`
	File     string             `arg:"" type:"path" help:"File for the key, which must not be there yet."`
}

// Run writes the key to its file, and to standard output what is to be done with it.
func (c *dkimNewCmd) Run(w io.Writer) error {
	key, err := mailauth.NewKey(c.Type, c.Bits)
	if err != nil {
		return err
	}
	all := make(mailauth.Signers, 0, len(c.Domain))
	for _, domain := range c.Domain {
		s, err := mailauth.NewSigner(mailauth.SignerOptions{Domain: domain, Selector: c.Selector, Key: key})
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	text, err := mailauth.KeyPEM(key)
	if err != nil {
		return err
	}
	if err := writeNew(c.File, text); err != nil {
		return err
	}
	fmt.Fprintf(w, "; The key is in %s; let the user of the gateway read it. Publish:\n", c.File)
	if err := printRecords(w, all); err != nil {
		return err
	}
	fmt.Fprint(w, "; Then add to the configuration:\n;\n;     dkim:\n")
	for _, s := range all {
		fmt.Fprintf(w, ";       - {domain: %s, selector: %s, key: {file: %s}}\n", s.Domain(), s.Selector(), c.File)
	}
	return nil
}

// writeNew writes a file with a secret, which only its owner may read and which must not be there yet.
func writeNew(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s is there already: a key is never replaced; choose another file, and another selector", path)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %s is not there; make it first", filepath.Dir(path))
	case err != nil:
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func printRecords(w io.Writer, all mailauth.Signers) error {
	for _, s := range all {
		name, text, err := s.Record()
		if err != nil {
			return err
		}
		fmt.Fprint(w, mailauth.ZoneLine(name, text))
	}
	return nil
}

// keys are those of a configuration, of which there must be some.
func (c configFile) keys(k *kong.Kong) (*configs.Config, mailauth.Signers, error) {
	config, _, err := c.load(k)
	if err != nil {
		return nil, nil, err
	}
	all := signers(config)
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("%s has no keys under dkim; make one with siegel dkim new", c.File)
	}
	return config, all, nil
}

// dkimRecordCmd prints records.
type dkimRecordCmd struct{ configFile }

// Run writes them to standard output.
func (c *dkimRecordCmd) Run(k *kong.Kong) error {
	_, all, err := c.keys(k)
	if err != nil {
		return err
	}
	return printRecords(k.Stdout, all)
}

// dkimCheckCmd looks records up.
type dkimCheckCmd struct {
	configFile
	Server []string `placeholder:"ADDRESS" help:"Ask this name server, as 192.0.2.53 or 127.0.0.1:5353, in place of the configured ones. May be given several times."`
}

// Run says of each key whether signatures pass with what is published, and fails where one does not.
func (c *dkimCheckCmd) Run(k *kong.Kong) error {
	config, all, err := c.keys(k)
	if err != nil {
		return err
	}
	r, err := c.resolver(config)
	if err != nil {
		return err
	}
	defer r.Close()
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bad := 0
	for _, s := range all {
		name, _, err := s.Record()
		if err == nil {
			err = s.Published(ctx, r.Net())
		}
		if err != nil {
			bad++
			fmt.Fprintf(k.Stdout, "%s: %v\n", name, printable(err))
			continue
		}
		fmt.Fprintf(k.Stdout, "%s: published\n", name)
	}
	if bad > 0 {
		return fmt.Errorf("%s cannot be verified by anybody yet; siegel dkim record prints what to publish", count(bad, "key"))
	}
	return nil
}

func (c *dkimCheckCmd) resolver(config *configs.Config) (*dns.Resolver, error) {
	if len(c.Server) > 0 {
		return dns.New(dns.Options{Servers: c.Server})
	}
	r, err := resolver(config.DNS)
	if err == nil && r == nil {
		err = errors.New("nobody says which name servers to ask; list them under dns.servers, or give --server")
	}
	return r, err
}
