package configs

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

func (k *checker) routes() {
	if len(k.Routes) == 0 {
		k.fail("routes", "without a route no mail goes out; add one for the company's domains and one for \"*\"")
		return
	}
	unique, covered, unsure := k.unique("routes"), cover{}, false
	for i := range k.Routes {
		r := &k.Routes[i]
		dotted := entryKey("routes", r.Name, i)
		if why := badName(r.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(r.Name, dotted)
		k.route(r, dotted)
		k.reach(r, dotted, covered)
		unsure = unsure || k.broken[dotted+".domains"]
	}
	if !unsure {
		k.covered(covered)
	}
}

// covered holds that the company's domains, and all others, have a route.
func (k *checker) covered(covered cover) {
	for _, p := range k.Domains {
		name, ok := covered.by(p)
		switch {
		case p.String() == "*":
		case !ok:
			k.fail("routes", "no route takes mail for %s, one of the company's domains; add one to the company's mail server", inYAML(p))
		case name == covered["*"] && !k.goesBack(name):
			k.warn("routes", "mail for %s, one of the company's domains, leaves by the route %s, which takes everything; add a route to the company's mail server", inYAML(p), shorten(name))
		}
	}
	if _, ok := covered["*"]; !ok {
		k.warn("routes", "no route takes the other domains, so mail to them is refused; add one with domains: \"*\"")
	}
}

// cover is which patterns of domains earlier routes take, with the name of the route.
type cover map[string]string

// by returns the route that takes every address of p.
func (c cover) by(p mail.Pattern) (string, bool) {
	text := p.String()
	if name, ok := c[text]; ok {
		return name, true
	}
	domain := strings.TrimPrefix(strings.TrimPrefix(text, "@"), "*.")
	for {
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			break
		}
		if name, ok := c["@*."+parent]; ok {
			return name, true
		}
		domain = parent
	}
	name, ok := c["*"]
	return name, ok
}

// reach warns of a route that earlier routes leave nothing for.
func (k *checker) reach(r *Route, dotted string, covered cover) {
	for i, p := range r.Domains {
		if name, ok := covered.by(p); ok && name != r.Name {
			k.warnMember(dotted+".domains", i, "mail for %s takes the earlier route %s; put the special route before the general one", inYAML(p), shorten(name))
			continue
		}
		covered[p.String()] = r.Name
	}
}

// inYAML is a pattern of domains as it stands in the file.
func inYAML(p mail.Pattern) string { return shorten(strings.TrimPrefix(p.String(), "@")) }

func (k *checker) route(r *Route, dotted string) {
	if r.Domains != nil && len(r.Domains) == 0 {
		k.fail(dotted+".domains", "this route takes no mail; list domains, or remove it")
	}
	k.next(r, dotted)
	retry, expire := r.Retry, r.Expire
	if len(retry) == 0 {
		retry = k.Queue.Retry
	}
	if expire > 0 {
		k.tries(dotted+".expire", retry, expire)
	}
	k.routeTLS(r, dotted+".tls")
	k.routeAuth(r, dotted+".auth")
}

// next holds that a route leads to hosts or by MX, not to neither nor back.
func (k *checker) next(r *Route, dotted string) {
	switch {
	case r.MX && len(r.Hosts) > 0:
		k.fail(dotted+".hosts", "a route leads to hosts, or with mx to those of the recipient's domain; remove one of the two")
	case r.MX:
		k.byMX(r, dotted)
		return
	case r.Hosts != nil && len(r.Hosts) == 0:
		k.fail(dotted+".hosts", "this route leads nowhere; list a host")
	case r.Hosts == nil:
		k.fail(dotted+".hosts", "this route leads nowhere; list a host, as in hosts: [ex1.firma.example], or write mx: true")
	case r.AllowPrivate != nil:
		k.warn(dotted+".allow_private", "hosts may have any address; this is for routes with mx")
	}
	for i, host := range r.Hosts {
		if why := badHost(host); why != "" {
			k.failMember(dotted+".hosts", i, "%s", why)
		} else if name, loop := k.self(host, r.Port); loop {
			k.failMember(dotted+".hosts", i, "this is the gateway's own listener %s: mail would go round for ever; name the next server", shorten(name))
		}
	}
}

