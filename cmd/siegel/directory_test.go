package main

import (
	"bytes"
	"context"
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
)

const people = `dn: dc=firma,dc=example
objectClass: domain
dc: firma

dn: cn=alice,dc=firma,dc=example
objectClass: user
cn: alice
sn: a
userPrincipalName: alice@firma.lan
mail: Alice@firma.example
proxyAddresses: SMTP:Alice@firma.example
proxyAddresses: smtp:a.liddell@firma.example
proxyAddresses: smtp:alice@old.example

dn: cn=old,dc=firma,dc=example
objectClass: user
cn: old
sn: o
userAccountControl: 514
mail: old@firma.example
`

// company is a gateway whose addresses are in a directory.
type company struct {
	t    *testing.T
	s    *ldaptest.Server
	dir  string
	log  lines
	g    *gateway.Gateway
	stop func()
}

func newCompany(t *testing.T) *company { return newCompanyWith(t, people, "") }

// newCompanyWith has other people, and more keys in its configuration.
func newCompanyWith(t *testing.T, people, more string) *company {
	return newCompanyLike(t, people, "", more)
}

// newCompanyLike has more keys in the section certificates, too.
func newCompanyLike(t *testing.T, people, below, more string) *company {
	t.Helper()
	c := &company{t: t, s: ldaptest.Start(t, ldaptest.Options{LDIF: people}), dir: t.TempDir()}
	if _, _, err := writeState(c.dir); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(stateConfig, "certificates: {folder: certificates, trust: certificates}\n", fmt.Sprintf(`recipients: {directory: company, file: recipients, tag: "+", every: 1h}
certificates:
  folder: certificates
  trust: certificates
  directories:
    - {name: company, kind: active-directory, servers: [%q], tls: ca.pem, base: "dc=firma,dc=example", skip_disabled: true,
       bind: {dn: %q, password: {file: password}}, timeout: 30s, connect_timeout: 30s}
%s`, c.s.Secure, c.s.Admin, below), 1)
	text = strings.Replace(text, "routes:\n", "  - {name: internet, address: \"127.0.0.1:0\", role: external, authentication: false}\nroutes:\n", 1) + more
	text = strings.Replace(text, "networks: [10.0.0.0/24]", "networks: [10.0.0.0/24, 127.0.0.1]", 1)
	c.write("siegel.yaml", text)
	c.write("ca.pem", string(c.s.TLS.Authority))
	c.write("password", ldaptest.Password)
	c.write("recipients", "*@lists.firma.example\nspecial@firma.example\n")
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *company) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start starts the gateway; stop ends it.
func (c *company) start() {
	c.t.Helper()
	file := filepath.Join(c.dir, "siegel.yaml")
	config, problems := configs.Load(file, configs.Options{Environ: []string{}})
	if config == nil {
		c.t.Fatal(problems)
	}
	log := logrus.New()
	log.SetOutput(&c.log)
	o, err := options(config, log, nil, nil, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	o.Load = func() (gateway.Settings, error) { return settings(config, log, nil, nil, nil) }
	if c.g, err = gateway.New(o); err != nil {
		c.t.Fatal(err)
	}
	if err := c.g.Listen(); err != nil {
		c.g.Close()
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.g.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			c.t.Errorf("the gateway ended: %v", err)
		}
		c.stop = func() {}
	}
}

// says holds what the door says to recipients, as pairs of an address and the beginning of the reply.
func (c *company) says(pairs ...string) {
	c.t.Helper()
	conn, err := textproto.Dial("tcp", c.g.Addr("internet").String())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	reply := func(line string) string {
		if line != "" {
			if err := conn.PrintfLine("%s", line); err != nil {
				c.t.Fatal(err)
			}
		}
		code, text, err := conn.ReadResponse(0)
		if err != nil {
			c.t.Fatal(err)
		}
		return fmt.Sprint(code, " ", text)
	}
	reply("")
	reply("EHLO client.example")
	reply("MAIL FROM:<bob@partner.example>")
	for i := 0; i < len(pairs); i += 2 {
		if got := reply("RCPT TO:<" + pairs[i] + ">"); !strings.HasPrefix(got, pairs[i+1]) {
			c.t.Errorf("%s: %s, want %s\nlog: %s", pairs[i], got, pairs[i+1], c.log.String())
		}
	}
}

