package ldaptest_test

import (
	"testing"

	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
)

// The server holds what it was given, says what it does, takes changes, and can be stopped and started.
func TestServer(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: "dn: dc=firma,dc=example\nobjectClass: domain\ndc: firma\n"})
	s.Modify("dn: cn=alice,dc=firma,dc=example\nchangetype: add\nobjectClass: inetOrgPerson\ncn: alice\nsn: a\nmail: alice@firma.example\n")
	if s.Count("BIND dn=", 1) == 0 || s.Count("ADD dn=\"cn=alice,dc=firma,dc=example\"", 1) != 1 {
		t.Errorf("the log says\n%s", s.Log())
	}
	url := s.URL
	s.Stop()
	s.Restart()
	if s.URL != url {
		t.Errorf("it was at %s and is at %s", url, s.URL)
	}
	s.Hang()
	s.Stop()
	s.Stop()
}
