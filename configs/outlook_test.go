package configs

import (
	"path/filepath"
	"slices"
	"testing"
)

// outlookConfig is a configuration whose section outlook is this.
func outlookConfig(t *testing.T, section string) (*Config, Problems) {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	return Parse(filepath.Join(dir, "siegel.yaml"), []byte(`
hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [10.0.0.0/24]}]
routes: [{name: all, domains: firma.example, host: ex.firma.example}, {name: internet, domains: "*", host: relay.example}]
admin: {socket: state/siegel.sock}
outlook:
  listen: "127.0.0.1:0"
  tls: {certificate: both.pem}
`+section), options())
}

func TestOutlook(t *testing.T) {
	c, problems := outlookConfig(t, `
  url: "https://Mail.Firma.example:443/"
  entra: {tenant: 6F1A2B3C-0d4e-4f56-8a9b-0c1d2e3f4a5b, client_id: 0C9D8E7F-6a5b-4c3d-9e2f-1a0b9c8d7e6f}
  networks: [10.1.0.0/16]
  frames: ["https://owa.firma.example"]
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	o := c.Outlook
	if o.Origin() != "https://mail.firma.example" {
		t.Errorf("origin %q", o.Origin())
	}
	if want := []string{"0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f", "api://mail.firma.example/0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f", "api://0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f"}; !slices.Equal(o.Entra.Audiences(), want) {
		t.Errorf("audiences %q", o.Entra.Audiences())
	}
	own := OutlookEntra{ClientID: "c", Audience: "api://other/c", Scope: "s", origin: "https://mail.firma.example"}
	if !slices.Equal(own.Audiences(), []string{"c", "api://other/c"}) || own.Resource() != "api://other/c" || own.PagesScope() != "c/s" {
		t.Errorf("with a URI of its own: %q, %q, %q", own.Audiences(), own.Resource(), own.PagesScope())
	}
	if o.Entra.Tenant != "6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b" {
		t.Errorf("tenant %q", o.Entra.Tenant)
	}
	if pair, ok := o.TLS.Pair(); !ok || pair.Leaf == nil || o.TLS.Policy().Name == "" || o.TLS.Key != o.TLS.Certificate {
		t.Errorf("TLS: %+v", o.TLS)
	}
	if len(o.NetworksSpeakFor) != 1 || o.NetworksSpeakFor[0].String() != "@firma.example" {
		t.Errorf("networks speak for %v", o.NetworksSpeakFor)
	}
	if o.Entra.Policy().Name == "" || o.Entra.Roots() != nil || o.Exchange.Policy().Name != "" || o.Exchange.Roots() != nil {
		t.Error("the TLS to others is not what was asked for")
	}
}

func TestOutlookOfExchange(t *testing.T) {
	c, problems := outlookConfig(t, `
  url: "https://mail.firma.example:8443"
  exchange: {hosts: ["mail.firma.example:8443"], ca: both.pem}
  users_file: outlook-users
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	o := c.Outlook
	if o.Origin() != "https://mail.firma.example:8443" || o.Exchange.Roots() == nil || o.Exchange.Policy().Name == "" || o.Entra.Enabled() || o.NetworksSpeakFor != nil || len(o.Users()["5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f"]) != 2 {
		t.Errorf("%+v", o)
	}
}

func TestOriginOf(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example":              "https://a.example",
		"https://A.Example/":             "https://a.example",
		"https://a.example:0443":         "https://a.example",
		"https://a.example:8443":         "https://a.example:8443",
		"https://[2001:DB8::1]:8443":     "https://[2001:db8::1]:8443",
		"https://192.0.2.1":              "https://192.0.2.1",
		"":                               "",
		"a.example":                      "",
		"http://a.example":               "",
		"https://":                       "",
		"https://a.example:":             "",
		"https://a.example:0":            "",
		"https://a.example:99999":        "",
		"https://a.example:x":            "",
		"https://a.example/outlook":      "",
		"https://a.example?":             "",
		"https://a.example#":             "",
		"https://a.example?x=1":          "",
		"https://u@a.example":            "",
		"https://a..example":             "",
		"https://a.example;b.example":    "",
		"https://*.example":              "",
		"https://a.example *.example":    "",
		"https://a.example\nx-y: b":      "",
		"https://a.example%20b":          "",
		"https://xn--mnchen-3ya.example": "https://xn--mnchen-3ya.example",
	} {
		if got, _ := originOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
