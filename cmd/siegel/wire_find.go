package main

import (
	"crypto/x509"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/find"
	"github.com/siegel-mail/siegel/certs/ldap"
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

// sources are the directories with these names, in their order; all, where none is named.
func sources(names []string, all []*ldap.Directory) (out []find.Source) {
	if names == nil {
		for _, d := range all {
			out = append(out, d)
		}
		return out
	}
	for _, name := range names {
		for _, d := range all {
			if strings.EqualFold(d.Name(), name) {
				out = append(out, d)
			}
		}
	}
	return out
}

// harvesting is what is learned of signatures.
func harvesting(h configs.Harvest) gateway.Harvest {
	return gateway.Harvest{
		Enabled: h.Enabled, Unknown: h.UnknownIssuers == configs.UnknownAsk, Remind: h.Remind,
		PerDay: h.PerDay, PerDomain: h.PerDomain, UnknownPerDay: h.UnknownPerDay, Most: h.Most,
	}
}
