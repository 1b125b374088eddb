package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
	"github.com/siegel-mail/siegel/outlook"
)

// outlookAddress is where the pages of the add-in are.
func outlookAddress(c *configs.Config) string { return c.Outlook.Origin() + addin.Root }

// useOutlook has the gateway serve the add-in for Outlook, where the configuration wants that. The files of its certificate are followed, and health tells where the keys
// of issuers cannot be had.
func useOutlook(s *gateway.Settings, c *configs.Config, all []*ldap.Directory, log logrus.FieldLogger) error {
	o := c.Outlook
	if !o.Enabled() {
		return nil
	}
	ring, err := keyring.New(keyring.Options{
		Name: "outlook", Log: log, Files: []keyring.File{{Certificate: o.TLS.Certificate.String(), Key: o.TLS.Key.String()}},
		Judge: func(c tls.Certificate) error { return mayServe(o.TLS.Policy(), c, true) },
	})
	if err != nil {
		return fmt.Errorf("outlook.tls: %w", err)
	}
	pages, err := outlookPages(c)
	if err != nil {
		return fmt.Errorf("outlook: %w", err)
	}
	known := newIssuers(o)
	s.Outlook = &addin.Setup{
		Origin: o.Origin(), TLS: o.TLS.Policy(), Certificate: ring.Get, Settings: outlookSettings(c, s.Vocabulary), Pages: pages, Verifier: known.verifier, Users: outlookUsers(c, all),
		Networks: o.Networks, SpeakFor: o.NetworksSpeakFor,
		Bounds: addin.Bounds{PerMinute: o.Limits.PerMinute, RecipientsPerHour: o.Limits.RecipientsPerHour, Recipients: o.Limits.Recipients, Timeout: o.Limits.Timeout},
	}
	s.Presented = append(s.Presented, gateway.Presented{By: "outlook.tls", Certificates: ring.Certificates})
	s.Companions = append(s.Companions, gateway.Companion{
		Check: admin.Check{
			Name: "certificate of outlook.tls", Warning: true,
			Advice: "The add-in for Outlook goes on with the certificate that it has; put the file right, it is looked at every ten seconds.",
			Run:    func(context.Context) error { return ring.Check() },
		},
		Run: ring.Run,
	})
	if known.check != nil {
		s.Companions = append(s.Companions, gateway.Companion{Check: admin.Check{
			Name: "outlook keys", Warning: true,
			Advice: "Users of the add-in cannot be recognised once the keys that are known have ended; siegel outlook check says more.",
			Run:    known.check,
		}})
	}
	return nil
}

// outlookPages are the pages of the add-in at its address.
func outlookPages(c *configs.Config) (addin.Pages, error) {
	at := outlookAddress(c)
	files, err := outlook.Files(at)
	if err != nil {
		return addin.Pages{}, err
	}
	allowed, err := outlook.Allowed(at)
	if err != nil {
		return addin.Pages{}, err
	}
	authority := ""
	if c.Outlook.Entra.Enabled() {
		authority = c.Outlook.Entra.Authority
	}
	pages := addin.Pages{Files: files, Documents: map[string][]byte{outlook.WellKnown: allowed}, Policy: outlook.SecurityPolicy(authority), Frames: c.Outlook.Frames}
	for _, host := range c.Outlook.Exchange.Hosts { // which have Outlook on the web, too
		pages.Frames = append(pages.Frames, "https://"+strings.TrimSuffix(strings.ToLower(host), ":443"))
	}
	return pages, nil
}

// issuers are those whose tokens are believed.
type issuers struct {
	verifier token.Verifier
	entra    *token.Keys
	check    func(context.Context) error // nil: there are none
}

