package publicnet

import (
	"net/netip"
	"slices"
)

// embedded are the networks whose addresses stand for an IPv4 address, and at which octet that begins: NAT64
// (RFC 6052, 2.1), 6to4 (RFC 3056, 2).
var embedded = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// reserved are the networks of no use on the internet (RFC 6890 and the registries of IANA that it made), beside
// those that netip tells.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"),
}

// global6 is all of IPv6 that was given out for the internet (RFC 4291, 2.4).
var global6 = netip.MustParsePrefix("2000::/3")

// Public reports whether an address may stand on the internet.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, e := range embedded {
		if e.network.Contains(a) {
			raw := a.As16()
			a = netip.AddrFrom4([4]byte(raw[e.at : e.at+4]))
		}
	}
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !global6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) })
}
