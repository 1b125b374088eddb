package configs

import (
	"crypto/x509"
	"net/netip"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
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
		case name == covered["*"]:
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
	if r.Hosts != nil && len(r.Hosts) == 0 {
		k.fail(dotted+".hosts", "this route leads nowhere; list a host")
	}
	for i, host := range r.Hosts {
		if why := badHost(host); why != "" {
			k.failMember(dotted+".hosts", i, "%s", why)
		} else if name, loop := k.self(host, r.Port); loop {
			k.failMember(dotted+".hosts", i, "this is the gateway's own listener %s: mail would go round for ever; name the next server", shorten(name))
		}
	}
	k.routeTLS(r, dotted+".tls")
	k.routeAuth(r, dotted+".auth")
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
	if r.TLS.CA == "" {
		return
	}
	if r.TLS.Mode != RouteTLSVerified {
		k.warn(dotted+".ca", "the authorities are looked at with tls mode verified only")
	}
	r.TLS.roots = k.roots(dotted+".ca", r.TLS.CA)
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

func (k *checker) routeAuth(r *Route, dotted string) {
	hasPassword := !r.Auth.Password.IsZero()
	switch {
	case r.Auth.User == "" && !hasPassword:
	case r.Auth.User == "":
		k.fail(dotted+".user", "there is a password but no user; give both")
	case !hasPassword:
		k.fail(dotted+".password", "there is a user but no password; give both")
	case r.TLS.Mode == RouteTLSNone || r.TLS.Mode == RouteTLSOpportunistic:
		k.fail(dotted, "the password could be sent without TLS; set tls to required, or better verified")
	case r.TLS.Mode == RouteTLSRequired:
		k.warn(dotted, "the password goes to whoever answers, since required does not check the certificate; set tls to verified")
	}
}
