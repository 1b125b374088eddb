package main

import (
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/secret"
)

func domains(t *testing.T, texts ...string) mail.Patterns {
	t.Helper()
	p, err := mail.ParsePatterns(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What the configuration says of partners and of what domains publish reaches the routes by MX, and no others.
func TestUseHops(t *testing.T) {
	resolver, err := dns.New(dns.Options{Servers: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	c := &configs.Config{State: configs.Path(t.TempDir()), Routes: []configs.Route{{MX: true}}}
	c.AtRest.Key = secret.New(atrest.NewKey().Text())
	c.TLS.DANE, c.TLS.MTASTS.Enabled = true, true
	c.TLS.Partners = []configs.TLSPartner{
		{Name: "bank", Domains: domains(t, "@bank.example", "@*.bank.example"), Level: configs.RouteTLSVerified},
		{Name: "old", Domains: domains(t, "@old.example"), Level: configs.RouteTLSNone},
		{Name: "second", Domains: domains(t, "@bank.example"), Level: configs.RouteTLSNone},
		{Name: "own", Domains: domains(t, "@own.example"), Level: configs.RouteTLSVerified, CA: "ca.pem", DANE: "true"},
		{Name: "loose", Domains: domains(t, "@loose.example"), Level: configs.RouteTLSOpportunistic, CA: "ca.pem"},
	}
	s := &gateway.Settings{DNS: resolver, Routes: []gateway.Route{
		{Name: "fixed", SMTP: smtpout.Options{Hosts: []string{"a:25"}}}, {Name: "internet", SMTP: smtpout.Options{MX: &smtpout.MX{}}},
	}, Backup: []gateway.Backup{{SMTP: smtpout.Options{MX: &smtpout.MX{}}}}}
	if err := useHops(s, c, logrus.New()); err != nil {
		t.Fatal(err)
	}
	fixed, byMX := s.Routes[0].SMTP, s.Routes[1].SMTP
	if fixed.Partners != nil || fixed.TLS.DANE || fixed.TLS.MTASTS || fixed.Sources.TLSA == nil || fixed.Log == nil {
		t.Errorf("%+v", fixed)
	}
	if !byMX.TLS.DANE || !byMX.TLS.MTASTS || byMX.Sources.Policies == nil || byMX.Sources.TLSA == nil || !s.Backup[0].SMTP.TLS.DANE || len(s.Companions) != 1 {
		t.Errorf("%+v", byMX)
	}
	for domain, want := range map[string]smtpout.Security{
		"bank.example":   {Level: smtpout.Verified, Name: "bank", DANE: true, MTASTS: true},
		"a.bank.example": {Level: smtpout.Verified, Name: "bank", DANE: true, MTASTS: true},
		"old.example":    {Level: smtpout.None, Name: "old"},
		"own.example":    {Level: smtpout.Verified, Name: "own", DANE: true},
		"loose.example":  {Level: smtpout.Opportunistic, Name: "loose", DANE: true, MTASTS: true},
		"x.example":      {},
	} {
		got, ok := byMX.Partners(domain)
		if got.Level != want.Level || got.Name != want.Name || got.DANE != want.DANE || got.MTASTS != want.MTASTS || ok != (want.Name != "") {
			t.Errorf("%s: %+v, %t", domain, got, ok)
		}
	}
	c.TLS.MTASTS.Enabled, c.TLS.Partners = false, nil
	s.Companions = nil
	if err := useHops(s, c, logrus.New()); err != nil || s.Companions != nil || s.Routes[1].SMTP.Sources.Policies != nil {
		t.Errorf("switched off: %+v, %v", s.Companions, err)
	}
}
