package configs

import (
	"crypto/tls"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// The words of tls.publish.mode.
const (
	PublishEnforce = "enforce"
	PublishTesting = "testing"
	PublishNone    = "none"
)

// TLSPublish is what the company publishes about the TLS of its own mail servers.
type TLSPublish struct {
	// The mail servers of the company as its MX records name them; `"*.firma.example"` stands for all names with one label more. Where they are absent: `hostname`.
	MX []string `yaml:"mx" example:"[mx1.firma.example, mx2.firma.example]"`
	// What senders do that cannot reach one of these by TLS with a certificate that they believe: `enforce`, they do not send; `testing`, they
	// send and report; `none`, the company withdraws its policy.
	Mode string `yaml:"mode" default:"testing" oneof:"enforce testing none"`
	// How long senders remember the policy.
	MaxAge time.Duration `yaml:"max_age" default:"14d" min:"1d" max:"365d"`
	// Who gets the reports of others about the TLS of the company's servers: addresses, and web servers that take them.
	ReportTo []string `yaml:"report_to" example:"[tls-reports@firma.example, \"https://reports.firma.example/v1\"]"`
	// Address and port where the gateway serves the policy, `/.well-known/mta-sts.txt`, to everybody, and nothing else. It counts at the start. Where it
	// is absent, another web server has to.
	Listen string `yaml:"listen" example:"\":443\""`
	// The certificate for it and its chain, PEM, with the name `mta-sts.` before each of `domains`. Without it the policy is served by plain HTTP, for a
	// proxy before the gateway that does TLS.
	Certificate Path `yaml:"certificate" example:"/etc/siegel/tls/mta-sts.pem"`
	// The private key of the certificate, PEM. Where it is absent it is looked for in the certificate's file.
	Key Path `yaml:"key" example:"/etc/siegel/tls/mta-sts.key"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"bsi-tr-03108"`

	policy tlspolicy.Profile
	pair   *tls.Certificate
}

// Policy returns the profile that the TLS is held to with which the policy is served.
func (p TLSPublish) Policy() tlspolicy.Profile { return p.policy }

// Pair returns the certificate with its key as they were when the configuration was read, and false where there is none.
func (p TLSPublish) Pair() (tls.Certificate, bool) {
	if p.pair == nil {
		return tls.Certificate{}, false
	}
	return *p.pair, true
}

// Hosts are the mail servers of the company.
func (c *Config) Hosts() []string {
	if len(c.TLS.Publish.MX) > 0 {
		return c.TLS.Publish.MX
	}
	return []string{c.Hostname}
}
