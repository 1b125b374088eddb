package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

// tlsPublishCmd prints what the company should publish about its own mail servers, and compares it with what it does.
type tlsPublishCmd struct {
	Domain      []string `arg:"" optional:"" help:"Domains of the company; those of the configuration where none is named."`
	Config      string   `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file."`
	MX          []string `name:"mx" placeholder:"HOST" help:"Mail server as the MX records name it, in place of tls.publish.mx. May be given several times."`
	Mode        string   `enum:"enforce,testing,none," default:"" help:"Mode of the policy, in place of tls.publish.mode."`
	Next        []string `type:"existingfile" placeholder:"FILE" help:"Certificate, request or key, PEM, that the mail servers will change to. May be given several times."`
	CA          bool     `name:"ca" help:"TLSA records of the authorities above the certificates, too."`
	WithoutDANE bool     `name:"without-dane" help:"No TLSA records: the zone is not signed."`
	Check       bool     `help:"Compare with what stands in DNS and on the web server now."`
	Server      []string `placeholder:"ADDRESS" help:"Ask this name server, as 192.0.2.53 or 127.0.0.1:5353, in place of the configured ones. May be given several times."`
	JSON        bool     `name:"json" help:"Print JSON."`
}

// publication is what the command found out, and its JSON.
type publication struct {
	Policy   string             `json:"policy"`
	Served   []string           `json:"served"` // where the policy has to be
	Records  []announce.Record  `json:"records"`
	Notes    []string           `json:"notes,omitempty"`
	Findings []announce.Finding `json:"findings,omitempty"`

	domains []string
	plan    announce.Plan
}

// Run prints it. With --check it fails where something is not as it should be.
func (c *tlsPublishCmd) Run(k *kong.Kong) error {
	config, _, err := configFile{c.Config}.load(k)
	if err != nil {
		return err
	}
	p, err := c.publication(config)
	if err != nil {
		return err
	}
	bad := 0
	if c.Check {
		if p.Findings, err = c.check(config, p); err != nil {
			return err
		}
		for _, f := range p.Findings {
			if f.State != announce.Right {
				bad++
			}
		}
	}
	switch {
	case c.JSON:
		err = printJSON(k.Stdout, p)
	case c.Check:
		err = printFindings(k.Stdout, p.Findings)
	default:
		err = printPublication(k.Stdout, p)
	}
	if err != nil || bad == 0 {
		return err
	}
	return fmt.Errorf("%d of %d are not as they should be", bad, len(p.Findings))
}

// publication is what the configuration and the flags say.
func (c *tlsPublishCmd) publication(config *configs.Config) (*publication, error) {
	p := &publication{plan: plan(config), domains: c.Domain}
	p.plan.Authority = c.CA
	if len(c.MX) > 0 {
		p.plan.MX = c.MX
	}
	if c.Mode != "" {
		p.plan.Mode = mtasts.Mode(c.Mode)
	}
	if len(p.domains) == 0 {
		for _, d := range configs.IssuingDomains(config.Domains) {
			if !strings.HasPrefix(d, ".") {
				p.domains = append(p.domains, d)
			}
		}
	}
	if len(p.domains) == 0 {
		return nil, errors.New("the configuration names no domains of the company; name one")
	}
	for i, d := range p.domains {
		name, err := dns.Name(d)
		if err != nil {
			return nil, fmt.Errorf("%q is no domain", d)
		}
		p.domains[i] = name
	}
	p.Policy = p.plan.Policy()
	if _, err := mtasts.Parse(p.Policy); err != nil {
		return nil, err
	}
	for _, d := range p.domains {
		p.Served = append(p.Served, "https://"+announce.PolicyHost(d)+announce.PolicyPath)
		records, err := p.plan.Domain(d)
		if err != nil {
			return nil, err
		}
		p.Records = append(p.Records, records...)
	}
	if len(p.plan.ReportTo) == 0 {
		p.Notes = append(p.Notes, "Nobody gets the reports of others about your servers: name an address under tls.publish.report_to (RFC 8460).")
	}
	return p, c.withHosts(p, config)
}

// withHosts adds the mail servers, with their TLSA records.
func (c *tlsPublishCmd) withHosts(p *publication, config *configs.Config) error {
	var next [][]byte
	for _, file := range c.Next {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		keys, err := announce.PublicKeys(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		next = append(next, keys...)
	}
	shown := chains(config)
	if len(shown) == 0 {
		p.Notes = append(p.Notes, "No listener that takes mail from the internet has a certificate: senders that obey the policy would not deliver, and there are no TLSA records.")
		return nil
	}
	for _, mx := range p.plan.MX {
		if strings.HasPrefix(mx, "*.") {
			if !c.WithoutDANE {
				p.Notes = append(p.Notes, "No TLSA records are told for "+mx+": they stand at each host's own name; give the hosts with --mx.")
			}
			continue
		}
		h := announce.Host{Name: strings.ToLower(mx), Chains: naming(shown, mx), Next: next}
		p.plan.Hosts = append(p.plan.Hosts, h)
		if !c.WithoutDANE {
			p.Records = append(p.Records, p.plan.TLSA(h)...)
		}
		if f := (announce.Checker{}).Certificate(h, nil); f.State != announce.Right && p.plan.Mode != mtasts.None {
			p.Notes = append(p.Notes, "The "+f.Subject+": "+f.Remark)
		}
	}
	return nil
}

// chains are the certificates that servers of the internet are shown, each with those above it.
func chains(config *configs.Config) (all [][]*x509.Certificate) {
	for _, l := range config.Listeners {
		if l.Role != configs.RoleExternal || l.TLS.Mode == configs.TLSNone {
			continue
		}
		for _, pair := range l.TLS.Pairs() {
			var chain []*x509.Certificate
			for _, der := range pair.Certificate.Certificate {
				c, err := x509.ParseCertificate(der)
				if err != nil {
					break
				}
				chain = append(chain, c)
			}
			if len(chain) > 0 {
				all = append(all, chain)
			}
		}
	}
	return all
}

// naming are the chains whose certificate bears a name; all where none does, since one of them is shown all the same.
func naming(all [][]*x509.Certificate, host string) (some [][]*x509.Certificate) {
	for _, chain := range all {
		if chain[0].VerifyHostname(host) == nil {
			some = append(some, chain)
		}
	}
	if some == nil {
		return all
	}
	return some
}

// check looks at what is published now.
func (c *tlsPublishCmd) check(config *configs.Config, p *publication) ([]announce.Finding, error) {
	r, err := (&dkimCheckCmd{Server: c.Server}).resolver(config)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// The policy's host is the administrator's own, and may stand inside.
	everywhere := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	dialer := publicnet.New(publicnet.Options{Resolver: r.Net(), Networks: everywhere})
	checker := announce.Checker{Plan: p.plan, Resolver: r, Fetch: func(ctx context.Context, domain string) (mtasts.Policy, error) {
		return mtasts.Fetch(ctx, domain, func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		}, nil)
	}}
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []announce.Finding
	for _, d := range p.domains {
		all = append(all, checker.Domain(ctx, d)...)
	}
	for _, h := range p.plan.Hosts {
		if !c.WithoutDANE {
			all = append(all, checker.Host(ctx, h))
		}
		if p.plan.Mode != mtasts.None {
			all = append(all, checker.Certificate(h, nil))
		}
	}
	return all, nil
}
