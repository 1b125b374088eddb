package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

// useHops gives the routes what tells them how the mail servers of others are to be protected: the partners of the configuration, DNS, and the
// MTA-STS policies of other domains, which are kept in the state folder and refreshed beside the gateway.
func useHops(s *gateway.Settings, c *configs.Config, log logrus.FieldLogger) error {
	sources := smtpout.Sources{}
	if s.DNS != nil {
		sources.TLSA = s.DNS
	}
	policies, err := policies(s, c, log)
	if err != nil {
		return err
	}
	if policies != nil {
		sources.Policies = policies
		s.Companions = append(s.Companions, gateway.Companion{Run: policies.Run})
	}
	for i := range s.Routes {
		hops(&s.Routes[i].SMTP, c, sources, log)
	}
	for i := range s.Backup {
		hops(&s.Backup[i].SMTP, c, sources, log)
	}
	return nil
}

// hops completes the options of one route.
func hops(o *smtpout.Options, c *configs.Config, sources smtpout.Sources, log logrus.FieldLogger) {
	o.Sources, o.Log = sources, log
	if o.MX == nil {
		return
	}
	if o.TLS.Level != smtpout.None { // which is meant
		o.TLS.DANE, o.TLS.MTASTS = c.TLS.DANE, c.TLS.MTASTS.Enabled
	}
	published := o.TLS
	published.DANE, published.MTASTS = c.TLS.DANE, c.TLS.MTASTS.Enabled
	o.Partners = func(domain string) (smtpout.Security, bool) {
		to := mail.Address{Local: "postmaster", Domain: domain}
		for _, p := range c.TLS.Partners {
			if p.Domains.Match(to) {
				return partner(p, published), true
			}
		}
		return smtpout.Security{}, false
	}
}

// partner is how connections to a partner's servers are protected; what it leaves open is as on the route. What the partner publishes does
// not count where the configuration says by what its servers must be known, or that they have no TLS.
func partner(p configs.TLSPartner, route smtpout.Security) smtpout.Security {
	own := p.Own() && p.Level == configs.RouteTLSVerified || p.Level == configs.RouteTLSNone
	s := smtpout.Security{Level: smtpout.Level(p.Level), Name: p.Name, Profile: p.Policy(), Roots: route.Roots}
	if s.Profile == nil {
		s.Profile = route.Profile
	}
	switch {
	case p.Pinned() != nil:
		s.Verify, s.By = p.Pinned(), "pin"
	case p.Roots() != nil:
		s.Verify, s.By = tlspolicy.PKI{Roots: p.Roots()}, "ca"
	}
	s.DANE = p.DANE.Or(route.DANE && !own)
	s.MTASTS = p.MTASTS.Or(route.MTASTS && !own)
	return s
}

// policies makes what knows the MTA-STS policies of other domains; nil where nothing asks for it.
func policies(s *gateway.Settings, c *configs.Config, log logrus.FieldLogger) (*mtasts.Client, error) {
	if !c.FollowsMTASTS() || s.DNS == nil {
		return nil, nil
	}
	key, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("at_rest.key: %w", err)
	}
	profile, _ := c.TLS.Profile("")
	config := profile.ClientConfig()
	config.RootCAs = c.TLS.MTASTS.Roots()
	const https = 443
	const patience = 20 * time.Second
	return mtasts.New(mtasts.Options{
		Resolver: s.DNS, TLS: config, Timeout: patience, Dir: filepath.Join(c.State.String(), "mta-sts"), Key: key.Derive("mta-sts"), Log: log,
		Dial: publicnet.New(publicnet.Options{Networks: c.TLS.MTASTS.AllowPrivate, Ports: []uint16{https}, Resolver: s.DNS.Net()}).DialContext,
	})
}
