package ldap_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/internal/secret"
)

func person(name string) string {
	return fmt.Sprintf("dn: uid=%[1]s,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: %[1]s\ncn: %[1]s\nsn: %[1]s\nuserPassword: password of %[1]s\nmail: %[1]s@firma.example\n\n", name)
}

// A wrong password reaches slapd once, whoever asks.
func TestWrongPassword(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: top + person("alice")})
	d := open(t, s, ldap.OpenLDAP, func(o *ldap.Options) { o.Password = secret.New("planted") })
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := d.Exists(context.Background(), "alice@firma.example")
			if text := fmt.Sprint(err); !strings.Contains(text, "refuses the password of cn=admin,dc=firma,dc=example") || strings.Contains(text, "planted") {
				t.Error(text)
			}
		})
	}
	all.Wait()
	good := open(t, s, ldap.OpenLDAP, nil)
	exists(t, good, "alice@firma.example", true)
	if n := s.Count("method=128", 2); n != 2 { // the wrong one and the good one
		t.Errorf("%d logins:\n%s", n, s.Log())
	}
	if err := d.Check(t.Context()); err == nil || !strings.Contains(unavailable(t, err), "not tried again before") {
		t.Errorf("%v", err)
	}
}

// Nothing is said to a server that cannot prove who it is; none below TLS 1.2 is spoken to.
func TestServerIsVerified(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: top + person("alice")})
	for name, c := range map[string]struct {
		change func(*ldap.Options)
		want   string
	}{
		"an authority nobody knows": {func(o *ldap.Options) { o.TLS.RootCAs = x509.NewCertPool() }, "unknown authority"},
		"an authority nobody knows, and StartTLS": {func(o *ldap.Options) {
			o.TLS.RootCAs, o.Servers, o.StartTLS = x509.NewCertPool(), []string{s.URL}, true
		}, "unknown authority"},
		"another name": {func(o *ldap.Options) { o.TLS.ServerName = "dc1.firma.example" }, "not dc1.firma.example"},
		"no TLS there": {func(o *ldap.Options) { o.Servers = []string{strings.Replace(s.URL, "ldap:", "ldaps:", 1)} }, "TLS: "},
	} {
		d := open(t, s, ldap.OpenLDAP, func(o *ldap.Options) {
			o.Connect = time.Minute
			c.change(o)
		})
		if _, err := d.Exists(t.Context(), "alice@firma.example"); err == nil || !strings.Contains(unavailable(t, err), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	exists(t, open(t, s, ldap.OpenLDAP, nil), "alice@firma.example", true)
	if n := s.Count("method=128", 1); n != 1 {
		t.Errorf("%d logins:\n%s", n, s.Log())
	}
}

// slapd goes and comes, hangs, and has a brother.
func TestServerGoesAndComes(t *testing.T) {
	a := ldaptest.Start(t, ldaptest.Options{LDIF: top + person("alice")})
	b := ldaptest.Start(t, ldaptest.Options{LDIF: top + person("alice")})
	now := time.Now()
	tls := b.TLS.Config()
	tls.RootCAs.AddCert(a.TLS.Issuer)
	tls.Certificates = nil // which the other one would not believe
	d := open(t, a, ldap.OpenLDAP, func(o *ldap.Options) {
		o.Servers, o.TLS, o.Now = []string{a.Secure, b.Secure}, tls, func() time.Time { return now }
		o.Connect, o.Timeout = time.Minute, time.Minute
	})
	exists(t, d, "alice@firma.example", true)
	if at := d.State().Server; at != a.Secure {
		t.Errorf("%s answered", at)
	}
	a.Stop()
	exists(t, d, "alice@firma.example", true)
	if at := d.State().Server; at != b.Secure {
		t.Errorf("%s answered", at)
	}
	b.Hang()
	a.Restart()
	now = now.Add(time.Minute) // the first one has rested
	exists(t, d, "alice@firma.example", true)
	if at := d.State().Server; at != a.Secure {
		t.Errorf("%s answered", at)
	}
	a.Stop()
	b.Stop()
	if _, err := d.Exists(t.Context(), "alice@firma.example"); err == nil {
		t.Error("an answer from nobody")
	} else if text := unavailable(t, err); !strings.Contains(text, a.Secure) {
		t.Error(text)
	}
	a.Restart()
	now = now.Add(time.Minute)
	exists(t, d, "alice@firma.example", true)
}

// Servers that others send us on to are asked where they are listed, and only there.
func TestReferrals(t *testing.T) {
	other := ldaptest.Start(t, ldaptest.Options{Suffix: "dc=other,dc=example", LDIF: "dn: dc=other,dc=example\nobjectClass: domain\ndc: other\n\n" +
		"dn: uid=bob,dc=other,dc=example\nobjectClass: inetOrgPerson\nuid: bob\ncn: b\nsn: b\nmail: bob@other.example\n"})
	s := ldaptest.Start(t, ldaptest.Options{
		Global: "referral " + other.URL,
		LDIF: top + person("alice") + "dn: ou=other,dc=firma,dc=example\nobjectClass: referral\nobjectClass: extensibleObject\nou: other\nref: " + other.URL + "/dc=other,dc=example\n\n" +
			"dn: ou=dns,dc=firma,dc=example\nobjectClass: referral\nobjectClass: extensibleObject\nou: dns\nref: ldap://DomainDnsZones.firma.example/DC=DomainDnsZones,DC=firma,DC=example\n",
	})
	change := func(o *ldap.Options) {
		o.Method, o.Servers, o.Connect = ldap.Anonymous, []string{s.URL}, time.Minute
	}
	d := open(t, s, ldap.OpenLDAP, change)
	exists(t, d, "alice@firma.example", true)
	exists(t, d, "bob@other.example", false)
	if n := other.Count("SRCH base=", 0); n != 0 {
		t.Errorf("it was followed:\n%s", other.Log())
	}
	follow := func(o *ldap.Options) {
		change(o)
		o.Referrals = []string{other.URL}
	}
	d = open(t, s, ldap.OpenLDAP, follow)
	exists(t, d, "bob@other.example", true)
	exists(t, d, "alice@firma.example", true)
	// All of what is asked for lies elsewhere.
	base := func(change func(*ldap.Options)) func(*ldap.Options) {
		return func(o *ldap.Options) {
			change(o)
			o.BaseDN = "dc=other,dc=example"
		}
	}
	exists(t, open(t, s, ldap.OpenLDAP, base(follow)), "bob@other.example", true)
	if _, err := open(t, s, ldap.OpenLDAP, base(change)).Exists(t.Context(), "bob@other.example"); err == nil || !strings.Contains(unavailable(t, err), "list the other one under referrals") {
		t.Errorf("%v", err)
	}
	other.Stop()
	if _, err := d.Exists(t.Context(), "bob@other.example"); err == nil || !strings.Contains(unavailable(t, err), "by referral, "+other.URL) {
		t.Errorf("what lies elsewhere is away: %v", err)
	}
}

// What an administrator sets wrong is said so that it can be put right.
func TestWordsOfSlapd(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: top + person("alice"), Config: "access to attrs=userPassword by anonymous auth by * none\naccess to dn.subtree=\"ou=people,dc=firma,dc=example\" by dn.base=\"uid=alice,ou=people,dc=firma,dc=example\" read by * none\naccess to * by users read\n"})
	alice := func(o *ldap.Options) {
		o.DN, o.Password = "uid=alice,ou=people,dc=firma,dc=example", secret.New("password of alice")
	}
	exists(t, open(t, s, ldap.OpenLDAP, alice), "alice@firma.example", true)
	for name, c := range map[string]struct {
		change func(*ldap.Options)
		want   string
	}{
		"base":      {func(o *ldap.Options) { o.BaseDN = "ou=nowhere,dc=firma,dc=example" }, `there is nothing under the base "ou=nowhere,dc=firma,dc=example"`},
		"no rights": {func(o *ldap.Options) { o.Method = ldap.Anonymous }, "there is nothing under the base"}, // slapd hides what may not be seen
		"name":      {func(o *ldap.Options) { o.DN = "nobody" }, "it does not let nobody in (Invalid DN Syntax)"},
	} {
		d := open(t, s, ldap.OpenLDAP, c.change)
		if _, err := d.Exists(t.Context(), "alice@firma.example"); err == nil || !strings.Contains(unavailable(t, err), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
