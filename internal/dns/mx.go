package dns

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	mdns "github.com/miekg/dns"
)

// MX is a host that takes mail for a domain.
type MX struct {
	Host       string // as [Name] gives it
	Preference uint16 // lower is tried first
}

// Route is the hosts that take mail for a domain, in the order of delivery.
type Route struct {
	Domain string // that owns the MX records: the end of the CNAMEs where there were any
	Hosts  []MX   // at least one
	// Implicit tells that the domain has no MX record and is its own host (RFC 5321, 5.1).
	Implicit bool
	// Authentic tells that a trusted resolver has validated the MX records, or the denial of any: see
	// [Options.TrustAD].
	Authentic bool
}

// maxMX is how many MX hosts of a domain are kept, those of lowest preference value.
const maxMX = 30

// LookupMX finds who takes mail for a domain (RFC 5321, 5.1): the hosts of its MX records by preference, those
// of one preference in random order, or the domain itself where it has none but an address. A CNAME at the
// domain is followed. [ErrNotFound] means there is nobody, [ErrNullMX] that mail is not wanted (RFC 7505),
// [ErrNoHost] that the MX records are useless.
//
// The addresses of MX hosts are not looked up.
//
// QUIRK: an MX host that is a CNAME, which RFC 2181, 10.3 forbids to publish and RFC 5321, 5.1 leaves open to
// handle, is kept, and [Resolver.LookupHost] follows it: too many domains have such.
func (r *Resolver) LookupMX(ctx context.Context, domain string) (Route, error) {
	name, err := Name(domain)
	if err != nil {
		return Route{}, badName(domain, "MX", err)
	}
	a, err := r.look(ctx, name, mdns.TypeMX)
	var failure *Error
	if errors.As(err, &failure) && failure.Class == ErrNotFound && !failure.NoName {
		return r.implicit(ctx, name, failure)
	}
	if err != nil {
		return Route{}, err
	}
	hosts, err := r.usable(a.records)
	if err != nil {
		return Route{}, &Error{Name: name, Type: "MX", Class: err}
	}
	return Route{Domain: a.name, Hosts: hosts, Authentic: a.authentic}, nil
}

// implicit is the route to a domain without MX records: to itself, where it has an address.
func (r *Resolver) implicit(ctx context.Context, name string, none *Error) (Route, error) {
	h, err := r.addresses(ctx, name)
	if err != nil {
		return Route{}, err
	}
	return Route{Domain: h.Name, Hosts: []MX{{Host: name}}, Implicit: true, Authentic: none.Authentic}, nil
}

// usable is the hosts in the order of delivery. A null MX stands alone (RFC 7505, 3); among others it is one
// more name that is no host.
func (r *Resolver) usable(records []mdns.RR) ([]MX, error) {
	var hosts []MX
	for _, rr := range records {
		mx := rr.(*mdns.MX)
		if mx.Mx == "." && len(records) == 1 {
			return nil, ErrNullMX
		}
		host, err := Name(mx.Mx)
		if err != nil {
			continue
		}
		hosts = append(hosts, MX{host, mx.Preference})
	}
	if hosts == nil {
		return nil, ErrNoHost
	}
	r.o.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	slices.SortStableFunc(hosts, func(a, b MX) int { return cmp.Compare(a.Preference, b.Preference) })
	return hosts[:min(len(hosts), maxMX)], nil
}

func shuffle(n int, swap func(i, j int)) { rand.Shuffle(n, swap) }

// Before is the hosts to which a relay that is itself among them may hand mail on: those preferred to it
// (RFC 5321, 5.1). All of them where it is not, none where it is the best: then the mail would loop.
func (r Route) Before(self func(host string) bool) []MX {
	i := slices.IndexFunc(r.Hosts, func(h MX) bool { return self(h.Host) })
	if i < 0 {
		return r.Hosts
	}
	own := r.Hosts[i].Preference
	end := slices.IndexFunc(r.Hosts, func(h MX) bool { return h.Preference >= own })
	return r.Hosts[:end:end]
}
