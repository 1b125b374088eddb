package main

import (
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
)

// asking is how recipients are asked for their certificates.
func asking(a configs.Ask) gateway.Ask {
	return gateway.Ask{From: a.Sender(), Within: a.Within, Period: a.Period, PerDay: a.PerDay, PerDomain: a.PerDomain, Except: a.Except}
}

// finding is where certificates are looked for, but for the directories themselves.
func finding(c *configs.Config) gateway.Find {
	f, supports := c.Certificates.Find, certs.Supported(c.SMIME.SoftwareBrainpool)
	return gateway.Find{
		Pass: f.Away == configs.AwayPass, Timeout: f.Timeout, Found: f.Found, Missing: f.Missing,
		Fits: func(c *x509.Certificate) bool { return supports(c, certs.Encrypt) },
	}
}

// harvesting is what is learned of signatures.
func harvesting(h configs.Harvest) gateway.Harvest {
	return gateway.Harvest{
		Enabled: h.Enabled, Unknown: h.UnknownIssuers == configs.UnknownAsk, Remind: h.Remind,
		PerDay: h.PerDay, PerDomain: h.PerDomain, UnknownPerDay: h.UnknownPerDay, Most: h.Most,
	}
}
