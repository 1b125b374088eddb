package configs

import (
	"strings"

	"github.com/siegel-mail/siegel/internal/dns"
)

// dns holds that the resolver can be made, and that it has somebody to ask where mail goes by MX.
func (k *checker) dns() {
	for i, server := range k.DNS.Servers {
		if _, err := dns.New(dns.Options{Servers: []string{server}}); err != nil {
			k.failMember("dns.servers", i, "this is no IP address; write it as 127.0.0.1, 127.0.0.1:53 or [2001:db8::1]:53")
		}
	}
	for i, name := range k.DNS.Self {
		if why := badHost(name); why != "" {
			k.failMember("dns.self", i, "%s", why)
		}
	}
	if len(k.DNS.Servers) > 0 || !k.needsDNS() {
		return
	}
	if _, err := dns.New(dns.Options{ResolvConf: k.options.ResolvConf}); err != nil {
		k.fail("dns.servers", "names must be looked up, for MX records or to judge where mail comes from, and nobody says whom to ask: %s; list the resolvers", strings.TrimPrefix(err.Error(), "dns: which servers to ask: "))
	}
}

// needsDNS reports whether the gateway cannot work without DNS.
func (k *checker) needsDNS() bool {
	if k.Config.TLS.Report.From != "" {
		return true
	}
	for i := range k.Listeners {
		if l := &k.Listeners[i]; l.Role == RoleExternal && l.Authentication {
			return true
		}
	}
	for i := range k.Routes {
		if k.Routes[i].MX {
			return true
		}
	}
	for i := range k.Backup {
		if k.Backup[i].MX {
			return true
		}
	}
	return false
}
