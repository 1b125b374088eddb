package configs

import (
	"crypto/sha256"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// Revocation is how the gateway learns whether certificates are revoked.
type Revocation struct {
	// What becomes of a certificate of which it cannot be told. `soft`: it is used, and a remark says so. `require`: it is not; mail
	// that needs it waits while who should tell cannot be reached (`queue.protect_within`), and a signature by it is not
	// valid. `off`: nobody is asked. What is known to be revoked is used under neither `soft` nor `require`.
	Mode revocation.Mode `yaml:"mode" default:"soft" oneof:"soft require off"`
	// Other modes for some certificates. The first rule that matches counts.
	Rules []RevocationRule `yaml:"rules"`
	// The ways to learn it, in this order, as far as the certificate names them: `ocsp` asks about the one certificate, `crl` gets
	// the list of all that the issuer revoked.
	Order []revocation.Method `yaml:"order" default:"ocsp, crl" oneof:"ocsp crl"`
	// How long a message waits for what is not known yet. What comes later is kept for the next one.
	Timeout time.Duration `yaml:"timeout" default:"5s" min:"100ms" max:"20s"`
	// Hosts that may be asked although they do not stand in the internet: names, `"*.firma.example"` for all below one, addresses and
	// networks. Certificates of strangers choose whom the gateway asks, so that nothing inside is asked else.
	Allowed []string `yaml:"allowed" example:"[pki.firma.example, 10.1.2.0/24]"`
	// Ports that may be asked besides 80, 443, 389 and 636.
	Ports []int `yaml:"ports" min:"1" max:"65535" example:"[8080]"`
	// The proxy for what is asked by HTTP, `http://HOST:PORT`. Addresses inside, names that are known to lead there, and other ports are refused before it is
	// asked, as they are without one; what else a name means to the proxy it has to guard itself. The
	// environment is not looked at.
	Proxy string `yaml:"proxy" example:"\"http://proxy.firma.example:3128\""`
	// The server that is asked for LDAP addresses without a host, as the authorities of Active Directory write them: a host and port, with
	// `ldaps://` before it for TLS. It is asked without a login.
	Directory string `yaml:"directory" example:"\"ldaps://dc1.firma.example:636\""`
	// The profile that TLS to those who are asked is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"modern"`
	// The largest list that is taken.
	MaxSize Size `yaml:"max_size" default:"64 MiB" min:"64 KiB" max:"64 MiB"`
	// Files with lists, PEM or DER, that are looked at before anybody is asked, and with certificates of those who sign lists in an
	// authority's place. They are read at the start and at a reload.
	Files []Path `yaml:"files" example:"[/etc/siegel/revoked.crl]"`
	// Whether questions by OCSP bear a nonce, and answers must (RFC 9654). Most public responders give none.
	Nonce bool `yaml:"nonce" default:"false"`

	policy  tlspolicy.Profile
	given   revocation.Lists
	signers []*x509.Certificate
}

// RevocationRule gives some certificates another mode.
type RevocationRule struct {
	// The authorities whose certificates it is for, those below them too: the SHA-256 fingerprint of the authority's certificate, as
	// `openssl x509 -fingerprint -sha256` prints it.
	Authorities []string `yaml:"authorities" example:"[\"B5:3A:...\"]"`
	// The domains of the addresses in the certificates it is for; `"*.firma.example"` is all below one.
	Domains []string `yaml:"domains" example:"[partner.example]"`
	// `soft`, `require` or `off`.
	Mode revocation.Mode `yaml:"mode" required:"yes" oneof:"soft require off"`

	authorities [][sha256.Size]byte
}

// Settings are the configuration as package revocation takes it, but for the resolver.
func (r Revocation) Settings() revocation.Settings {
	s := revocation.Settings{
		Mode: r.Mode, Order: r.Order, Timeout: r.Timeout, Given: r.given, Signers: r.signers, MaxList: int64(r.MaxSize),
		Nonce: r.Nonce, Directory: r.Directory, TLS: r.policy.ClientConfig(),
	}
	for _, rule := range r.Rules {
		s.Rules = append(s.Rules, revocation.Rule{Authorities: rule.authorities, Domains: rule.Domains, Mode: rule.Mode})
	}
	for _, text := range r.Allowed {
		if network, err := parseNetwork(text); err == nil {
			s.Networks = append(s.Networks, network)
		} else {
			s.Hosts = append(s.Hosts, text)
		}
	}
	for _, port := range r.Ports {
		s.Ports = append(s.Ports, uint16(port))
	}
	if r.Proxy != "" {
		s.Proxy, _ = url.Parse(r.Proxy)
	}
	return s
}
