package smtpout

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// demand is what one host must give for one message. It is not changed once made.
type demand struct {
	mode     smtpclient.TLSMode // none, opportunistic, required
	security *Security
	name     string             // that is sent as SNI, and that certificates bear
	verify   tlspolicy.Verifier // nil: any certificate
	by       string             // what verifies; empty: authorities
	lenient  bool               // what verify says against a certificate is only reported
	rule     string             // where the demand comes from, in words
	policy   string             // what tells this demand from others under one Security
	raised   bool               // more than the way asks for: the message wants it
	refused  error              // the host must not be talked to
	doubt    error              // what speaks against it before there is a connection, and is only reported

	domain   string           // of the recipients, where outcomes are reported
	reported []tlsrpt.Policy  // under which
	early    []tlsrpt.Outcome // known before there is a connection
}

// key is what connections must have in common to serve one another's messages.
func (d *demand) key() string {
	return strings.Join([]string{d.security.Name, string(d.mode), d.name, d.by, fmt.Sprint(d.verify != nil, d.lenient), d.policy}, "|")
}

// what names the demand in words.
func (d *demand) what() string {
	if d.verify != nil && !d.lenient {
		return "verified TLS"
	}
	return "TLS"
}

// asked is what a message asks of its way.
type asked struct {
	level   Level
	raised  bool // by the message
	relaxed bool // nothing about TLS keeps it from being delivered
}

// ask is what a message asks where its way asks for a level. Reports about TLS are delivered whatever is wrong with it (RFC 8460, 3).
func ask(level Level, env *mail.Envelope) asked {
	if env.TLSOptional {
		if level.protects() {
			level = Opportunistic
		}
		return asked{level: level, relaxed: true}
	}
	to := level.raise(env.TLS)
	return asked{level: to, raised: to != level}
}

// plain is the demand for a host by the level alone.
func (s *Security) plain(name string, a asked) *demand {
	d := &demand{mode: smtpclient.TLSOpportunistic, security: s, name: name, raised: a.raised, rule: s.rule(a)}
	switch a.level {
	case None:
		d.mode = smtpclient.TLSNone
	case Required, MTASTS, DANE:
		d.mode = smtpclient.TLSRequired
	case Verified:
		d.mode = smtpclient.TLSRequired
		d.verify, d.by = s.verifier()
	}
	return d
}

// rule says in words who asks for a level.
func (s *Security) rule(a asked) string {
	switch {
	case a.raised:
		return "the message asks for it"
	case s.Name != "":
		return "tls.partners, " + s.Name
	}
	return "tls of the route"
}

// refuse makes a demand that the host cannot meet.
func (d *demand) refuse(why error) *demand {
	d.refused = why
	return d
}

// domainPolicy is what is known of a domain before its hosts are looked at.
type domainPolicy struct {
	sources  Sources
	security *Security
	asked    asked
	domain   string
	owner    string // of the MX records
	secure   bool   // the MX records are authentic
	sts      mtasts.Answer
}

// wantsSTS reports whether the policy of the domain has to be known.
func (p *domainPolicy) wantsSTS() bool {
	return (p.security.MTASTS || p.asked.level == MTASTS) && !p.asked.relaxed && p.sources.Policies != nil
}

// of is the demand for a host that the MX records name, in the order of RFC 8461, 2: DANE goes first, and where it authenticates, MTA-STS
// has no say.
func (p *domainPolicy) of(ctx context.Context, mx string, h dns.Host, port uint16) *demand {
	d := p.security.plain(mx, p.asked)
	if p.asked.relaxed {
		return d
	}
	d.domain = p.domain
	if done := p.byDANE(ctx, d, mx, h, port); done {
		return d
	}
	if done := p.bySTS(d, mx); done {
		return d
	}
	if len(d.reported) == 0 && len(d.early) == 0 {
		d.reported = []tlsrpt.Policy{{Type: tlsrpt.NoPolicy}}
	}
	return d
}

// Why a host must not be talked to, in words for an administrator and the sender.
var (
	errDNS     = errors.New("its TLSA records cannot be looked up, or their signatures are wrong: whether it is the right server cannot be told; its administrator must mend DNS")
	errNoTLSA  = errors.New("no TLSA record that DNSSEC vouches for authenticates it, which the level dane asks for; its administrator must publish some, or ours ask for less")
	errNoSTS   = errors.New("its domain has no MTA-STS policy in force, which the level mta-sts asks for; its administrator must publish one, or ours ask for less")
	errSource  = errors.New("this gateway has no resolver for that; name one under dns.servers")
	errUnnamed = errors.New("it is not one of the hosts that the MTA-STS policy of its domain names; the domain's administrator must bring policy and MX records together")
)

