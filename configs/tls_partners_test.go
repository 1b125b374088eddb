package configs

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The level of a partner counts by MX, on routes and on backups alike.
func TestPartnersByBackup(t *testing.T) {
	for way, want := range map[string][]string{
		"mx: true":              nil,
		"host: mx.bank.example": {"there is no route by MX"},
	} {
		dir := t.TempDir()
		makeFiles(t, dir)
		c, problems := Parse(filepath.Join(dir, "siegel.yaml"), []byte(`
hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners: [{name: in, address: "127.0.0.1:0", role: external, tls: {certificate: good.pem, key: good.key}}]
routes: [{name: exchange, domains: "*", host: ex.firma.example}]
backup: [{name: kept, domains: [bank.example], `+way+`}]
tls: {partners: [{name: bank, domains: [bank.example], level: verified}]}
admin: {socket: state/siegel.sock}
`), options())
		if c == nil {
			t.Fatal(problems)
		}
		var got []string
		for _, p := range problems {
			if strings.Contains(p.String(), "tls.partners") {
				got = append(got, p.String())
			}
		}
		if !slices.EqualFunc(got, want, strings.Contains) {
			t.Errorf("%s: %q", way, got)
		}
	}
}
