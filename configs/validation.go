package configs

import (
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs"
)

// Validation is what is asked of certificates beyond a path to a certification authority that is believed.
type Validation struct {
	// The certificate policies that are accepted, by their object identifiers, as the topmost authority below a trusted one calls
	// them. It goes with `explicit_policy`.
	Policies []string `yaml:"policies" example:"[2.23.140.1.5.2.2, 2.23.140.1.5.3.2]"`
	// Whether each certificate must stand under a policy: one of `policies`, or where that is empty any. Certificates without one are
	// then used neither to encrypt to nor to sign with, and signatures by them are not valid.
	ExplicitPolicy bool `yaml:"explicit_policy" default:"false"`
	// Whether no authority may declare policies of others to be its own.
	InhibitMapping bool `yaml:"inhibit_policy_mapping" default:"false"`
	// Whether a certificate for any policy counts as one for none.
	InhibitAny bool `yaml:"inhibit_any_policy" default:"false"`
}

// Inputs are the inputs of path validation (RFC 5280, 6.1.1). What is no object identifier has been refused.
func (v Validation) Inputs() certs.Policies {
	p := certs.Policies{Explicit: v.ExplicitPolicy, InhibitMapping: v.InhibitMapping, InhibitAny: v.InhibitAny}
	for _, text := range v.Policies {
		if id, err := x509.ParseOID(text); err == nil {
			p.Initial = append(p.Initial, id)
		}
	}
	return p
}
