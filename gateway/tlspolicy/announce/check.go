package announce

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/dns"
)

// State is how what stands there compares with what should.
type State string

// The states.
const (
	Right   State = "right"   // as it should be
	Missing State = "missing" // nothing is there
	Wrong   State = "wrong"   // something else is
	Unknown State = "unknown" // it cannot be told
)

// Finding is one thing that was looked at.
type Finding struct {
	Subject string   `json:"subject"` // a record or an address
	State   State    `json:"state"`
	Wanted  []string `json:"wanted,omitempty"`
	Found   []string `json:"found,omitempty"`
	Remark  string   `json:"remark,omitempty"` // what follows, and what to do
}

// Resolver looks up what stands in DNS. *dns.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, domain string) (dns.Route, error)
	LookupTLSA(ctx context.Context, port uint16, host string) (dns.TLSASet, error)
}

// Checker compares what is published with a Plan.
type Checker struct {
	Plan     Plan
	Resolver Resolver
	// Fetch gets the policy of a domain from its host, as mtasts.Fetch does.
	Fetch func(ctx context.Context, domain string) (mtasts.Policy, error)
	Now   func() time.Time // nil: time.Now
}

// Domain looks at what stands there for a domain: policy, record of the policy, MX records, reports.
func (c Checker) Domain(ctx context.Context, domain string) []Finding {
	policy, same := c.policy(ctx, domain)
	all := []Finding{c.record(ctx, domain, same), policy, c.mx(ctx, domain)}
	if len(c.Plan.ReportTo) > 0 {
		all = append(all, c.reports(ctx, domain))
	}
	return all
}

// policy looks at the policy on its host; same: it says what it should.
func (c Checker) policy(ctx context.Context, domain string) (f Finding, same bool) {
	f = Finding{Subject: "https://" + PolicyHost(domain) + PolicyPath}
	want, err := mtasts.Parse(c.Plan.Policy())
	if err != nil {
		f.State, f.Remark = Unknown, "the policy of the configuration is none: "+err.Error()
		return f, false
	}
	f.Wanted = want.Lines()
	found, err := c.Fetch(ctx, domain)
	switch {
	case errors.Is(err, mtasts.ErrInvalid):
		f.State, f.Remark = Wrong, err.Error()+"; senders act as if there were none, or by the one they remember"
	case errors.Is(err, mtasts.ErrCertificate):
		f.State, f.Remark = Wrong, err.Error()+"; give the host a certificate of a public authority that names "+PolicyHost(domain)
	case err != nil:
		f.State, f.Remark = Missing, err.Error()+"; serve the policy there, as text/plain, without redirecting"
	case found.Mode != want.Mode || found.MaxAge != want.MaxAge || !sameSet(found.MX, want.MX):
		f.State, f.Found = Wrong, found.Lines()
		f.Remark = "replace the policy, then the record of it: senders look for a policy anew when its id changes"
	default:
		f.State, f.Found, same = Right, found.Lines(), true
	}
	return f, same
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// record looks at the record of a policy. Another id than ours is as good, as long as the policy is the one it should be.
func (c Checker) record(ctx context.Context, domain string, same bool) Finding {
	name := "_mta-sts." + domain
	f := Finding{Subject: name + " TXT", Wanted: []string{"v=STSv1; id=" + c.Plan.PolicyID() + ";"}}
	texts, state, remark := c.texts(ctx, name, "v=STSv1")
	if f.State, f.Remark, f.Found = state, remark, texts; state != Right {
		return f
	}
	id, err := mtasts.ParseRecord(texts)
	switch {
	case err != nil || id == "":
		f.State, f.Remark = Wrong, "senders cannot use it"
		if err != nil {
			f.Remark += ": " + err.Error()
		}
	case id == c.Plan.PolicyID():
	case same && isPolicyID(id):
		f.State, f.Remark = Wrong, "the policy has changed and its record has not: senders go on by the one they remember; publish the record"
	case same:
		f.Remark = "this id is of your own making; it has to change with the policy"
	default:
		f.State, f.Remark = Wrong, "it tells of another policy; put the new one in place first"
	}
	return f
}

// isPolicyID tells ids that PolicyID makes.
func isPolicyID(id string) bool {
	return len(id) == 2*idBytes && strings.Trim(id, "0123456789abcdef") == ""
}

// texts are the TXT records of a name that begin with version.
func (c Checker) texts(ctx context.Context, name, version string) (found []string, state State, remark string) {
	all, err := c.Resolver.LookupTXT(ctx, name)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		return nil, Unknown, err.Error()
	}
	for _, t := range all {
		if strings.HasPrefix(t, version) {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return nil, Missing, "publish it"
	}
	return found, Right, ""
}

// mx holds that the policy names each host of the MX records: no sender would reach others.
func (c Checker) mx(ctx context.Context, domain string) Finding {
	f := Finding{Subject: domain + " MX", State: Right, Wanted: c.Plan.MX}
	route, err := c.Resolver.LookupMX(ctx, domain)
	switch {
	case errors.Is(err, dns.ErrNotFound), errors.Is(err, dns.ErrNullMX), errors.Is(err, dns.ErrNoHost):
		f.State, f.Remark = Missing, "the domain takes no mail, and needs no policy"
		return f
	case err != nil:
		f.State, f.Remark = Unknown, err.Error()
		return f
	}
	policy := mtasts.Policy{}
	for _, mx := range c.Plan.MX {
		policy.MX = append(policy.MX, strings.ToLower(mx))
	}
	var other []string
	for _, h := range route.Hosts {
		f.Found = append(f.Found, h.Host)
		if !policy.Matches(h.Host) {
			other = append(other, h.Host)
		}
	}
	if len(other) > 0 {
		f.State = Wrong
		f.Remark = fmt.Sprintf("the policy does not name %s, so that senders do not deliver there; list it under tls.publish.mx, or remove its MX record", strings.Join(other, ", "))
	}
	return f
}

// reports looks at who gets reports.
func (c Checker) reports(ctx context.Context, domain string) Finding {
	name := tlsrpt.RecordName(domain)
	f := Finding{Subject: name + " TXT"}
	want, err := c.Plan.reports()
	if err != nil {
		f.State, f.Remark = Unknown, err.Error()
		return f
	}
	f.Wanted = []string{want.String()}
	texts, state, remark := c.texts(ctx, name, "v=TLSRPTv1")
	if f.State, f.Remark, f.Found = state, remark, texts; state != Right {
		return f
	}
	found, err := tlsrpt.FindRecord(texts)
	switch {
	case errors.Is(err, tlsrpt.ErrNoRecord):
		f.State, f.Remark = Wrong, "there must be one record of this kind, which begins with v=TLSRPTv1;"
	case err != nil:
		f.State, f.Remark = Wrong, err.Error()
	case !sameSet(targets(found), targets(want)):
		f.State, f.Remark = Wrong, "reports go elsewhere; replace the record"
	}
	return f
}

func targets(r tlsrpt.Record) []string {
	all := slices.Clone(r.Posts)
	for _, a := range r.Mail {
		all = append(all, a.Key())
	}
	return all
}

// Host looks at the TLSA records of a mail server.
func (c Checker) Host(ctx context.Context, h Host) Finding {
	f := Finding{Subject: TLSAName(h) + " TLSA"}
	for _, r := range c.Plan.TLSA(h) {
		f.Wanted = append(f.Wanted, r.Value)
	}
	port := h.Port
	if port == 0 {
		port = 25
	}
	set, err := c.Resolver.LookupTLSA(ctx, port, h.Name)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		f.State, f.Remark = Unknown, err.Error()
		return f
	}
	for _, r := range set.Records {
		f.Found = append(f.Found, dane.Text(r))
	}
	f.State, f.Remark = c.compare(h, f, set)
	return f
}

