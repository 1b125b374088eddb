package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/guard"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/providers"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// demails is what the accounts of a process with providers of De-Mail have in common, over all of its configurations.
type demails struct {
	*providers.Accounts
	memory *providers.Memory
	spool  *atrest.Spool
	record atomic.Pointer[proof.Store] // nil until the gateway has opened it
}

var errNoRecord = errors.New("the record of De-Mail is not open yet")

// newDeMails makes it; it asks nobody. Domains that providers named are kept in the state folder.
func newDeMails(c *configs.Config) (*demails, error) {
	key, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("at_rest.key: %w", err)
	}
	d := &demails{}
	if d.memory, err = providers.OpenMemory(filepath.Join(c.State.String(), "demail-domains.json")); err != nil {
		return nil, err
	}
	if d.spool, err = atrest.NewSpool(filepath.Join(c.State.String(), "spool"), key, 0); err != nil {
		return nil, err
	}
	d.Accounts = providers.NewAccounts(d.doubtful, nil)
	return d, nil
}

// use has the record of the gateway count.
func (d *demails) use(g *gateway.Gateway) { d.record.Store(g.DeMailRecord()) }

// doubtful counts messages of an account of which nobody knows whether they were taken.
func (d *demails) doubtful(ctx context.Context, account string) (int, error) {
	record := d.record.Load()
	if record == nil {
		return 0, errNoRecord
	}
	all, err := record.Doubtful(ctx, account)
	return len(all), err
}

// Spend implements dispatch.Budget by the record.
func (d *demails) Spend(ctx context.Context, sender string, day time.Time, messages, limit int) (left int, ok bool, err error) {
	record := d.record.Load()
	if record == nil {
		return 0, false, errNoRecord
	}
	return record.Spend(ctx, sender, day, messages, limit)
}

// Spent implements dispatch.Budget by the record.
func (d *demails) Spent(ctx context.Context, sender string, day time.Time) (int, error) {
	record := d.record.Load()
	if record == nil {
		return 0, errNoRecord
	}
	return record.Spent(ctx, sender, day)
}

// keyholders are where the keys of client certificates may lie besides files.
type keyholders struct {
	cards  *cards.Set
	vaults *vault.Set
}

// useDeMail gives settings the accounts of a configuration, and says who may send by them.
func useDeMail(s *gateway.Settings, c *configs.Config, all []*ldap.Directory, keys keyholders, held *demails, log logrus.FieldLogger) error {
	s.Vocabulary.DeMail = deMailWords(c.DeMail.Tags)
	s.DeMailRecord = deMailTerms(c.DeMail)
	d := c.DeMail
	if len(d.Accounts) == 0 && len(d.Domains) == 0 {
		if held != nil {
			s.Companions = append(s.Companions, gateway.Companion{Run: func(context.Context) { held.Use(nil) }})
		}
		return nil
	}
	desk, err := deMailDesk(s, d, all, held)
	if err != nil {
		return fmt.Errorf("demail: %w", err)
	}
	s.DeMail = &gateway.DeMail{Desk: desk, Incoming: gateway.DeMailIncoming{Anchors: d.Trust(), Mailboxes: d.Incoming.Assigned(), Fallback: d.Incoming.FallbackAddress()}}
	var names []string
	for _, a := range d.Accounts {
		desk.Report(a.Name, held.memory.Domains(a.Name))
		p, err := newProvider(a, c.Hostname, keys, held.Account(a.Name).Handshaken, held.spool)
		if err != nil {
			return fmt.Errorf("demail.accounts[%s]: %w", a.Name, err)
		}
		names = append(names, a.Name)
		guarded := guard.New(held.Account(a.Name).Watch(p.Provider), nil) // it notes what the provider was asked, not what it was spared
		account := deMailAccount(a, guarded, p)
		if account.Fetch, err = deMailFetch(a, d.Incoming, c); err != nil {
			return fmt.Errorf("demail.accounts[%s].fetch: %w", a.Name, err)
		}
		s.DeMail.Accounts = append(s.DeMail.Accounts, account)
		s.Companions = append(s.Companions, gateway.Companion{
			Check: admin.Check{
				Name: "De-Mail " + a.Name, Warning: true,
				Advice: "De-Mail by this account waits meanwhile, and none comes in; siegel demail check " + a.Name + " says what is wrong.",
				Run:    held.Account(a.Name).Check,
			},
			Run: func(ctx context.Context) {
				providers.Learn(ctx, guarded, func(domains []string) {
					desk.Report(a.Name, domains)
					if err := held.memory.Keep(a.Name, domains); err != nil {
						log.WithError(err).WithField("account", a.Name).Error("the De-Mail domains that the provider named could not be kept; they are asked for again after a restart")
					}
				})
			},
		})
	}
	s.Companions = append(s.Companions, gateway.Companion{Run: func(context.Context) { held.Use(names) }})
	return nil
}

// deMailAccount is an account as the gateway has it.
func deMailAccount(a configs.DeMailAccount, guarded connectors.Provider, p *provider) gateway.DeMailAccount {
	out := gateway.DeMailAccount{Name: a.Name, Provider: guarded, Host: p.host, Concurrency: a.Concurrency, Expire: a.Expire, Close: p.way.Close}
	if len(a.Retry) > 0 {
		out.Retry = delivery.Retry{Steps: a.Retry, Jitter: retryJitter}
	}
	return out
}

