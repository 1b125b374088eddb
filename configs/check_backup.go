package configs

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// backups holds that mail is kept for exactly the domains that are named, none of which is the company's own.
func (k *checker) backups() {
	unique, domains := k.unique("backup"), map[mail.Pattern]string{}
	for i := range k.Backup {
		b := &k.Backup[i]
		dotted := entryKey("backup", b.Name, i)
		if why := badName(b.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(b.Name, dotted)
		if slices.ContainsFunc(k.Routes, func(r Route) bool { return r.Name == b.Name && b.Name != "" }) {
			k.fail(dotted+".name", "a route has this name; give each its own")
		}
		k.backupDomains(b, dotted+".domains", domains)
		r := b.Route()
		k.next(&r, dotted)
		k.routeTLS(&r, dotted+".tls")
		b.TLS = r.TLS
	}
	if len(k.Backup) > 0 && !slices.ContainsFunc(k.Listeners, func(l Listener) bool { return l.Role == RoleExternal }) {
		k.warn("backup", "no listener takes mail from the internet, so nothing is kept; add one with role external")
	}
}

func (k *checker) backupDomains(b *Backup, dotted string, seen map[mail.Pattern]string) {
	if b.Domains != nil && len(b.Domains) == 0 {
		k.fail(dotted, "list the domains that mail is kept for")
	}
	for i, p := range b.Domains {
		domain := p.Domain()
		if domain == "" {
			k.failMember(dotted, i, "mail is kept for domains by name, each with its own quota; list them without *")
			continue
		}
		if k.Config.Domains.Match(mail.Address{Local: "postmaster", Domain: domain}) {
			k.failMember(dotted, i, "%s is one of the company's own domains, for which mail is accepted anyway; remove it from one of the two", inYAML(p))
		}
		if other, twice := seen[p]; twice {
			k.failMember(dotted, i, "the backup %s keeps mail for %s already", shorten(other), inYAML(p))
		}
		seen[p] = b.Name
		for j := range k.Routes {
			if slices.Contains(k.Routes[j].Domains, p) {
				k.failMember(dotted, i, "mail for %s goes by the backup, not by the route %s; remove the domain from the route", inYAML(p), shorten(k.Routes[j].Name))
			}
		}
	}
}
