package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"

	mdns "github.com/miekg/dns"
)

// NetResolver is a Resolver in the shape of [net.Resolver], with the methods and the errors (*[net.DNSError])
// that libraries for SPF, DKIM and DMARC ask for. Its answers are those of DNS alone: no implicit MX, no IP
// address taken for a host, no order.
type NetResolver struct{ r *Resolver }

// Net returns r for libraries.
func (r *Resolver) Net() NetResolver { return NetResolver{r} }

// LookupTXT is [Resolver.LookupTXT].
func (n NetResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	texts, err := n.r.LookupTXT(ctx, name)
	return texts, asNet(err)
}

// LookupMX returns the MX records as they stand.
func (n NetResolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := n.r.lookAny(ctx, name, mdns.TypeMX)
	if err != nil {
		return nil, asNet(err)
	}
	all := make([]*net.MX, 0, len(a.records))
	for _, rr := range a.records {
		mx := rr.(*mdns.MX)
		all = append(all, &net.MX{Host: mx.Mx, Pref: mx.Preference})
	}
	return all, nil
}

// LookupIPAddr returns the addresses of a name, which may hold any printable ASCII (RFC 7208, 5.7).
func (n NetResolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	name, err := query(host)
	if err != nil {
		return nil, asNet(badName(host, "A", err))
	}
	h, err := n.r.addresses(ctx, name)
	if err != nil {
		return nil, asNet(err)
	}
	all := make([]net.IPAddr, 0, len(h.Addrs))
	for _, a := range h.Addrs {
		all = append(all, net.IPAddr{IP: a.AsSlice()})
	}
	return all, nil
}

// LookupAddr is [Resolver.LookupPTR] of an IP address; the names end in a dot.
func (n NetResolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, asNet(badName(addr, "PTR", err))
	}
	names, err := n.r.LookupPTR(ctx, ip)
	if err != nil {
		return nil, asNet(err)
	}
	for i := range names {
		names[i] += "."
	}
	return names, nil
}

// asNet turns an error into what those libraries look for by type assertion. A name that is none is one that
// does not exist (RFC 7208, 4.3).
func asNet(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &net.DNSError{
		Err: e.Class.Error(), Name: e.Name, UnwrapErr: e,
		IsNotFound: !e.Temporary(), IsTemporary: e.Temporary(), IsTimeout: errors.Is(e, context.DeadlineExceeded),
	}
}
