package gateway

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
)

// self tells this gateway among the hosts of MX records.
type self struct {
	hostname string
	names    map[string]bool
	ports    map[netip.AddrPort]bool // where a listener is bound
	addrs    map[netip.Addr]bool     // known to lead here, at every port
	reports  tlsrpt.Noter            // what routes by MX tell of TLS; may be nil
}

// newSelf gathers the names and addresses of the gateway. A listener on every address of the machine stands for
// each of its interfaces; what cannot be found out is left to the names, and to the limit of Received fields.
func newSelf(hostname string, s Settings) self {
	me := self{
		hostname: hostname, names: map[string]bool{canonicalHost(hostname): true},
		ports: map[netip.AddrPort]bool{}, addrs: map[netip.Addr]bool{},
	}
	for _, name := range s.Self {
		if a, err := netip.ParseAddr(name); err == nil {
			me.addrs[a.Unmap()] = true
		} else {
			me.names[canonicalHost(name)] = true
		}
	}
	for _, l := range s.Listeners {
		host, port, err := net.SplitHostPort(l.Address)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || n == 0 {
			continue
		}
		for _, a := range boundTo(host) {
			me.ports[netip.AddrPortFrom(a, uint16(n))] = true
		}
	}
	return me
}

// boundTo is the addresses of a listener.
func boundTo(host string) []netip.Addr {
	a, err := netip.ParseAddr(host)
	if err == nil && !a.IsUnspecified() {
		return []netip.Addr{a.Unmap()}
	}
	if err != nil && host != "" {
		return nil
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, i := range interfaces {
		if p, err := netip.ParsePrefix(i.String()); err == nil {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all
}

func canonicalHost(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (me self) isName(host string) bool { return me.names[canonicalHost(host)] }

func (me self) isAddr(a netip.AddrPort) bool {
	addr := a.Addr().Unmap()
	return me.addrs[addr] || me.ports[netip.AddrPortFrom(addr, a.Port())]
}

// complete fills in what the gateway knows of a route's options.
func (me self) complete(o smtpout.Options, s Settings) smtpout.Options {
	if o.Hello == "" {
		o.Hello = me.hostname
	}
	if o.MX == nil {
		return o
	}
	if o.Sources.Reports == nil {
		o.Sources.Reports = me.reports
	}
	mx := *o.MX
	mx.SelfName, mx.SelfAddr = me.isName, me.isAddr
	if mx.Resolver == nil && s.DNS != nil {
		mx.Resolver = s.DNS
	}
	o.MX = &mx
	return o
}