// byMX judges a route whose hosts come from DNS, which anybody writes.
func (k *checker) byMX(r *Route, dotted string) {
	if r.Auth.User != "" {
		k.fail(dotted+".auth", "the hosts of an MX record are strangers: the password would go to whoever stands there; name the host under hosts")
	}
	if r.TLS.Mode == RouteTLSVerified {
		k.warn(dotted+".tls", "the names that are verified come from DNS, which can be forged, and many hosts on the internet have no certificate that is believed: mail to them waits until it expires")
	}
	for i, p := range r.AllowPrivate {
		if p.Bits() == 0 {
			k.failMember(dotted+".allow_private", i, "%s permits every address, also this machine's own services; list the networks that mail may go to", p)
		}
	}
}

// self reports whether a host and port are a listener of this gateway.
func (k *checker) self(host string, port int) (string, bool) {
	at, err := netip.ParseAddr(host)
	own := strings.EqualFold(host, k.Hostname) || strings.EqualFold(host, "localhost")
	for _, l := range k.Listeners {
		a, p, ok := splitAddress(l.Address)
		if !ok || p != port || p == 0 {
			continue
		}
		if err == nil && (a == at.Unmap() || a.IsUnspecified() && at.IsLoopback()) || own && (a.IsUnspecified() || a.IsLoopback()) {
			return l.Name, true
		}
	}
	return "", false
}

func (k *checker) routeTLS(r *Route, dotted string) {
	r.TLS.policy = k.profile(dotted+".profile", r.TLS.Profile)
	if r.TLS.Implicit && r.TLS.Mode == RouteTLSNone {
		k.fail(dotted+".implicit", "TLS cannot be both from the first byte and never; remove one of the two")
	}
	if r.TLS.Implicit && r.Port == smtpPort {
		k.warn(dotted+".implicit", "hosts on port 25 await STARTTLS; TLS from the first byte is on port 465: set port")
	}
	k.clientCertificate(&r.TLS, dotted)
	k.routeBelieves(r, dotted)
	if r.TLS.CA == "" {
		return
	}
	if r.TLS.Mode != RouteTLSVerified && r.TLS.Mode != RouteTLSMTASTS {
		k.warn(dotted+".ca", "the authorities are looked at with tls mode verified or mta-sts, or where a message demands that")
	}
	r.TLS.roots = k.roots(dotted+".ca", r.TLS.CA)
}

// routeBelieves holds that the hosts of a route can be known by what it says.
func (k *checker) routeBelieves(r *Route, dotted string) {
	r.TLS.pins = k.pins(r.TLS.Pins, dotted+".pins")
	switch {
	case len(r.TLS.Pins) == 0:
	case r.MX:
		k.fail(dotted+".pins", "a pin is of one partner's servers, and by MX mail goes to everybody's; put it under tls.partners")
	case r.TLS.CA != "":
		k.fail(dotted+".pins", "a pinned key is believed without an authority; remove pins or ca")
	case r.TLS.Mode != RouteTLSVerified:
		k.warn(dotted+".pins", "pins are looked at with tls mode verified only")
	}
	switch {
	case r.TLS.Mode == RouteTLSMTASTS && !r.MX:
		k.fail(dotted, "an MTA-STS policy is of the hosts that MX records name; write verified for hosts of your own choice")
	case r.TLS.Mode == RouteTLSDANE && !r.MX:
		for i, host := range r.Hosts {
			if _, err := netip.ParseAddr(host); err == nil {
				k.failMember(strings.TrimSuffix(dotted, ".tls")+".hosts", i, "an address has no TLSA records; name the host, or use another tls mode than dane")
			}
		}
	}
}

