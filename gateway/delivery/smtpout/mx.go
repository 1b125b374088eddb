package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

const (
	// hostAddresses is how many addresses of one MX host are tried, families in turn; RFC 5321, 5.1 asks for two.
	hostAddresses = 4
	// mxAddresses is how many addresses are tried in one attempt.
	mxAddresses = 10
	smtpPort    = 25
	// mxSessions is how many of them may answer and then fail before the message is to be taken.
	mxSessions = 3
)

// Resolver looks up where mail goes. *dns.Resolver is one. It is called at once from many goroutines.
type Resolver interface {
	// LookupMX gives the hosts of a domain in the order of delivery. Its errors are those of package dns.
	LookupMX(ctx context.Context, domain string) (dns.Route, error)
	// LookupHost gives the addresses of a host.
	LookupHost(ctx context.Context, host string) (dns.Host, error)
}

// MX says how the hosts of a recipient's domain are found.
type MX struct {
	Resolver Resolver
	Port     int // 25 where 0
	// SelfName and SelfAddr tell this gateway among the hosts: they and the less preferred ones are left out
	// (RFC 5321, 5.1). nil: it is not among them.
	SelfName func(host string) bool
	SelfAddr func(netip.AddrPort) bool
	// AllowPrivate are the networks where hosts may be beside those of the internet. What else is not public is
	// passed over: whoever publishes an MX record could otherwise have mail sent to services inside.
	AllowPrivate []netip.Prefix
}

func (m *MX) port() uint16 {
	if m.Port == 0 {
		return smtpPort
	}
	return uint16(m.Port)
}

// search finds the hops of a domain, one preference after the other.
type search struct {
	mx     *MX
	pool   *pool
	domain string
	policy domainPolicy

	begun   bool
	hosts   []dns.MX // not looked up yet
	ready   []hop
	late    []hop // could not be reached a moment ago
	given   int
	looped  bool // the gateway itself is among the hosts
	private bool // some address is not public
	failure error
	refusal *delivery.Result // where the domain takes no mail at all
}

// next is the next hop to try; false where there is none any more.
func (s *search) next(ctx context.Context) (hop, bool) {
	if !s.begun {
		s.begun = true
		s.begin(ctx)
	}
	for len(s.ready) == 0 {
		switch {
		case len(s.hosts) > 0:
			s.lookUp(ctx, s.group())
		case len(s.late) > 0:
			s.ready, s.late = s.late, nil
		default:
			return hop{}, false
		}
	}
	h := s.ready[0]
	s.ready = s.ready[1:]
	if h.demand.refused != nil {
		return h, true
	}
	if s.given++; s.given > mxAddresses {
		return hop{}, false
	}
	return h, true
}

// begin finds the hosts.
func (s *search) begin(ctx context.Context) {
	if a, ok := literal(s.domain); ok {
		h := dns.Host{Name: a.String(), Addrs: []netip.Addr{a}}
		s.use([]dns.Host{h}, []*demand{s.policy.of(ctx, h.Name, h, s.mx.port())})
		return
	}
	route, err := s.mx.Resolver.LookupMX(ctx, s.domain)
	if err != nil {
		s.fail(err)
		return
	}
	if s.policy.wantsSTS() {
		if s.policy.sts, err = s.policy.sources.Policies.Lookup(ctx, s.domain); err != nil {
			s.fail(err)
			return
		}
	}
	s.policy.owner, s.policy.secure = route.Domain, route.Authentic
	s.hosts = route.Hosts
}

// literal reads a domain that is an address (RFC 5321, 4.1.3).
func literal(domain string) (netip.Addr, bool) {
	inner, ok := strings.CutPrefix(domain, "[")
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.TrimPrefix(strings.TrimSuffix(inner, "]"), "IPv6:"))
	return a, err == nil
}

// fail notes that a domain leads nowhere (RFC 7505, 4.2; RFC 3463, 3.2 and 3.5).
func (s *search) fail(err error) {
	refuse := func(code int, enhanced, text string) {
		s.refusal = &delivery.Result{Status: delivery.Refused, Code: code, Enhanced: enhanced, Text: fmt.Sprintf(text, s.domain)}
	}
	switch {
	case errors.Is(err, dns.ErrNullMX):
		refuse(556, "5.1.10", "the domain %s takes no mail: it has a null MX record")
	case errors.Is(err, dns.ErrNotFound), errors.Is(err, dns.ErrName):
		refuse(550, "5.1.2", "the domain %s does not exist, or has no mail server")
	case errors.Is(err, dns.ErrNoHost):
		refuse(550, "5.4.4", "the MX records of the domain %s name no mail server")
	default:
		s.failure = err
	}
}

