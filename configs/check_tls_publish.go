package configs

import (
	"crypto/tls"
	"net/netip"
	"net/url"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// tlsPublish holds that what the company publishes can be understood, and served.
func (k *checker) tlsPublish() {
	const at = "tls.publish"
	p := &k.Config.TLS.Publish
	for i, host := range p.MX {
		name := strings.TrimPrefix(host, "*.")
		if _, err := netip.ParseAddr(name); err == nil || badHost(name) != "" || !strings.Contains(name, ".") {
			k.failMember(at+".mx", i, "this is no name of a mail server; write it as in mx1.firma.example, or \"*.firma.example\"")
		}
	}
	for i, to := range p.ReportTo {
		k.reportTarget(at+".report_to", i, to)
	}
	if p.Key == "" {
		p.Key = p.Certificate
	}
	if p.Certificate != "" {
		p.pair = k.pair(p.Certificate, p.Key, at+".")
	} else if p.Key != "" {
		k.fail(at+".certificate", "there is a key but no certificate; give both")
	}
	if p.Listen == "" {
		if p.Certificate != "" {
			k.warn(at+".listen", "nothing is served without an address, so the certificate counts for nothing; write one, or remove it")
		}
		return
	}
	if _, err := netip.ParseAddrPort(orAll(p.Listen)); err != nil {
		k.fail(at+".listen", "this must be an address and a port, as in 203.0.113.8:443 or :443")
	}
	if len(IssuingDomains(k.Domains)) == 0 {
		k.fail(at+".listen", "a policy is one of the company's own domains; list them under domains")
	}
	if p.pair == nil {
		return
	}
	k.policyNames(at+".certificate", p)
	p.policy = k.profile(at+".profile", p.Profile)
	if p.policy.ClientCertificate == tlspolicy.ClientRequired {
		k.fail(at+".profile", "the profile %s wants clients to show a certificate, and no server that looks for the policy does; name another profile", shorten(p.policy.Name))
	}
	k.serves(at, p.policy, *p.pair)
}

// reportTarget holds that reports can be sent somewhere.
func (k *checker) reportTarget(dotted string, i int, to string) {
	if u, err := url.Parse(to); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
		return
	}
	if a := addressOf(to); a.IsNull() || !a.IsASCII() {
		k.failMember(dotted, i, "this is neither an address as in tls-reports@firma.example nor one as in https://reports.firma.example/v1")
	}
}

// policyNames warns of domains whose policy no sender would believe.
func (k *checker) policyNames(dotted string, p *TLSPublish) {
	for _, domain := range IssuingDomains(k.Domains) {
		if strings.HasPrefix(domain, ".") {
			continue
		}
		if host := "mta-sts." + domain; p.pair.Leaf.VerifyHostname(host) != nil {
			k.warn(dotted, "this certificate does not name %s; no sender takes the policy of %s from it (RFC 8461, 3.3)", host, domain)
		}
	}
	k.validity(p.pair.Leaf, dotted)
}

// serves holds the certificate of a server of pages against a profile, and the profile against what the gateway can serve.
func (k *checker) serves(at string, policy tlspolicy.Profile, pair tls.Certificate) {
	if policy.Name == "" {
		return // what is wrong with it was said
	}
	if why := policy.KeyTooSmall(pair.Leaf); why != "" {
		k.fail(at+".certificate", "this certificate has %s (profile %s)", why, shorten(policy.Name))
	}
	for _, f := range policy.JudgeListener([]tls.Certificate{pair}) {
		if f.Broken {
			k.fail(at+"."+f.Part, "%s", f.Text)
		} else {
			k.warn(at+"."+f.Part, "%s", f.Text)
		}
	}
}
