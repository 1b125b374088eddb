package configs

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// loadDeMail loads a configuration with a section demail; what is wrong in it fails the test.
func loadDeMail(t *testing.T, section string, files map[string]string) (*Config, Problems) {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := Parse(filepath.Join(dir, "siegel.yaml"), []byte(`
hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
smartcards: [{name: card, serial: abc, pin: {file: relay.password}, certificate: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}]
vault: [{name: main, addresses: ["https://vault.firma.example"], login: {token: {file: at-rest.key}}}]
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [10.0.0.1]}]
routes: [{name: exchange, domains: firma.example, host: ex.firma.example}, {name: rest, domains: "*", mx: true}]
admin: {socket: state/siegel.sock}
`+section), options())
	for _, p := range problems.Errors() {
		t.Error(p)
	}
	if c == nil {
		t.FailNow()
	}
	return c, problems
}

// A few words are enough; the rest follows from them.
func TestDeMailDefaults(t *testing.T) {
	c, problems := loadDeMail(t, `
demail:
  accounts: [{name: telekom, profile: t-systems, url: "https://provider.example", tls: {ca: good.pem, client_key: "card:card"}}]
  senders: [{address: "{local}@firma.de-mail.de"}]
  anchors: [good.pem]
  incoming: {fallback: office@firma.example}
`, nil)
	for _, p := range problems {
		t.Error(p)
	}
	d := c.DeMail
	a, ok := d.Account("telekom")
	if _, other := d.Account(""); !ok || other {
		t.Fatal("accounts are found by their names")
	}
	if p := a.WebService(); p == nil || p.Name != "t-systems" {
		t.Error("the profile that comes with the program is not there", p)
	}
	if a.Connector != ConnectorWebService || a.MaxNet != demail.MaxNet || a.Level != demail.LevelNormal || a.Concurrency != 2 || a.Fetch.Every != 5*time.Minute {
		t.Errorf("%+v", a)
	}
	if o := DeMailOptions(a.Entitled); o != (demail.Options{Dispatch: true, Receipt: true}) {
		t.Errorf("entitled to %+v", o)
	}
	card, ok := a.TLS.Card()
	if _, pair := a.TLS.Pair(); !ok || pair || card.Name != "card" || a.TLS.Roots() == nil || a.TLS.Pinned() != nil || a.TLS.Policy().Name != "compatible" {
		t.Errorf("%+v", a.TLS)
	}
	s := d.Senders[0]
	if s.Name != "sender 1" || s.Account != "telekom" || s.Daily != 100 || DeMailOptions(s.May) != DeMailOptions(a.Entitled) || s.Addresses() != nil || s.Directory.Given() {
		t.Errorf("%+v", s)
	}
	if len(d.Trust()) != 1 || !d.Tags.Enabled || !slices.Equal(d.Tags.Dispatch, []string{"[Versandbestätigung]", "[Versandbestaetigung]", "[Delivery confirmation]"}) {
		t.Errorf("%d anchors, tags %+v", len(d.Trust()), d.Tags)
	}
	if got := d.Incoming.FallbackAddress().String(); got != "office@firma.example" || len(d.Incoming.Assigned()) != 0 {
		t.Error(got, d.Incoming.Assigned())
	}
	if d.Overdue != (DeMailOverdue{time.Hour, 24 * time.Hour, 90 * 24 * time.Hour}) {
		t.Errorf("%+v", d.Overdue)
	}
}