// byDANE applies the TLSA records of a host, and reports whether that is all there is to say.
func (p *domainPolicy) byDANE(ctx context.Context, d *demand, mx string, h dns.Host, port uint16) (done bool) {
	must := p.asked.level == DANE
	if !must && !p.security.DANE {
		return false
	}
	if p.sources.TLSA == nil {
		if must {
			d.refuse(errSource)
		}
		return must
	}
	found, err := dane.Find(ctx, p.sources.TLSA, dane.Target{
		Host: mx, Port: port, Expanded: h.Name, Secure: p.secure, SecureAddresses: h.Authentic, Domain: p.domain, Owner: p.owner,
	})
	switch {
	case err != nil:
		d.rule = "DANE"
		d.note(tlsrpt.Policy{Type: tlsrpt.TLSA, Domain: mx}, tlsrpt.DNSSECInvalid, "TLSA lookup failed")
		d.refuse(&hidden{errDNS, err})
		return true
	case found != nil && found.Authenticates():
		d.dane(found)
		return true
	case found != nil:
		// RFC 7672, 2.2: nobody can be authenticated by them, but that they are there means TLS.
		d.mode, d.policy = smtpclient.TLSRequired, found.Key()
		if !p.asked.level.protects() {
			d.rule, d.raised = "TLSA records of the host", false
		}
		d.note(tlsrpt.Policy{Type: tlsrpt.TLSA, Strings: found.Strings(), Domain: found.Base}, tlsrpt.TLSAInvalid, "no usable TLSA record")
	}
	if must {
		d.note(tlsrpt.Policy{Type: tlsrpt.TLSA, Domain: mx}, tlsrpt.DANERequired, "")
		d.refuse(errNoTLSA)
	}
	return must
}

// dane makes a demand one for the host that records name.
func (d *demand) dane(found *dane.Policy) {
	d.mode, d.name, d.policy = smtpclient.TLSRequired, found.Base, found.Key()
	d.verifyBy(byRecords{found}, "dane")
	d.rule, d.raised = "TLSA records of the host", false
	d.reported = append(d.reported, tlsrpt.Policy{Type: tlsrpt.TLSA, Strings: found.Strings(), Domain: found.Base})
}

// bySTS applies the policy of the domain, and reports whether the host must not be talked to.
func (p *domainPolicy) bySTS(d *demand, mx string) (done bool) {
	must := p.asked.level == MTASTS
	switch {
	case !must && !p.security.MTASTS:
		return false
	case p.sources.Policies == nil:
		if must {
			d.refuse(errSource)
		}
		return must
	case p.sts.Trouble != nil:
		d.doubt = p.sts.Trouble
		d.note(tlsrpt.Policy{Type: tlsrpt.STS}, troubleType(p.sts.Trouble), p.sts.Trouble.Error())
	}
	held := p.sts.Held
	if held == nil || held.Mode == mtasts.None {
		if must {
			d.refuse(errNoSTS)
		}
		return must
	}
	d.sts(held, mx, must || held.Mode == mtasts.Enforce)
	return d.refused != nil
}

// sts makes a demand one for a host of a policy. Where it is not to be enforced, failures are reported and nothing else (RFC 8461, 5).
func (d *demand) sts(held *mtasts.Held, mx string, enforce bool) {
	published := tlsrpt.Policy{Type: tlsrpt.STS, Strings: held.Lines(), MX: held.MX}
	rule := "MTA-STS policy of " + held.Domain
	fits := held.Matches(mx)
	switch {
	case !fits:
		d.doubt = errUnnamed
		d.note(published, tlsrpt.Failed, "MX host is not in the policy")
		if enforce {
			d.rule, d.raised = rule, false
			d.refuse(errUnnamed)
		}
		return
	case enforce:
		d.mode, d.rule, d.raised = smtpclient.TLSRequired, rule, false
		d.verifyBy(tlspolicy.PKI{Roots: d.security.Roots}, "mta-sts")
	case d.verify == nil:
		d.verify, d.by, d.lenient = tlspolicy.PKI{Roots: d.security.Roots}, "mta-sts", true
	}
	d.policy += held.ID + held.Fetched.String()
	d.reported = append(d.reported, published)
}

// verifyBy has certificates judged by v. A pin, or whatever an administrator named for a partner, holds beside it.
func (d *demand) verifyBy(v tlspolicy.Verifier, by string) {
	if d.verify == nil || d.security.Verify == nil {
		d.verify, d.by = v, by
		return
	}
	d.verify, d.by = both{d.verify, v}, d.by+" and "+by
}

// both is two judges, who must agree.
type both [2]tlspolicy.Verifier

// Verify implements tlspolicy.Verifier.
func (b both) Verify(name string, chain []*x509.Certificate, at time.Time) error {
	for _, v := range b {
		if err := v.Verify(name, chain, at); err != nil {
			return err
		}
	}
	return nil
}

// note adds an outcome that is certain whatever the connection brings.
func (d *demand) note(p tlsrpt.Policy, r tlsrpt.Result, reason string) {
	d.early = append(d.early, tlsrpt.Outcome{Domain: d.domain, Policy: p, Result: r, MX: d.name, Reason: reason})
}
