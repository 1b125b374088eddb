package ldap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
)

// An attribute is read from the entries that bear the address, and from no other.
func TestValues(t *testing.T) {
	person := func(name, more string) string {
		return "dn: uid=" + name + ",ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nobjectClass: mailRecipient\nuid: " + name + "\ncn: " + name + "\nsn: " + name + "\n" + more + "\n"
	}
	many := ""
	for _, c := range "abcdefghijklmnopqrstuvw" {
		many += "description: " + string(c) + "\n"
	}
	s := ldaptest.Start(t, ldaptest.Options{LDIF: top +
		person("alice", "mail: Alice@firma.example\nmailAlternateAddress: a.alice@firma.example\ndescription: alice@firma.de-mail.de\n") +
		person("bob", "mail: bob@firma.example\ndescription: b@firma.de-mail.de\ndescription: bob@firma.de-mail.de\n") +
		person("carol", "mail: carol@firma.example\n") +
		person("dave", "mail: dave@firma.example\ndescription: "+strings.Repeat("d", 2000)+"\n") +
		person("erin", "mail: erin@firma.example\n"+many)})
	d := open(t, s, ldap.OpenLDAP, nil)
	for address, want := range map[string][]string{
		"alice@firma.example": {"alice@firma.de-mail.de"}, "A.Alice@firma.example": {"alice@firma.de-mail.de"}, "bob@firma.example": {"b@firma.de-mail.de", "bob@firma.de-mail.de"},
		"carol@firma.example": nil, "nobody@firma.example": nil, "no address": nil, "*@firma.example": nil,
	} {
		got, err := d.Values(t.Context(), address, "Description")
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
	if got, err := d.Values(t.Context(), "alice@firma.example", "mail"); err != nil || !slices.Equal(got, []string{"Alice@firma.example"}) {
		t.Errorf("one that is asked for anyway: %q, %v", got, err)
	}
	for _, address := range []string{"dave@firma.example", "erin@firma.example"} {
		var away *certs.UnavailableError
		if got, err := d.Values(t.Context(), address, "description"); !errors.As(err, &away) || got != nil {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
	wide := open(t, s, ldap.OpenLDAP, func(o *ldap.Options) { o.Filter = "(|(uid=*)(mail={mail}))" })
	if got, err := wide.Values(t.Context(), "carol@firma.example", "description"); err != nil || len(got) != 0 {
		t.Errorf("a filter that finds everybody: %q, %v", got, err)
	}
	s.Stop()
	if _, err := d.Values(t.Context(), "alice@firma.example", "description"); err == nil {
		t.Error("a directory that is away knows nothing")
	}
}
