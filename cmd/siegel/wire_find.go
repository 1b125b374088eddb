package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
)

// asking is how recipients are asked for their certificates.
func asking(a configs.Ask) gateway.Ask {
	return gateway.Ask{From: a.Sender(), Within: a.Within, Period: a.Period, PerDay: a.PerDay, PerDomain: a.PerDomain, Except: a.Except}
}

// harvesting is what is learned of signatures.
func harvesting(h configs.Harvest) gateway.Harvest {
	return gateway.Harvest{
		Enabled: h.Enabled, Unknown: h.UnknownIssuers == configs.UnknownAsk, Remind: h.Remind,
		PerDay: h.PerDay, PerDomain: h.PerDomain, UnknownPerDay: h.UnknownPerDay, Most: h.Most,
	}
}
