package main

import (
	"errors"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/internal/dns"
)

// originOptions says how the origin of mail from outside is judged; the zero Options where no listener wants that.
func originOptions(c *configs.Config, r *dns.Resolver) (origin.Options, error) {
	a := c.Authentication
	o := origin.Options{Policy: a.Policy(), OwnDomains: a.OwnDomains, Trusted: a.Trusted, Timeout: a.Timeout}
	judged := false
	for _, l := range c.Listeners {
		switch {
		case l.Role == configs.RoleRoundTrip: // its clients are servers of Exchange Online, which has judged
			o.Unjudged = append(o.Unjudged, l.Name)
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
	if r == nil {
		return origin.Options{}, errors.New("authentication: nobody says whom to ask for SPF, DKIM and DMARC; set dns.servers")
	}
	o.Resolver = r.Net()
	return o, nil
}

// signers are the DKIM keys of a configuration.
func signers(c *configs.Config) mailauth.Signers {
	var all mailauth.Signers
	for _, d := range c.DKIM {
		all = append(all, d.Signers()...)
	}
	return all
}
