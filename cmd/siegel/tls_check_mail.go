package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/publicnet"
	"github.com/siegel-mail/siegel/internal/smtpclient"
	"github.com/siegel-mail/siegel/smartcard"
)

// mostHosts is how many mail servers of one route or domain are looked at, the first ones.
const mostHosts = 8

// mailChecks makes checks of routes, as delivery would take them.
type mailChecks struct {
	config   *configs.Config
	names    *dns.Resolver // nil: nobody says which name servers to ask
	sources  smtpout.Sources
	domains  []string // that were named on the command line
	patience time.Duration

	cards   *cards.Holder // nil: the configuration has none
	keys    *cards.Set
	keysErr error // why they cannot be used
}

// newMailChecks makes what delivery learns from DNS and from other domains; nothing is kept.
func newMailChecks(config *configs.Config, domains []string, patience time.Duration, readers smartcard.Transport) (*mailChecks, error) {
	names, err := resolver(config.DNS)
	if err != nil {
		return nil, err
	}
	m := &mailChecks{config: config, names: names, domains: domains, patience: patience}
	m.cards, m.keys, m.keysErr = commandCards(config, readers)
	if names == nil {
		return m, nil
	}
	m.sources.TLSA = names
	if config.FollowsMTASTS() {
		profile, _ := config.TLS.Profile("")
		own := profile.ClientConfig()
		own.RootCAs = config.TLS.MTASTS.Roots()
		net := publicnet.New(publicnet.Options{Networks: config.TLS.MTASTS.AllowPrivate, Resolver: names.Net()})
		m.sources.Policies, err = mtasts.New(mtasts.Options{Resolver: names, TLS: own, Dial: net.DialContext, Log: silent()})
	}
	return m, err
}

func (m *mailChecks) close() {
	if m.cards != nil {
		m.cards.Close()
	}
	if m.names != nil {
		m.names.Close()
	}
}

// silent is a log that nobody reads.
func silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// all has a check for each route and backup; by MX, for each domain whose servers can be named.
func (m *mailChecks) all() []tlsCheck {
	var all []tlsCheck
	add := func(kind string, r configs.Route) {
		domains := []string{""}
		if r.MX {
			domains = m.byMX(r, kind == "route")
		}
		for _, domain := range domains {
			all = append(all, m.check(kind, r, domain))
		}
		if len(domains) == 0 {
			row := tlsRow{Kind: kind, Name: r.Name, Address: "by MX", Profile: r.TLS.Policy().Name, Level: string(r.TLS.Mode)}
			all = append(all, oneRow(row, func(_ context.Context, r *tlsRow) {
				r.judge(judgedNot, "its servers are those of each recipient's domain", "name a domain with --domain")
			}))
		}
	}
	for _, r := range m.config.Routes {
		add("route", r)
	}
	for _, b := range m.config.Backup {
		add("backup", b.Route())
	}
	return all
}

