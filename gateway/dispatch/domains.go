package dispatch

import (
	"maps"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// IsDeMail reports whether a domain is one of De-Mail: by its end (3.4; 2.1, 2.1.2), by the options, or since a provider reported it. It
// is so in whatever case and spelling.
func (d *Desk) IsDeMail(domain string) bool {
	if d == nil {
		return demail.Domains{}.Has(domain)
	}
	return d.domains.Load().Has(domain)
}

// Has reports whether there is an account of this name.
func (d *Desk) Has(account string) bool {
	if d == nil {
		return false
	}
	_, ok := d.accounts[account]
	return ok
}

// Report takes the domains that the provider of an account reported as the account's, in place of those that it reported before. Nothing
// is done for an account that there is not, and what is no domain counts for nothing.
func (d *Desk) Report(account string, domains []string) {
	if !d.Has(account) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reported[account] = slices.DeleteFunc(slices.Clone(domains), func(s string) bool {
		_, err := demail.ParseDomain(s)
		return err != nil
	})
	d.settle()
}

// Inherit takes over what was reported to the desk before this one, for the accounts that both have: a domain does not stop being De-Mail
// because a configuration was read again.
func (d *Desk) Inherit(before *Desk) {
	if d == nil || before == nil {
		return
	}
	before.mu.Lock()
	reported := maps.Clone(before.reported)
	before.mu.Unlock()
	for account, domains := range reported {
		d.Report(account, domains)
	}
}

// settle makes the set of domains anew. All of them were checked.
func (d *Desk) settle() {
	all := slices.Clone(d.fixed)
	for _, domains := range d.reported {
		all = append(all, domains...)
	}
	set, _ := demail.NewDomains(all...)
	d.domains.Store(&set)
}

// mayBeFrom reports whether an account may send from an address, as far as the domain tells: it is below one of the account's, where any is
// known, else below any of De-Mail, since the provider knows more.
func (d *Desk) mayBeFrom(account string, sender demail.Address) bool {
	d.mu.Lock()
	own := slices.Concat(d.accounts[account].Domains, d.reported[account])
	d.mu.Unlock()
	if len(own) == 0 {
		return d.IsDeMail(sender.Domain())
	}
	return slices.ContainsFunc(own, func(domain string) bool {
		domain = strings.ToLower(domain)
		return sender.Domain() == domain || strings.HasSuffix(sender.Domain(), "."+domain)
	})
}
