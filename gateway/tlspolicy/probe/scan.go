package probe

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Order tells whose order of preference decides.
type Order string

// The orders. It is empty where there is only one thing to choose, or that could not be told.
const (
	ServerOrder Order = "server"
	ClientOrder Order = "client"
)

// scan is what was learned of one version.
type scan struct {
	version    uint16
	accepted   bool
	refusal    error        // why it is not accepted
	flight     hello.Flight // the first answer
	small      bool         // it takes small hellos only
	suites     []uint16
	suiteOrder Order
	groups     []uint16 // from TLS 1.3 on; below on curves
	groupOrder Order
	primes     []Prime
	err        error // why not all is known
}

// versions that are asked for.
var versions = [...]uint16{hello.SSL30, hello.TLS10, hello.TLS11, hello.TLS12, hello.TLS13}

// common are the suites of a small hello: what most clients offer.
var common = []uint16{0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc023, 0xc027, 0xc024, 0xc028, 0xc009, 0xc013, 0xc00a, 0xc014, 0x9c, 0x9d, 0x3c, 0x3d, 0x2f, 0x35, 0x0a}

// suitesOf are the suites that a version may have.
func suitesOf(version uint16) []uint16 {
	var all []uint16
	for _, s := range tlsnames.Suites() {
		if !s.Signal() && s.TLS13() == (version == hello.TLS13) && (!s.TLS12() || version >= hello.TLS12) {
			all = append(all, s.ID)
		}
	}
	return all
}

// groupsOf are the groups that a version may have; ones on curves come first.
func groupsOf(version uint16) []uint16 {
	var all []uint16
	for _, g := range tlsnames.Groups() {
		if version == hello.TLS13 && !g.TLS12 || version < hello.TLS13 && !g.TLS13 {
			all = append(all, g.ID)
		}
	}
	return all
}

// schemes are the signatures that are offered, those with old digests last.
func schemes() []uint16 {
	all := tlsnames.Schemes()
	slices.Reverse(all)
	return all
}

// offer is a hello of one version.
func (p *prober) offer(version uint16, suites, groups []uint16) hello.ClientHello {
	h := hello.ClientHello{
		Version: min(version, hello.TLS12), Suites: suites, Groups: groups, Schemes: schemes(), ServerName: p.target.name(), Facts: true,
	}
	if version == hello.TLS13 {
		h.Versions = []uint16{hello.TLS13}
	}
	if p.target.Protocol == HTTPS {
		h.Protocols = []string{"h2", "http/1.1"}
	}
	return h
}

// scanAll asks for all versions, and of those that are accepted for everything else. TLS 1.2 comes first, alone: where TLS does
// not begin at all, that is seen by one connection.
func (p *prober) scanAll(ctx context.Context) []*scan {
	all := make([]*scan, len(versions))
	for i, v := range versions {
		all[i] = &scan{version: v}
	}
	p.first12(ctx, all[3])
	p.each(all, func(s *scan) {
		if s.version != hello.TLS12 {
			p.scanVersion(ctx, s)
		}
	})
	p.each(all, func(s *scan) {
		if s.accepted {
			s.err = p.scanSuites(ctx, s)
		}
	})
	p.each(all, func(s *scan) {
		if s.accepted && s.err == nil && (s.version == hello.TLS13 || s == highest12(all)) {
			s.err = p.scanGroups(ctx, s)
		}
	})
	return all
}

func (p *prober) first12(ctx context.Context, s *scan) { p.scanVersion(ctx, s) }

// highest12 is the scan of the highest version below TLS 1.3 that is accepted; the groups of those below are the same.
func highest12(all []*scan) *scan {
	var found *scan
	for _, s := range all {
		if s.accepted && s.version < hello.TLS13 {
			found = s
		}
	}
	return found
}

// each does something with each scan, at once; the seats of the prober bound how many.
func (p *prober) each(all []*scan, do func(*scan)) {
	var group sync.WaitGroup
	for _, s := range all {
		group.Go(func() { do(s) })
	}
	group.Wait()
}

// scanVersion asks whether a version is accepted, by a hello with everything and, where that may be too much, by a small one.
func (p *prober) scanVersion(ctx context.Context, s *scan) {
	suites := suitesOf(s.version)
	for _, small := range []bool{false, true} {
		groups := groupsOf(s.version)
		if small {
			if s.version == hello.TLS13 || s.version == hello.SSL30 || clear(s.refusal) {
				return
			}
			suites, groups = within(suites, common), []uint16{29, 23, 24, 25}
		}
		flight, err := p.ask(ctx, p.offer(s.version, suites, groups), hello.UntilDone)
		switch {
		case err != nil && !isRefusal(err):
			s.refusal, s.err = err, err
			return
		case err != nil:
			s.refusal = err
		case flight.Hello.Version != s.version:
			s.refusal = errOtherVersion
			return
		default:
			s.accepted, s.refusal, s.flight, s.small = true, nil, flight, small
			return
		}
	}
}

// errOtherVersion is the refusal of a server that answers with another version than the one offered.
var errOtherVersion = errors.New("it answers with another version")

// clear reports whether a refusal is an alert that says plainly that the version or the suites are not accepted.
func clear(err error) bool {
	var alert *hello.Alert
	return errors.As(err, &alert) && (alert.Code == 40 || alert.Code == 70 || alert.Code == 71)
}

// within is what of all is in some, in the order of all.
func within(all, some []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(all), func(id uint16) bool { return !slices.Contains(some, id) })
}

func without(all []uint16, some ...uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(all), func(id uint16) bool { return slices.Contains(some, id) })
}
