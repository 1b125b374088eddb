package configs

import "time"

// DNS is how the gateway looks names up.
type DNS struct {
	// The recursive resolvers that are asked, in this order: IP addresses, with a port where it is not 53.
	// Where they are absent: those of `/etc/resolv.conf`. One on this machine that validates, as Unbound
	// does, is the best choice.
	Servers []string `yaml:"servers" example:"[127.0.0.1, \"192.0.2.53:5353\"]"`
	// Whether a resolver is believed that is not on this machine and says that it validated an answer (DNSSEC, the AD bit). TLSA records
	// (`tls.dane`) count only in such answers. Set it only where nobody between here and the resolvers can forge answers.
	TrustAD bool `yaml:"trust_ad" default:"false"`
	// How long one server is waited for before the next one is asked.
	Timeout time.Duration `yaml:"timeout" default:"3s" min:"100ms" max:"30s"`
	// The other names and public addresses under which this gateway stands in MX records, where they differ
	// from `hostname` and from the addresses of the listeners, as behind address translation. Mail is never
	// sent to them: it would come back.
	Self []string `yaml:"self" example:"[mx2.firma.example, 203.0.113.8]"`
}
