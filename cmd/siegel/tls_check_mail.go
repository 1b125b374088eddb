package main

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/dns"
)

// mostHosts is how many mail servers of one domain are looked at, the first ones.
const mostHosts = 4

// checkMail has a row for each host of a route or backup; by MX, for those of the domains that the configuration, or who calls, names.
func (c *tlsCheckCmd) checkMail(ctx context.Context, config *configs.Config) ([]tlsCheck, error) {
	names, err := resolver(config.DNS)
	if err != nil {
		return nil, err
	}
	if names != nil {
		defer names.Close()
	}
	var all []tlsCheck
	add := func(kind string, r configs.Route) {
		if !r.MX {
			for _, host := range r.Hosts {
				all = append(all, c.checkHost(config, kind, r, host))
			}
			return
		}
		for _, domain := range c.byMX(r) {
			all = append(all, c.checkDomain(ctx, config, kind, r, names, domain)...)
		}
		if len(c.byMX(r)) == 0 {
			row := tlsRow{Kind: kind, Name: r.Name, Address: "by MX", Profile: r.TLS.Policy().Name, Level: string(r.TLS.Mode)}
			all = append(all, tlsCheck{row, func(_ context.Context, r *tlsRow) {
				r.judge(judgedNot, "its servers are those of each recipient's domain", "name a domain with --domain")
			}})
		}
	}
	for _, r := range config.Routes {
		add("route", r)
	}
	for _, b := range config.Backup {
		add("backup", b.Route())
	}
	return all, nil
}

// byMX are the domains of a route whose mail servers can be looked at: those named one by one, and those of the command line that go its way.
func (c *tlsCheckCmd) byMX(r configs.Route) []string {
	var all []string
	for _, p := range r.Domains {
		if domain, one := strings.CutPrefix(p.String(), "@"); one && !strings.HasPrefix(domain, "*.") {
			all = append(all, domain)
		}
	}
	for _, domain := range c.Domain {
		if a, err := postmaster(domain); err == nil && r.Domains.Match(a) {
			all = append(all, domain)
		}
	}
	return all
}

// checkDomain has a row for each of the first mail servers of a domain.
func (c *tlsCheckCmd) checkDomain(ctx context.Context, config *configs.Config, kind string, r configs.Route, names *dns.Resolver, domain string) []tlsCheck {
	row := tlsRow{Kind: kind, Name: r.Name, Address: domain, Profile: r.TLS.Policy().Name, Level: string(r.TLS.Mode)}
	fails := func(text string) []tlsCheck {
		return []tlsCheck{{row, func(_ context.Context, r *tlsRow) {
			r.judge(judgedFails, text, "look at dns.servers and at the domain")
		}}}
	}
	if names == nil {
		return fails("nobody says which name servers to ask")
	}
	found, err := names.LookupMX(ctx, domain)
	if err != nil {
		return fails("its mail servers cannot be found: " + printable(err).Error())
	}
	var all []tlsCheck
	for _, mx := range found.Hosts[:min(mostHosts, len(found.Hosts))] {
		all = append(all, c.checkHost(config, kind, r, mx.Host))
	}
	return all
}

// checkHost shakes hands with one host as the route does.
func (c *tlsCheckCmd) checkHost(config *configs.Config, kind string, route configs.Route, host string) tlsCheck {
	port := strconv.Itoa(route.Port)
	row := tlsRow{Kind: kind, Name: route.Name, Address: net.JoinHostPort(host, port), Profile: route.TLS.Policy().Name, Level: string(route.TLS.Mode)}
	if route.TLS.Mode == configs.RouteTLSNone {
		row.Profile = ""
		return tlsCheck{row, func(_ context.Context, r *tlsRow) { r.judge(judgedNote, "mail goes there without TLS", "") }}
	}
	target, err := probe.ParseTarget(row.Address, probe.SMTP, route.TLS.Implicit)
	target.Implicit = route.TLS.Implicit // whatever the port is
	client := tlspolicy.Client{Profile: route.TLS.Policy()}
	if pair, ok := route.TLS.Pair(); ok {
		client.Certificates = []tls.Certificate{pair}
	}
	if route.TLS.Mode == configs.RouteTLSVerified {
		client.Verify = tlspolicy.PKI{Roots: route.TLS.Roots()}
	}
	o := c.probeOptions(config)
	return tlsCheck{row, func(ctx context.Context, r *tlsRow) {
		if err != nil {
			r.judge(judgedFails, err.Error(), "")
			return
		}
		state, err := probe.Shake(ctx, target, o, func(ctx context.Context, raw net.Conn) (net.Conn, tlspolicy.State, error) {
			return client.Handshake(ctx, raw, host)
		})
		judgeShake(r, target, state, err)
		if r.Verdict == judgedFails && route.TLS.Mode == configs.RouteTLSOpportunistic && !route.TLS.Implicit {
			r.judge(judgedNote, r.Text+"; mail goes there without TLS", r.Remedy)
		}
	}}
}

// postmaster is an address of a domain.
func postmaster(domain string) (mail.Address, error) {
	return mail.ParseAddress("postmaster@" + domain)
}
