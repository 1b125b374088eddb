package configs

import (
	"errors"
	"net/netip"

	"github.com/siegel-mail/siegel/gateway/exchange"
)

// exchangeOnline judges what a listener says of Exchange Online.
func (k *checker) exchangeOnline(l *Listener, dotted string) {
	at := dotted + ".exchange_online"
	serves := l.Role == RoleInternal || l.Role == RoleRoundTrip
	switch {
	case l.ExchangeOnline.Tenant != "":
		k.tenant(&l.ExchangeOnline, at+".tenant")
		if !serves {
			k.fail(at, "only internal and roundtrip listeners are for one tenant; remove it, or change the role")
		}
	case l.Role == RoleRoundTrip:
		k.fail(at+".tenant", "a roundtrip listener serves one tenant of Exchange Online; set the tenant ID, which the Entra admin center shows under Overview")
	case serves:
		k.shared(l, dotted+".networks")
	}
}

func (k *checker) tenant(e *ExchangeOnline, dotted string) {
	id, err := exchange.ParseTenant(e.Tenant)
	switch {
	case errors.Is(err, exchange.ErrConsumers):
		k.fail(dotted, "this is the tenant of everybody who has an address at outlook.com; set the one of your company")
	case err != nil:
		k.fail(dotted, "this is no tenant ID, which looks like 6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b; the Entra admin center shows it under Overview")
	}
	e.tenant = id
}

// The longest prefixes of networks of the internet that are more than one company's servers.
const (
	many4 = 23
	many6 = 47
)

// shared holds that nobody else speaks from the networks of an internal listener.
func (k *checker) shared(l *Listener, dotted string) {
	for i, n := range l.Networks {
		switch {
		case n.Bits() < 8: // which is refused already
		case overlapsAny(n, exchangeOnline()):
			k.failMember(dotted, i, "%s is of Exchange Online, which all its tenants share: any of them could send mail in the company's name; set exchange_online.tenant", n)
		case isWide(n):
			k.warnMember(dotted, i, "%s is a large part of the internet: whoever is in it can send mail in the company's name; list the company's mail servers", n)
		}
	}
}

// isWide reports whether a network is of the internet, and has room for more than one company's servers.
func isWide(n netip.Prefix) bool {
	a := n.Addr()
	inside := a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
	return !inside && (a.Is4() && n.Bits() <= many4 || a.Is6() && n.Bits() <= many6)
}

func overlapsAny(n netip.Prefix, all []netip.Prefix) bool {
	for _, p := range all {
		if p.Overlaps(n) {
			return true
		}
	}
	return false
}

// roundTrips holds that what makes a round trip is marked on its way back, and nothing else is.
func (k *checker) roundTrips() {
	comes, goes := "", ""
	for i := range k.Listeners {
		if l := &k.Listeners[i]; l.Role == RoleRoundTrip {
			comes = entryKey("listeners", l.Name, i)
		}
	}
	for i := range k.Routes {
		r := &k.Routes[i]
		if !r.RoundTrip {
			continue
		}
		if goes = entryKey("routes", r.Name, i); r.MX {
			k.fail(goes+".round_trip", "mail goes back to the server it came from, not to the hosts of the recipient's domain; name the server under hosts")
		}
	}
	switch {
	case comes != "" && goes == "":
		k.fail(comes+".role", "no route has round_trip, so mail would be given back without a mark and come again; set round_trip: true on the route to Exchange Online")
	case comes == "" && goes != "":
		k.warn(goes+".round_trip", "no listener has the role roundtrip; without one the mark is for nobody")
	}
}

// goesBack reports whether a route leads back to Exchange Online, which has the company's mailboxes.
func (k *checker) goesBack(route string) bool {
	for _, r := range k.Routes {
		if r.Name == route && r.RoundTrip {
			return true
		}
	}
	return false
}
