package main

import (
	"bytes"
	"fmt"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
)

const legalPeople = people + `
dn: cn=erin,dc=firma,dc=example
objectClass: user
cn: erin
sn: e
mail: erin@firma.example

dn: cn=Advocates,dc=firma,dc=example
objectClass: group
cn: Advocates
member: cn=alice,dc=firma,dc=example

dn: cn=Legal,dc=firma,dc=example
objectClass: group
cn: Legal
member: cn=Advocates,dc=firma,dc=example
`

// submit hands a message of a sender to the gateway, and returns the reply to its end.
func (c *company) submit(from, to string) string {
	c.t.Helper()
	conn, err := textproto.Dial("tcp", c.g.Addr("exchange").String())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	reply := ""
	for _, line := range []string{"", "EHLO exchange.firma.example", "MAIL FROM:<" + from + ">", "RCPT TO:<" + to + ">", "DATA", "From: " + from + "\r\nTo: " + to + "\r\nSubject: x\r\n\r\nx\r\n."} {
		if line != "" {
			if err := conn.PrintfLine("%s", line); err != nil {
				c.t.Fatal(err)
			}
		}
		code, text, err := conn.ReadResponse(0)
		if err != nil {
			c.t.Fatal(err)
		}
		reply = fmt.Sprint(code, " ", text)
	}
	return reply
}

// waiting counts the messages that wait for their protection.
func (c *company) waiting() int {
	c.t.Helper()
	s, err := admin.NewClient(filepath.Join(c.dir, "run", "control.sock")).Status(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return int(s.Queue.Pending)
}

// A rule for a group of the directory is for those who are in it, by way of other groups too; while the directory is away mail that hangs on it
// waits, and while the group is not found it does, too.
func TestGroupsInRules(t *testing.T) {
	c := newCompanyWith(t, legalPeople, `policy:
  groups_for: 10s
  rules:
    - {name: partner, to: "@partner.example", sign: never, encrypt: never}
    - {name: legal, from_groups: [Legal, "CN=Legal,DC=firma,DC=example"], encrypt: require}
  default: {sign: never, encrypt: never}
`)
	const bank, partner = "bob@bank.example", "bob@partner.example"
	for _, m := range []struct{ from, to, want string }{
		{"alice@firma.example", bank, "550 5.7.1 The message to bob@bank.example was not sent: it must be encrypted"},
		{"a.liddell@firma.example", bank, "550 "},
		{"alice+x@firma.example", bank, "550 "},
		{"erin@firma.example", bank, "250 "},
		{"nobody@firma.example", bank, "250 "},
		{"alice@firma.example", partner, "250 "},
		{"alice@firma.example", "erin@firma.example", "250 "},
	} {
		if got := c.submit(m.from, m.to); !strings.HasPrefix(got, m.want) {
			t.Errorf("%s to %s: %s\n%s", m.from, m.to, got, c.log.String())
		}
	}
	if n := c.waiting(); n != 0 {
		t.Errorf("%d messages wait", n)
	}
	c.s.Stop()
	for _, m := range []struct {
		from, to string
		waits    int
	}{{"alice@firma.example", partner, 0}, {"erin@firma.example", partner, 0}, {"carol@firma.example", bank, 1}} {
		if got := c.submit(m.from, m.to); !strings.HasPrefix(got, "250 ") || c.waiting() != m.waits {
			t.Errorf("while it is away, %s to %s: %s; %d wait", m.from, m.to, got, c.waiting())
		}
	}
	c.s.Restart()
	c.s.Modify("dn: cn=Legal,dc=firma,dc=example\nchangetype: modrdn\nnewrdn: cn=Law\ndeleteoldrdn: 1\n")
	if err := c.g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.submit("erin@firma.example", bank); !strings.HasPrefix(got, "250 ") || !strings.Contains(c.log.String(), "no such group") {
		t.Errorf("%s\n%s", got, c.log.String())
	}
	if got := fmt.Sprint(c.failing()); !strings.Contains(got, "groups") {
		t.Errorf("health says %s", got)
	}

	var stdout, stderr bytes.Buffer
	if code := run([]string{"directory", "test", "-c", filepath.Join(c.dir, "siegel.yaml"), "company", "alice@firma.example"}, &stdout, &stderr); code != exitDone ||
		strings.Count(stdout.String(), "  in the group ") != 2 || !strings.Contains(stdout.String(), "  in the group cn=law,dc=firma,dc=example\n") {
		t.Errorf("exit %d:\n%s%s", code, stdout.String(), stderr.String())
	}
}
