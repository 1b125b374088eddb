package main

import (
	"context"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/safetext"
)

type tlsProbeCmd struct {
	Address  string        `arg:"" placeholder:"HOST:PORT"`
	SMTP     bool          `xor:"protocol"`
	LDAP     bool          `xor:"protocol"`
	HTTPS    bool          `xor:"protocol"`
	Implicit bool          ``
	Timeout  time.Duration `default:"2m"`
}

// Run x
func (c *tlsProbeCmd) Run(k *kong.Kong) error {
	var pr probe.Protocol
	switch {
	case c.SMTP:
		pr = probe.SMTP
	case c.LDAP:
		pr = probe.LDAP
	case c.HTTPS:
		pr = probe.HTTPS
	}
	t, err := probe.ParseTarget(c.Address, pr, c.Implicit)
	if err != nil {
		return err
	}
	r := probe.Probe(context.Background(), t, probe.Options{Timeout: c.Timeout})
	return safetext.JSON(k.Stdout, r)
}
