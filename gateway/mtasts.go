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
	// Certificate is what TLS is done with; nil: it is plain HTTP, for a proxy that does TLS.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
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
	if g.o.Settings.OwnPolicy.Certificate != nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: g.policyCertificate}
	}
	g.policyServer, err = publish.New(o)
	return err
}

// policyCertificate is that of the settings in force.
func (g *Gateway) policyCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if get := g.policy.Load().Certificate; get != nil {
		return get(hello)
	}
	return nil, errors.New("gateway: the configuration has no certificate for the policy any more")
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
