package configs

import (
	"crypto/x509"
	"net/netip"
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// TLSPartner is how connections to the mail servers of a partner are protected, where mail goes there by MX.
type TLSPartner struct {
	// Names the partner in logs and reports: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"bank"`
	// The partner's domains, as under the top-level `domains`. The first partner that has a recipient's domain counts.
	Domains mail.Patterns `yaml:"domains" required:"yes" example:"[bank.example]"`
	// In place of the `mode` of the route: `none`, `opportunistic`, `required`, `verified`, `mta-sts` or `dane`, as there.
	Level RouteTLSMode `yaml:"level" required:"yes" oneof:"none opportunistic required verified mta-sts dane" example:"verified"`
	// The profile that its TLS is held to. Where it is absent: that of the route.
	Profile string `yaml:"profile" example:"bsi-tr-03108"`
	// The certification authorities believed for `verified`, PEM. Where it is absent: those of the route, else of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/bank-ca.pem"`
	// What is believed for `verified`, in place of authorities and names: `key:sha256:HASH` for the server's public key,
	// `cert:sha256:HASH` for its certificate. With more than one, one of them.
	Pins []string `yaml:"pins" example:"[\"key:sha256:6f1c...\"]"`
	// Whether TLSA records of the partner's servers count (`tls.dane`). Where it is absent: as there, but not with the level `none`, nor where `ca` or `pins` verify.
	DANE Maybe `yaml:"dane" example:"false"`
	// Whether the partner's MTA-STS policy counts (`tls.mta_sts`). Where it is absent: as there, but not with the level `none`, nor where `ca` or `pins` verify.
	MTASTS Maybe `yaml:"mta_sts" example:"false"`

	roots  *x509.CertPool
	pins   tlspolicy.Pins
	policy *tlspolicy.Profile
}

// Roots returns the authorities of ca as they were when the configuration was read; nil stands for those of the machine.
func (p TLSPartner) Roots() *x509.CertPool { return p.roots }

// Pinned returns the pins; nil: there are none.
func (p TLSPartner) Pinned() tlspolicy.Pins { return p.pins }

// Policy returns the profile; nil: that of the route.
func (p TLSPartner) Policy() *tlspolicy.Profile { return p.policy }

// Own reports whether the partner's servers are known by what the configuration says of them, not by what they publish.
func (p TLSPartner) Own() bool { return len(p.Pins) > 0 || p.CA != "" }

// FollowsMTASTS reports whether the MTA-STS policies of other domains have to be known.
func (c *Config) FollowsMTASTS() bool {
	byMX := slices.ContainsFunc(c.Routes, func(r Route) bool { return r.MX }) || slices.ContainsFunc(c.Backup, func(b Backup) bool { return b.MX })
	return byMX && (c.TLS.MTASTS.Enabled ||
		slices.ContainsFunc(c.Routes, func(r Route) bool { return r.TLS.Mode == RouteTLSMTASTS }) ||
		slices.ContainsFunc(c.TLS.Partners, func(p TLSPartner) bool { return p.Level == RouteTLSMTASTS || p.MTASTS == "true" }))
}

// TLSMTASTS is how the MTA-STS policies of other domains are found (RFC 8461).
type TLSMTASTS struct {
	// Whether the policies of the domains that mail goes to by MX are looked up, and followed.
	Enabled bool `yaml:"enabled" default:"true"`
	// The certification authorities believed for the hosts that serve policies, PEM. Where it is absent: those of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/policy-ca.pem"`
	// Networks beside those of the internet where such hosts may be.
	AllowPrivate []netip.Prefix `yaml:"allow_private" example:"[10.20.0.0/16]"`

	roots *x509.CertPool
}

// Roots returns the authorities of ca as they were when the configuration was read; nil stands for those of the machine.
func (m TLSMTASTS) Roots() *x509.CertPool { return m.roots }