// byMX are the domains whose mail servers can be looked at: those that the route names one by one, and where it is a route, those of partners and of
// the command line whose mail goes by it.
func (m *mailChecks) byMX(r configs.Route, chosen bool) []string {
	var all []string
	add := func(domain string) {
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	single(r.Domains, add)
	if !chosen {
		return all
	}
	here := func(domain string) {
		if m.way(domain) == r.Name {
			add(domain)
		}
	}
	for _, p := range m.config.TLS.Partners {
		single(p.Domains, here)
	}
	for _, domain := range m.domains {
		here(domain)
	}
	return all
}

// single calls do with each pattern that stands for one domain.
func single(patterns mail.Patterns, do func(string)) {
	for _, p := range patterns {
		if domain, one := strings.CutPrefix(p.String(), "@"); one && !strings.HasPrefix(domain, "*.") {
			do(domain)
		}
	}
}

// way is the route that mail to a domain takes; empty where there is none.
func (m *mailChecks) way(domain string) string {
	to := mail.Address{Local: "postmaster", Domain: domain}
	for _, r := range m.config.Routes {
		if r.Domains.Match(to) {
			return r.Name
		}
	}
	return ""
}

// check looks at the hosts of a route, for one domain where it goes by MX.
func (m *mailChecks) check(kind string, r configs.Route, domain string) tlsCheck {
	row := tlsRow{Kind: kind, Name: r.Name, Address: domain, Profile: r.TLS.Policy().Name, Level: string(r.TLS.Mode)}
	if p := m.partner(domain); r.MX && p != nil {
		row.Kind, row.Name, row.Level = "partner", p.Name, string(p.Level)
		if own := p.Policy(); own != nil {
			row.Profile = own.Name
		}
	}
	return tlsCheck{row.Name, func(ctx context.Context) []tlsRow {
		looks, err := m.look(ctx, r, domain)
		if err != nil {
			row.judge(judgedFails, printable(err).Error(), "look at dns.servers, and at the domain")
			return []tlsRow{row}
		}
		var rows []tlsRow
		for _, l := range looks {
			of := row
			of.Address = l.Host
			judgeLook(&of, r, l)
			rows = append(rows, of)
		}
		return rows
	}}
}

func (m *mailChecks) partner(domain string) *configs.TLSPartner {
	to := mail.Address{Local: "postmaster", Domain: domain}
	for i := range m.config.TLS.Partners {
		if m.config.TLS.Partners[i].Domains.Match(to) {
			return &m.config.TLS.Partners[i]
		}
	}
	return nil
}

// look connects as delivery does.
func (m *mailChecks) look(ctx context.Context, r configs.Route, domain string) ([]smtpout.Look, error) {
	o := route(r).SMTP
	showCard(&o, r.TLS, m.keys)
	if o.Present != nil && m.keysErr != nil {
		o.Present = func(context.Context) (tls.Certificate, error) { return tls.Certificate{}, m.keysErr }
	}
	o.Hello = m.config.Hostname
	o.Timeouts = smtpclient.Timeouts{Connect: m.patience, Greeting: m.patience, Command: m.patience}
	hops(&o, m.config, m.sources, silent())
	if o.MX != nil {
		if m.names == nil {
			return nil, errors.New("nobody says which name servers to ask")
		}
		o.MX.Resolver = m.names
	}
	t, err := smtpout.New(o)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Look(ctx, domain, mostHosts)
}

// judgeLook is the verdict on a host.
func judgeLook(row *tlsRow, r configs.Route, l smtpout.Look) {
	target, _ := probe.ParseTarget(l.Host, probe.SMTP, r.TLS.Implicit)
	target.Implicit = r.TLS.Implicit // whatever the port is
	row.Negotiated = l.Protection
	switch {
	case l.Err != nil:
		explainTo(row, target, l.Err)
		if l.Rule != "" && l.Rule != "tls of the route" {
			row.Text += " (" + l.Rule + ")"
		}
	case l.Protection != "" && l.Doubt != nil:
		row.judge(judgedNote, printable(l.Doubt).Error()+": mail goes there all the same", probeCommand(target)+" tells more")
	case l.Protection != "":
		row.judge(judgedFits, "", "")
	case l.Plain != nil:
		explainTo(row, target, l.Plain)
		row.judge(judgedNote, row.Text+"; mail goes there without TLS", row.Remedy)
	case row.Level == string(configs.RouteTLSNone):
		row.judge(judgedNote, "mail goes there without TLS", "")
	default:
		row.judge(judgedNote, "the host offers no TLS; mail goes there without", "ask its administrator")
	}
}

// explainTo says why a host is not used.
func explainTo(row *tlsRow, target probe.Target, err error) {
	var policy *tlspolicy.Error
	var key *tlspolicy.KeyError
	if errors.As(err, &key) {
		row.judge(judgedFails, printable(key).Error(), "siegel smartcard list shows what is in the readers")
		return
	}
	if _, alert := tlspolicy.Alert(err); alert || errors.As(err, &policy) {
		judgeShake(row, target, tlspolicy.State{}, err)
		return
	}
	row.judge(judgedFails, printable(err).Error(), probeCommand(target)+" tells more")
}
