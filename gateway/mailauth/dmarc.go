package mailauth

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/smime/entity"
)

// discovery is what is known of the author before SPF and DKIM are: the policies of the domains in From.
type discovery struct {
	err     error // why there is no author; nil where there is
	authors []policyOf
}

// policyOf is the policy for mail of one domain.
type policyOf struct {
	domain string
	at     string // where the record was found
	record Record
	status Status // None, TempError; Pass where there is a record
}

// discover finds the policies of all authors (RFC 7489, 6.6.3).
func (c *Checker) discover(ctx context.Context, header entity.Header) discovery {
	domains, err := authors(header)
	if err != nil {
		return discovery{err: err}
	}
	d := discovery{authors: make([]policyOf, len(domains))}
	var all sync.WaitGroup
	for i, domain := range domains {
		all.Go(func() { d.authors[i] = c.policyFor(ctx, domain) })
	}
	all.Wait()
	return d
}

// policyFor looks for a record at the domain itself, and where there is none at its organisational domain.
func (c *Checker) policyFor(ctx context.Context, domain string) policyOf {
	p := policyOf{domain: domain, status: None}
	for _, at := range places(domain) {
		texts, err := c.o.Resolver.LookupTXT(ctx, "_dmarc."+at)
		if err != nil && !isNotFound(err) {
			p.status = TempError
			return p
		}
		var records []string
		for _, text := range texts {
			if isRecord(text) {
				records = append(records, text)
			}
		}
		if len(records) == 0 {
			continue
		}
		if len(records) > 1 { // then none counts
			return p
		}
		if record, err := ParseRecord(records[0]); err == nil {
			p.at, p.record, p.status = at, record, Pass
		}
		return p
	}
	return p
}

// places is where a policy may stand; nowhere for an address literal.
func places(domain string) []string {
	name, err := dns.Name(domain)
	if err != nil {
		return nil
	}
	if org := organisational(name); org != name {
		return []string{name, org}
	}
	return []string{name}
}

// organisational is the domain that somebody has registered (RFC 7489, 3.2): one label below a public suffix.
// A public suffix is its own.
func organisational(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	return org
}

// aligned tells whether an authenticated domain speaks for the author's (RFC 7489, 3.1).
func aligned(domain, author string, strict bool) bool {
	if domain == "" || strict {
		return domain != "" && domain == author
	}
	return strings.EqualFold(organisational(domain), organisational(author))
}

// judge is the verdict on a message, the worst where From names several domains, and the domains that nothing
// confirms.
func (d discovery) judge(s SPF, signatures []DKIM, percent func() int) (worst DMARC, unconfirmed []string) {
	if d.err != nil {
		return DMARC{Status: PermError, BadFrom: true, Reason: d.err.Error()}, nil
	}
	for i, p := range d.authors {
		verdict := p.judge(s, signatures, percent)
		if i == 0 || verdict.rank() > worst.rank() {
			worst = verdict
		}
		if !verdict.AlignedSPF && !verdict.AlignedDKIM {
			unconfirmed = append(unconfirmed, p.domain)
		}
	}
	return worst, unconfirmed
}

// rank orders verdicts by how little the author is to be trusted.
func (d DMARC) rank() int {
	switch {
	case d.Status == Fail && d.Apply != Nothing:
		return 10 + d.Apply.severity()
	case d.Status == TempError:
		return 3
	case d.Status == Fail:
		return 2
	case d.Status == None:
		return 1
	}
	return 0
}

// judge holds the policy of one domain against the results (RFC 7489, 6.6.2).
func (p policyOf) judge(s SPF, signatures []DKIM, percent func() int) DMARC {
	d := DMARC{Status: p.status, Domain: p.domain, Record: p.at}
	if p.status == TempError {
		d.Reason = "DNS does not answer for the policy"
	}
	// A method whose result may yet be a pass leaves the verdict open, but only one that would count: else
	// anybody could open it with a signature of a domain that does not answer.
	open := s.Status == TempError && aligned(s.Domain, p.domain, p.record.StrictSPF)
	d.AlignedSPF = s.Status == Pass && aligned(s.Domain, p.domain, p.record.StrictSPF)
	for _, k := range signatures {
		counts := aligned(k.Domain, p.domain, p.record.StrictDKIM)
		d.AlignedDKIM = d.AlignedDKIM || counts && k.Status == Pass
		open = open || counts && k.Status == TempError
	}
	if p.status != Pass {
		return d
	}
	d.Policy = p.record.Policy
	if p.at != p.domain {
		d.Policy = p.record.Subdomains
	}
	switch {
	case d.AlignedSPF || d.AlignedDKIM:
		d.Status, d.Apply = Pass, Nothing
	case open:
		d.Status, d.Apply, d.Reason = TempError, Nothing, "DNS does not answer for SPF or DKIM"
	default:
		d.Status, d.Apply = Fail, d.Policy.sampled(p.record.Percent, percent)
	}
	return d
}

// sampled is what is left of a policy for a message that the sample does not take (RFC 7489, 6.6.4).
func (d Disposition) sampled(share int, percent func() int) Disposition {
	switch {
	case share >= 100 || percent() < share:
		return d
	case d == Reject:
		return Quarantine
	}
	return Nothing
}
