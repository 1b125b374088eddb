package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// deMailWorld is two simulated providers, with the configuration of a gateway of the first company at the first of them.
type deMailWorld struct {
	*rehearsal.World
	dir, file string
	company   rehearsal.Company
}

// newDeMailWorld starts providers; nginx, which ends TLS as old ones do, is needed where legacy is set. The company's account is also opened by the
// certificates of clients.
func newDeMailWorld(t *testing.T, profile string, o rehearsal.TLS, legacy bool, clients ...*x509.Certificate) *deMailWorld {
	t.Helper()
	dir := t.TempDir()
	if _, _, err := writeState(dir); err != nil {
		t.Fatal(err)
	}
	keys, err := rehearsal.LoadKeys(filepath.Join(dir, "keys"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p, err := configs.ProfileFile(profile).Load()
	if err != nil {
		t.Fatal(err)
	}
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if legacy {
		if o.Nginx, err = exec.LookPath("nginx"); err != nil {
			o.Nginx = "/usr/sbin/nginx"
		}
	}
	world, err := rehearsal.Start(rehearsal.Options{Keys: keys, Profiles: []*webservice.Profile{p}, Listen: "127.0.0.1:0", TLS: o, Spool: spool, Clients: map[string][]*x509.Certificate{rehearsal.Companies()[0].Name: clients}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	w := &deMailWorld{World: world, dir: dir, file: filepath.Join(dir, "siegel.yaml"), company: rehearsal.Companies()[0]}
	w.write(t, w.section(profile, legacy))
	return w
}

// section is that of the configuration.
func (w *deMailWorld) section(profile string, legacy bool) string {
	name := "modern"
	if legacy {
		name = "de-mail-legacy"
	}
	return fmt.Sprintf(`
demail:
  accounts:
    - name: main
      profile: %s
      url: %s
      account: %[3]s
      user: %[3]s
      password: {file: keys/%s}
      tls: {profile: %s, ca: keys/%s, client_certificate: keys/%s, client_key: keys/%s}
      level: high
      entitled: [dispatch, receipt, authoritative, private]
  senders: [{address: "{local}@%s", daily: 2}]
  anchors: [keys/%s]
  incoming: {fallback: office@firma.example}
`, profile, w.Providers[0].URL, w.company.Name, rehearsal.PasswordFile(w.company.Name), name, rehearsal.RootsFile, rehearsal.CertificateFile(w.company.Name),
		rehearsal.KeyFile(w.company.Name), w.company.Domain, rehearsal.AnchorsFile)
}

func (w *deMailWorld) write(t *testing.T, section string) {
	t.Helper()
	if err := os.WriteFile(w.file, []byte(stateConfig+section), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change replaces a part of the configuration.
func (w *deMailWorld) change(t *testing.T, old, by string) {
	t.Helper()
	text, err := os.ReadFile(w.file)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("nothing to change: %q, %v", old, err)
	}
	if err := os.WriteFile(w.file, []byte(strings.Replace(string(text), old, by, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *deMailWorld) load(t *testing.T) *configs.Config {
	t.Helper()
	c, problems := configs.Load(w.file, configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// unless is an error until something is so.
func unless(so bool) error {
	if so {
		return nil
	}
	return errors.New("not yet")
}

// An account reaches its provider by the suite that crypto/tls does not have; its domains are learned, and known after a restart while the provider is away.
func TestDeMailLegacy(t *testing.T) {
	w := newDeMailWorld(t, "t-systems", rehearsal.TLS{}, true)
	c := w.load(t)
	log, _ := newLines()
	held, err := newDeMails(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings(c, log, nil, nil, held)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.DeMail.Accounts) != 1 || s.DeMail.Accounts[0].Name != "main" || s.DeMail.Accounts[0].Host != "127.0.0.1" || s.DeMail.Accounts[0].Concurrency != 2 {
		t.Fatalf("%+v", s.DeMail.Accounts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, one := range s.Companions {
			if one.Check.Name == "De-Mail main" {
				one.Run(ctx)
			}
		}
	}()
	eventually(t, "it is as it was meant", func() error { return unless(len(held.memory.Domains("main")) > 0) })
	cancel()
	<-done
	if got := held.memory.Domains("main"); !slices.Equal(got, []string{w.company.Domain}) || !s.DeMail.Desk.IsDeMail(w.company.Domain) {
		t.Errorf("%q", got)
	}
	if now := held.Account("main").Status(t.Context()); now.TLS.Suite != 0xC028 || now.TLS.Group != tls.CurveP521 || !now.TLS.Shown || now.Answered.IsZero() || now.Doubtful != -1 {
		t.Errorf("%+v", now)
	}
	if err := held.Account("main").Check(t.Context()); err != nil {
		t.Error(err)
	}
	w.Close()
	again, err := newDeMails(c)
	if err != nil || !slices.Equal(again.memory.Domains("main"), []string{w.company.Domain}) {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := s.DeMail.Accounts[0].Provider.Domains(t.Context()); !errors.Is(err, connectors.ErrUnavailable) {
		t.Error(err)
	}
	s.DeMail.Accounts[0].Close()
}

// A gateway counts what its senders spend, in its record; a reload brings and takes accounts.
func TestDeMailReload(t *testing.T) {
	w := newDeMailWorld(t, "mentana", rehearsal.TLS{Mutual: true}, false)
	c := w.load(t)
	log, _ := newLines()
	held, err := newDeMails(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := held.Spend(t.Context(), "a", time.Now(), 1, 1); err == nil {
		t.Error("nobody counted, and it was spent")
	}
	o, err := options(c, log, nil, nil, held)
	if err != nil {
		t.Fatal(err)
	}
	serve := &serveCmd{Config: w.file}
	none := &smartcards{Holder: cards.New(cards.Options{}), back: newComeback()}
	o.Load = func() (gateway.Settings, error) { return serve.load(t.Context(), log, newVaultMetrics(), none, held) }
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	held.use(g)
	for i, want := range []bool{true, true, false} {
		if _, ok, err := held.Spend(t.Context(), "a", time.Now(), 1, 2); err != nil || ok != want {
			t.Errorf("%d: %v, %v", i, ok, err)
		}
	}
	if n, err := held.doubtful(t.Context(), "main"); n != 0 || err != nil {
		t.Error(n, err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	names := func() (all []string) {
		for _, s := range held.Status(t.Context()) {
			all = append(all, s.Account)
		}
		return all
	}
	eventually(t, "it is as it was meant", func() error { return unless(slices.Equal(names(), []string{"main"})) })
	eventually(t, "it is as it was meant", func() error { return unless(!held.Account("main").Status(t.Context()).Answered.IsZero()) })
	w.change(t, "- name: main", "- name: other")
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is as it was meant", func() error { return unless(slices.Equal(names(), []string{"other"})) })
	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	without, _, _ := strings.Cut(string(text), "\ndemail:")
	if err := os.WriteFile(w.file, []byte(without), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is as it was meant", func() error { return unless(len(names()) == 0) })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A directory says from which De-Mail address somebody sends; several leave it open.
func TestDeMailAttribute(t *testing.T) {
	person := func(name, more string) string {
		return "dn: uid=" + name + ",dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: " + name + "\ncn: " + name + "\nsn: " + name + "\nmail: " + name + "@firma.example\n" + more + "\n"
	}
	server := ldaptest.Start(t, ldaptest.Options{LDIF: "dn: dc=firma,dc=example\nobjectClass: domain\ndc: firma\n\n" +
		person("alice", "description: alice@firma.de-mail.de\n") + person("bob", "description: b@firma.de-mail.de\ndescription: bob@firma.de-mail.de\n") + person("carol", "")})
	o := ldap.Options{Name: "company", Servers: []string{server.Secure}, TLS: server.TLS.Config(), Method: ldap.Anonymous, BaseDN: server.Suffix, Timeout: time.Minute, Connect: time.Minute}
	preset, _ := ldap.PresetOf(ldap.OpenLDAP)
	preset.Fill(&o)
	d, err := ldap.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	look := deMailAttribute{d, "description"}
	for name, want := range map[string]string{"alice": "alice@firma.de-mail.de", "carol": "", "nobody": "", "bob": "error"} {
		got, err := look.DeMail(t.Context(), mail.Address{Local: name, Domain: "firma.example"})
		if (err != nil) != (want == "error") || err == nil && got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Words of the configuration count as those of its options; switched off there are none.
func TestDeMailWords(t *testing.T) {
	tags := configs.DeMailTags{Enabled: true, Dispatch: []string{"[a]", "[b]"}, Private: []string{"[c]"}}
	words := deMailWords(tags)
	if len(words) != 3 || words[1].Word != "[b]" || words[1].Options != (demail.Options{Dispatch: true}) || words[2].Options != (demail.Options{Private: true}) {
		t.Errorf("%+v", words)
	}
	tags.Enabled = false
	if words := deMailWords(tags); words != nil {
		t.Errorf("%+v", words)
	}
}

// De-Mail that waits for a card is tried again when the card is back.
func TestDeMailComesBack(t *testing.T) {
	w := newDeMailWorld(t, "t-systems", rehearsal.TLS{}, false)
	w.change(t, fmt.Sprintf("client_certificate: keys/%s, client_key: keys/%s", rehearsal.CertificateFile(w.company.Name), rehearsal.KeyFile(w.company.Name)), `client_key: "card:token"`)
	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := configs.Parse(w.file, append(text, []byte("smartcards: [{name: token, serial: a, certificate: "+strings.Repeat("00", 32)+"}]\n")...),
		configs.Options{Environ: []string{}, PCSC: func() bool { return true }})
	if c == nil {
		t.Fatal(problems)
	}
	back := newComeback()
	back.wait(c)
	back.add("token")
	if got := back.take(); !slices.Contains(got, "demail:main") {
		t.Errorf("%q", got)
	}
}