// newIssuers makes what verifies tokens. It fetches nothing yet.
func newIssuers(o configs.Outlook) issuers {
	var out issuers
	var checks []func(context.Context) error
	if e := o.Entra; e.Enabled() {
		fetch := token.File(e.KeysFile.String())
		if e.KeysFile == "" {
			fetch = token.NewClient(outward(e.Policy(), e.Roots()), nil).Tenant(e.Authority, e.Tenant)
		}
		out.entra = token.NewKeys(fetch, nil)
		checks = append(checks, out.entra.Check)
		out.verifier.Entra = token.NewEntra(token.EntraOptions{Tenant: e.Tenant, Client: e.ClientID, Clients: e.Clients, Audiences: e.Audiences(), Scope: e.Scope, Authority: e.Authority, Keys: out.entra})
	}
	if e := o.Exchange; len(e.Hosts) > 0 {
		client := token.NewClient(outward(e.Policy(), e.Roots()), nil)
		out.verifier.Exchange = token.NewExchange(token.ExchangeOptions{Hosts: e.Hosts, Audience: addin.PageOf(o.Origin()), Fetch: client.Metadata})
		checks = append(checks, out.verifier.Exchange.Check)
	}
	if len(checks) > 0 {
		out.check = func(ctx context.Context) error {
			for _, check := range checks {
				if err := check(ctx); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return out
}

// outward is the TLS to a server by a profile, with whom to believe; nil: the authorities of the machine.
func outward(p tlspolicy.Profile, roots *x509.CertPool) *tls.Config {
	config := p.ClientConfig()
	config.RootCAs = roots
	return config
}

// outlookUsers say whose addresses are whose.
func outlookUsers(c *configs.Config, all []*ldap.Directory) *addin.Users {
	o := addin.UsersOptions{Table: c.Outlook.Users(), Local: c.Domains, EntraAttribute: c.Outlook.Entra.Attribute, ExchangeAttribute: c.Outlook.Exchange.Attribute}
	for _, d := range all {
		if strings.EqualFold(d.Name(), c.Outlook.Directory) {
			o.Directory = d
		}
	}
	return addin.NewUsers(o)
}

// outlookSettings are what the pages may know.
func outlookSettings(c *configs.Config, v policy.Vocabulary) addin.Settings {
	out := addin.Settings{
		Language: c.Outlook.Language,
		Tags:     addin.Tags{Sign: v.Sign, Encrypt: v.Encrypt, Plain: v.Plain, TLS: v.TLS},
		DeMail:   addin.DeMail{Enabled: len(c.DeMail.Accounts) > 0, Options: outlookOptions(c, v)},
	}
	if e := c.Outlook.Entra; e.Enabled() {
		out.Entra = &addin.Entra{ClientID: e.ClientID, Authority: e.Authority + "/" + e.Tenant, Scope: e.PagesScope()}
	}
	return out
}

// outlookOptions are the options of De-Mail that a subject can ask for, with the words for each, and whether anybody may.
func outlookOptions(c *configs.Config, v policy.Vocabulary) []addin.DeMailOption {
	var may demail.Options
	for _, s := range c.DeMail.Senders {
		may = may.Or(configs.DeMailOptions(s.May))
	}
	var out []addin.DeMailOption
	for _, o := range []struct {
		name   string
		only   demail.Options
		may    bool
		de, en string // the usual words
	}{
		{"sent", demail.Options{Dispatch: true}, may.Dispatch, "Versandbestätigung", "Delivery confirmation"},
		{"received", demail.Options{Receipt: true}, may.Receipt, "Eingangsbestätigung", "Receipt confirmation"},
		{"collected", demail.Options{Retrieve: true}, may.Retrieve, "Abholbestätigung", "Collection confirmation"},
		{"confirmed", demail.Options{Authoritative: true}, may.Authoritative, "Absenderbestätigt", "Confirmed by sender"},
		{"personal", demail.Options{Private: true}, may.Private, "Persönlich", "Personal"},
	} {
		usual := o.en
		if c.Outlook.Language == "de" {
			usual = o.de
		}
		option := addin.DeMailOption{Name: o.name, May: o.may, Tag: outlookTag(v.DeMail, o.only, usual), Words: []string{}}
		for _, w := range v.DeMail {
			if w.Options == o.only {
				option.Words = append(option.Words, "["+strings.Trim(w.Word, "[]")+"]")
			}
		}
		out = append(out, option)
	}
	return out
}

// outlookTag is the usual word that asks for an option, or, where the configuration has others, the first of them; empty where it has none.
func outlookTag(words []policy.DeMailWord, option demail.Options, usual string) (tag string) {
	for _, w := range words {
		word := strings.Trim(w.Word, "[]")
		switch {
		case w.Options != option:
		case strings.EqualFold(word, usual):
			return "[" + word + "]"
		case tag == "":
			tag = "[" + word + "]"
		}
	}
	return tag
}
