package main

import (
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/dns"
)

// revocationSettings are how it is learned which certificates are revoked. Names are looked up as the configuration says, or as this machine
// does where it says nothing.
func revocationSettings(c *configs.Config, r *dns.Resolver) revocation.Settings {
	s := c.Certificates.Revocation.Settings()
	if r != nil && len(c.DNS.Servers) > 0 {
		s.Resolver = r.Net()
	}
	return s
}