func (c *company) failing() (names []string) {
	c.t.Helper()
	s, err := admin.NewClient(filepath.Join(c.dir, "run", "control.sock")).Status(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range s.Failing {
		if !f.Warning {
			c.t.Errorf("%s keeps mail from being taken: %s", f.Name, f.Error)
		}
		names = append(names, f.Name)
	}
	return names
}

// Who is in the directory gets mail, who is not does not, and while it is away nobody is refused.
func TestDirectoryAtTheDoor(t *testing.T) {
	const yes, no, later = "250 2", "550 5.1.1 ", "451 4.4.3 "
	c := newCompany(t)
	kept := filepath.Join(c.dir, "state", "recipients", "company")
	c.says("alice@firma.example", yes, "A.Liddell@firma.example", yes, "alice+shop@firma.example", yes, "nobody@firma.example", no, "special@firma.example", yes,
		"x@lists.firma.example", "550 5.7.1 Relaying denied", "old@firma.example", no, "alice@old.example", "550 5.7.1 Relaying denied",
		"postmaster@firma.example", yes, `"*)(mail=*"@firma.example`, no)
	c.s.Modify("dn: cn=new,dc=firma,dc=example\nchangetype: add\nobjectClass: user\ncn: new\nsn: n\nmail: new@firma.example\n")
	c.says("new@firma.example", yes)
	if got := c.failing(); len(got) > 0 {
		t.Errorf("health says %q", got)
	}
	awaitFile(t, kept)

	c.s.Stop()
	c.says("alice@firma.example", yes, "new@firma.example", yes, "carol@firma.example", later, "nobody@firma.example", no)
	if got := fmt.Sprint(c.failing()); got != "[directory company]" {
		t.Errorf("health says %s", got)
	}
	c.stop()
	c.start() // while it is away
	c.says("alice@firma.example", yes, "a.liddell@firma.example", yes, "nobody@firma.example", later, "old@firma.example", later, "special@firma.example", yes, "postmaster@firma.example", yes)
	if err := c.g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.says("alice@firma.example", yes, "nobody@firma.example", later)
	c.s.Restart()
	if err := c.g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.says("new@firma.example", yes, "nobody@firma.example", no)
}

// awaitFile waits until a file is there.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	const patience, step = 2 * time.Minute, 5 * time.Millisecond
	deadline, again := time.After(patience), time.NewTicker(step)
	defer again.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s is not there", path)
		}
	}
}

// What an administrator is told of a directory.
func TestDirectoryTest(t *testing.T) {
	c := newCompany(t)
	c.stop()
	file := filepath.Join(c.dir, "siegel.yaml")
	ask := func(code int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if got := run(append([]string{"directory", "test", "-c", file}, args...), &stdout, &stderr); got != code {
			t.Errorf("siegel directory test %q: exit %d, want %d", args, got, code)
		}
		if out := stdout.String() + stderr.String(); !strings.Contains(out, ldaptest.Password) {
			return out
		}
		t.Error("the password is shown")
		return ""
	}
	for _, want := range []string{
		"company: " + c.s.Secure + " answers, in ", "A.Liddell@firma.example: 1 entry, in ", "  cn=alice,dc=firma,dc=example\n", "alice@firma.example a.liddell@firma.example alice@old.example",
		"userPrincipalName    alice@firma.lan",
	} {
		if got := ask(exitDone, "company", "A.Liddell@firma.example"); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := ask(exitFailed, "Company", "nobody@firma.example", "old@firma.example", "--all"); !strings.Contains(got, "nobody@firma.example: 0 entries") ||
		!strings.Contains(got, "it counts as absent") || !strings.Contains(got, "mail for it is not taken") || !strings.Contains(got, "all: 3 addresses in ") {
		t.Error(got)
	}
	if got := ask(exitFailed, "other"); !strings.Contains(got, "no directory of this name, but company") {
		t.Error(got)
	}
	c.write("password", "planted")
	if got := ask(exitFailed, "company", "alice@firma.example"); !strings.Contains(got, "refuses the password of cn=admin,dc=firma,dc=example") || strings.Contains(got, "planted") {
		t.Error(got)
	}
	c.s.Stop()
	if got := ask(exitFailed, "company"); !strings.Contains(got, "connection refused") {
		t.Error(got)
	}
}
