package configs

import (
	"strings"
)

// clients judges the client certificates of a listener.
func (k *checker) clients(l *Listener, dotted string) {
	t := &l.TLS
	if t.ClientCA != "" {
		t.clientRoots = k.roots(dotted+".client_ca", t.ClientCA)
	}
	if len(t.ClientNames) == 0 {
		if t.ClientCA != "" || t.ClientNames != nil {
			k.fail(dotted+".client_names", "say the names of the certificates that are taken; an authority alone would let in whoever it has certified")
		}
		return
	}
	if t.Mode == TLSNone {
		k.fail(dotted+".client_names", "a client shows its certificate under TLS only; give the listener a certificate and its key")
	}
	for i, name := range t.ClientNames {
		if why := badHost(strings.TrimPrefix(name, "*.")); why != "" {
			k.failMember(dotted+".client_names", i, "write a name as it stands in the certificate, as in mail.partner.example or \"*.partner.example\"")
		}
		if l.Role == RoleInternal && l.ExchangeOnline.Tenant == "" && sharedName(name) {
			k.failMember(dotted+".client_names", i, "every customer of Exchange Online sends with the certificate %s: it proves nothing on its own; set exchange_online.tenant to your tenant ID", shorten(name))
		}
	}
}

// sharedName tells a name in certificates that Exchange Online shows for all of its customers (invariant 4).
func sharedName(name string) bool {
	name = strings.ToLower(strings.TrimPrefix(name, "*."))
	return name == "outlook.com" || strings.HasSuffix(name, ".outlook.com")
}
