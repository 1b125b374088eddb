package configs

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// small is a configuration with nothing wrong, for a folder of makeFiles.
const small = `hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners:
  - {name: exchange, address: "10.0.0.5:25", role: internal, networks: [10.0.0.0/24]}
routes:
  - {name: exchange, domains: firma.example, host: ex.firma.example}
  - name: relay
    domains: "*"
    hosts: [r1.provider.example, r2.provider.example]
    tls: verified
    auth: {user: firma, password: {file: relay.password}}
policy:
  rules:
    - {name: bank, to: bank.example, encrypt: require, enforce: [encrypt]}
    - {from: chef@firma.example, sign: require, enforce: [sign]}
admin: {socket: state/siegel.sock}
`

// load reads text as siegel.yaml in a folder of makeFiles and fails the test on any problem.
func load(t testing.TB, text string, environ ...string) *Config {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	file := filepath.Join(dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file, options(environ...))
	for _, p := range problems {
		t.Error(p)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

func TestLoad(t *testing.T) {
	c := load(t, small)
	dir := filepath.Dir(c.File())
	l, r := c.Listeners[0], c.Routes[1]
	for what, pair := range map[string][2]any{
		"hostname":      {c.Hostname, "mail.firma.example"},
		"relative path": {c.State, Path(filepath.Join(dir, "state"))},
		"networks":      {l.Networks, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
		"default size":  {l.MaxSize, Size(50_000_000)},
		"senders":       {l.Senders, c.Domains},
		"mode":          {l.TLS.Mode, TLSNone},
		"hosts":         {r.Hosts, []string{"r1.provider.example", "r2.provider.example"}},
		"one host":      {c.Routes[0].Hosts, []string{"ex.firma.example"}},
		"short section": {r.TLS.Mode, RouteTLSVerified},
		"default mode":  {c.Routes[0].TLS.Mode, RouteTLSOpportunistic},
		"port":          {r.Port, 25},
		"password":      {r.Auth.Password.Reveal(), "planted-secret"},
		"retry":         {c.Queue.Retry[:2], []time.Duration{time.Minute, 5 * time.Minute}},
		"expire":        {c.Queue.Expire, 120 * time.Hour},
		"level": {unplaced(c.Policy.Default), PolicyDefault{
			Sign: policy.IfPossible, Encrypt: policy.IfPossible, Profile: smime.Compatible, Form: FormClear, EncryptToSelf: "false", OnMissing: policy.Refuse,
		}},
		"direction":       {c.Policy.Rules[0].Direction, mail.Outgoing},
		"unnamed rule":    {c.Policy.Rules[1].Name, "rule 2"},
		"default tags":    {c.Policy.Tags, defaultTags()},
		"absent patterns": {c.Policy.Rules[0].From == nil, true},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	if len(l.TLS.Pairs()) > 0 {
		t.Error("a listener without a certificate has one")
	}
}

func TestEnvironment(t *testing.T) {
	c := load(t, small,
		"SIEGEL_HOSTNAME=other.firma.example", "SIEGEL_DOMAINS=firma.example, *.firma.example,", "SIEGEL_QUEUE_EXPIRE=3d",
		"SIEGEL_LISTENERS_EXCHANGE_ADDRESS=:2525", "SIEGEL_LISTENERS_EXCHANGE_MAX_SIZE=10 MB",
		"SIEGEL_ROUTES_RELAY_TLS_MODE=required", "SIEGEL_ROUTES_RELAY_TLS_MODE=verified",
		"SIEGEL_ROUTES_EXCHANGE_DOMAINS=firma.example,*.firma.example",
		"SIEGEL_POLICY_RULES_2_SIGN=never", "SIEGEL_POLICY_RULES_BANK_ENCRYPT=if-possible",
		"SIEGEL_ROUTES_RELAY_AUTH_PASSWORD=from-environment", "SIEGEL_AT_REST_KEY_FILE=", "PATH=/bin", "broken")
	for what, pair := range map[string][2]any{
		"hostname":    {c.Hostname, "other.firma.example"},
		"list":        {len(c.Domains), 2},
		"duration":    {c.Queue.Expire, 72 * time.Hour},
		"entry":       {c.Listeners[0].Address, ":2525"},
		"size":        {c.Listeners[0].MaxSize, Size(10_000_000)},
		"last wins":   {c.Routes[1].TLS.Mode, RouteTLSVerified},
		"number":      {c.Policy.Rules[1].Sign, policy.Never},
		"named rule":  {c.Policy.Rules[0].Encrypt, policy.IfPossible},
		"secret":      {c.Routes[1].Auth.Password.Reveal(), "from-environment"},
		"empty value": {c.AtRest.Key.IsZero(), false},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	if o, ok := c.Origin("queue.expire"); !ok || o.String() != "environment SIEGEL_QUEUE_EXPIRE" {
		t.Errorf("queue.expire comes from %v", o)
	}
}

// TestSecretSources holds that a secret comes from its variable, else the file or variable it names.
func TestSecretSources(t *testing.T) {
	named := strings.Replace(small, "{file: relay.password}", "{env: SIEGEL_MINE}", 1)
	for _, c := range []struct{ text, environ, want string }{
		{small, "A=b", "planted-secret"},
		{small, "SIEGEL_ROUTES_RELAY_AUTH_PASSWORD=x", "x"},
		{named, "SIEGEL_MINE=y", "y"},
		{strings.Replace(small, "password: {file: relay.password}", "password: ", 1), "SIEGEL_ROUTES_RELAY_AUTH_PASSWORD_FILE=relay.password", "planted-secret"},
	} {
		if got := load(t, c.text, c.environ).Routes[1].Auth.Password.Reveal(); got != c.want {
			t.Errorf("with %s: %q, want %q", c.environ, got, c.want)
		}
	}
}

func TestUsersFile(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir)
	users := `- name: scanner
  hash: "$2a$12$zzzzzzzzzzzzzzzzzzzzzueDYGa0TbD0qK3S3pJXMWvPDOwHhcCXG"
  may_use: scanner@firma.example
`
	text := strings.Replace(small, "routes:", `  - name: apps
    address: 10.0.0.5:587
    role: submission
    tls: {certificate: both.pem}
    users: [{name: fax, hash: "$2a$12$zzzzzzzzzzzzzzzzzzzzzueDYGa0TbD0qK3S3pJXMWvPDOwHhcCXG", may_use: [fax@firma.example]}]
    users_file: users.yaml
routes:`, 1)
	for name, content := range map[string]string{"users.yaml": users, "siegel.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := Load(filepath.Join(dir, "siegel.yaml"), options())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	l := c.Listeners[1]
	if len(l.Users) != 2 || l.Users[0].Name != "fax" || l.Users[1].Name != "scanner" || !l.TLS.Required {
		t.Errorf("users %v, required %v", l.Users, l.TLS.Required)
	}
	if pairs := l.TLS.Pairs(); len(pairs) != 1 || pairs[0].Leaf == nil {
		t.Error("the certificate was not kept")
	}
	if o, ok := c.Origin("listeners[apps].users[scanner].may_use"); !ok || o.Line != 3 || filepath.Base(o.File) != "users.yaml" {
		t.Errorf("the user's origin is %v", o)
	}
}

func TestRoots(t *testing.T) {
	text := strings.Replace(small, "tls: verified", "tls: {mode: verified, ca: good.pem}", 1)
	if c := load(t, text); c.Routes[1].TLS.Roots() == nil || c.Routes[0].TLS.Roots() != nil {
		t.Error("the authorities of ca were not kept, or some without ca")
	}
}

// TestSettings holds that every value is shown with where it is from, and no secret.
func TestSettings(t *testing.T) {
	c := load(t, small, "SIEGEL_LOG_LEVEL=debug", "SIEGEL_AT_REST_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	dir, lines := filepath.Dir(c.File()), []string(nil)
	for _, s := range c.Settings() {
		lines = append(lines, strings.ReplaceAll(s.String(), dir+"/", ""))
	}
	for _, want := range []string{
		`hostname = mail.firma.example  # siegel.yaml:1`,
		`state = state  # siegel.yaml:2`,
		`domains = [@firma.example]  # siegel.yaml:3`,
		`at_rest.key = <secret>  # environment SIEGEL_AT_REST_KEY`,
		`listeners[exchange].networks = [10.0.0.0/24]  # siegel.yaml:7`,
		`listeners[exchange].senders = [@firma.example]  # default`,
		`listeners[exchange].tls.mode = none  # default`,
		`listeners[exchange].max_size = "50 MB"  # default`,
		`routes[relay].tls.mode = verified  # siegel.yaml:13`,
		`routes[relay].auth.password = <secret>  # siegel.yaml:14, from file relay.password`,
		`policy.rules[2].name = "rule 2"  # default`,
		`policy.rules[2].sign = require  # siegel.yaml:18`,
		`policy.tags.encrypt = ["[encrypt]", "[verschlüsseln]", "[verschluesseln]"]  # default`,
		`queue.retry = [1m, 5m, 15m, 30m, 1h, 2h, 4h]  # default`,
		`log.level = debug  # environment SIEGEL_LOG_LEVEL`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("not shown: %s", want)
		}
	}
	all := strings.Join(lines, "\n") + fmt.Sprintf("%v %+v %#v", c, c, c)
	for _, planted := range []string{"planted", "MDEyMzQ1"} {
		if strings.Contains(all, planted) {
			t.Errorf("a secret is shown: %s", planted)
		}
	}
	if strings.Contains(all, "policy.rules[bank].from") {
		t.Errorf("a key without value is shown:\n%s", all)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("# much\n"), MaxFileSize/7+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "none"): "there is no such file",
		dir:                        "this is not a file",
		"/dev/zero":                "this is not a file",
		big:                        "the file is too large",
	} {
		c, problems := Load(file, options())
		if c != nil || len(problems) != 1 || !strings.Contains(problems[0].Text, want) || problems[0].Origin.Line != 1 {
			t.Errorf("%s: %v, want %q", file, problems, want)
		}
	}
}

// TestManyProblems holds that the report is bounded and an error is never lost behind warnings.
func TestManyProblems(t *testing.T) {
	var b strings.Builder
	b.WriteString(strings.Replace(small, "hostname: mail.firma.example", "hostname: 10.0.0.1", 1))
	b.WriteString("  # routes that are never taken\nqueue:\n  nothing: [")
	b.WriteString(strings.Repeat("x,", 10) + "]\n")
	for i := range 3 * maxProblems {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	c, problems := Parse("siegel.yaml", []byte(b.String()), options())
	if c != nil || len(problems.Errors()) != maxProblems+1 || len(problems.Warnings()) != 0 {
		t.Fatalf("%d errors", len(problems.Errors()))
	}
	if last := problems[len(problems)-1]; !strings.Contains(last.Text, "more are not shown") {
		t.Errorf("the last problem is %s", last)
	}
	many := strings.Replace(small, "policy:\n  rules:\n", "policy:\n  rules:\n    - {name: all, sign: never, encrypt: never}\n"+
		strings.Repeat("    - {sign: never}\n", 2*maxProblems)+"    - {to: x.example}\n", 1)
	c, problems = Parse("siegel.yaml", []byte(many), options())
	if c != nil || !strings.Contains(problems.Err().Error(), "says nothing") {
		t.Errorf("the error was lost behind %d warnings", len(problems.Warnings()))
	}
}

// TestDefaults holds that the defaults in the tags can be read.
func TestDefaults(t *testing.T) {
	c := new(Config)
	r := newReport()
	d := newDecoder("siegel.yaml", newEnvironment(nil), r, map[string]Origin{})
	root := parseYAML("siegel.yaml", []byte("listeners: [{}]\nroutes: [{}]\npolicy: {rules: [{}]}\n"), r)
	d.config(c, root)
	for _, p := range r.problems {
		if !strings.Contains(p.Text, "this key is missing") {
			t.Error(p)
		}
	}
	if c.State == "" || c.Listeners[0].MaxSize == 0 || c.Routes[0].Port == 0 || len(c.Queue.Retry) == 0 {
		t.Errorf("defaults are missing: %+v", c)
	}
}

// TestIndependent holds that loads at once do not disturb each other.
func TestIndependent(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("m%d.firma.example", i)
			if c := load(t, small, "SIEGEL_HOSTNAME="+name); c.Hostname != name {
				t.Errorf("hostname %s, want %s", c.Hostname, name)
			}
		})
	}
}

// defaultTags are those that package policy has for all who configure nothing.
func defaultTags() Tags {
	v := policy.DefaultVocabulary()
	return Tags{Encrypt: v.Encrypt, Sign: v.Sign, TLS: v.TLS, Plain: v.Plain, NoSign: v.NoSign, NoEncrypt: v.NoEncrypt}
}

// unplaced is a level without where it stands.
func unplaced(d PolicyDefault) PolicyDefault {
	d.where, d.lines = "", nil
	return d
}
