package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/outlook"
)

// outlookConfig is a configuration whose section outlook has this beside address, URL and certificate.
func outlookConfig(t *testing.T, section string) *configs.Config {
	t.Helper()
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.P256, nil, "siegel.firma.example")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte(tokentest.Mailbox+": bob@firma.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := configs.Load(writeTLS(t, dir, fmt.Sprintf(`
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [127.0.0.1]}]
routes: [{name: rest, domains: "*", host: 127.0.0.1}]
dns: {servers: [127.0.0.1]}
admin: {socket: run/control.sock}
outlook:
  listen: "127.0.0.1:0"
  url: https://siegel.firma.example
  tls: {certificate: %s, key: %s}
`, pair.CertFile, pair.KeyFile)+section), configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// What the configuration says of the add-in is what the gateway gets.
func TestOutlookOfConfiguration(t *testing.T) {
	c := outlookConfig(t, `
  language: de
  entra: {tenant: `+tokentest.Tenant+`, client_id: `+tokentest.Client+`, audience: "api://siegel.firma.example/`+tokentest.Client+`"}
  exchange: {hosts: ["Mail.firma.example", "mail2.firma.example:8443"]}
  users_file: users
  frames: ["https://owa.firma.example"]
`)
	log, _ := logtest.NewNullLogger()
	var s gateway.Settings
	s.Vocabulary = c.Policy.Vocabulary()
	s.Vocabulary.DeMail = deMailWords(c.DeMail.Tags)
	if err := useOutlook(&s, c, nil, log); err != nil {
		t.Fatal(err)
	}
	o := s.Outlook
	if o.Origin != "https://siegel.firma.example" || o.Verifier.Entra == nil || o.Verifier.Exchange == nil || o.Pages.Files == nil || o.Pages.Documents["/.well-known/microsoft-officeaddins-allowed.json"] == nil {
		t.Errorf("%+v", o)
	}
	if want := []string{"https://owa.firma.example", "https://mail.firma.example", "https://mail2.firma.example:8443"}; !slices.Equal(o.Pages.Frames, want) {
		t.Errorf("frames: %q", o.Pages.Frames)
	}
	if e := o.Settings.Entra; e == nil || e.Scope != tokentest.Client+"/access_as_user" {
		t.Errorf("%+v", e)
	}
	var tags []string
	for _, option := range o.Settings.DeMail.Options {
		tags = append(tags, option.Tag)
		if len(option.Words) != 3 || !slices.Contains(option.Words, option.Tag) {
			t.Errorf("words of %s: %q", option.Name, option.Words)
		}
		if option.May {
			t.Errorf("nobody may send De-Mail, and somebody may ask for %s", option.Name)
		}
	}
	if want := []string{"[Versandbestätigung]", "[Eingangsbestätigung]", "[Abholbestätigung]", "[Absenderbestätigt]", "[Persönlich]"}; !slices.Equal(tags, want) {
		t.Errorf("tags: %q", tags)
	}
	if o.Settings.DeMail.Enabled {
		t.Error("De-Mail is sent without an account")
	}
	own, err := o.Users.Of(t.Context(), token.Identity{Kind: token.OfExchange, ID: tokentest.Mailbox})
	if err != nil || len(own) != 1 || own[0].String() != "bob@firma.example" {
		t.Errorf("%v, %v", own, err)
	}
	if len(s.Companions) != 2 || len(s.Presented) != 1 || s.Companions[0].Check.Run(t.Context()) != nil || s.Companions[1].Check.Name != "outlook keys" {
		t.Errorf("%+v", s.Companions)
	}
	dispatch := configs.DeMailOptions([]configs.DeMailOption{"dispatch"})
	for usual, want := range map[string]string{"Delivery confirmation": "[Delivery confirmation]", "another": "[Versandbestätigung]"} {
		if got := outlookTag(s.Vocabulary.DeMail, dispatch, usual); got != want {
			t.Errorf("%s: %s", usual, got)
		}
	}
	if _, err := addin.New(addin.Options{Address: "127.0.0.1:0", Explain: new(gateway.Gateway), Setup: *o}); err != nil {
		t.Error(err)
	}
}

// Where the configuration names no URI of the application, its registration, the manifest and the gateway have the same.
func TestOutlookOneResource(t *testing.T) {
	c := outlookConfig(t, "  entra: {tenant: "+tokentest.Tenant+", client_id: "+tokentest.Client+"}\n")
	xml, _, err := outlook.Manifest(outlook.Options{URL: outlookAddress(c), EntraClient: tokentest.Client})
	if err != nil {
		t.Fatal(err)
	}
	want := c.Outlook.Entra.Resource()
	if !strings.Contains(string(xml), "<Resource>"+want+"</Resource>") || !slices.Contains(c.Outlook.Entra.Audiences(), want) {
		t.Errorf("%s is not in the manifest, or not believed: %q", want, c.Outlook.Entra.Audiences())
	}
}

// What cannot be served is said before anything is.
func TestOutlookCannot(t *testing.T) {
	c := outlookConfig(t, "  networks: [10.0.0.0/8]\n")
	if err := os.WriteFile(c.Outlook.TLS.Key.String(), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, _ := logtest.NewNullLogger()
	var s gateway.Settings
	if err := useOutlook(&s, c, nil, log); err == nil || !strings.Contains(err.Error(), "outlook.tls: ") {
		t.Error(err)
	}
	if err := useOutlook(&s, &configs.Config{}, nil, log); err != nil || s.Outlook != nil {
		t.Errorf("without an address: %v, %v", s.Outlook, err)
	}
}

// Clocks that are apart are told of before a user meets it, and networks where everybody may ask.
func TestOutlookCheckSays(t *testing.T) {
	key := tokentest.NewKey(t, 2048, time.Now())
	service := tokentest.Serve(t, key)
	for ahead, want := range map[time.Duration]string{0: "", 3 * time.Minute: "look  Entra ID", 10 * time.Minute: "FAIL  Entra ID", -10 * time.Minute: "FAIL  Entra ID"} {
		var out bytes.Buffer
		w := &outlookCheck{out: &out, now: func() time.Time { return time.Now().Add(ahead) }}
		w.clock(t.Context(), "Entra ID", token.NewClient(service.TLS(), nil), service.URL)
		if !strings.HasPrefix(out.String(), want) || want == "" && out.Len() > 0 || w.bad != strings.HasPrefix(want, "FAIL") {
			t.Errorf("%v ahead: %s", ahead, out.String())
		}
	}
	service.Answer(http.NotFound)
	var out bytes.Buffer
	w := &outlookCheck{o: outlookConfig(t, "  networks: [10.0.0.0/8]\n").Outlook, out: &out, now: time.Now}
	w.users()
	if !strings.Contains(out.String(), "everybody in 10.0.0.0/8") || w.bad {
		t.Error(out.String())
	}
	out.Reset()
	w = &outlookCheck{o: outlookConfig(t, "").Outlook, out: &out, now: time.Now}
	w.users()
	if !w.bad || !strings.Contains(out.String(), "nobody is known") {
		t.Error(out.String())
	}
}
