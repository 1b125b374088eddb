package configs

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/secret"
)

// RouteTLSMode is how a route does TLS.
type RouteTLSMode string

// The modes of a route.
const (
	RouteTLSNone          RouteTLSMode = "none"
	RouteTLSOpportunistic RouteTLSMode = "opportunistic" // RFC 7435
	RouteTLSRequired      RouteTLSMode = "required"
	RouteTLSVerified      RouteTLSMode = "verified"
	RouteTLSMTASTS        RouteTLSMode = "mta-sts" // RFC 8461
	RouteTLSDANE          RouteTLSMode = "dane"    // RFC 7672
)

// Route is one way out.
type Route struct {
	// Names the route in logs and metrics: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"exchange"`
	// The recipients' domains, as under the top-level `domains`; `"*"` is every domain but those of De-Mail.
	Domains mail.Patterns `yaml:"domains" required:"yes" example:"[firma.example]"`
	// The host, or the hosts in the order they are tried: names or addresses, without port. A route has
	// either these or `mx`.
	Hosts []string `yaml:"hosts" alias:"host" example:"[ex1.firma.example, ex2.firma.example]"`
	// Deliver to the hosts that the MX records of the recipient's domain name, as the internet does.
	MX bool `yaml:"mx" default:"false"`
	// Networks beside those of the internet that MX records may lead to. Everything private, as 10.0.0.0/8 or
	// 127.0.0.0/8, is passed over unless it stands here: anybody may publish a record that points into the company.
	AllowPrivate []netip.Prefix `yaml:"allow_private" example:"[10.20.0.0/16]"`
	// The port of the hosts.
	Port int `yaml:"port" default:"25" min:"1" max:"65535"`
	// Whether mail goes back this way to the server it came from, over a `roundtrip` listener: then it gets a
	// mark, so that the server does not send it here again.
	RoundTrip bool `yaml:"round_trip" default:"false"`
	// Encryption of the connection.
	TLS RouteTLS `yaml:"tls" short:"mode"`
	// Log in at the host.
	Auth RouteAuth `yaml:"auth"`
	// The most messages under way at once; by MX, for each domain. Delivery begins with five and adds one for
	// each success.
	Concurrency int `yaml:"concurrency" default:"10" min:"1" max:"1000"`
	// The waits between attempts. Where it is absent: those of `queue`.
	Retry []time.Duration `yaml:"retry" min:"1s" max:"1d" example:"[2m, 10m, 1h]"`
	// After this time the message is returned to its sender. Where it is absent: that of `queue`.
	Expire time.Duration `yaml:"expire" min:"1m" max:"30d" example:"2d"`
}

// RouteTLS is the TLS of one route.
type RouteTLS struct {
	// `none`; `opportunistic`: TLS where the host offers it; `required`: TLS or no delivery, with any
	// certificate; `verified`: TLS with a certificate that is believed and names the host; `mta-sts`: verified, and with a host of the
	// MTA-STS policy of the recipient's domain, by MX only; `dane`: TLS with a host that TLSA records authenticate.
	Mode RouteTLSMode `yaml:"mode" default:"opportunistic" oneof:"none opportunistic required verified mta-sts dane"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"bsi-tr-03108"`
	// The certification authorities believed for `verified`, PEM. Where it is absent: those of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/partner-ca.pem"`
	// What is believed for `verified`, in place of authorities and names: `key:sha256:HASH` for the host's public key,
	// `cert:sha256:HASH` for its certificate. With more than one, one of them.
	Pins []string `yaml:"pins" example:"[\"key:sha256:6f1c...\"]"`
	// TLS from the first byte, as on port 465, in place of STARTTLS. There is no delivery without it.
	Implicit bool `yaml:"implicit" default:"false"`
	// The certificate, with its chain, that this gateway shows to the host, PEM. Exchange Online knows the
	// company by it.
	ClientCertificate Path `yaml:"client_certificate" example:"/etc/siegel/tls/mail.pem"`
	// The private key of the certificate, PEM, or `card:NAME` for that of an entry of `smartcards`; then `client_certificate` may be absent, and
	// the card's certificate is shown. Where it is absent it is looked for in the certificate's file.
	ClientKey KeyFile `yaml:"client_key" example:"/etc/siegel/tls/mail.key"`

	roots  *x509.CertPool
	pair   *tls.Certificate
	card   *CardKey
	pins   tlspolicy.Pins
	policy tlspolicy.Profile
}

// Pinned returns the pins; nil: there are none.
func (t RouteTLS) Pinned() tlspolicy.Pins { return t.pins }

// Policy returns the profile that its TLS is held to.
func (t RouteTLS) Policy() tlspolicy.Profile { return t.policy }

// Pair returns the client certificate with its key as they were when the configuration was read, and false
// where the route has none.
func (t RouteTLS) Pair() (tls.Certificate, bool) {
	if t.pair == nil {
		return tls.Certificate{}, false
	}
	return *t.pair, true
}

// Card returns the key on a smart card that the route shows itself by, and false where it has none.
func (t RouteTLS) Card() (CardKey, bool) {
	if t.card == nil {
		return CardKey{}, false
	}
	return *t.card, true
}

// Roots returns the authorities of ca as they were when the configuration was read; nil stands for those
// of the machine.
func (t RouteTLS) Roots() *x509.CertPool { return t.roots }

// RouteAuth is the login at a host.
type RouteAuth struct {
	// The user's name. Where it is absent there is no login.
	User string `yaml:"user" example:"gateway@firma.example"`
	// The user's password.
	Password secret.String `yaml:"password" example:"{file: /etc/siegel/relay.password}"`
}