// group takes the hosts of one preference.
func (s *search) group() []dns.MX {
	end := slices.IndexFunc(s.hosts, func(h dns.MX) bool { return h.Preference != s.hosts[0].Preference })
	if end < 0 {
		end = len(s.hosts)
	}
	group := s.hosts[:end]
	s.hosts = s.hosts[end:]
	return group
}

// lookUp finds the addresses of hosts of one preference.
func (s *search) lookUp(ctx context.Context, group []dns.MX) {
	if slices.ContainsFunc(group, func(h dns.MX) bool { return s.mx.SelfName != nil && s.mx.SelfName(h.Host) }) {
		s.loop()
		return
	}
	found, errs, demands := make([]dns.Host, len(group)), make([]error, len(group)), make([]*demand, len(group))
	var all sync.WaitGroup
	for i, h := range group {
		all.Go(func() {
			if found[i], errs[i] = s.mx.Resolver.LookupHost(ctx, h.Host); errs[i] == nil {
				demands[i] = s.policy.of(ctx, h.Host, found[i], s.mx.port())
			}
		})
	}
	all.Wait()
	for i, err := range errs {
		found[i].Name = group[i].Host // what a certificate names, rather than the end of a CNAME
		if err != nil && !errors.Is(err, dns.ErrNotFound) && !errors.Is(err, dns.ErrName) {
			s.failure = err
		}
	}
	s.use(found, demands)
}

// loop leaves the gateway itself and the less preferred hosts out: mail would come back (RFC 5321, 5.1).
func (s *search) loop() { s.looped, s.hosts = true, nil }

// use puts the hosts of one preference in line, unless the gateway is one of them.
func (s *search) use(hosts []dns.Host, demands []*demand) {
	port := s.mx.port()
	var hops []hop
	for i, h := range hosts {
		var good []netip.Addr
		for _, a := range h.Addrs {
			switch {
			case s.mx.SelfAddr != nil && s.mx.SelfAddr(netip.AddrPortFrom(a, port)):
				s.loop()
				return
			case s.permits(a):
				good = append(good, a)
			default:
				s.private = true
			}
		}
		if len(good) == 0 {
			continue
		}
		key := demands[i].key()
		for _, a := range families(good) {
			hops = append(hops, hop{
				name: h.Name, addr: netip.AddrPortFrom(a, port).String(), label: net.JoinHostPort(h.Name, strconv.Itoa(int(port))), demand: demands[i], key: key,
			})
			if demands[i].refused != nil {
				break // that is so at every address
			}
		}
	}
	good, bad := s.pool.sort(hops)
	s.ready, s.late = append(s.ready, good...), append(s.late, bad...)
}

// permits reports whether mail may go to an address.
func (s *search) permits(a netip.Addr) bool {
	return publicnet.Public(a) || slices.ContainsFunc(s.mx.AllowPrivate, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// families is the first addresses of a host, one of each family in turn, so that a machine without a way to one
// of them soon tries the other.
func families(all []netip.Addr) (out []netip.Addr) {
	var six, four []netip.Addr
	for _, a := range all {
		if a.Is6() && !a.Is4In6() {
			six = append(six, a)
		} else {
			four = append(four, a)
		}
	}
	for len(out) < hostAddresses && len(six)+len(four) > 0 {
		if len(six) > 0 {
			out, six = append(out, six[0]), six[1:]
		}
		if len(four) > 0 {
			out, four = append(out, four[0]), four[1:]
		}
	}
	return out
}

// nobody is the result where there was no hop to try. What may pass is temporary.
func (s *search) nobody() delivery.Result {
	refuse := func(enhanced, text string) delivery.Result {
		return delivery.Result{Status: delivery.Refused, Code: 550, Enhanced: enhanced, Text: fmt.Sprintf(text, s.domain)}
	}
	switch {
	case s.refusal != nil:
		return *s.refusal
	case s.failure != nil:
		return delivery.Result{Status: delivery.Deferred, Enhanced: "4.4.3", Text: s.failure.Error(), Unreachable: true}
	case s.looped:
		return refuse("5.4.6", "mail for the domain %s would come back to this gateway")
	case s.private:
		return refuse("5.4.4", "the mail servers of the domain %s have no address on the internet")
	}
	return refuse("5.4.4", "the mail servers of the domain %s have no address")
}
