package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Probe asks a server. The report says what it learned, be it only why that is nothing: see [Report.Problem].
func Probe(ctx context.Context, t Target, o Options) *Report {
	p := &prober{target: t, options: o.withDefaults()}
	p.seats = make(chan struct{}, p.options.Parallel)
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	r := &Report{
		Address: t.Address, Protocol: t.Protocol, Implicit: t.Implicit, ServerName: t.name(), target: t,
		Certificates: []Certificate{}, Verdicts: []Verdict{}, ClientCertificate: ClientCertificate{Authorities: []string{}},
	}
	r.scans = p.scanAll(ctx)
	r.accepted()
	if r.Reached {
		p.certificates(ctx, r)
		p.facts(ctx, r)
		p.finish(ctx, r)
		r.judge(p.options.Roots, p.options.Now())
	}
	p.problem(r)
	r.Connections, r.Took = p.made, time.Since(start)
	return r
}

// accepted puts together what the scans found.
func (r *Report) accepted() {
	r.Accepted = Accepted{Versions: []string{}, Suites: []string{}, Groups: []string{}}
	add := func(to *[]string, names []string) {
		for _, n := range names {
			if !slices.Contains(*to, n) {
				*to = append(*to, n)
			}
		}
	}
	for _, s := range slices.Backward(r.scans) {
		if !s.accepted {
			continue
		}
		suites, groups := names(s.suites, tlsnames.SuiteName), names(s.groups, tlsnames.GroupName)
		add(&r.Accepted.Versions, []string{tlsnames.VersionName(s.version)})
		add(&r.Accepted.Suites, suites)
		add(&r.Accepted.Groups, groups)
		if !r.Reached {
			r.Reached = true
			r.Preferred = Preferred{Version: tlsnames.VersionName(s.version), SuiteOrder: s.suiteOrder, GroupOrder: s.groupOrder}
			r.Preferred.Suite, r.Preferred.Group = firstOf(suites), firstOf(groups)
		}
	}
	for _, s := range r.scans {
		v := Version{
			Version: tlsnames.VersionName(s.version), Accepted: s.accepted, Suites: names(s.suites, tlsnames.SuiteName), SuiteOrder: s.suiteOrder,
			Groups: names(s.groups, tlsnames.GroupName), GroupOrder: s.groupOrder, Primes: s.primes,
		}
		if s.refusal != nil {
			v.Refusal = refusalText(s.refusal)
		}
		if s.err != nil {
			v.Incomplete = refusalText(s.err)
		}
		r.PerVersion = append(r.PerVersion, v)
	}
}

func names(ids []uint16, name func(uint16) string) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, name(id))
	}
	return out
}

func firstOf(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// certificates collects the chains for each kind of key: that of the first answers, and those of suites that need another key.
func (p *prober) certificates(ctx context.Context, r *Report) {
	for _, s := range slices.Backward(r.scans) {
		if s.accepted && s.version < hello.TLS13 {
			r.addChain(s.flight.Certificates)
			r.request(s.flight.Request)
		}
	}
	s := highest12(r.scans)
	if s == nil {
		return
	}
	for _, kind := range []string{"RSA", "ECDSA", "DSS"} {
		if slices.ContainsFunc(r.chains, func(c chain) bool { return c.kind == kind }) {
			continue
		}
		suites := slices.DeleteFunc(slices.Clone(s.suites), func(id uint16) bool {
			suite, _ := tlsnames.LookupSuite(id)
			return suite.Authentication() != kind
		})
		if len(suites) == 0 {
			continue
		}
		f, err := p.ask(ctx, p.offer(s.version, suites, groupsOf(s.version)), hello.UntilDone)
		if err == nil {
			r.addChain(f.Certificates)
		}
	}
}

// addChain notes a chain that is not there yet.
func (r *Report) addChain(der [][]byte) {
	if len(der) == 0 || slices.ContainsFunc(r.chains, func(c chain) bool { return slices.Equal(c.der[0], der[0]) }) {
		return
	}
	c := newChain(der)
	r.chains = append(r.chains, c)
	r.Certificates = append(r.Certificates, c.certificates()...)
}

// request notes what a server asks of its clients.
func (r *Report) request(q *hello.CertificateRequest) {
	if q == nil {
		return
	}
	c := &r.ClientCertificate
	c.Requested = true
	for _, name := range q.Authorities {
		c.addAuthority(name)
	}
	if len(c.Schemes) == 0 {
		c.Schemes = names(q.Schemes, tlsnames.SchemeName)
	}
}

// facts asks what shows only where it is asked for by itself: whether the server compresses, and Encrypt-then-MAC, which needs a suite that
// can do with it.
func (p *prober) facts(ctx context.Context, r *Report) {
	for _, s := range r.scans {
		if s.accepted && s.flight.Hello.Protocol != "" {
			r.Facts.Protocol = safetext.Line(s.flight.Hello.Protocol, 255)
		}
	}
	s := highest12(r.scans)
	if s == nil {
		return
	}
	h := s.flight.Hello
	r.Facts.Below13, r.Facts.StapledOCSP = true, s.flight.Stapled
	r.Facts.SecureRenegotiation, r.Facts.ExtendedMasterSecret, r.Facts.SessionTickets = h.SecureRenegotiation, h.MasterSecret, h.Ticket
	suites := s.suites
	if cbc := slices.DeleteFunc(slices.Clone(suites), func(id uint16) bool { return !strings.Contains(tlsnames.SuiteName(id), "_CBC_") }); len(cbc) > 0 {
		suites = cbc
	}
	if len(suites) == 0 {
		return
	}
	offer := p.offer(s.version, suites, groupsOf(s.version))
	offer.Compressions = []byte{1, 0} // DEFLATE (RFC 3749)
	f, err := p.ask(ctx, offer, hello.UntilHello)
	if err == nil {
		r.Facts.EncryptThenMAC, r.Facts.Compression = f.Hello.EncryptThenMAC, f.Hello.Compression != 0
	}
}

// problem says why not everything, or nothing, was learned.
func (p *prober) problem(r *Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.answered == 0 && p.silent > 0:
		r.Problem = explain(errSilent, r.target)
	case p.stopped != nil:
		r.Problem = explain(p.stopped, r.target)
		r.Problem.Partly = r.Reached
	case !r.Reached:
		r.Problem = explain(worst(r.scans), r.target)
	case p.malformed != nil:
		r.Problem = explain(p.malformed, r.target)
		r.Problem.Partly = true
	}
}

// worst is the refusal that says most, of those of the newest versions first.
func worst(all []*scan) error {
	var found error
	for _, s := range all {
		var alert *hello.Alert
		if s.refusal != nil && (found == nil || s.version <= hello.TLS12 || errors.As(s.refusal, &alert)) {
			found = s.refusal
		}
	}
	return found
}
