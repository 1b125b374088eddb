package configs

import (
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/connectors/demail"
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

// demailFrom holds that there is one way to the De-Mail address.
func (k *checker) demailFrom(s *DeMailSender, dotted string) {
	ways := 0
	for _, given := range []bool{s.Address != "", s.Table != "", s.Directory.Given()} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		k.fail(dotted+".address", "say from which De-Mail address this sender writes: by address, table or directory")
	case ways > 1:
		k.fail(dotted+".address", "address, table and directory each say from which De-Mail address this sender writes; keep one of them")
	case s.Address != "":
		if _, why := demailAddress(strings.ReplaceAll(s.Address, demailLocal, "a")); why != "" || strings.LastIndex(s.Address, demailLocal) > strings.Index(s.Address, "@") {
			k.fail(dotted+".address", "this must be a De-Mail address, as kontakt@firma.de-mail.de or {local}@firma.de-mail.de")
		}
	case s.Table != "":
		text := k.file(dotted+".table", s.Table)
		if text == nil {
			return
		}
		table, faults := senderTable(text)
		k.tableFaults(dotted+".table", s.Table, faults)
		if len(table) == 0 && len(faults) == 0 {
			k.warn(dotted+".table", "there is no address in this file, so nobody may send by it")
		}
		s.table = table
	case s.Directory.Name == "":
		k.fail(dotted+".directory.name", "name the directory under certificates.directories that has the attribute")
	case !isAttribute(s.Directory.Attribute):
		k.fail(dotted+".directory.attribute", "name the attribute that holds the De-Mail address, as extensionAttribute7")
	default:
		if why := k.companyDirectory(s.Directory.Name); why != "" {
			k.fail(dotted+".directory.name", "%s", why)
		}
	}
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
	from, why := demailAddress(strings.ReplaceAll(s.Address, demailLocal, "a"))
	if why != "" {
		from = demail.Address{}
	}
	always := DeMailOptions(s.Always)
	if err := always.Check(from, a.Level); err != nil {
		k.fail(dotted+".always", "%s", strings.TrimPrefix(err.Error(), demail.ErrOptions.Error()+": "))
	}
}
