package ldap_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
)

// mailbox is a number with the bytes that mean something in filters.
const mailbox = "\x00()*\\\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"

// owners are people of whom two share an address and a number.
func owners() string {
	person := func(name, more string) string {
		return "dn: cn=" + name + people + "\nobjectClass: user\ncn: " + name + "\nsn: " + name + "\n" + more + "\n"
	}
	return top +
		person("alice", "mail: alice@firma.example\nproxyAddresses: SMTP:alice@firma.example\nproxyAddresses: smtp:Alice.Long@firma.example\nproxyAddresses: x500:/o=firma\nmsExchMailboxGuid:: "+base64.StdEncoding.EncodeToString([]byte(mailbox))+"\nmsDS-ExternalDirectoryObjectId: User_5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f\n") +
		person("bob", "mail: bob@firma.example\nproxyAddresses: smtp:team@firma.example\nsn: 17\n") +
		person("carol", "mail: carol@firma.example\nproxyAddresses: smtp:team@firma.example\nsn: 17\n")
}

// Whose an address or a number is, is told where it is certain.
func TestOwner(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: owners()})
	d := open(t, s, ldap.ActiveDirectory, nil)
	alice := []string{"alice.long@firma.example", "alice@firma.example"}
	for address, want := range map[string][]string{
		"alice@firma.example": alice, "ALICE.long@Firma.example": alice,
		"bob@firma.example":    {"bob@firma.example", "team@firma.example"},
		"team@firma.example":   nil, // of two
		"nobody@firma.example": nil, "*": nil, "": nil, "*@firma.example": nil,
	} {
		got, err := d.AddressesOf(t.Context(), address)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", address, got, err, want)
		}
	}
	for _, c := range []struct {
		attribute, value string
		want             []string
	}{
		{"cn", "alice", alice},
		{"sn", "alice", alice},
		{"msExchMailboxGuid", mailbox, alice},
		{"msExchMailboxGuid", mailbox[:15], nil},
		{"msDS-ExternalDirectoryObjectId", "User_5F0C1D2E-0a1b-4c2d-8e3f-4a5b6c7d8e9f", alice},
		{"cn", "*", nil},
		{"cn", "alice)(cn=*", nil},
		{"cn", "a*", nil},
		{"sn", "17", nil}, // of two
		{"cn", "", nil},
		{"cn", strings.Repeat("a", 2000), nil},
	} {
		got, err := d.AddressesWith(t.Context(), c.attribute, []byte(c.value))
		slices.Sort(got)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s=%.20s: %q, %v, want %q", c.attribute, c.value, got, err, c.want)
		}
	}
	var away *certs.UnavailableError
	for _, attribute := range []string{"", "cn)(x", "cn=", "1", "c n", "cn;binary"} {
		if _, err := d.AddressesWith(t.Context(), attribute, []byte("x")); !errors.As(err, &away) {
			t.Errorf("the attribute %q: %v", attribute, err)
		}
	}
	s.Stop()
	if _, err := d.AddressesOf(t.Context(), "alice@firma.example"); !errors.As(err, &away) {
		t.Errorf("a directory that is away: %v", err)
	}
	if _, err := d.AddressesWith(t.Context(), "cn", []byte("alice")); !errors.As(err, &away) {
		t.Errorf("a directory that is away: %v", err)
	}
}

// A base that hangs on the domain of an address finds an address, and nothing else.
func TestOwnerByDomain(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: owners()})
	d := open(t, s, "other", func(o *ldap.Options) {
		o.BaseDN, o.Filter, o.Addresses = "{dc}", "(mail={mail})", []string{"mail", "proxyAddresses"}
	})
	if got, err := d.AddressesOf(t.Context(), "alice@firma.example"); err != nil || len(got) != 2 {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := d.AddressesOf(t.Context(), "alice@elsewhere.example"); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := d.AddressesWith(t.Context(), "cn", []byte("alice")); err == nil || !strings.Contains(err.Error(), "{dc}") {
		t.Errorf("%v", err)
	}
}

func TestCheckAttribute(t *testing.T) {
	for _, name := range []string{"mail", "msDS-ExternalDirectoryObjectId", "1.2.840.113556.1.2.1"} {
		if err := ldap.CheckAttribute(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", "a b", "a=b", "1", "1.", "a;binary", strings.Repeat("a", 300)} {
		if ldap.CheckAttribute(name) == nil {
			t.Errorf("%q is an attribute", name)
		}
	}
}
