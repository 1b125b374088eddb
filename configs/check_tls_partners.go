package configs

import (
	"net/netip"
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/dns"
)

// tlsPartners holds the partners, and what other domains publish, against the rest. It comes after routes and resolvers.
func (k *checker) tlsPartners() {
	t := &k.Config.TLS
	unique := k.unique("partners")
	for i := range t.Partners {
		p := &t.Partners[i]
		dotted := entryKey("tls.partners", p.Name, i)
		if why := badName(p.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(p.Name, dotted)
		k.tlsPartner(p, dotted)
	}
	if t.MTASTS.CA != "" {
		t.MTASTS.roots = k.roots("tls.mta_sts.ca", t.MTASTS.CA)
	}
	for i, p := range t.MTASTS.AllowPrivate {
		if p.Bits() == 0 {
			k.failMember("tls.mta_sts.allow_private", i, "%s permits every address, also this machine's own services; list the networks where policies are served", p)
		}
	}
	k.vouched()
}

func (k *checker) tlsPartner(p *TLSPartner, dotted string) {
	if p.Domains != nil && len(p.Domains) == 0 {
		k.fail(dotted+".domains", "this partner has no domain; list them, or remove it")
	}
	if p.Profile != "" {
		profile := k.profile(dotted+".profile", p.Profile)
		p.policy = &profile
	}
	if p.CA != "" {
		p.roots = k.roots(dotted+".ca", p.CA)
	}
	p.pins = k.pins(p.Pins, dotted+".pins")
	switch {
	case p.CA != "" && len(p.Pins) > 0:
		k.fail(dotted+".pins", "a pinned key is believed without an authority; remove pins or ca")
	case p.Own() && p.Level != RouteTLSVerified:
		k.warn(dotted+".level", "with this level any certificate is taken; ca and pins are looked at with the level verified, or where a message demands that: set level to verified")
	}
	if !slices.ContainsFunc(k.Routes, func(r Route) bool { return r.MX }) && !slices.ContainsFunc(k.Backup, func(b Backup) bool { return b.MX }) {
		k.warn(dotted, "there is no route by MX, and on others their own tls holds; set that of the route which takes the mail for this partner")
		return
	}
	for i, d := range p.Domains {
		if r, ok := k.takes(d.Domain()); ok && !r.MX {
			k.warnMember(dotted+".domains", i, "mail for %s goes to the hosts of the route %s, whose own tls holds; set it there", inYAML(d), shorten(r.Name))
		}
	}
}

// takes is the route, or the way of the backup, that takes mail for a domain.
func (k *checker) takes(domain string) (Route, bool) {
	for _, b := range k.Backup {
		if slices.ContainsFunc(b.Domains, func(p mail.Pattern) bool { return p.Domain() == domain && domain != "" }) {
			return b.Route(), true
		}
	}
	for _, r := range k.Routes {
		for _, p := range r.Domains {
			if p.String() == "*" || p.Domain() == domain && domain != "" {
				return r, true
			}
		}
	}
	return Route{}, false
}

func (k *checker) pins(texts []string, dotted string) tlspolicy.Pins {
	var pins tlspolicy.Pins
	for i, text := range texts {
		p, err := tlspolicy.ParsePin(text)
		if err != nil {
			k.failMember(dotted, i, "%s", err)
			continue
		}
		pins = append(pins, p)
	}
	return pins
}

// vouched holds that somebody vouches for DNS answers where TLSA records are to count.
func (k *checker) vouched() {
	var where string // that must have it
	for i, r := range k.Routes {
		if r.TLS.Mode == RouteTLSDANE {
			where = entryKey("routes", r.Name, i) + ".tls"
		}
	}
	for i, p := range k.Config.TLS.Partners {
		if p.Level == RouteTLSDANE {
			where = entryKey("tls.partners", p.Name, i) + ".level"
		}
	}
	asked := k.origins["tls.dane"] != (Origin{}) // by somebody, and not by default
	all, some := k.resolversVouched()
	switch {
	case all, where == "" && !k.Config.TLS.DANE, where == "" && !some && !asked:
	case !some && where != "":
		k.fail(where, "no answer of a resolver counts as secure, so that every message would wait: name a validating resolver on this machine under dns.servers, or set dns.trust_ad")
	case !some:
		k.warn("tls.dane", "no answer of a resolver counts as secure, so that TLSA records are never found: name a validating resolver on this machine under dns.servers, or set dns.trust_ad")
	case where != "":
		k.warn("dns.servers", "TLSA records count only in answers of resolvers on this machine, and others are asked, too: when those answer, mail that needs them waits")
	default:
		k.warn("dns.servers", "answers count as secure only where resolvers on this machine give them, and others are asked, too: while those answer for addresses, there is no DANE")
	}
}

// resolversVouched reports whether all, and whether some, of the resolvers are believed when they say that they validated an answer.
func (k *checker) resolversVouched() (all, some bool) {
	if k.DNS.TrustAD {
		return true, true
	}
	servers := k.DNS.Servers
	if len(servers) == 0 {
		if servers, _ = dns.Servers(k.options.ResolvConf); len(servers) == 0 {
			return true, true // that there is none is said elsewhere
		}
	}
	all = true
	for _, s := range servers {
		loopback := false
		if a, err := netip.ParseAddr(s); err == nil {
			loopback = a.Unmap().IsLoopback()
		} else if a, err := netip.ParseAddrPort(s); err == nil {
			loopback = a.Addr().Unmap().IsLoopback()
		} else {
			continue // that it is no address is said elsewhere
		}
		all, some = all && loopback, some || loopback
	}
	return all, some
}
