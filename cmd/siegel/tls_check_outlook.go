package main

import (
	"context"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// checkOutlook has a row for the listener of the add-in, judged as checkAdmin does, and one for each server that it fetches keys from, judged by a connection.
func checkOutlook(o *configs.Outlook, now time.Time, options probe.Options) []tlsCheck {
	if !o.Enabled() {
		return nil
	}
	row := tlsRow{Kind: "outlook", Name: "outlook", Address: o.Listen, Profile: o.TLS.Policy().Name, Level: pagesTLSed}
	all := []tlsCheck{oneRow(row, func(_ context.Context, r *tlsRow) { judgeOutlook(r, o, now) })}
	if e := o.Entra; e.Enabled() && e.KeysFile == "" {
		all = append(all, checkIssuer("outlook.entra", token.KeysURL(e.Authority, e.Tenant), e.Policy(), e.Roots(), options))
	}
	for _, host := range o.Exchange.Hosts {
		all = append(all, checkIssuer("outlook.exchange", token.MetadataURL(host), o.Exchange.Policy(), o.Exchange.Roots(), options))
	}
	return all
}

// judgeOutlook holds the listener against its profile, and its certificate against the name by which Outlook comes.
func judgeOutlook(r *tlsRow, o *configs.Outlook, now time.Time) {
	pair, ok := o.TLS.Pair()
	u, err := url.Parse(o.Origin())
	if !ok || err != nil {
		r.judge(judgedFails, "there is no certificate", "set outlook.tls")
		return
	}
	if pair.Leaf.VerifyHostname(u.Hostname()) != nil {
		r.judge(judgedFails, "its certificate does not name "+u.Hostname()+", so Outlook loads nothing", "get one for the name in outlook.url")
		return
	}
	judgePages(r, "outlook.tls", o.TLS.Policy(), pair, now)
}

// checkIssuer judges the connection to a server that has keys of tokens.
func checkIssuer(name, address string, profile tlspolicy.Profile, roots *x509.CertPool, options probe.Options) tlsCheck {
	row := tlsRow{Kind: "outlook", Name: name, Address: address, Profile: profile.Name, Level: string(configs.RouteTLSVerified)}
	var target probe.Target
	u, err := url.Parse(address)
	if err == nil {
		row.Address = withPort(u, "443")
		target, err = probe.ParseTarget(row.Address, probe.HTTPS, true)
	}
	return oneRow(row, judgeConfig(target, err, options, outward(profile, roots)))
}
