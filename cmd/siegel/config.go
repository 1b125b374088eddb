package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/alecthomas/kong"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
)

// configCmd groups what looks at the configuration and changes nothing.
type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say everything that is wrong with the configuration."`
	Show  configShowCmd  `cmd:"" help:"Show the values in force and where each comes from. Secrets are not shown."`
}

// configFile is the argument of both.
type configFile struct {
	File string `arg:"" optional:"" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file (${default})."`
}

// load reads the configuration and writes its problems to standard error.
func (c configFile) load(k *kong.Kong) (*configs.Config, configs.Problems, error) {
	config, problems := configs.Load(c.File, configs.Options{})
	for _, p := range problems {
		fmt.Fprintln(k.Stderr, p)
	}
	if config == nil {
		return nil, problems, errSaid
	}
	return config, problems, nil
}

// configCheckCmd is `siegel config check`.
type configCheckCmd struct {
	configFile
	Vault bool `help:"Read the secrets that lie in vaults, too, and judge them."`
}

// Run succeeds where the gateway can start, with or without warnings.
func (c *configCheckCmd) Run(k *kong.Kong) error {
	config, problems, err := c.load(k)
	if err == nil {
		if err = testPolicy(context.Background(), config); err != nil {
			fmt.Fprintln(k.Stderr, err)
			err = errSaid
		}
	}
	if err == nil && c.Vault {
		err = c.readVaults(k, config)
	}
	warnings := count(len(problems.Warnings()), "warning")
	if err != nil {
		fmt.Fprintf(k.Stderr, "%s cannot be used: %s, %s.\n", c.File, count(len(problems.Errors()), "error"), warnings)
		return err
	}
	fmt.Fprintf(k.Stdout, "%s can be used: %s.\n", c.File, warnings)
	return nil
}

// readVaults logs in at each vault, and reads each secret that lies in one.
func (c *configCheckCmd) readVaults(k *kong.Kong, config *configs.Config) error {
	log := logrus.New()
	log.SetOutput(io.Discard) // what goes wrong is in the errors
	set, err := newVaults(config, log, newVaultMetrics())
	if err != nil {
		return err
	}
	defer set.Close()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	for _, v := range set.Clients() {
		if err := v.Login(ctx); err != nil {
			return err
		}
		fmt.Fprintf(k.Stdout, "vault %s: the gateway can log in.\n", v.Name())
	}
	read := len(config.VaultSecrets())
	if err := fillSecrets(ctx, config, set, func(text string) { fmt.Fprintln(k.Stderr, text) }); err != nil {
		return err
	}
	fmt.Fprintf(k.Stdout, "%s can be read from vaults.\n", count(read, "secret"))
	return nil
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// configShowCmd is `siegel config show`.
type configShowCmd struct {
	configFile
	JSON bool `name:"json" help:"Write a JSON array of {key, value, source, file, line, column, env, secret}."`
}

// Run writes the settings to standard output.
func (c *configShowCmd) Run(k *kong.Kong) error {
	config, _, err := c.load(k)
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(k.Stdout)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(config.Settings())
	}
	return showSettings(k.Stdout, config.Settings())
}

// showSettings writes a table of key, value and source.
func showSettings(w io.Writer, settings []configs.Setting) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(table, "%s\t= %s\t# %s\n", s.Key, s.Text(), s.From())
	}
	return table.Flush()
}