// deMailFetch is how an account is fetched, and who is told of what counts as served: those of the account, else those of all, else such
// administrators as are inside.
func deMailFetch(a configs.DeMailAccount, in configs.DeMailIncoming, c *configs.Config) (f gateway.DeMailFetch, err error) {
	f = gateway.DeMailFetch{Every: a.Fetch.Every, Never: a.Fetch.Every == 0, Service: inbox.Service{
		Receipt: slices.Contains(a.Fetch.ServiceKinds, "receipt"), Retrieve: slices.Contains(a.Fetch.ServiceKinds, "retrieve"),
		Authoritative: slices.Contains(a.Fetch.ServiceKinds, "authoritative"), Private: slices.Contains(a.Fetch.ServiceKinds, "private"),
		Every: slices.Contains(a.Fetch.ServiceKinds, "every"),
	}}
	tell := a.Fetch.Tell
	if len(tell) == 0 {
		tell = in.Responsible
	}
	administrators := len(tell) == 0
	if administrators {
		tell = c.Admin.MailTo
	}
	for _, text := range tell {
		to, err := mail.ParseAddress(text)
		if err != nil {
			return f, err
		}
		if !administrators || c.Domains.Match(to) {
			f.Tell = append(f.Tell, to)
		}
	}
	return f, nil
}

// deMailDesk makes what decides who sends what.
func deMailDesk(s *gateway.Settings, d configs.DeMail, all []*ldap.Directory, held *demails) (*dispatch.Desk, error) {
	o := deMailOptions(d)
	o.Budget = held
	if s.Groups != nil {
		o.Groups = s.Groups
	}
	for n, one := range d.Senders[:len(o.Senders)] {
		if one.Directory.Given() {
			i := slices.IndexFunc(all, func(d *ldap.Directory) bool { return strings.EqualFold(d.Name(), one.Directory.Name) })
			if i < 0 {
				return nil, fmt.Errorf("senders[%s]: there is no directory %s", one.Name, one.Directory.Name)
			}
			o.Senders[n].Lookup = deMailAttribute{all[i], one.Directory.Attribute}
		}
	}
	return dispatch.New(o)
}

// deMailOptions are what a configuration says of who sends what, with placeholders for directories.
func deMailOptions(d configs.DeMail) dispatch.Options {
	o := dispatch.Options{Domains: d.Domains}
	for _, a := range d.Accounts {
		o.Accounts = append(o.Accounts, dispatch.Account{
			Name: a.Name, Domains: a.Domains, MaxNet: int64(a.MaxNet), Entitled: configs.DeMailOptions(a.Entitled), Level: a.Level,
		})
	}
	for _, one := range d.Senders {
		sender := dispatch.Sender{
			Name: one.Name, From: one.From, Groups: one.Groups, Account: one.Account, Table: one.Addresses(), Address: one.Address,
			May: configs.DeMailOptions(one.May), Always: configs.DeMailOptions(one.Always), Daily: one.Daily,
		}
		if sender.From == nil {
			sender.From = mail.Patterns{mail.Pattern{}}
		}
		if one.Directory.Given() {
			sender.Lookup = anyDirectory{}
		}
		o.Senders = append(o.Senders, sender)
	}
	if len(d.Accounts) == 0 {
		o.Senders = nil
	}
	return o
}

// deMailAttribute looks De-Mail addresses up in a directory.
type deMailAttribute struct {
	directory *ldap.Directory
	attribute string
}

// DeMail implements dispatch.Lookup. Where a directory has several addresses for one, nobody knows which is meant.
func (a deMailAttribute) DeMail(ctx context.Context, from mail.Address) (string, error) {
	values, err := a.directory.Values(ctx, from.String(), a.attribute)
	switch {
	case err != nil:
		return "", err
	case len(values) > 1:
		return "", fmt.Errorf("the directory %s has %d values of %s for %s; leave one of them", a.directory.Name(), len(values), a.attribute, from)
	case len(values) == 0:
		return "", nil
	}
	return values[0], nil
}

// deMailWords are the words that ask for options in subjects.
func deMailWords(t configs.DeMailTags) (words []policy.DeMailWord) {
	if !t.Enabled {
		return nil
	}
	for _, list := range []struct {
		tags    []string
		options demail.Options
	}{
		{t.Dispatch, demail.Options{Dispatch: true}}, {t.Receipt, demail.Options{Receipt: true}}, {t.Retrieve, demail.Options{Retrieve: true}},
		{t.Authoritative, demail.Options{Authoritative: true}}, {t.Private, demail.Options{Private: true}},
	} {
		for _, tag := range list.tags {
			words = append(words, policy.DeMailWord{Word: tag, Options: list.options})
		}
	}
	return words
}

// deMailTerms are what the configuration says of the record.
func deMailTerms(d configs.DeMail) proof.Terms {
	k := d.Evidence.Keep
	return proof.Terms{
		Overdue:   proof.Overdue{Dispatch: d.Overdue.Dispatch, Receipt: d.Overdue.Receipt, Retrieve: d.Overdue.Retrieve},
		Retention: proof.Retention{Confirmed: k.Confirmed, Sent: k.Sent, Refused: k.Refused, Received: k.Received},
	}
}
