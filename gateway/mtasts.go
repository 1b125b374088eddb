package gateway

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/siegel-mail/siegel/gateway/publish"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
)

// OwnPolicy is the MTA-STS policy of the company's own domains, as it is served (RFC 8461, 3.3).
type OwnPolicy struct {
	Text string // empty: none is served
	// TLS is that with which it is served; nil: it is plain HTTP, for a proxy that does TLS.
	TLS *tls.Config
}

// servedPolicy is an OwnPolicy in force.
type servedPolicy struct {
	OwnPolicy
	since time.Time
}

// setPolicy puts the policy of settings into force.
func (g *Gateway) setPolicy(s Settings) {
	now := g.o.Now()
	if old := g.policy.Load(); old != nil && old.Text == s.OwnPolicy.Text {
		now = old.since
	}
	g.policy.Store(&servedPolicy{s.OwnPolicy, now})
}

// openPolicy makes the server of the policy. With a certificate it does TLS; whether it does is settled here for its life.
func (g *Gateway) openPolicy() (err error) {
	g.setPolicy(g.o.Settings)
	if g.o.PolicyAddress == "" {
		return nil
	}
	o := publish.Options{Address: g.o.PolicyAddress, Find: g.ownPolicy, Log: g.o.Log, Now: g.o.Now}
	if g.o.Settings.OwnPolicy.TLS != nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: g.policyTLS}
	}
	g.policyServer, err = publish.New(o)
	return err
}

// policyTLS is that of the settings in force.
func (g *Gateway) policyTLS(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := g.policy.Load().TLS
	if c == nil {
		return nil, errors.New("gateway: the configuration has no certificate for the policy any more")
	}
	if c.GetConfigForClient == nil {
		return c, nil
	}
	if other, err := c.GetConfigForClient(hello); other != nil || err != nil { // which crypto/tls does not ask again
		return other, err
	}
	return c, nil
}

// ownPolicy finds the policy, which stands at a well-known place, and nothing else.
func (g *Gateway) ownPolicy(name string) (publish.Document, bool) {
	p := g.policy.Load()
	if name != announce.PolicyName || p.Text == "" {
		return publish.Document{}, false
	}
	const fresh = 5 * time.Minute // a policy that changes is to be seen soon
	return publish.Document{Type: "text/plain; charset=utf-8", Body: []byte(p.Text), Changed: p.since, Until: g.o.Now().Add(fresh)}, true
}

// PolicyAddr is the address at which the policy is served; empty where it is not.
func (g *Gateway) PolicyAddr() string { return addressOf(g.policyServer) }

func addressOf(s *publish.Server) string {
	if s == nil || s.Addr() == nil {
		return ""
	}
	return s.Addr().String()
}
