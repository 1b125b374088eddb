package configs

import (
	"net/netip"

	"github.com/siegel-mail/siegel/gateway/exchange"
)

// ExchangeOnline says that a listener serves one tenant of Exchange Online.
type ExchangeOnline struct {
	// The tenant ID of the company, a GUID; the Entra admin center shows it under Overview. Mail is taken only
	// with exactly one field `X-MS-Exchange-CrossTenant-Id` that holds it, and with From and a sender that are
	// among `senders`. An internal listener that Exchange Online reaches must have it, since its addresses and
	// its certificate are those of all its tenants.
	Tenant string `yaml:"tenant" example:"6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b"`

	tenant exchange.Tenant
}

// ID is the tenant; the zero Tenant where none is set.
func (e ExchangeOnline) ID() exchange.Tenant { return e.tenant }

// exchangeOnline are the networks from which Exchange Online sends, as Microsoft publishes them
// (endpoints.office.com, the entry for *.mail.protection.outlook.com).
func exchangeOnline() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("40.92.0.0/15"), netip.MustParsePrefix("40.107.0.0/16"),
		netip.MustParsePrefix("52.100.0.0/14"), netip.MustParsePrefix("52.238.78.88/32"), netip.MustParsePrefix("104.47.0.0/17"),
		netip.MustParsePrefix("2a01:111:f400::/48"), netip.MustParsePrefix("2a01:111:f403::/48"),
	}
}
