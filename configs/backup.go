package configs

import (
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Backup is domains of a partner whose mail is kept while the partner's own servers are away.
type Backup struct {
	// Names the backup in logs: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"partner"`
	// The partner's domains, each without subdomains. External listeners accept recipients in them, too.
	Domains mail.Patterns `yaml:"domains" required:"yes" example:"[partner.example]"`
	// The partner's host, or hosts in the order they are tried, without port. Either these or `mx`.
	Hosts []string `yaml:"hosts" alias:"host" example:"[mx1.partner.example]"`
	// Deliver to the hosts of the domain's MX records that stand before this gateway.
	MX bool `yaml:"mx" default:"false"`
	// As of a route.
	AllowPrivate []netip.Prefix `yaml:"allow_private" example:"[10.20.0.0/16]"`
	// The port of the hosts.
	Port int `yaml:"port" default:"25" min:"1" max:"65535"`
	// Encryption of the connection.
	TLS RouteTLS `yaml:"tls" short:"mode"`
	// How much mail is kept for each domain. What comes beyond it is refused with 452, and stays at its sender.
	Quota Size `yaml:"quota" default:"1 GB" min:"1 MB" max:"1000 GB"`
	// How long a message is kept. After it, it is returned to its sender.
	Keep time.Duration `yaml:"keep" default:"5d" min:"1h" max:"30d"`
}

// Route is the way to the domains, as a route of their own would have it.
func (b Backup) Route() Route {
	const atOnce = 10
	return Route{
		Name: b.Name, Domains: b.Domains, Hosts: b.Hosts, MX: b.MX, AllowPrivate: b.AllowPrivate, Port: b.Port, TLS: b.TLS,
		Expire: b.Keep, Concurrency: atOnce,
	}
}
