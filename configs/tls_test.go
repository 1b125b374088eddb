package configs

import (
	"crypto/tls"
	"path/filepath"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// loadTLS loads a configuration with a section tls.
func loadTLS(t *testing.T, section, route string) *Config {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	c, problems := Parse(filepath.Join(dir, "siegel.yaml"), []byte(`
hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates:
  folder: certificates
  trust: trust
  directories: [{name: d, kind: openldap, servers: ["ldaps://ldap.firma.example"], base: "dc=firma"}]
vault: [{name: v, addresses: ["https://vault.firma.example"], login: {token: {file: at-rest.key}}, profile: modern}]
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [10.0.0.1], tls: {certificate: good.pem, key: good.key}}]
routes:
  - {name: exchange, domains: firma.example, host: ex.firma.example, `+route+`}
  - {name: rest, domains: "*", mx: true}
admin: {socket: state/siegel.sock}
`+section), options())
	for _, p := range problems.Errors() {
		t.Error(p)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

// What is not said is inherited, in whatever order the profiles stand; what is narrowed by its versions leaves the rest away.
func TestTLSProfiles(t *testing.T) {
	c := loadTLS(t, `
tls:
  default: Open
  profiles:
    - {name: grandchild, inherit: Child, min_ec: 384, resumption: true}
    - {name: child, inherit: bsi-tr-02102-2, versions: [TLS1.3], min_rsa: 4096, resumption: false, client_certificate: required}
    - {name: open, inherit: child, client_certificate: optional}
    - {name: old, versions: [TLS1.2, TLS1.1], suites: [ECDHE-RSA-AES128-SHA, ecdhe-rsa-aes128-sha, AES128-GCM-SHA256], groups: [secp521r1, x25519]}
`, "tls: {profile: old}")
	get := func(name string) tlspolicy.Profile {
		t.Helper()
		p, ok := c.TLS.Profile(name)
		if !ok {
			t.Fatalf("no profile %s", name)
		}
		return p
	}
	p := get("grandchild")
	if p.Name != "grandchild" || p.MinRSA != 4096 || p.MinEC != 384 || !p.Resumption || p.ClientCertificate != tlspolicy.ClientRequired || p.MinVersion != tls.VersionTLS13 {
		t.Errorf("%+v", p)
	}
	if slices.Contains(p.Suites, 0xC030) || !slices.Contains(p.Suites, tls.TLS_AES_256_GCM_SHA384) || !slices.Contains(p.Groups, tls.CurveP384) {
		t.Errorf("suites %x, groups %v", p.Suites, p.Groups)
	}
	if get("open").ClientCertificate != tlspolicy.ClientOptional || get("OPEN").Resumption {
		t.Errorf("%+v", get("open"))
	}
	p = get("old")
	if !slices.Equal(p.Suites, []uint16{0xC013, 0x009C}) || !slices.Equal(p.Groups, []tls.CurveID{25, 29}) || p.MinVersion != tls.VersionTLS11 || p.MaxVersion != tls.VersionTLS12 || p.MinRSA != 2048 {
		t.Errorf("%+v", p)
	}
	if c.Routes[0].TLS.Policy().Name != "old" || c.Routes[1].TLS.Policy().Name != "open" || c.Listeners[0].TLS.Policy().Name != "open" || c.Vault[0].Policy().Name != "modern" {
		t.Error("a connection has another profile")
	}
	if len(c.TLS.All()) != len(tlspolicy.Builtins())+4 {
		t.Errorf("%d profiles", len(c.TLS.All()))
	}
	if d := c.Certificates.Directories[0].LDAP(); d.TLS.MinVersion != tls.VersionTLS13 || d.TLS.VerifyConnection == nil {
		t.Errorf("the directory has %+v", d.TLS)
	}
	if b := get("bsi-tr-02102-2"); !slices.Contains(b.Suites, 0xC030) {
		t.Error("an heir took suites from the profile that it inherits from")
	}
}

// The built-in default is in force where nothing is said; one word names another.
func TestTLSDefault(t *testing.T) {
	for section, want := range map[string]string{"": tlspolicy.Default, "tls: modern": "modern", "tls: {}": tlspolicy.Default} {
		if p, ok := loadTLS(t, section, "tls: {}").TLS.Profile(""); !ok || p.Name != want {
			t.Errorf("%q: %s", section, p.Name)
		}
	}
}

// A profile that only utls speaks is for one partner.
func TestTLSDefaultByUTLS(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir)
	_, problems := Parse(filepath.Join(dir, "siegel.yaml"), []byte("tls: de-mail-legacy\n"), options())
	if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error && p.Key == "tls.default" }) {
		t.Errorf("%v", problems)
	}
}
