package configs

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// issue judges who issues.
func (k *checker) issue() {
	const at = "certificates.issue"
	i := k.Certificates.Issue
	if i.CA == IssueNone {
		if i.Listen != "" || i.URL != "" {
			k.warn(at+".ca", "nothing is issued, so the rest of this section counts for nothing; write ca: built-in, or remove the section")
		}
		return
	}
	k.issueWhom(at, i)
	if i.RenewBefore >= i.Lifetime {
		k.fail(at+".renew_before", "a certificate would have to be followed as soon as it is made; this must be less than lifetime")
	}
	if i.CA == IssueVault {
		k.issueVault(at, i)
		return
	}
	k.builtIn(at, i)
}

// issueWhom holds that somebody knows who exists.
func (k *checker) issueWhom(at string, i Issue) {
	j := slices.IndexFunc(k.Certificates.Directories, func(d Directory) bool { return strings.EqualFold(d.Name, i.Directory) })
	switch {
	case i.Directory == "":
		if i.FirstUse && k.Recipients.File == "" && k.Recipients.Directory == "" {
			k.warn(at+".first_use", "nobody says which addresses exist, so that whoever may hand over mail gets certificates for any that they invent, and may keep others waiting; name the addresses under recipients, or the directory of the company here by directory")
		}
	case j < 0:
		k.fail(at+".directory", "there is no directory %s under certificates.directories; add it there, or write its name as it stands there", shorten(i.Directory))
	case k.Certificates.Directories[j].Kind == ldap.DeMail:
		k.fail(at+".directory", "the public directory of De-Mail does not know who exists in the company; name the company's own")
	case len(k.Certificates.Directories[j].LDAP().Addresses) == 0:
		k.fail(at+".directory", "%s does not say which attributes hold addresses; set addresses, as [mail]", shorten(i.Directory))
	}
}

// issueVault holds that the vault is there.
func (k *checker) issueVault(at string, i Issue) {
	if !slices.ContainsFunc(k.Vault, func(v Vault) bool { return v.Name == i.Vault }) {
		k.fail(at+".vault", "the configuration has no vault of this name; name one under vault, and here")
	}
	if i.Role == "" || !vault.IsPath(i.Role) {
		k.fail(at+".role", "write the name of a role of the PKI engine")
	}
	if i.Separate {
		k.fail(at+".separate", "what a key may do is said by the role of the vault, for all alike; remove this")
	}
}

// builtIn holds that the CA can be made, and its lists be found.
func (k *checker) builtIn(at string, i Issue) {
	if i.Organization == "" {
		k.fail(at+".organization", "the CA bears the name of the company; write it here")
	} else if len([]rune(i.Organization)) > 64 {
		k.fail(at+".organization", "a name in a certificate may have 64 letters (RFC 5280, appendix A)")
	}
	if len(i.Country) != 2 || strings.Trim(i.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		k.fail(at+".country", "this must be a country as two capital letters, as in DE")
	}
	k.issueURL(at+".url", i.URL)
	if i.Listen == "" {
		k.warn(at+".listen", "nobody serves the lists of revoked certificates; write an address, or have a web server pass url on to one")
	} else if _, err := netip.ParseAddrPort(orAll(i.Listen)); err != nil {
		k.fail(at+".listen", "this must be an address and a port, as in 203.0.113.8:80 or :8080")
	}
	if len(IssuingDomains(k.Domains)) == 0 {
		k.fail(at+".ca", "the CA issues for the company's own domains; list them under domains")
	}
}

func (k *checker) issueURL(dotted, text string) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		k.fail(dotted, "every certificate says where revoked ones are listed; write the address, as in http://pki.firma.example")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || badHost(u.Hostname()) != "":
		k.fail(dotted, "this is no address as in http://pki.firma.example")
	case u.Scheme != "http":
		k.fail(dotted, "this must begin with http:// (RFC 5280, 8): a list is signed, and whoever needs it to judge TLS could not fetch it by TLS")
	}
}

// orAll is an address and port, that of all addresses where none is named.
func orAll(address string) string {
	if strings.HasPrefix(address, ":") {
		return "0.0.0.0" + address
	}
	return address
}

// IssuingDomains are the domains of patterns as constraints of RFC 5280, 4.2.1.10, have them: firma.example for the addresses of the
// domain, .firma.example for those of its subdomains.
func IssuingDomains(patterns mail.Patterns) (out []string) {
	for _, p := range patterns {
		text := strings.TrimPrefix(p.String(), "@")
		switch {
		case text == "*" || strings.Contains(text, "@"):
		case strings.HasPrefix(text, "*."):
			out = append(out, text[1:])
		default:
			out = append(out, text)
		}
	}
	return out
}