// compare tells whether senders who hold the host to its records reach it, now and after a change of keys.
func (c Checker) compare(h Host, f Finding, set dns.TLSASet) (State, string) {
	if len(f.Found) == 0 {
		return Missing, "publish them where the zone is signed by DNSSEC; else there is no DANE, and nothing is lost"
	}
	if !set.Authentic {
		return Unknown, "the resolver does not vouch for the answer: the zone is not signed, or the resolver does not validate, or is not trusted to; unsigned records count for nobody"
	}
	policy := dane.PolicyOf(h.Name, set.Records)
	for _, chain := range h.Chains {
		if _, err := policy.Verify(chain, c.now()); !policy.Authenticates() || err != nil {
			return Wrong, "no record fits " + name(chain[0]) + ": senders that obey DANE deliver nothing; publish the missing one before anything else"
		}
	}
	has := func(list []string, value string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, value) })
	}
	for _, r := range c.Plan.TLSA(h) {
		switch {
		case has(f.Found, r.Value):
		case r.next:
			return Wrong, r.Value + " is missing; publish it, and change to that key only after twice its TTL"
		default:
			return Right, "what stands there fits; " + r.Value + " would go on fitting when the certificate is renewed with its key"
		}
	}
	for _, have := range f.Found {
		if !has(f.Wanted, have) {
			return Right, have + " is of no certificate or key that is known here; remove it when nothing uses it any more"
		}
	}
	return Right, ""
}

// Certificate tells whether senders that obey the policy believe what a host shows them: a valid chain to an authority, for the name of the host
// (RFC 8461, 4.2). Roots are the authorities; nil: those of the machine.
func (c Checker) Certificate(h Host, roots *x509.CertPool) Finding {
	f := Finding{Subject: "certificate of " + h.Name, State: Missing, Remark: "it has none"}
	for _, chain := range h.Chains {
		above := x509.NewCertPool()
		for _, one := range chain[1:] {
			above.AddCert(one)
		}
		_, err := chain[0].Verify(x509.VerifyOptions{
			DNSName: h.Name, Intermediates: above, Roots: roots, CurrentTime: c.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err == nil {
			return Finding{Subject: f.Subject, State: Right}
		}
		f.State, f.Remark = Wrong, "senders that obey the policy do not believe it: "+err.Error()
	}
	return f
}

func (c Checker) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
