package dane

import "github.com/siegel-mail/siegel/internal/dns"

// PolicyOf is what records demand of a host, as if they had been found for it and were authentic: for administrators who want to know what
// senders would make of them.
func PolicyOf(host string, records []dns.TLSA) *Policy {
	return newPolicy(host, Target{Host: host}, records)
}
