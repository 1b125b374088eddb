package ldap_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/internal/secret"
)

const top = "dn: dc=firma,dc=example\nobjectClass: domain\ndc: firma\n\ndn: ou=people,dc=firma,dc=example\nobjectClass: organizationalUnit\nou: people\n\n"

// binary is an attribute in LDIF.
func binary(name string, value []byte) string {
	return name + ":: " + base64.StdEncoding.EncodeToString(value) + "\n"
}

// issued is the certificate of an address.
func issued(t testing.TB, ca *democa.CA, address string) []byte {
	t.Helper()
	id, err := ca.Issue(address, democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return id.Certificate.Raw
}

func authority(t testing.TB) *democa.CA {
	t.Helper()
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// bundle is PKCS#7 with certificates, made by OpenSSL: of nothing signed, as authorities hand it out, or of
// something signed, as Outlook publishes it.
func bundle(t testing.TB, signed bool, id certs.Identity, more ...[]byte) []byte {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	key, err := democa.KeyPEM(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	own, others := write("own.pem", democa.CertificatePEM(id.Certificate)), ""
	for _, m := range more {
		others += "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(m) + "\n-----END CERTIFICATE-----\n"
	}
	out := filepath.Join(dir, "out")
	args := []string{"crl2pkcs7", "-nocrl", "-certfile", own, "-certfile", write("more.pem", []byte(others)), "-outform", "DER", "-out", out}
	if signed {
		args = []string{"smime", "-sign", "-binary", "-nodetach", "-in", own, "-signer", own, "-certfile", write("more.pem", []byte(others)), "-inkey", write("key.pem", key), "-outform", "DER", "-out", out}
	}
	if said, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, said)
	}
	der, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// open makes a directory for a server.
func open(t testing.TB, s *ldaptest.Server, preset string, change func(*ldap.Options)) *ldap.Directory {
	t.Helper()
	o := ldap.Options{
		Name: "company", Servers: []string{s.Secure}, TLS: s.TLS.Config(), Method: ldap.Simple, DN: s.Admin, Password: ldaptest.AdminPassword(),
		BaseDN: s.Suffix, Timeout: time.Minute, Connect: time.Minute,
	}
	if preset == ldap.DeMail {
		o.BaseDN = ""
	}
	if change != nil {
		change(&o)
	}
	if p, ok := ldap.PresetOf(preset); ok {
		p.Fill(&o)
	}
	d, err := ldap.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func found(t testing.TB, d *ldap.Directory, address string) (addresses []string) {
	t.Helper()
	all, err := d.Certificates(context.Background(), address)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	for _, c := range all {
		addresses = append(addresses, certs.Addresses(c)...)
	}
	return addresses
}

func exists(t testing.TB, d *ldap.Directory, address string, want bool) {
	t.Helper()
	if got, err := d.Exists(context.Background(), address); got != want || err != nil {
		t.Errorf("%s: %v, %v, want %v", address, got, err, want)
	}
}

// unavailable holds what the error of a directory that cannot be asked is, and returns its text.
func unavailable(t testing.TB, err error) string {
	t.Helper()
	var away *certs.UnavailableError
	if !errors.As(err, &away) || away.Source != "company" {
		t.Fatalf("%v is not that of a source that is away", err)
	}
	return err.Error()
}

// People of inetOrgPerson: certificates of every kind of attribute, addresses of every kind, over every kind of connection.
func TestOpenLDAP(t *testing.T) {
	ca := authority(t)
	carol, err := ca.Issue("carol@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ldif := top + "dn: uid=alice,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nobjectClass: mailRecipient\nuid: alice\ncn: Alice\nsn: A\nmail: Alice@firma.example\n" +
		"mailAlternateAddress: a.alice@firma.example\nuserPKCS12: never\n" + binary("userCertificate;binary", issued(t, ca, "alice@firma.example")) + "\n" +
		"dn: uid=bob,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\nsn: B\nmail: bob@firma.example\n" +
		binary("userSMIMECertificate", bundle(t, false, carol, issued(t, ca, "bob@firma.example"), ca.Certificate().Raw)) + "\n" +
		"dn: uid=carol,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: carol\ncn: Carol\nsn: C\nmail: carol@firma.example\n" +
		binary("userSMIMECertificate", bundle(t, true, carol, ca.Certificate().Raw)) + binary("userSMIMECertificate", []byte("not a certificate")) +
		binary("userCertificate;binary", carol.Certificate.Raw) + "\n" +
		"dn: uid=dave,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: dave\ncn: Dave\nsn: D\nmail: dave@firma.example\n"
	s := ldaptest.Start(t, ldaptest.Options{LDIF: ldif, Config: "access to attrs=userPKCS12 by * none\naccess to * by * read\n"})
	for name, change := range map[string]func(*ldap.Options){
		"ldaps":     nil,
		"starttls":  func(o *ldap.Options) { o.Servers, o.StartTLS = []string{s.URL}, true },
		"loopback":  func(o *ldap.Options) { o.Servers = []string{s.URL} },
		"socket":    func(o *ldap.Options) { o.Servers, o.Method = []string{s.Socket}, ldap.External },
		"external":  func(o *ldap.Options) { o.Method = ldap.External },
		"anonymous": func(o *ldap.Options) { o.Method = ldap.Anonymous },
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, s, ldap.OpenLDAP, change)
			for address, want := range map[string][]string{
				"alice@firma.example": {"alice@firma.example"}, "ALICE@FIRMA.EXAMPLE": {"alice@firma.example"},
				"a.alice@firma.example": {"alice@firma.example"}, "dave@firma.example": nil, "nobody@firma.example": nil, "no address": nil,
				"bob@firma.example": {"bob@firma.example", "carol@firma.example"}, "carol@firma.example": {"carol@firma.example"},
			} {
				got := found(t, d, address)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", address, got, want)
				}
			}
			exists(t, d, "a.alice@firma.example", true)
			exists(t, d, "dave@FIRMA.example", true)
			exists(t, d, "erin@firma.example", false)
			if st := d.State(); st.Err != nil || st.Failed != 0 || st.Found == 0 || st.Nothing == 0 || st.Connected != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
	entries, err := open(t, s, ldap.OpenLDAP, nil).Look(t.Context(), "carol@firma.example")
	if err != nil || len(entries) != 1 || len(entries[0].Certificates) != 2 || len(entries[0].Faults) != 1 || !strings.Contains(entries[0].Faults[0], "userSMIMECertificate with 17 bytes") ||
		entries[0].Values["uid"][0] != "carol" {
		t.Errorf("%+v, %v", entries, err)
	}
	if strings.Contains(s.Log(), "PKCS12") {
		t.Error("it asked for userPKCS12")
	}
	if n := s.Count("mech=EXTERNAL", 2); n < 2 {
		t.Errorf("EXTERNAL was used %d times:\n%s", n, s.Log())
	}
}

// Active Directory: proxyAddresses, contacts, groups, and accounts that are disabled because somebody left or because
// nobody ever logs in to them.
func TestActiveDirectory(t *testing.T) {
	ca := authority(t)
	user := func(name, control, more string) string {
		return fmt.Sprintf("dn: cn=%[1]s,ou=people,dc=firma,dc=example\nobjectClass: user\ncn: %[1]s\nsn: %[1]s\nsAMAccountName: %[1]s\nuserAccountControl: %[2]s\n"+
			"userPrincipalName: %[1]s@firma.lan\nmail: %[1]s@firma.example\nproxyAddresses: SMTP:%[1]s@firma.example\n%[3]s\n", name, control, more)
	}
	ldif := top +
		user("alice", "512", "proxyAddresses: smtp:Alice.Long@firma.example\nproxyAddresses: X400:c=DE;a= ;p=Firma\nproxyAddresses: sip:alice.sip@firma.example\n"+binary("userCertificate;binary", issued(t, ca, "alice@firma.example"))) +
		user("gone", "514", binary("userCertificate;binary", issued(t, ca, "gone@firma.example"))) +
		user("shared", "514", "msExchRecipientTypeDetails: 4\nobjectClass: user\n") +
		user("old", "66050", "msExchRecipientTypeDetails: 1\n") +
		"dn: cn=team,ou=people,dc=firma,dc=example\nobjectClass: group\ncn: team\nmail: team@firma.example\nproxyAddresses: SMTP:team@firma.example\nmember: cn=alice,ou=people,dc=firma,dc=example\n\n" +
		"dn: cn=partner,ou=people,dc=firma,dc=example\nobjectClass: contact\ncn: partner\nsn: p\nmail: partner@other.example\n"
	ldif = strings.ReplaceAll(ldif, "msExchRecipientTypeDetails: 4\nobjectClass: user\n", "msExchRecipientTypeDetails: 4\n")
	s := ldaptest.Start(t, ldaptest.Options{LDIF: ldif, Config: "overlay memberof\nmemberof-group-oc group\n"})
	for _, accounts := range []bool{false, true} {
		d := open(t, s, ldap.ActiveDirectory, func(o *ldap.Options) { o.Accounts = accounts })
		for address, want := range map[string]bool{
			"alice@firma.example": true, "alice.long@firma.example": true, "team@firma.example": true, "partner@other.example": true, "shared@firma.example": true,
			"gone@firma.example": !accounts, "old@firma.example": !accounts,
			"alice.sip@firma.example": false, "alice@firma.lan": false, "nobody@firma.example": false,
		} {
			exists(t, d, address, want)
		}
		if got := found(t, d, "alice.long@firma.example"); !slices.Equal(got, []string{"alice@firma.example"}) {
			t.Errorf("%q", got)
		}
		if got := found(t, d, "gone@firma.example"); len(got) == 0 != accounts {
			t.Errorf("accounts %v: the certificate of a disabled account: %q", accounts, got)
		}
		all, err := d.Addresses(t.Context())
		slices.Sort(all)
		want := []string{"alice.long@firma.example", "alice@firma.example", "gone@firma.example", "old@firma.example", "partner@other.example", "shared@firma.example", "team@firma.example"}
		if accounts {
			want = slices.DeleteFunc(want, func(a string) bool { return a == "gone@firma.example" || a == "old@firma.example" })
		}
		if err != nil || !slices.Equal(all, want) {
			t.Errorf("all: %q, %v", all, err)
		}
	}
	// Those of a group alone, as an administrator writes it.
	d := open(t, s, ldap.ActiveDirectory, func(o *ldap.Options) {
		o.Filter = "(&(|(mail={mail})(proxyAddresses=smtp:{mail}))(memberOf=cn=team,ou=people,dc=firma,dc=example))"
	})
	s.Modify("dn: cn=team,ou=people,dc=firma,dc=example\nchangetype: modify\nadd: member\nmember: cn=shared,ou=people,dc=firma,dc=example\n")
	exists(t, d, "shared@firma.example", true)
	exists(t, d, "old@firma.example", false)
}

// The public directory of De-Mail: the base follows from the domain.
func TestDeMail(t *testing.T) {
	ca := authority(t)
	ldif := "dn: cn=de-mail\nobjectClass: organizationalRole\ncn: de-mail\n\n"
	for _, dn := range []string{"dc=de", "dc=de-mail,dc=de", "dc=institution,dc=de-mail,dc=de", "dc=other,dc=de-mail,dc=de"} {
		ldif += fmt.Sprintf("dn: %s,cn=de-mail\nobjectClass: domain\ndc: %s\n\n", dn, strings.TrimPrefix(strings.SplitN(dn, ",", 2)[0], "dc="))
	}
	for _, domain := range []string{"institution", "other"} {
		ldif += fmt.Sprintf("dn: cn=info,dc=%s,dc=de-mail,dc=de,cn=de-mail\nobjectClass: demailLegalPersonUserObject\nobjectClass: demailBaseObject\nobjectClass: demailSecurityObject\nobjectClass: pgpKeyInfo\n"+
			"cn: info\nmail: info@%s.de-mail.de\ndemailMaxAuthLevel: HIGH\ndemailAccessOpening: TRUE\npgpKeyID: 0x1234\npgpKey: key\n%s\n", domain, domain, binary("userCertificate;binary", issued(t, ca, "info@"+domain+".de-mail.de")))
	}
	s := ldaptest.Start(t, ldaptest.Options{Suffix: "cn=de-mail", LDIF: ldif})
	d := open(t, s, ldap.DeMail, func(o *ldap.Options) {
		o.Serves = func(address string) bool { return strings.HasSuffix(address, ".de-mail.de") }
	})
	if got := found(t, d, "info@institution.de-mail.de"); !slices.Equal(got, []string{"info@institution.de-mail.de"}) {
		t.Errorf("%q", got)
	}
	const srch = "SRCH base="
	s.Count(srch, 1)
	if got := found(t, d, "info@nowhere.de-mail.de"); got != nil { // there is nothing under the base: no address, no fault
		t.Errorf("%q", got)
	}
	found(t, d, "info@bank.example") // not asked about
	if n := s.Count(srch, 2); n != 2 {
		t.Errorf("%d searches:\n%s", n, s.Log())
	}
	if !strings.Contains(s.Log(), `SRCH base="dc=institution,dc=de-mail,dc=de,cn=de-mail" scope=2 deref=0 filter="(mail=info@institution.de-mail.de)"`) {
		t.Errorf("the log says\n%s", s.Log())
	}
	entries, err := d.Look(t.Context(), "info@institution.de-mail.de")
	if err != nil || len(entries) != 1 || entries[0].Values["demailMaxAuthLevel"][0] != "HIGH" || entries[0].Values["demailAccessOpening"][0] != "TRUE" {
		t.Errorf("%+v, %v", entries, err)
	}
	if _, err := d.Addresses(t.Context()); err == nil || !strings.Contains(unavailable(t, err), "no filter for all") {
		t.Errorf("a list of all De-Mail: %v", err)
	}
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A list of ten thousand comes page by page, through the limit that a server sets for one answer.
func TestList(t *testing.T) {
	const people = 10_000
	var ldif strings.Builder
	ldif.WriteString(top)
	for i := range people {
		fmt.Fprintf(&ldif, "dn: uid=u%[1]d,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: u%[1]d\ncn: U\nsn: U\nmail: user%[1]d@firma.example\n\n", i)
	}
	s := ldaptest.Start(t, ldaptest.Options{LDIF: ldif.String(), Config: "limits * size.soft=500 size.hard=500 size.prtotal=unlimited\n"})
	d := open(t, s, ldap.OpenLDAP, func(o *ldap.Options) { o.Method = ldap.Anonymous })
	all, err := d.Addresses(t.Context())
	slices.Sort(all)
	if all = slices.Compact(all); err != nil || len(all) != people {
		t.Fatalf("%d addresses, %v", len(all), err)
	}
	if n := s.Count("SEARCH RESULT", people/500); n != people/500 && n != people/500+1 {
		t.Errorf("it came in %d pages", n)
	}
	// A server that gives less than there is has not given a list.
	s = ldaptest.Start(t, ldaptest.Options{LDIF: ldif.String(), Config: "limits * size.soft=500 size.hard=500 size.prtotal=2000\n"})
	_, err = open(t, s, ldap.OpenLDAP, func(o *ldap.Options) { o.Method = ldap.Anonymous }).Addresses(t.Context())
	if text := unavailable(t, err); !strings.Contains(text, "raise its size limit") {
		t.Error(text)
	}
}

// Addresses that would ask something else find nothing, and do no harm.
func TestInjection(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: top + "dn: uid=alice,ou=people,dc=firma,dc=example\nobjectClass: inetOrgPerson\nuid: alice\ncn: A\nsn: A\nmail: alice@firma.example\n"})
	d := open(t, s, ldap.OpenLDAP, nil)
	for _, address := range []string{
		"*)(mail=*@firma.example", "*@firma.example", "a*@firma.example", "alice@firma.example)(mail=*", `\61lice@firma.example`, "alice)(uid=alice@firma.example",
		"alice@firma.example\x00", "*)(|(mail=*@firma.example", `"*)(mail=*"@firma.example`,
	} {
		exists(t, d, address, false)
		if entries, err := d.Look(t.Context(), address); len(entries) > 0 || err != nil {
			t.Errorf("%q: %+v, %v", address, entries, err)
		}
	}
	exists(t, d, "alice@firma.example", true)
}

func TestOptions(t *testing.T) {
	good := func() ldap.Options {
		o := ldap.Options{Name: "company", Servers: []string{"ldaps://dc1.firma.example"}, Filter: "(mail={mail})", Method: ldap.Simple, DN: "cn=a", Password: secret.New("planted")}
		return o
	}
	for want, change := range map[string]func(*ldap.Options){
		"":                               func(*ldap.Options) {},
		"no server":                      func(o *ldap.Options) { o.Servers = nil },
		"cross the network in the clear": func(o *ldap.Options) { o.Servers = []string{"ldap://dc1.firma.example"} },
		"without TLS no certificate":     func(o *ldap.Options) { o.Servers, o.Method = []string{"ldap://127.0.0.1"}, ldap.External },
		"this is no server":              func(o *ldap.Options) { o.Servers = []string{"https://dc1.firma.example"} },
		"names a server only":            func(o *ldap.Options) { o.Servers = []string{"ldaps://dc1.firma.example/dc=firma"} },
		"path of a socket":               func(o *ldap.Options) { o.Servers = []string{"ldapi://socket"} },
		"referrals":                      func(o *ldap.Options) { o.Referrals = []string{"ldap://dc2.firma.example"} },
		"a name and a password":          func(o *ldap.Options) { o.Password = secret.String{} },
		"filter: ":                       func(o *ldap.Options) { o.Filter = "(mail=*)" },
		"filter for all: ":               func(o *ldap.Options) { o.All = "(mail={mail})" },
		"base: ":                         func(o *ldap.Options) { o.BaseDN = "firma.example" },
		"base without {dc}":              func(o *ldap.Options) { o.BaseDN, o.All = "{dc},cn=x", "(mail=*)" },
		"always verified":                func(o *ldap.Options) { o.TLS = ldaptest.Unverified() },
	} {
		o := good()
		change(&o)
		_, err := ldap.New(o)
		if (err == nil) != (want == "") || err != nil && (!errors.Is(err, ldap.ErrOptions) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
		if err != nil && strings.Contains(err.Error(), "planted") {
			t.Errorf("the password is in %v", err)
		}
	}
	for _, url := range []string{"ldap://127.0.0.1", "ldap://localhost:3268", "ldap://[::1]", "ldapi://%2Frun%2Fldapi"} { // no network is crossed
		o := good()
		o.Servers = []string{url}
		if _, err := ldap.New(o); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func ExampleDirectory() {
	d, err := ldap.New(ldap.Options{
		Name: "company", Servers: []string{"ldaps://dc1.firma.example", "ldaps://dc2.firma.example"},
		Method: ldap.Simple, DN: "siegel@firma.example", Password: secret.New("from a file"),
		BaseDN: "dc=firma,dc=example", Filter: "(|(mail={mail})(proxyAddresses=smtp:{mail}))",
		Addresses: []string{"mail", "proxyAddresses"}, Certificates: []string{"userCertificate"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println(d.Name(), d.State().Err)
	// Output: company <nil>
}
