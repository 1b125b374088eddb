package gateway

import (
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/dns"
)

// Which ways do without TLS: a route of its own, and the partner of a route by MX, in both directions.
func TestWithoutTLS(t *testing.T) {
	resolver, err := dns.New(dns.Options{Servers: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	partners := func(domain string) (smtpout.Security, bool) {
		level, ok := map[string]smtpout.Level{"old.example": smtpout.None, "new.example": smtpout.Verified}[domain]
		return smtpout.Security{Level: level}, ok
	}
	level := func(l smtpout.Level) smtpout.Security { return smtpout.Security{Level: l} }
	table, err := newRoutes("gw.firma.example", "", Settings{DNS: resolver, Routes: []Route{
		{Name: "plain", Domains: patterns(t, "@plain.example"), SMTP: smtpout.Options{Hosts: []string{"a:25"}, TLS: level(smtpout.None), Partners: partners}},
		{Name: "implicit", Domains: patterns(t, "@implicit.example"), SMTP: smtpout.Options{Hosts: []string{"a:465"}, TLS: level(smtpout.None), Implicit: true}},
		{Name: "mx-plain", Domains: patterns(t, "@x.example", "@new.example"), SMTP: smtpout.Options{MX: &smtpout.MX{}, TLS: level(smtpout.None), Partners: partners}},
		{Name: "internet", Domains: patterns(t, "*"), SMTP: smtpout.Options{MX: &smtpout.MX{}, Partners: partners}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &router{}
	r.replace(table)
	defer r.close()
	for domain, want := range map[string]bool{
		"plain.example": true, "implicit.example": false, "x.example": true, "new.example": false, "old.example": true, "y.example": false,
	} {
		if r.withoutTLS(mail.Address{Local: "bob", Domain: domain}) != want {
			t.Errorf("%s: %t", domain, !want)
		}
	}
	r.replace(routes{})
	if r.withoutTLS(mail.Address{Local: "bob", Domain: "plain.example"}) {
		t.Error("there is no way at all")
	}
}
