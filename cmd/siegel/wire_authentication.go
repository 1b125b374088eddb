package main

import (
	"fmt"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/internal/dns"
)

// originOptions says how the origin of mail from outside is judged; the zero Options where no listener wants that.
func originOptions(c *configs.Config) (origin.Options, error) {
	a := c.Authentication
	o := origin.Options{Policy: a.Policy(), OwnDomains: a.OwnDomains, Trusted: a.Trusted, Timeout: a.Timeout}
	judged := false
	for _, l := range c.Listeners {
		switch {
		case l.Role != configs.RoleExternal:
		case l.Authentication:
			judged = true
		default:
			o.Unjudged = append(o.Unjudged, l.Name)
		}
	}
	if !judged {
		return origin.Options{}, nil
	}
	r, err := resolver(c)
	if err != nil {
		return origin.Options{}, fmt.Errorf("authentication: %w", err)
	}
	o.Resolver = r.Net()
	return o, nil
}

// resolver asks the servers of the machine. It has no goroutines while nothing is asked, so that the one of a
// configuration that a reload replaced needs no end.
func resolver(*configs.Config) (*dns.Resolver, error) { return dns.New(dns.Options{}) }

// signers are the DKIM keys of a configuration.
func signers(c *configs.Config) mailauth.Signers {
	var all mailauth.Signers
	for _, d := range c.DKIM {
		all = append(all, d.Signers()...)
	}
	return all
}
