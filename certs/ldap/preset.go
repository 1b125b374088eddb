package ldap

import "time"

// Preset is what is usual in one kind of directory.
type Preset struct {
	BaseDN, Filter, All           string
	Addresses, Certificates, Show []string
	Members                       []string
	Entries                       int           // 0: as in Options
	Timeout                       time.Duration // 0: as in Options
}

// The presets.
const (
	// ActiveDirectory has people, groups, contacts and mailboxes with mail and proxyAddresses.
	ActiveDirectory = "active-directory"
	// OpenLDAP has people of inetOrgPerson (RFC 2798), and the addresses of older directories.
	OpenLDAP = "openldap"
	// DeMail is the public directory of De-Mail (TR-01201 1.4), whose base follows from the domain of an address. It has no list.
	DeMail = "de-mail"
)

// PresetOf returns what a preset says, and false where there is none of that name.
func PresetOf(name string) (Preset, bool) {
	people := []string{"userCertificate", "userSMIMECertificate"} // never userPKCS12, which may hold keys
	switch name {
	case ActiveDirectory:
		return Preset{
			Filter: "(|(mail={mail})(proxyAddresses=smtp:{mail}))", All: "(|(mail=*)(proxyAddresses=smtp:*))",
			Addresses: []string{"mail", "proxyAddresses"}, Certificates: people, Show: []string{"userPrincipalName"},
			Members: []string{"member"},
		}, true
	case OpenLDAP:
		return Preset{
			Filter:    "(|(mail={mail})(mailAlternateAddress={mail})(mailLocalAddress={mail}))",
			All:       "(|(mail=*)(mailAlternateAddress=*)(mailLocalAddress=*))",
			Addresses: []string{"mail", "mailAlternateAddress", "mailLocalAddress"}, Certificates: people, Show: []string{"uid"},
			Members: []string{"member", "uniqueMember"},
		}, true
	case DeMail:
		const results, seconds = 200, 20 // TR-01201 1.4
		return Preset{
			BaseDN: "{dc},cn=de-mail", Filter: "(mail={mail})", Addresses: []string{"mail"}, Certificates: []string{"userCertificate"},
			Show:    []string{"demailMaxAuthLevel", "demailAccessOpening", "pgpKeyID"},
			Entries: results, Timeout: seconds * time.Second,
		}, true
	}
	return Preset{}, false
}

// Fill puts what the preset says where the options say nothing.
func (p Preset) Fill(o *Options) {
	text := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	text(&o.BaseDN, p.BaseDN)
	text(&o.Filter, p.Filter)
	text(&o.All, p.All)
	list := func(to *[]string, value []string) {
		if len(*to) == 0 {
			*to = value
		}
	}
	list(&o.Addresses, p.Addresses)
	list(&o.Certificates, p.Certificates)
	list(&o.Show, p.Show)
	list(&o.Members, p.Members)
	if o.Entries == 0 {
		o.Entries = p.Entries
	}
	if o.Timeout == 0 {
		o.Timeout = p.Timeout
	}
}
