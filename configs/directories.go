package configs

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Directory is an LDAP directory. See certificates.md.
type Directory struct {
	// Names the directory in logs, metrics and commands: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"company"`
	// What is usual there; every other key may differ from it. `active-directory`: mail and proxyAddresses. `openldap`:
	// inetOrgPerson. `de-mail`: the public directory of De-Mail, at the provider's. `other`: filter and attributes are given.
	Kind string `yaml:"kind" required:"yes" oneof:"active-directory openldap de-mail other" example:"active-directory"`
	// Its servers as URLs, asked in this order: `ldaps://` (port 636), `ldap://` (389), or `ldapi://` with the path of a
	// socket. In a forest of several domains the global catalogue knows all: `ldaps://dc1.firma.example:3269`.
	Servers []string `yaml:"servers" alias:"server" required:"yes" example:"[\"ldaps://dc1.firma.example\", \"ldaps://dc2.firma.example\"]"`
	// Whether TLS begins on connections to `ldap://` before anything is said (STARTTLS).
	StartTLS bool `yaml:"starttls" default:"false"`
	// Whom to believe, and what to show. The certificate of a server is always verified.
	TLS DirectoryTLS `yaml:"tls" short:"ca"`
	// Who the gateway is there.
	Bind DirectoryBind `yaml:"bind" short:"dn"`
	// The name under which everything lies. `{dc}` in it stands for the domain of an address, as `dc=firma,dc=example`.
	Base string `yaml:"base" example:"\"dc=firma,dc=example\""`
	// How far below: `subtree`, `one` level, or the `base` alone.
	Scope ldap.Scope `yaml:"scope" default:"subtree" oneof:"subtree one base"`
	// Finds the entries of one address (RFC 4515). `{mail}` stands for the address, `{local}` and `{domain}` for its parts, each as a value.
	Filter string `yaml:"filter" example:"\"(|(mail={mail})(proxyAddresses=smtp:{mail}))\""`
	// Finds all entries with addresses, for `recipients.directory`.
	FilterAll string `yaml:"filter_all" example:"\"(|(mail=*)(proxyAddresses=smtp:*))\""`
	// The attributes that hold addresses. One as `smtp:alice@firma.example` is one, too; others with a kind before them are not.
	Addresses []string `yaml:"addresses" example:"[mail, proxyAddresses]"`
	// The attributes that hold certificates, each alone or as PKCS #7. A directory without any is not asked for certificates.
	Certificates []string `yaml:"certificates" example:"[userCertificate, userSMIMECertificate]"`
	// The attributes of groups that hold the distinguished names of their members, for `policy.rules[].from_groups`. Where it is absent: `member`, for
	// `openldap` also `uniqueMember`.
	Members []string `yaml:"members" example:"[member]"`
	// Where groups lie, and everything below it. Where it is absent: `base`.
	GroupBase string `yaml:"group_base" example:"\"ou=groups,dc=firma,dc=example\""`
	// The addresses for which certificates are looked for here; all where it is absent, for `de-mail` those of De-Mail. A directory
	// outside need not learn whom the company writes to.
	Domains mail.Patterns `yaml:"domains" example:"[partner.example, \"*.partner.example\"]"`
	// Whether accounts that are disabled in Active Directory count as absent. Shared mailboxes, rooms and equipment, whose
	// accounts always are, do not.
	SkipDisabled bool `yaml:"skip_disabled" default:"false"`
	// Servers that this one may send the gateway on to (referrals), which then get the same name and password. Others are not followed.
	Referrals []string `yaml:"referrals" example:"[\"ldaps://dc.tochter.example\"]"`
	// How long one question may take. Where it is absent: 10s; for `de-mail` 20s.
	Timeout time.Duration `yaml:"timeout" min:"1s" max:"1m" example:"5s"`
	// How long one server may take to let the gateway in, before the next one is tried.
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"3s" min:"100ms" max:"30s"`
	// The most connections at once. They are kept and used again.
	Connections int `yaml:"connections" default:"4" min:"1" max:"50"`
	// How many entries a list is read by at a time. Active Directory gives 1000 at most.
	PageSize int `yaml:"page_size" default:"500" min:"10" max:"10000"`
}

// DirectoryTLS is the TLS of one directory.
type DirectoryTLS struct {
	// The certification authorities that are believed, PEM. Where it is absent: those of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/firma-ca.pem"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"modern"`
	// The name that the certificate of a server must bear, where it is another than in its URL.
	Name string `yaml:"name" example:"dc.firma.example"`
	// The certificate that the gateway shows, PEM, for the method `external`.
	ClientCertificate Path `yaml:"client_certificate" example:"/etc/siegel/tls/mail.pem"`
	// The private key of the certificate, PEM. Where it is absent it is looked for in the certificate's file.
	ClientKey Path `yaml:"client_key" example:"/etc/siegel/tls/mail.key"`

	roots  *x509.CertPool
	pair   *tls.Certificate
	policy tlspolicy.Profile
}

// DirectoryBind is a login at a directory.
type DirectoryBind struct {
	// `simple`: name and password. `external`: the client certificate, or the user of the socket. `anonymous`: nobody. Where it is
	// absent: `simple` with a name, `anonymous` without.
	Method ldap.Method `yaml:"method" oneof:"simple external anonymous" example:"simple"`
	// The name: a distinguished name; Active Directory takes a userPrincipalName, too. Give the gateway an account of its own, which may read and
	// nothing else.
	DN string `yaml:"dn" example:"siegel@firma.example"`
	// The password. One that is refused is not tried again for half an hour, or until a reload.
	Password secret.String `yaml:"password" example:"{file: /etc/siegel/ldap.password}"`
}

// LDAP is the directory as package ldap has it.
func (d *Directory) LDAP() ldap.Options {
	o := ldap.Options{
		Name: d.Name, Servers: d.Servers, StartTLS: d.StartTLS, TLS: d.TLS.policy.ClientConfig(),
		Method: d.Bind.Method, DN: d.Bind.DN, Password: d.Bind.Password, BaseDN: d.Base, Scope: d.Scope, Filter: d.Filter, All: d.FilterAll,
		Addresses: d.Addresses, Certificates: d.Certificates, Members: d.Members, GroupBase: d.GroupBase, Accounts: d.SkipDisabled, Referrals: d.Referrals,
		Timeout: d.Timeout, Connect: d.ConnectTimeout, Connections: d.Connections, Page: d.PageSize,
	}
	o.TLS.RootCAs, o.TLS.ServerName = d.TLS.roots, d.TLS.Name
	if d.TLS.pair != nil {
		o.TLS.Certificates = []tls.Certificate{*d.TLS.pair}
	}
	if p, ok := ldap.PresetOf(d.Kind); ok {
		p.Fill(&o)
	}
	if len(d.Domains) > 0 {
		domains := d.Domains
		o.Serves = func(address string) bool {
			a, err := mail.ParseAddress(address)
			return err == nil && domains.Match(a)
		}
	}
	return o
}

// finishDirectory adds what follows from other keys.
func finishDirectory(d *Directory) {
	if d.Bind.Method == "" {
		d.Bind.Method = ldap.Anonymous
		if d.Bind.DN != "" || !d.Bind.Password.IsZero() {
			d.Bind.Method = ldap.Simple
		}
	}
	if d.TLS.ClientKey == "" {
		d.TLS.ClientKey = d.TLS.ClientCertificate
	}
	if d.Kind == ldap.DeMail && d.Domains == nil {
		d.Domains, _ = mail.ParsePatterns("@de-mail.de", "@*.de-mail.de")
	}
}
