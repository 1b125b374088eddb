package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
)

// tlsReport is in whose name others are told how sessions with them fared.
func tlsReport(c *configs.Config) gateway.TLSReport {
	r := c.TLS.Report
	return gateway.TLSReport{From: r.Sender(), Contact: r.Asked(), Organization: r.Organization, Hour: r.Hour}
}

// ownPolicy is what the gateway serves of the company's own policy; nothing where it does not.
func ownPolicy(c *configs.Config) gateway.OwnPolicy {
	if c.TLS.Publish.Listen == "" {
		return gateway.OwnPolicy{}
	}
	out := gateway.OwnPolicy{Text: plan(c).Policy()}
	if pair, ok := c.TLS.Publish.Pair(); ok {
		out.Certificate = &pair
	}
	return out
}

// plan is what the configuration says is to be published, without certificates.
func plan(c *configs.Config) announce.Plan {
	p := c.TLS.Publish
	return announce.Plan{Mode: mtasts.Mode(p.Mode), MaxAge: p.MaxAge, MX: c.Hosts(), ReportTo: p.ReportTo}
}
