package smtpout

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/dns"
)

// Level says how far a connection must be protected before a message goes over it.
type Level string

// The levels, weakest first.
const (
	None          Level = "none"          // STARTTLS is not asked for
	Opportunistic Level = "opportunistic" // TLS where it works, else plain (RFC 7435)
	Required      Level = "required"      // TLS, with any certificate
	Verified      Level = "verified"      // TLS with a server that proves who it is
	MTASTS        Level = "mta-sts"       // and is one of the hosts of the domain's MTA-STS policy; by MX only
	DANE          Level = "dane"          // TLS with a server that TLSA records authenticate
)

// levels in order.
func levels() []Level { return []Level{None, Opportunistic, Required, Verified, MTASTS, DANE} }

// Valid reports whether l is one of the levels.
func (l Level) Valid() bool { return slices.Contains(levels(), l) }

// Strength orders levels; it is negative for what is none.
func (l Level) Strength() int { return slices.Index(levels(), l) }

// protects reports whether nothing goes without TLS at this level.
func (l Level) protects() bool { return l.Strength() >= Required.Strength() }

// raise is the level where a message demands more.
func (l Level) raise(m mail.TLSLevel) Level {
	demanded := None
	switch m {
	case mail.TLSRequired:
		demanded = Required
	case mail.TLSVerified:
		demanded = Verified
	}
	if demanded.Strength() > l.Strength() {
		return demanded
	}
	return l
}

// Security is how connections are protected: those of a route, or those to the hosts of one partner. It is not changed once given.
type Security struct {
	// Level is at least what is asked for; empty: opportunistic.
	Level Level
	// Name tells the partner from others, in texts too; empty: the route itself.
	Name string
	// Profile is what all TLS is held to; nil: the built-in one for connections that name none.
	Profile *tlspolicy.Profile
	// Verify judges certificates at the level Verified, and By is what the record calls that: "pin", "ca". nil: certificates that lead to
	// Roots and bear the host's name.
	Verify tlspolicy.Verifier
	By     string
	// Roots are the authorities for Verified and for MTA-STS; nil: those of the machine.
	Roots *x509.CertPool
	// DANE and MTASTS apply, by MX, what the recipients' domain publishes, whatever the level.
	DANE, MTASTS bool
}

// TLSA looks up what DANE needs. *dns.Resolver is one.
type TLSA interface {
	dane.Resolver
	LookupHost(ctx context.Context, host string) (dns.Host, error)
}

// Policies knows the MTA-STS policies of domains. *mtasts.Client is one.
type Policies interface {
	// Lookup returns what is known of a domain; its errors are temporary.
	Lookup(ctx context.Context, domain string) (mtasts.Answer, error)
	// Recheck asks for a look at a policy soon.
	Recheck(domain string)
}

// Sources tell what domains publish about TLS, and take in how it went.
type Sources struct {
	TLSA     TLSA         // nil: DANE says nothing, and its level cannot be had
	Policies Policies     // nil: MTA-STS says nothing, and its level cannot be had
	Reports  tlsrpt.Noter // nil: nobody is told
}

// verifier is what judges certificates at the level Verified.
func (s Security) verifier() (v tlspolicy.Verifier, by string) {
	if s.Verify != nil {
		return s.Verify, s.By
	}
	return tlspolicy.PKI{Roots: s.Roots}, ""
}

func (s Security) profile() tlspolicy.Profile {
	if s.Profile != nil {
		return *s.Profile
	}
	p, _ := tlspolicy.Builtin(tlspolicy.Default)
	return p
}

// sessions keeps the TLS sessions of one demand apart from those of others: one that was begun under less must not serve more.
type sessions struct {
	all tls.ClientSessionCache
	key string
}

// Get implements tls.ClientSessionCache.
func (s sessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.all.Get(s.key + "\n" + key)
}

// Put implements tls.ClientSessionCache.
func (s sessions) Put(key string, state *tls.ClientSessionState) { s.all.Put(s.key+"\n"+key, state) }
