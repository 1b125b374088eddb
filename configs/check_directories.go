package configs

import (
	"errors"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
)

// directories holds that each can be asked, and that no password crosses a network in the clear.
func (k *checker) directories() {
	unique := k.unique("directories")
	for i := range k.Certificates.Directories {
		d := &k.Certificates.Directories[i]
		dotted := entryKey("certificates.directories", d.Name, i)
		if why := badName(d.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(d.Name, dotted)
		k.directory(d, dotted)
	}
	k.recipientsDirectory()
}

func (k *checker) directory(d *Directory, dotted string) {
	d.TLS.policy = k.clientPolicy(dotted+".tls.profile", d.TLS.Profile, d.TLS.ClientCertificate != "")
	if len(d.Servers) == 0 {
		k.fail(dotted+".servers", "list a server, as ldaps://dc1.firma.example")
	}
	fine := k.directoryServers(d.Servers, dotted+".servers")
	fine = k.directoryServers(d.Referrals, dotted+".referrals") && fine
	o := d.LDAP()
	if o.Filter == "" {
		k.fail(dotted+".filter", "say how the entries of an address are found, as in (mail={mail})")
	} else if err := ldap.CheckFilter(o.Filter, false); err != nil {
		k.fail(dotted+".filter", "%s", err)
	}
	if o.All != "" {
		if err := ldap.CheckFilter(o.All, true); err != nil {
			k.fail(dotted+".filter_all", "%s", err)
		}
	}
	if err := ldap.CheckBase(o.BaseDN); err != nil {
		k.fail(dotted+".base", "%s", err)
	} else if o.BaseDN == "" {
		k.warn(dotted+".base", "without a base most directories find nothing; name where its entries lie, as dc=firma,dc=example")
	}
	if ldap.CheckBase(o.GroupBase) != nil || strings.Contains(o.GroupBase, "{") {
		k.fail(dotted+".group_base", "this is no distinguished name, as in ou=groups,dc=firma,dc=example")
	}
	for key, names := range map[string][]string{"addresses": o.Addresses, "certificates": o.Certificates, "members": o.Members} {
		for i, name := range names {
			if !isAttribute(name) {
				k.failMember(dotted+"."+key, i, "this is no attribute; write its name alone, as mail or userCertificate")
			}
		}
	}
	k.directoryTLS(d, dotted)
	k.directoryBind(d, dotted, fine)
}

func (k *checker) directoryServers(servers []string, dotted string) (fine bool) {
	fine = true
	for i, text := range servers {
		if err := ldap.CheckURL(text); err != nil {
			k.failMember(dotted, i, "%s", err)
			fine = false
		}
	}
	return fine
}

// isAttribute reports whether s is the name or number of an attribute (RFC 4512, 2.5), without options.
func isAttribute(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.')
	})
}

func (k *checker) directoryTLS(d *Directory, dotted string) {
	if d.TLS.CA != "" {
		d.TLS.roots = k.roots(dotted+".tls.ca", d.TLS.CA)
	}
	if why := badHost(d.TLS.Name); d.TLS.Name != "" && why != "" {
		k.fail(dotted+".tls.name", "%s", why)
	}
	switch {
	case d.TLS.ClientCertificate != "":
		if d.TLS.pair = k.pair(d.TLS.ClientCertificate, d.TLS.ClientKey, dotted+".tls.client_"); d.TLS.pair != nil {
			k.validity(d.TLS.pair.Leaf, dotted+".tls.client_certificate")
		}
	case d.TLS.ClientKey != "":
		k.fail(dotted+".tls.client_certificate", "there is a key but no certificate; give both")
	}
	plain := func(s string) bool { return strings.HasPrefix(s, "ldap://") }
	switch {
	case d.StartTLS && !slices.ContainsFunc(d.Servers, plain):
		k.warn(dotted+".starttls", "TLS begins at once on ldaps, and there is no server with ldap:// for which this matters; remove it")
	case !d.StartTLS && d.Bind.Method == ldap.Anonymous && slices.ContainsFunc(d.Servers, plain):
		k.warn(dotted+".servers", "without TLS anybody on the way may say who exists and what certificates there are; use ldaps, or starttls")
	}
}

// directoryBind judges the login, and leaves the rest to the package that logs in.
func (k *checker) directoryBind(d *Directory, dotted string, fine bool) {
	b := d.Bind
	switch {
	case b.Method == ldap.Simple && b.DN == "":
		k.fail(dotted+".bind.dn", "there is a password but no name; give both")
		return
	case b.Method == ldap.Simple && b.Password.IsZero():
		k.fail(dotted+".bind.password", "there is a name but no password; give both")
		return
	case b.Method != ldap.Simple && (b.DN != "" || !b.Password.IsZero()):
		k.warn(dotted+".bind", "name and password are used by the method simple only")
	case b.Method == ldap.External && d.TLS.ClientCertificate == "" && !slices.ContainsFunc(d.Servers, func(s string) bool { return strings.HasPrefix(s, "ldapi:") }):
		k.fail(dotted+".tls.client_certificate", "the method external shows a certificate; name it")
	}
	if !fine {
		return
	}
	var plain *ldap.PlainError
	if _, err := ldap.New(d.LDAP()); errors.As(err, &plain) {
		k.fail(dotted+".servers", "%s", plain)
	}
}

// recipientsDirectory holds that the directory that is to know the company's addresses is there and can list them.
func (k *checker) recipientsDirectory() {
	name := k.Recipients.Directory
	if name == "" {
		return
	}
	for i := range k.Certificates.Directories {
		d := &k.Certificates.Directories[i]
		if !strings.EqualFold(d.Name, name) {
			continue
		}
		o := d.LDAP()
		switch {
		case d.Kind == ldap.DeMail:
			k.fail("recipients.directory", "the public directory of De-Mail does not know who exists in the company; name the company's own")
		case o.All == "":
			k.fail("recipients.directory", "%s has no filter_all, so that its addresses cannot be read; set it, as (mail=*)", shorten(name))
		case len(o.Addresses) == 0:
			k.fail("recipients.directory", "%s does not say which attributes hold addresses; set addresses, as [mail]", shorten(name))
		}
		return
	}
	k.fail("recipients.directory", "there is no directory %s under certificates.directories; add it there, or write its name as it stands there", shorten(name))
}