// roots reads certification authorities; nil where they cannot be read.
func (k *checker) roots(dotted string, p Path) *x509.CertPool {
	text := k.file(dotted, p)
	if text == nil {
		return nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		k.fail(dotted, "there is no PEM certificate in this file")
		return nil
	}
	return roots
}

// smtpPort is the port of mail servers, where TLS begins with STARTTLS.
const smtpPort = 25

// clientCertificate loads what the route shows to its hosts.
func (k *checker) clientCertificate(t *RouteTLS, dotted string) {
	_, onCard := t.ClientKey.Card()
	_, inVault := t.ClientKey.Vault()
	switch {
	case t.ClientCertificate == "" && t.ClientKey == "":
		return
	case inVault:
		k.fail(dotted+".client_key", "a key in a vault is for accounts of De-Mail and for S/MIME; name a file, or card:NAME")
		return
	case strings.Contains(string(t.ClientCertificate), "/"+cardPrefix):
		k.fail(dotted+".client_certificate", "the certificate comes with the key; write client_key: card:NAME, and no client_certificate")
		return
	case onCard && t.Mode == RouteTLSNone:
		k.warn(dotted+".client_key", "the card is not used with mode none")
	case onCard && t.Mode == RouteTLSOpportunistic && !t.Implicit:
		k.warn(dotted+".client_key", "mail goes without the certificate where TLS fails; set mode to required, or better verified")
	case onCard:
	case t.ClientCertificate == "":
		k.fail(dotted+".client_certificate", "there is a key but no certificate; give both")
		return
	case t.Mode == RouteTLSNone:
		k.warn(dotted+".client_certificate", "the certificate is not used with mode none")
	case t.Mode == RouteTLSOpportunistic && !t.Implicit:
		k.warn(dotted+".client_certificate", "mail goes without the certificate where TLS fails; set mode to required, or better verified")
	}
	if onCard {
		t.card = k.clientCard(t.ClientCertificate, t.ClientKey, dotted+".client_")
		return
	}
	if t.pair = k.pair(t.ClientCertificate, t.ClientKey.Path(), dotted+".client_"); t.pair != nil {
		k.validity(t.pair.Leaf, dotted+".client_certificate")
		k.clientCurve(t.pair.Leaf, t.policy, dotted+".client_certificate")
	}
}

// clientCurve warns of a key that servers below TLS 1.3 refuse: its curve has to be among the groups (RFC 8422, 5.5).
func (k *checker) clientCurve(leaf *x509.Certificate, policy tlspolicy.Profile, dotted string) {
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || policy.Name == "" || policy.MaxVersion >= tls.VersionTLS13 {
		return
	}
	curve := key.Curve.Params().Name
	if g, err := tlsnames.ParseGroup(curve); err != nil || !policy.AllowsGroup(tls.CurveID(g)) {
		k.warn(dotted, "its key is on %s, which is not among the groups of the profile %s: servers refuse it below TLS 1.3; use an RSA key or one on a curve of the profile, or give the profile more groups if the server has them", curve, shorten(policy.Name))
	}
}

func (k *checker) routeAuth(r *Route, dotted string) {
	hasPassword := !r.Auth.Password.IsZero()
	switch {
	case r.Auth.User == "" && !hasPassword:
	case r.Auth.User == "":
		k.fail(dotted+".user", "there is a password but no user; give both")
	case !hasPassword:
		k.fail(dotted+".password", "there is a user but no password; give both")
	case !r.TLS.Implicit && (r.TLS.Mode == RouteTLSNone || r.TLS.Mode == RouteTLSOpportunistic):
		k.fail(dotted, "the password could be sent without TLS; set tls to required, or better verified")
	case r.TLS.Mode != RouteTLSVerified && r.TLS.Mode != RouteTLSDANE:
		k.warn(dotted, "the password goes to whoever answers, since %s does not check the certificate; set tls to verified", r.TLS.Mode)
	}
}