// Who writes from the De-Mail address of a namesake is told of, before anybody does.
func TestDeMailNamesakes(t *testing.T) {
	for from, want := range map[string]bool{
		"": false, `from: ["@firma.example"], `: false, `from: ["@firma.example", "@sub.firma.example"], `: true,
		`from: [a@firma.example, b@sub.firma.example], `: false, `from: ["@firma.example", "@*.firma.example"], `: true, `from: ["*"], `: false,
	} {
		for address, local := range map[string]bool{"{local}@firma.de-mail.de": true, "kontakt@firma.de-mail.de": false} {
			_, problems := loadDeMail(t, `
demail:
  accounts: [{name: telekom, profile: t-systems, url: "https://provider.example", tls: {ca: good.pem, client_key: "card:card"}}]
  senders: [{`+from+`address: "`+address+`"}]
  anchors: [good.pem]
  incoming: {fallback: office@firma.example}
`, nil)
			if got := slices.ContainsFunc(problems.Warnings(), func(p Problem) bool { return strings.Contains(p.String(), "same De-Mail address") }); got != (want && local) {
				t.Errorf("%s%s: %v", from, address, problems)
			}
		}
	}
}

// What the longer form can say.
func TestDeMailInFull(t *testing.T) {
	shipped, err := os.ReadFile("connectors/mentana.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := loadDeMail(t, `
demail:
  domains: [Stadt.example]
  accounts:
    - {name: a, profile: own.yaml, url: "https://provider.example:8443/", user: u, password: {file: relay.password}, level: high, entitled: [retrieve, private, authoritative],
       tls: {pins: ["key:sha256:`+strings.Repeat("0f", 32)+`"], client_certificate: good.pem, client_key: "vault:main:de-mail:2", profile: de-mail-legacy}, fetch: 0s}
    - {name: b, connector: mailbox, domains: [firma.de-mail.de], mailbox: {address: kontakt@firma.de-mail.de, sent: Sent, sent_always: true, submission: "smtp.provider.example:465", imap: "[2001:db8::1]:993"}, tls: {public_roots: true, client_certificate: both.pem}}
  senders:
    - {name: table, from: [chef@firma.example], account: a, table: senders, may: [], always: [retrieve]}
    - {address: a@firma.de-mail.de, account: b}
  incoming: {mailboxes: [{demail: Kontakt@firma.de-mail.de, to: office@firma.example}], table: mailboxes}
  evidence: {keep: {sent: 0s}, timestamp: {url: "http://tsa.example", ca: good.pem}}
  tags: false
`, map[string]string{
		"own.yaml": string(shipped), "senders": "\ufeff# who\r\nChef@Firma.example\tchef@firma.de-mail.de # the chief\r\n\r\n",
		"mailboxes": "chef@firma.de-mail.de  chef@firma.example\n",
	})
	a, b := c.DeMail.Accounts[0], c.DeMail.Accounts[1]
	key, ok := a.TLS.Vault()
	if !ok || key.Reference.String() != "vault:main:de-mail:2" || len(key.Chain) != 1 || len(a.TLS.Pinned()) != 1 || a.TLS.Roots() != nil {
		t.Errorf("%+v", a.TLS)
	}
	if _, ok := b.TLS.Pair(); !ok || b.WebService() != nil || b.Mailbox.Folder != "INBOX" || b.Mailbox.Whose().String() != "kontakt@firma.de-mail.de" || a.WebService() == nil {
		t.Error("a pair in one file; profiles of web services only")
	}
	if got := c.DeMail.Senders[0].Addresses(); len(got) != 1 || got["chef@firma.example"].String() != "chef@firma.de-mail.de" {
		t.Error(got)
	}
	if s := c.DeMail.Senders[0]; DeMailOptions(s.May) != (demail.Options{}) || DeMailOptions(s.Always) != (demail.Options{Private: true, Retrieve: true}) {
		t.Errorf("%+v", s)
	}
	if c.DeMail.Tags.Enabled || c.DeMail.Evidence.Keep.Sent != 0 || len(c.DeMail.Evidence.Timestamp.Authorities()) != 1 {
		t.Errorf("%+v", c.DeMail)
	}
	got := map[string]string{}
	for from, to := range c.DeMail.Incoming.Assigned() {
		got[from.String()] = to.String()
	}
	if want := map[string]string{"kontakt@firma.de-mail.de": "office@firma.example", "chef@firma.de-mail.de": "chef@firma.example"}; !maps.Equal(got, want) {
		t.Error(got)
	}
	for _, name := range []string{"own.yaml", "senders", "mailboxes", "good.pem", "relay.password", "both.pem"} {
		if !slices.ContainsFunc(c.Files(), func(f string) bool { return filepath.Base(f) == name }) {
			t.Errorf("%s is not among the files of the configuration", name)
		}
	}
	if slices.ContainsFunc(c.Files(), func(f string) bool { return strings.Contains(f, "vault:") }) {
		t.Error("a key in a vault is no file")
	}
}

// The profiles that come with the program are those beside this package, and can be used.
func TestShippedProfiles(t *testing.T) {
	files, err := filepath.Glob("connectors/*.yaml")
	if err != nil || len(files) != len(ShippedProfiles()) {
		t.Fatal(files, err)
	}
	for _, name := range ShippedProfiles() {
		p, err := ProfileFile(name).Load()
		if err != nil || p.Name != name {
			t.Error(name, p, err)
		}
		if got := ProfileFile(name).Path(); got != "" {
			t.Error("it comes with the program and is no file of the configuration:", got)
		}
	}
	if _, err := ProfileFile(filepath.Join(t.TempDir(), "none.yaml")).Load(); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// TestDeMailExample holds that the shipped example for De-Mail has nothing wrong once the files it names are there, but for what the profile
// of TLS is said to lack.
func TestDeMailExample(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir)
	text, err := os.ReadFile("demail-example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.ReadFile("connectors/t-systems.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "good.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"card.pin": "123456\n", "provider.yaml": string(profile), "recipients": "office@firma.example\n",
		"provider-ca.pem": string(pem), "de-mail-ca.pem": string(pem)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inDir := strings.NewReplacer("/etc/siegel/tls/mail.pem", "good.pem", "/etc/siegel/tls/mail.key", "good.key", "/etc/siegel/tls/", dir+"/", "/etc/siegel", dir,
		"hostname:", "state: state\nhostname:", "admin:", "admin:\n  socket: state/siegel.sock").Replace(string(text))
	c, problems := Parse(filepath.Join(dir, "siegel.yaml"), []byte(inDir), options())
	for _, p := range problems {
		if !strings.Contains(p.String(), "demail.accounts[provider].tls.profile: de-mail-legacy: ") {
			t.Error(p)
		}
	}
	if c == nil {
		t.FailNow()
	}
	if card, ok := c.DeMail.Accounts[0].TLS.Card(); !ok || card.Name != "de-mail" {
		t.Error("the example shows a card")
	}
}

// FuzzTables holds that tables are read without panic, that what is wrong has a line, and that what was read can be read again.
func FuzzTables(f *testing.F) {
	f.Add("a@firma.example a@firma.de-mail.de\n# b\n\n b@firma.example\tb@firma.de-mail.de")
	f.Add("kontakt@firma.de-mail.de office@firma.example # c\r\n")
	f.Add("\ufeff\"a b\"@firma.example x@y.de\n@ @\n\x00 \xff")
	fine := func(demail.Address) string { return "" }
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		table, faults := senderTable([]byte(text), fine)
		mailboxes := map[demail.Address]mail.Address{}
		faults = append(faults, mailboxTable([]byte(text), mailboxes, func(mail.Address) string { return "" })...)
		for _, one := range faults {
			if one.line < 1 || one.line > lines || one.text == "" {
				t.Errorf("%+v of %d lines", one, lines)
			}
		}
		var again strings.Builder
		for from, to := range table {
			if !strings.ContainsAny(from, " \t#") && !strings.ContainsFunc(from, func(r rune) bool { return len(strings.Fields("a"+string(r)+"a")) > 1 }) {
				again.WriteString(from + " " + to.String() + "\n")
			}
		}
		if _, faults := senderTable([]byte(again.String()), fine); len(faults) > 0 {
			t.Errorf("%q: %v", again.String(), faults)
		}
	})
}
