package configs

import (
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// TLS is what TLS connections must be like, those that the gateway makes and those that it takes. See tls.md.
type TLS struct {
	// The profile of every connection that names none: `modern`, `bsi-tr-02102-2`, `bsi-tr-03108`, `compatible`, `de-mail-legacy`, or one of
	// `profiles`.
	Default string `yaml:"default" default:"compatible" example:"bsi-tr-02102-2"`
	// Profiles of your own.
	Profiles []TLSProfile `yaml:"profiles"`
	// Reports to other domains about the TLS of sessions with their mail servers.
	Report TLSReport `yaml:"report" short:"from"`
	// What the company publishes about its own mail servers.
	Publish TLSPublish `yaml:"publish"`
	// How connections to the mail servers of single partners are protected.
	Partners []TLSPartner `yaml:"partners"`
	// Whether mail that goes by MX follows the TLSA records of its hosts (RFC 7672): then a host that has some is authenticated by them, or
	// gets nothing. They count only where a resolver vouches for them: see `dns.trust_ad`.
	DANE bool `yaml:"dane" default:"true"`
	// The MTA-STS policies of other domains.
	MTASTS TLSMTASTS `yaml:"mta_sts" short:"enabled"`

	resolved map[string]tlspolicy.Profile // by name in lower case
	remarked map[string]bool              // of whose limits was told
}

// TLSProfile is a profile.
type TLSProfile struct {
	// The name by which connections refer to it: letters, digits, `.`, `_` and `-`. The built-in names are taken.
	Name string `yaml:"name" required:"yes" example:"partner"`
	// The profile whose values hold for the keys that are absent here: a built-in one, or another one of your own.
	Inherit string `yaml:"inherit" default:"modern" example:"bsi-tr-02102-2"`
	// The versions, without a gap: TLS1.0, TLS1.1, TLS1.2, TLS1.3.
	Versions []string `yaml:"versions" example:"[TLS1.2, TLS1.3]"`
	// The cipher suites that are allowed, by the names of IANA or of OpenSSL. Each version needs one. The order does not matter: crypto/tls has its own.
	Suites []string `yaml:"suites" example:"[TLS_AES_256_GCM_SHA384, ECDHE-RSA-AES256-GCM-SHA384]"`
	// The groups by which keys are agreed on. The order does not matter.
	Groups []string `yaml:"groups" example:"[X25519MLKEM768, P-384, P-521]"`
	// The least size of RSA keys in the certificates of the other end, in bits.
	MinRSA int `yaml:"min_rsa" min:"1024" max:"16384" example:"3072"`
	// The least size of keys on elliptic curves in them, in bits.
	MinEC int `yaml:"min_ec" min:"160" max:"521" example:"384"`
	// Whether a connection may go on with the keys of an earlier one.
	Resumption Maybe `yaml:"resumption" example:"false"`
	// `required`: the client of a connection must show a certificate; a listener refuses who shows none, and a server that does not ask for
	// ours, or does not take it, is not used. `optional`: it need not.
	ClientCertificate string `yaml:"client_certificate" oneof:"optional required" example:"required"`
}

// Profile returns a profile by its name, the default one by none; false: there is none.
func (t TLS) Profile(name string) (tlspolicy.Profile, bool) {
	if name == "" {
		name = t.Default
	}
	p, ok := t.resolved[strings.ToLower(name)]
	return p, ok
}

// All returns the built-in profiles and those of the configuration, in this order.
func (t TLS) All() []tlspolicy.Profile {
	var all []tlspolicy.Profile
	names := tlspolicy.Builtins()
	for _, p := range t.Profiles {
		names = append(names, p.Name)
	}
	for _, name := range names {
		if p, ok := t.Profile(name); ok && name != "" {
			all = append(all, p)
		}
	}
	return all
}
