package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// DNS is what DNS and a domain say of the TLS of a mail server.
type DNS struct {
	// Domain is that of the recipients; empty where it was not given. MX are its hosts, in the order of delivery.
	Domain string   `json:"domain,omitempty"`
	MX     []string `json:"mx,omitempty"`
	DANE   DANE     `json:"dane"`
	MTASTS *MTASTS  `json:"mtaSts,omitempty"` // nil: no domain was given
}

// State tells whether there is something that counts.
type State string

// The states.
const (
	Absent   State = "absent"   // nothing is published
	Unsigned State = "unsigned" // there are records, which count for nothing since nobody vouches for them by DNSSEC
	Present  State = "present"
	Unknown  State = "unknown" // that could not be learned; mail waits where DANE is asked for
)

// DANE is what TLSA records say of the server (RFC 7672).
type DANE struct {
	State   State    `json:"state"`
	Base    string   `json:"base,omitempty"` // the name that the records stand at
	Records []string `json:"records,omitempty"`
	Usable  int      `json:"usable"` // how many of them count
	Matches []Match  `json:"matches,omitempty"`
	Why     string   `json:"why,omitempty"`
}

// Match tells whether the certificates for one kind of key fit the records.
type Match struct {
	Chain  string `json:"chain"` // as in Certificate
	Fits   bool   `json:"fits"`
	Record string `json:"record,omitempty"`
	Why    string `json:"why,omitempty"`
}

// MTASTS is the policy of the domain (RFC 8461).
type MTASTS struct {
	State   State       `json:"state"`
	Mode    mtasts.Mode `json:"mode,omitempty"`
	MX      []string    `json:"mx,omitempty"`
	MaxAge  string      `json:"maxAge,omitempty"`
	Matches bool        `json:"matches"` // the server is one of its hosts
	Why     string      `json:"why,omitempty"`
}

// Resolver looks names up. *dns.Resolver is one.
type Resolver interface {
	dane.Resolver
	LookupHost(ctx context.Context, host string) (dns.Host, error)
	LookupMX(ctx context.Context, domain string) (dns.Route, error)
}

// Policies knows MTA-STS policies. *mtasts.Client is one.
type Policies interface {
	Lookup(ctx context.Context, domain string) (mtasts.Answer, error)
}

// LookUp asks what DNS says of a mail server, and adds verdicts. domain is that of the recipients; where it is empty the host is taken as
// named by an administrator, and there is no MTA-STS. Servers of other protocols have none of this, nor has an address.
func (r *Report) LookUp(ctx context.Context, resolver Resolver, policies Policies, domain string, at time.Time) {
	host := r.target.host()
	if _, err := netip.ParseAddr(host); r.target.Protocol != SMTP || err == nil {
		return
	}
	r.DNS = &DNS{Domain: domain}
	t := dane.Target{Host: host, Secure: true, Port: r.target.port()}
	if domain != "" {
		t.Domain, t.Owner, t.Secure = domain, domain, false
		r.lookUpMX(ctx, resolver, &t)
		r.lookUpPolicy(ctx, policies, host)
	}
	r.lookUpTLSA(ctx, resolver, t, at)
}

