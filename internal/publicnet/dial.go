// Package publicnet connects to hosts of the internet whose names strangers chose; what stands inside it does not reach, unless an
// administrator listed it.
package publicnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is wrapped by the error for a place that is not connected to, ever, unless it is listed.
var ErrRefused = errors.New("not allowed")

// Resolver looks addresses up. A *net.Resolver is one.
type Resolver interface {
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
}

// Options of a Dialer. The zero value reaches public addresses by the resolver of the machine, at the ports that it is told at each
// call.
type Options struct {
	// Hosts may stand at any address: names in lower case, or "*.firma.example" for all names below one.
	Hosts    []string
	Networks []netip.Prefix // addresses that may be connected to besides public ones
	Ports    []uint16       // that may be connected to; empty: all
	Resolver Resolver       // nil: net.DefaultResolver
	Timeout  time.Duration  // for one address of several; 0: 5 seconds
}

// Dialer connects. It is immutable and safe for concurrent use.
type Dialer struct{ o Options }

// maxAddresses bounds the addresses of one name that are tried.
const maxAddresses = 4

// New returns a Dialer.
func New(o Options) *Dialer {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	return &Dialer{o}
}

// DialContext connects by TCP to host:port, whose host is a name or an IP address. The addresses of a name are looked up once
// and are those that are connected to, so that no second answer of the DNS can put another in their place; each is judged again at
// the moment of the connection. Names of which any address is refused are refused as a whole.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("publicnet: %w", err)
	}
	if err := d.checkPort(port); err != nil {
		return nil, err
	}
	listed := d.isListed(host)
	addrs, err := d.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if err := d.check(a, listed); err != nil {
			return nil, err
		}
	}
	return d.dial(ctx, network, addrs, port, listed)
}

// lookTime bounds the look-up of a name that somebody else connects to.
const lookTime = 2 * time.Second

// Vet says why host:port would not be connected to, for who has somebody else connect, as a proxy does: the port, an address in whatever way programs
// write them, a name that only means something inside, and a name that is known here to have an address inside. It is less than what DialContext
// does: a name that cannot be looked up passes, and who connects may find another address.
func (d *Dialer) Vet(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("publicnet: %w: %q is no host and port", ErrRefused, address)
	}
	if err := d.checkPort(port); err != nil {
		return err
	}
	if d.isListed(host) {
		return nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return d.check(a, false)
	}
	if why := oddName(host); why != "" {
		return fmt.Errorf("publicnet: %w: %s", ErrRefused, why)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	addrs, err := d.addresses(ctx, host)
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if err := d.check(a, false); err != nil {
			return err
		}
	}
	return nil
}

// oddName says why a name is none of the internet; empty where it may be. One whose last label is a number is an address to many programs
// (127.1, 2130706433, 0x7f.1), as the URL standard has it.
func oddName(host string) string {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	switch {
	case last == "":
		return "there is no name"
	case err == nil || strings.Trim(last, "0123456789") == "":
		return "an address in an unusual form"
	case last == host:
		return "a name without a dot is one inside"
	case strings.EqualFold(last, "localhost") || strings.EqualFold(last, "local") || strings.EqualFold(last, "internal"): // RFC 6761, 6.3; RFC 6762; reserved by ICANN
		return "a name that means something inside only"
	}
	return ""
}

func (d *Dialer) dial(ctx context.Context, network string, addrs []netip.Addr, port string, listed bool) (net.Conn, error) {
	dialer := net.Dialer{Timeout: d.o.Timeout, Control: func(_, at string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(at)
		if err != nil {
			return fmt.Errorf("publicnet: %w: %q is no address", ErrRefused, at)
		}
		return d.check(to.Addr(), listed)
	}}
	var first error
	for _, a := range addrs {
		c, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// addresses are those of a name, at least one and not many.
func (d *Dialer) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	found, err := d.o.Resolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, one := range found {
		if a, ok := netip.AddrFromSlice(one.IP); ok {
			addrs = append(addrs, a.Unmap().WithZone(one.Zone))
		}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

func (d *Dialer) checkPort(port string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("publicnet: %w: %q is no port", ErrRefused, port)
	}
	if len(d.o.Ports) > 0 && !slices.Contains(d.o.Ports, uint16(n)) {
		return fmt.Errorf("publicnet: %w: port %d is not one of those that may be used", ErrRefused, n)
	}
	return nil
}

func (d *Dialer) check(a netip.Addr, listed bool) error {
	plain := a.Unmap().WithZone("")
	if listed || Public(a) || slices.ContainsFunc(d.o.Networks, func(p netip.Prefix) bool { return p.Contains(plain) }) {
		return nil
	}
	return fmt.Errorf("publicnet: %w: %v is no public address", ErrRefused, a)
}

// isListed reports whether a host is one of those that may stand anywhere.
func (d *Dialer) isListed(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(d.o.Hosts, func(p string) bool {
		if below, ok := strings.CutPrefix(p, "*."); ok {
			return strings.HasSuffix(host, "."+below)
		}
		return host == p
	})
}
