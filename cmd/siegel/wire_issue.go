package main

import (
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
)

// issue turns the section certificates.issue into the gateway's; nil where nothing is issued.
func issue(c *configs.Config, vaults *vault.Set) *gateway.Issue {
	i := c.Certificates.Issue
	if i.CA == configs.IssueNone {
		return nil
	}
	return &gateway.Issue{
		Issuer: issuerOf(i, vaults),
		CA:     enroll.CAOptions{URL: i.URL, Profile: enroll.Profile(i.Profile), Lifetime: i.Lifetime, CRLLifetime: i.CRLLifetime},
		Founding: enroll.Founding{
			Organization: i.Organization, Country: i.Country, Domains: configs.IssuingDomains(c.Domains), Key: authorityKey(i.Key),
		},
		Key: enroll.KeyKind(i.Key), Separate: i.Separate, RenewBefore: i.RenewBefore, PerHour: i.PerHour, FirstUse: i.FirstUse,
		Tag: c.Recipients.Tag,
	}
}

// authorityKey is the kind of an authority's key where users have keys of a kind: as strong, or stronger for its longer life.
func authorityKey(users string) enroll.KeyKind {
	switch kind := enroll.KeyKind(users); kind {
	case enroll.P256:
		return enroll.P384
	case enroll.RSA2048:
		return enroll.RSA3072
	default:
		return kind
	}
}