func (t Target) port() uint16 {
	_, port := t.Address[:strings.LastIndexByte(t.Address, ':')], t.Address[strings.LastIndexByte(t.Address, ':')+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

func (r *Report) lookUpMX(ctx context.Context, resolver Resolver, t *dane.Target) {
	route, err := resolver.LookupMX(ctx, t.Domain)
	if err != nil {
		r.say("dns", Bad, "the mail servers of "+t.Domain+" cannot be found: "+dnsWhy(err), "look at the MX records of the domain")
		return
	}
	t.Owner, t.Secure = route.Domain, route.Authentic
	for _, mx := range route.Hosts {
		r.DNS.MX = append(r.DNS.MX, mx.Host)
	}
	if name, err := dns.Name(t.Host); err == nil && !slices.Contains(r.DNS.MX, name) {
		r.say("dns", Note, t.Host+" is none of the mail servers of "+t.Domain+", which are "+few(r.DNS.MX), "")
	}
}

// dnsWhy is the class of an error of DNS, in words.
func dnsWhy(err error) string {
	var lookup *dns.Error
	if errors.As(err, &lookup) {
		return lookup.Class.Error()
	}
	return safetext.Line(err.Error(), 200)
}

func (r *Report) lookUpTLSA(ctx context.Context, resolver Resolver, t dane.Target, at time.Time) {
	d := &r.DNS.DANE
	host, err := resolver.LookupHost(ctx, t.Host)
	if err != nil {
		d.State, d.Why = Unknown, "its addresses: "+dnsWhy(err)
		r.say("dane", Note, "whether DANE speaks of the server cannot be told: "+d.Why, "look at the name servers of this machine, or give one with --dns")
		return
	}
	t.Expanded, t.SecureAddresses = host.Name, host.Authentic
	policy, err := dane.Find(ctx, resolver, t)
	switch {
	case err != nil:
		d.State, d.Why = Unknown, dnsWhy(err)
		r.say("dane", Bad, "whether there are TLSA records cannot be told: "+d.Why+"; by DANE mail waits", "look at DNSSEC of the server's domain")
	case policy == nil:
		r.withoutDANE(ctx, resolver, t)
	default:
		d.State, d.Base, d.Records, d.Usable = Present, policy.Base, policy.Strings(), len(policy.Usable())
		r.match(policy, at)
	}
}

// withoutDANE says why DANE says nothing of the server.
func (r *Report) withoutDANE(ctx context.Context, resolver Resolver, t dane.Target) {
	d := &r.DNS.DANE
	d.State = Absent
	set, err := resolver.LookupTLSA(ctx, t.Port, t.Host)
	if err != nil || len(set.Records) == 0 {
		r.say("dane", Note, "no TLSA records speak of the server", "")
		return
	}
	d.State = Unsigned
	for _, record := range set.Records {
		d.Records = append(d.Records, dane.Text(record))
	}
	d.Why = "the answers for the records are not signed, or nobody vouches for that"
	switch {
	case !t.SecureAddresses:
		d.Why = "the addresses of the server are not signed, or nobody vouches for that"
	case !t.Secure:
		d.Why = "the MX records of " + t.Domain + " are not signed, or nobody vouches for that"
	}
	r.say("dane", Note, "there are TLSA records, which count for nothing: "+d.Why, "sign the domain by DNSSEC; ask a validating resolver on this machine (127.0.0.1)")
}

// match holds the certificates to the records.
func (r *Report) match(policy *dane.Policy, at time.Time) {
	d := &r.DNS.DANE
	if !policy.Authenticates() {
		r.say("dane", Note, "no TLSA record of the server can be used; TLS is needed, with any certificate", "")
		return
	}
	for _, c := range r.chains {
		m := Match{Chain: c.kind}
		if record, err := policy.Verify(c.readable(), at); err == nil {
			m.Fits, m.Record = true, dane.Text(record)
			r.say("dane", Good, c.kind+": the certificate fits the TLSA record "+m.Record, "")
		} else {
			m.Why = safetext.Line(err.Error(), 300)
			r.say("dane", Bad, c.kind+": "+m.Why, "")
		}
		d.Matches = append(d.Matches, m)
	}
}

// readable is the chain up to what cannot be read.
func (c chain) readable() []*x509.Certificate {
	if i := slices.Index(c.all, nil); i >= 0 {
		return c.all[:i]
	}
	return c.all
}

func (r *Report) lookUpPolicy(ctx context.Context, policies Policies, host string) {
	s := &MTASTS{State: Absent}
	r.DNS.MTASTS = s
	answer, err := policies.Lookup(ctx, r.DNS.Domain)
	switch {
	case err != nil:
		s.State, s.Why = Unknown, safetext.Line(err.Error(), 300)
		r.say("mta-sts", Bad, "whether "+r.DNS.Domain+" has an MTA-STS policy cannot be told: "+s.Why, "try again later")
	case answer.Held != nil:
		r.policy(s, answer.Held.Policy, host)
	case answer.Trouble != nil:
		s.State, s.Why = Unknown, safetext.Line(answer.Trouble.Error(), 300)
		r.say("mta-sts", Bad, r.DNS.Domain+" promises an MTA-STS policy that cannot be had: "+s.Why, "ask the domain's administrator")
	default:
		r.say("mta-sts", Note, r.DNS.Domain+" has no MTA-STS policy", "")
	}
}

func (r *Report) policy(s *MTASTS, p mtasts.Policy, host string) {
	s.State, s.Mode, s.MX, s.MaxAge = Present, p.Mode, p.MX, p.MaxAge.String()
	name, err := dns.Name(host)
	s.Matches = err == nil && p.Matches(name)
	policy := "the MTA-STS policy of " + r.DNS.Domain + " (mode " + string(p.Mode) + ")"
	switch sound := !r.Bad("certificate"); {
	case p.Mode == mtasts.None:
		r.say("mta-sts", Note, policy+" asks for nothing", "")
	case s.Matches && sound:
		r.say("mta-sts", Good, policy+" names the server, and its certificate is believed", "")
	default:
		level, what := Bad, policy+" does not name the server"
		if s.Matches {
			what = policy + " names the server, but its certificate is not believed"
		}
		if p.Mode == mtasts.Testing {
			level = Note
		}
		r.say("mta-sts", level, what, "ask the domain's administrator; in mode enforce mail to it waits")
	}
}
