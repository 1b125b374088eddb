package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/publicnet"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// tlsProbeCmd asks another server what its TLS accepts.
type tlsProbeCmd struct {
	SMTP     bool `xor:"protocol" help:"SMTP: STARTTLS, or TLS from the first byte at the ports 465 and 1465."`
	HTTPS    bool `xor:"protocol" help:"HTTPS."`
	LDAP     bool `xor:"protocol" help:"LDAP: StartTLS, or TLS from the first byte at the ports 636 and 3269."`
	Implicit bool `help:"TLS from the first byte, whatever the port is."`

	Profile string `placeholder:"NAME" help:"Hold the server against this profile, a built-in one or one of the configuration."`
	Config  string `short:"c" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration file with the profile (/etc/siegel/siegel.yaml)."`

	ClientCert string `type:"path" placeholder:"FILE" help:"Certificate to show where the server asks for one, with its chain, PEM."`
	ClientKey  string `type:"path" placeholder:"FILE" help:"Its private key, PEM. Where it is not given it is looked for in the certificate's file."`
	CA         string `name:"ca" type:"path" placeholder:"FILE" help:"Authorities believed for the server's certificate, PEM; those of the machine where it is not given."`
	ServerName string `placeholder:"NAME" help:"The name to ask for, and to look for in the certificate, where it is not the host."`
	Hello      string `placeholder:"NAME" help:"The name to greet with by SMTP; that of this machine where it is not given."`

	Domain string   `placeholder:"DOMAIN" help:"The recipients' domain whose mail the server takes: its MX records and MTA-STS policy are looked up."`
	DNS    []string `name:"dns" placeholder:"ADDRESS" help:"Ask this name server, as 192.0.2.53 or 127.0.0.1:5353, in place of the machine's. May be given several times."`
	NoDNS  bool     `name:"no-dns" help:"Look up neither TLSA records nor policies."`

	JSON           bool          `name:"json" help:"Write JSON."`
	Timeout        time.Duration `default:"2m" help:"For everything (${default})."`
	Patience       time.Duration `default:"10s" help:"For one answer of the server (${default})."`
	MaxConnections int           `default:"400" help:"The most connections that are made, one after the other and a few at once (${default})."`
	Parallel       int           `default:"3" help:"How many at once (${default})."`

	Address string `arg:"" placeholder:"HOST:PORT" help:"Whom to ask. The port says what is spoken, unless a flag does."`
}

// Run prints the report. It fails where the server is not reached, or does not fit the profile.
func (c *tlsProbeCmd) Run(k *kong.Kong) error {
	target, err := probe.ParseTarget(c.Address, c.protocol(), c.Implicit)
	if err != nil {
		return usageError(err.Error())
	}
	if err := c.normalise(); err != nil {
		return usageError(err.Error())
	}
	target.ServerName = c.ServerName
	options, err := c.options()
	if err != nil {
		return usageError(err.Error())
	}
	profile, err := c.profile(k)
	if err != nil {
		return usageError(err.Error())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := probe.Probe(ctx, target, options)
	if err := c.lookUp(ctx, r); err != nil {
		return err
	}
	if profile != nil {
		r.Fit(ctx, *profile, options)
	}
	r.Configure(probe.Paths{CA: c.CA, ClientCertificate: c.ClientCert, ClientKey: c.ClientKey})
	if c.JSON {
		err = safetext.JSON(k.Stdout, r)
	} else {
		err = printProbe(k.Stdout, r)
	}
	if err == nil && (!r.Reached || r.Fits != nil && !*r.Fits) {
		err = errSaid
	}
	return err
}

// lookUp asks DNS about a mail server that was reached. On a machine that has no name servers nothing is looked up.
func (c *tlsProbeCmd) lookUp(ctx context.Context, r *probe.Report) error {
	if c.NoDNS || !r.Reached {
		return nil
	}
	names, err := dns.New(dns.Options{Servers: c.DNS})
	if errors.Is(err, fs.ErrNotExist) && len(c.DNS) == 0 {
		return nil
	} else if err != nil {
		return usageError("--dns: " + err.Error())
	}
	defer names.Close()
	log := logrus.New()
	log.SetOutput(io.Discard)
	policies, err := mtasts.New(mtasts.Options{Resolver: names, Dial: publicnet.New(publicnet.Options{}).DialContext, Log: log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r.LookUp(ctx, names, policies, c.Domain, time.Now())
	return nil
}

// normalise brings names to the form in which they are sent and compared.
func (c *tlsProbeCmd) normalise() error {
	for flag, name := range map[string]*string{"--server-name": &c.ServerName, "--domain": &c.Domain} {
		if *name == "" {
			continue
		}
		plain, err := dns.Name(*name)
		if err != nil {
			return fmt.Errorf("%s: %q is no name of a host or domain", flag, *name)
		}
		*name = plain
	}
	return nil
}

func (c *tlsProbeCmd) protocol() probe.Protocol {
	switch {
	case c.SMTP:
		return probe.SMTP
	case c.HTTPS:
		return probe.HTTPS
	case c.LDAP:
		return probe.LDAP
	}
	return ""
}

func (c *tlsProbeCmd) options() (probe.Options, error) {
	o := probe.Options{Hello: c.Hello, Timeout: c.Timeout, Patience: c.Patience, MaxConnections: c.MaxConnections, Parallel: c.Parallel}
	if o.Hello == "" {
		o.Hello, _ = os.Hostname()
	}
	if strings.ContainsAny(o.Hello, " \r\n\t") {
		return o, fmt.Errorf("--hello: %q is no name", o.Hello)
	}
	if c.CA != "" {
		roots, err := readRoots(c.CA)
		if err != nil {
			return o, fmt.Errorf("--ca: %w", err)
		}
		o.Roots = roots
	}
	if c.ClientCert == "" {
		if c.ClientKey != "" {
			return o, fmt.Errorf("--client-key: there is a key but no certificate; give --client-cert too")
		}
		return o, nil
	}
	key := c.ClientKey
	if key == "" {
		key = c.ClientCert
	}
	pair, err := tls.LoadX509KeyPair(c.ClientCert, key)
	if err != nil {
		return o, fmt.Errorf("--client-cert: %w", err)
	}
	o.Certificate = &pair
	return o, nil
}

// readRoots reads authorities from a file.
func readRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("there is no PEM certificate in %s", path)
	}
	return roots, nil
}

// profile finds the one that was asked for; nil where none was. The configuration is read only for one that is not built in.
func (c *tlsProbeCmd) profile(k *kong.Kong) (*tlspolicy.Profile, error) {
	if c.Profile == "" {
		return nil, nil
	}
	if p, ok := tlspolicy.Builtin(c.Profile); ok {
		return &p, nil
	}
	file := c.Config
	if file == "" {
		if _, err := os.Stat(configs.DefaultFile); err != nil {
			return nil, fmt.Errorf("--profile: %q is none of the built-in profiles %s; for one of your own name the configuration with --config", c.Profile, strings.Join(tlspolicy.Builtins(), ", "))
		}
		file = configs.DefaultFile
	}
	config, _, err := configFile{file}.load(k)
	if err != nil {
		return nil, err
	}
	p, ok := config.TLS.Profile(c.Profile)
	if !ok {
		return nil, fmt.Errorf("--profile: %s has no profile %q, nor is it built in", file, c.Profile)
	}
	return &p, nil
}
