package configs

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// demailLocal stands in a sender's address for the part before the @ of the From address.
const demailLocal = "{local}"

// demailSenders judges who may send De-Mail.
func (k *checker) demailSenders() {
	d := &k.Config.DeMail
	unique, everybody := k.unique("senders"), ""
	for i := range d.Senders {
		s := &d.Senders[i]
		dotted := entryKey("demail.senders", s.Name, i)
		if s.Name == "sender "+strconv.Itoa(i+1) { // it was not given
			dotted = entryKey("demail.senders", "", i)
		}
		unique(s.Name, dotted)
		if everybody != "" {
			k.warn(dotted, "it is never asked: the earlier %s is for everybody; put the special ones before it", shorten(everybody))
		}
		if s.From == nil && s.Groups == nil {
			everybody = s.Name
		}
		k.demailSender(s, dotted)
	}
}

func (k *checker) demailSender(s *DeMailSender, dotted string) {
	switch {
	case s.From != nil && len(s.From) == 0:
		k.fail(dotted+".from", "a list without entries matches nobody; leave from away for all From addresses")
	case s.Groups != nil && len(s.Groups) == 0:
		k.fail(dotted+".groups", "a list without entries matches nobody; leave groups away for all senders")
	}
	for i, name := range s.Groups {
		if err := ldap.CheckGroup(name); err != nil {
			k.failMember(dotted+".groups", i, "%s", err)
		}
	}
	k.demailFrom(s, dotted)
	account, known := k.Config.DeMail.Account(s.Account)
	switch {
	case len(k.Config.DeMail.Accounts) == 0: // told once
	case s.Account == "":
		k.fail(dotted+".account", "there is more than one account; say which one this sender uses")
	case !known:
		k.fail(dotted+".account", "there is no account %s under demail.accounts", shorten(s.Account))
	default:
		k.demailEntitled(s, account, dotted)
	}
}

// demailFrom judges the ways to the De-Mail address.
func (k *checker) demailFrom(s *DeMailSender, dotted string) {
	if s.Address == "" && s.Table == "" && !s.Directory.Given() {
		k.fail(dotted+".address", "say from which De-Mail address this sender writes: by address, table or directory")
	}
	if s.Address != "" {
		local, domain, _ := strings.Cut(s.Address, "@")
		a, why := demailAddress(strings.Replace(s.Address, demailLocal, "a", 1))
		if why != "" || strings.Contains(domain, demailLocal) || strings.Count(local, demailLocal) > 1 {
			k.fail(dotted+".address", "this must be a De-Mail address, as kontakt@firma.de-mail.de or {local}@firma.de-mail.de")
		} else if why := k.sendsFrom(a); why != "" {
			k.fail(dotted+".address", "%s", why)
		}
	}
	if domains := k.demailNamesakes(s); strings.Contains(s.Address, demailLocal) && len(domains) > 1 {
		k.warn(dotted+".address", "who has the same name before the @ in %s and %s writes from the same De-Mail address; make a sender for each, with from", shorten(domains[0]), shorten(domains[1]))
	}
	k.demailTable(s, dotted+".table")
	switch d := s.Directory; {
	case !d.Given():
	case d.Name == "":
		k.fail(dotted+".directory.name", "name the directory under certificates.directories that has the attribute")
	case !isAttribute(d.Attribute):
		k.fail(dotted+".directory.attribute", "name the attribute that holds the De-Mail address, as extensionAttribute7")
	default:
		if why := k.companyDirectory(d.Name); why != "" {
			k.fail(dotted+".directory.name", "%s", why)
		}
	}
}

// demailNamesakes are the patterns of From addresses of a sender in which two people may have the same name before the @.
func (k *checker) demailNamesakes(s *DeMailSender) (out []string) {
	from := s.From
	if from == nil || slices.Contains(from, mail.Pattern{}) {
		from = k.Config.Domains
	}
	for _, p := range from {
		if text := p.String(); strings.HasPrefix(text, "@") {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// demailTable reads the table of a sender.
func (k *checker) demailTable(s *DeMailSender, dotted string) {
	s.table = nil
	if s.Table == "" {
		return
	}
	text := k.file(dotted, s.Table)
	if text == nil {
		return
	}
	table, faults := senderTable(text, k.sendsFrom)
	k.tableFaults(dotted, s.Table, faults)
	if len(table) == 0 && len(faults) == 0 {
		k.warn(dotted, "there is no address in this file, so nobody may send by it")
	}
	s.table = table
}

// sendsFrom says why nothing can be sent from a De-Mail address, or nothing.
func (k *checker) sendsFrom(a demail.Address) string {
	named := slices.Clone(k.Config.DeMail.Domains)
	for _, account := range k.Config.DeMail.Accounts {
		named = append(named, account.Domains...)
	}
	switch domains, err := demail.NewDomains(named...); {
	case err != nil: // told at the domains
		return ""
	case !domains.Has(a.Domain()):
		return shorten(a.Domain()) + " is no domain of De-Mail; if it is one, add it to the domains of the account"
	case a.Form() == demail.FormSystem:
		return shorten(a.String()) + " is an address from which providers write themselves"
	}
	return ""
}

// demailEntitled holds that who may use an option sends by an account that may.
func (k *checker) demailEntitled(s *DeMailSender, a DeMailAccount, dotted string) {
	if s.May == nil {
		s.May = a.Entitled
	}
	may, entitled := DeMailOptions(s.May), DeMailOptions(a.Entitled)
	for _, o := range []struct {
		name                  string
		may, always, entitled bool
	}{
		{"dispatch", may.Dispatch, DeMailOptions(s.Always).Dispatch, entitled.Dispatch},
		{"receipt", may.Receipt, DeMailOptions(s.Always).Receipt, entitled.Receipt},
		{"retrieve", may.Retrieve, DeMailOptions(s.Always).Retrieve, entitled.Retrieve},
		{"authoritative", may.Authoritative, DeMailOptions(s.Always).Authoritative, entitled.Authoritative},
		{"private", may.Private, DeMailOptions(s.Always).Private, entitled.Private},
	} {
		switch {
		case o.may && !o.entitled:
			k.fail(dotted+".may", "the account %s is not entitled to %s; remove it, or add it to entitled there", shorten(a.Name), o.name)
		case o.always && !o.entitled:
			k.fail(dotted+".always", "the account %s is not entitled to %s; remove it, or add it to entitled there", shorten(a.Name), o.name)
		}
	}
	k.demailAlways(s, a, dotted)
}

// demailAlways holds that a provider takes the options that every message has.
func (k *checker) demailAlways(s *DeMailSender, a DeMailAccount, dotted string) {
	from := slices.Collect(maps.Values(s.table))
	if address, why := demailAddress(strings.Replace(s.Address, demailLocal, "a", 1)); why == "" {
		from = append(from, address)
	}
	for _, address := range from {
		if err := DeMailOptions(s.Always).Check(address, a.Level); err != nil {
			k.fail(dotted+".always", "from %s: %s", shorten(address.String()), strings.TrimPrefix(err.Error(), demail.ErrOptions.Error()+": "))
			return
		}
	}
}
