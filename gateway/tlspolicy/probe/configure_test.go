package probe

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
)

var testNow = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// reached is a report on a server with TLS 1.2 and 1.3.
func reached(target Target, required bool) *Report {
	r := &Report{target: target, ClientCertificate: ClientCertificate{Requested: required, Required: &required}, scans: []*scan{
		{version: hello.TLS12, accepted: true, suites: []uint16{0xc030, 0xc014}, groups: []uint16{24, 29}},
		{version: hello.TLS13, accepted: true, suites: []uint16{0x1302, 0x1301}, groups: []uint16{29, 24}},
	}}
	r.accepted()
	return r
}

// What is written for each protocol.
func TestConfigure(t *testing.T) {
	const head = `tls:
  profiles:
    - name: to-%s
      inherit: modern
      versions: [TLS1.3, TLS1.2]
      suites: [TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
      groups: [X25519, P-384]
`
	for name, c := range map[string]struct {
		target   Target
		required bool
		files    Paths
		host     string
		want     string
	}{
		"a mail server": {Target{Address: "mx1.firma.example:25", Protocol: SMTP}, false, Paths{}, "mx1-firma-example", `routes:
  - name: to-mx1-firma-example
    domains: [firma.example] # whose mail goes this way
    hosts: [mx1.firma.example]
    tls:
      mode: verified
      profile: to-mx1-firma-example
`},
		"another port, files": {Target{Address: "192.0.2.1:465", Protocol: SMTP, Implicit: true}, false, Paths{"/a b/ca.pem", "/c.pem", "/c.key"}, "192-0-2-1", `routes:
  - name: to-192-0-2-1
    domains: [partner.example] # whose mail goes this way
    hosts: [192.0.2.1]
    port: 465
    tls:
      mode: verified
      profile: to-192-0-2-1
      implicit: true
      ca: "/a b/ca.pem"
      client_certificate: "/c.pem"
      client_key: "/c.key"
`},
		"IPv6": {Target{Address: "[2001:db8::1]:25", Protocol: SMTP}, false, Paths{}, "2001-db8--1", `routes:
  - name: to-2001-db8--1
    domains: [partner.example] # whose mail goes this way
    hosts: ["2001:db8::1"]
    tls:
      mode: verified
      profile: to-2001-db8--1
`},
		"a directory": {Target{Address: "dc.firma.example:389", Protocol: LDAP}, false, Paths{CA: "/ca.pem"}, "dc-firma-example", `certificates:
  directories:
    - name: to-dc-firma-example
      servers: ["ldap://dc.firma.example:389"]
      starttls: true
      tls:
        profile: to-dc-firma-example
        ca: "/ca.pem"
`},
		"a directory, from the first byte": {Target{Address: "dc.firma.example:636", Protocol: LDAP, Implicit: true}, false, Paths{}, "dc-firma-example", `certificates:
  directories:
    - name: to-dc-firma-example
      servers: ["ldaps://dc.firma.example:636"]
      tls:
        profile: to-dc-firma-example
`},
		"a web service": {Target{Address: "ws.firma.example:443", Protocol: HTTPS, Implicit: true}, true, Paths{}, "ws-firma-example", `      client_certificate: required
# Where the connection stands in the configuration:
#   profile: to-ws-firma-example
#   client_certificate: /etc/siegel/tls/client.pem # with its key
`},
	} {
		r := reached(c.target, c.required)
		r.Configure(c.files)
		if want := strings.Replace(head, "%s", c.host, 1) + c.want; r.Configuration != want {
			t.Errorf("%s:\n%s\nnot\n%s", name, r.Configuration, want)
		}
	}
}

// A certificate that is not believed is pinned; where it cannot be read nobody is verified.
func TestConfigureUnbelieved(t *testing.T) {
	r := reached(Target{Address: "mx.firma.example:25", Protocol: SMTP}, false)
	r.say("certificate", Bad, "who knows", "")
	if r.Configure(Paths{}); !strings.Contains(r.Configuration, "mode: required # since its certificate cannot be read\n") {
		t.Error(r.Configuration)
	}
	r.chains = []chain{{kind: "RSA", all: []*x509.Certificate{{RawSubjectPublicKeyInfo: []byte("key"), PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 3071)}}}}}
	if r.Configure(Paths{}); !strings.Contains(r.Configuration, "      mode: verified\n") || !strings.Contains(r.Configuration, "      pins: [\"key:sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\"] # its") {
		t.Error(r.Configuration)
	}
	r.DNS = &DNS{Domain: "firma.example", MX: []string{"mx.firma.example"}}
	const want = `  partners:
    - name: to-mx-firma-example
      domains: [firma.example]
      level: verified
      profile: to-mx-firma-example
      pins: ["key:sha256:2c70`
	if r.Configure(Paths{}); !strings.Contains(r.Configuration, want) || strings.Contains(r.Configuration, "routes:") {
		t.Error(r.Configuration)
	}
	r.Verdicts = nil // it is believed now
	if r.Configure(Paths{}); strings.Contains(r.Configuration, "pins:") || !strings.Contains(r.Configuration, "# What the server is to be pinned by, where it is: key:sha256:2c70") {
		t.Error(r.Configuration)
	}
	if r.Configure(Paths{ClientCertificate: "/c.pem"}); !strings.Contains(r.Configuration, "routes:") { // which only a route shows
		t.Error(r.Configuration)
	}
	if r.DNS.MX = []string{"mx2.firma.example"}; r.partnerDomain(Paths{}) != "" {
		t.Error("the server is none of the domain's")
	}
}

func TestProfileName(t *testing.T) {
	for host, want := range map[string]string{
		"MX.Firma.example": "to-mx-firma-example", "192.0.2.1": "to-192-0-2-1", "2001:db8::": "to-2001-db8", strings.Repeat("a", 300): "to-" + strings.Repeat("a", 40), "ü\x1b.example": "to-example",
	} {
		if got := profileName(host); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
}
