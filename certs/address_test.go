package certs_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

func TestAddressKey(t *testing.T) {
	for in, want := range map[string]string{
		"Alice@Firma.Example":         "alice@firma.example",
		"alice@firma.example":         "alice@firma.example",
		"ÄRGER@BÜCHER.example":        "ärger@xn--bcher-kva.example",
		"a@xn--bcher-kva.example":     "a@xn--bcher-kva.example",
		"\u212aelvin@x.example":       "\u212aelvin@x.example", // the Kelvin sign is no k
		"a@b@x.example":               "a@b@x.example",
		"":                            "",
		"alice":                       "",
		"@x.example":                  "",
		"alice@":                      "",
		"a\xff@x.example":             "",
		"a@\u2024.example":            "",
		"a@\u034f":                    "", // a character that is passed over
		"alice@firma.example\x00.org": "alice@firma.example\x00.org",
	} {
		if got := certs.AddressKey(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// san makes a critical SAN with an SmtpUTF8Mailbox, by hand.
func san(mailbox string) pkix.Extension {
	var b cryptobyte.Builder
	other := cbasn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(other, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9})
			b.AddASN1(other, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(mailbox)) })
			})
		})
	})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: b.BytesOrPanic()}
}

// A certificate with an international address only, in a critical SAN as RFC 5280, 4.2.1.6 wants it.
func TestSmtpUTF8Mailbox(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, func(c *x509.Certificate) {
		c.Subject, c.EmailAddresses, c.ExtraExtensions = pkix.Name{}, nil, []pkix.Extension{san("Jörg@bücher.example")}
	})
	if got := certs.Addresses(leaf); !reflect.DeepEqual(got, []string{"Jörg@bücher.example"}) {
		t.Fatalf("addresses %q", got)
	}
	anchors := []*x509.Certificate{w.root.Certificate()}
	for address, want := range map[string]certs.Status{
		"jörg@bücher.example": certs.StatusValid, "JÖRG@xn--bcher-kva.example": certs.StatusValid, "jorg@bücher.example": certs.StatusMismatch,
	} {
		checkResult(t, certs.NewValidator(anchors, nil).Validate(context.Background(), leaf, nil, certs.Sign, address, epoch), want, "")
	}
	for _, permitted := range []struct {
		domain string
		want   certs.Status
	}{{"xn--bcher-kva.example", certs.StatusValid}, {"firma.example", certs.StatusUntrusted}} {
		ca := w.sub(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{permitted.domain} })
		leaf := w.leaf(ca, func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtraExtensions = nil, []pkix.Extension{san("jörg@bücher.example")}
		})
		v := certs.NewValidator(anchors, []*x509.Certificate{ca.Certificate()})
		checkResult(t, v.Validate(context.Background(), leaf, nil, certs.Sign, "", epoch), permitted.want, "")
	}
}

// A domain that is too long for mail is none, whatever its form; the ASCII form of one as long as a certificate may be would
// take a minute to make.
func TestLongDomain(t *testing.T) {
	many := strings.Repeat("ä.", 84)
	long := "a@" + strings.Repeat("x.", 120) + "example"
	if got := certs.AddressKey(long); got != long {
		t.Errorf("a long one: %q", got)
	}
	for name, domain := range map[string]string{
		"ASCII": strings.Repeat("x.", 125) + "example", "UTF-8": strings.Repeat("Bücher.", 10000) + "example", "longer as ASCII": many + "de",
	} {
		if got := certs.AddressKey("a@" + domain); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// openssl's own writing of such a name is read as well.
func TestSmtpUTF8MailboxByOpenSSL(t *testing.T) {
	dir := t.TempDir()
	config := "[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\nx509_extensions=x\n[dn]\nCN=Jörg\nemailAddress=j@firma.example\n[x]\n" +
		"subjectAltName=@names\n[names]\nemail.1=j@firma.example\nemail.2=J2@firma.example\notherName=1.3.6.1.5.5.7.8.9;FORMAT:UTF8,UTF8:jörg@firma.example\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "key", "-config", "config", "-outform", "DER", "-out", "cert")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	der, err := os.ReadFile(filepath.Join(dir, "cert"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"j@firma.example", "J2@firma.example", "jörg@firma.example"}
	if got := certs.Addresses(c); !reflect.DeepEqual(got, want) {
		t.Errorf("addresses %q, want %q", got, want)
	}
}

func TestWhy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("disk"), ""},
		{fmt.Errorf("looking: %w", certs.ErrNotFound), "no certificate of x@y.example is known"},
		{&certs.UnusableError{Result: certs.Result{Status: certs.StatusExpired}}, "the certificate of x@y.example has expired"},
		{&certs.UnusableError{Result: certs.Result{Status: certs.StatusTime}}, "the certificate of x@y.example is not valid yet"},
		{&certs.UnusableError{Result: certs.Result{Status: certs.StatusUntrusted}}, "the certificate of x@y.example comes from an issuer that is not trusted"},
		{&certs.UnusableError{Result: certs.Result{Status: certs.StatusPurpose}}, "the certificate of x@y.example is not made for this purpose"},
		{&certs.UnusableError{Result: certs.Result{Status: certs.StatusWeak}}, "the certificate of x@y.example is too weak to be safe"},
		{&certs.UnusableError{Result: certs.Result{Status: certs.StatusRevoked}}, "the certificate of x@y.example was revoked by its issuer"},
		{&certs.UnusableError{}, "the certificate of x@y.example cannot be used"},
	} {
		if got := certs.Why(c.err, "x@y.example"); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
	err := &certs.UnusableError{Address: "x@y.example", Result: certs.Result{Status: certs.StatusWeak, Reasons: []string{"a", "b"}}}
	if got := err.Error(); got != "certs: no usable certificate of x@y.example: weak: a; b" {
		t.Error(got)
	}
}

// Whatever a certificate's extension holds, its addresses are keys of their own and reading them ends.
func FuzzAddresses(f *testing.F) {
	f.Add(san("jörg@bücher.example").Value, "a@x.example")
	f.Add([]byte{0x30, 0x80}, "ÄRGER@BÜCHER.example")
	f.Fuzz(func(t *testing.T, value []byte, address string) {
		c := &x509.Certificate{EmailAddresses: []string{address}, Extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}}}
		seen := map[string]bool{}
		for _, a := range certs.Addresses(c) {
			key := certs.AddressKey(a)
			if key == "" || seen[key] || certs.AddressKey(key) != key {
				t.Fatalf("%q has the key %q", a, key)
			}
			seen[key] = true
		}
	})
}

func ExampleValidator_Validate() {
	ca, err := democa.NewCA(epoch)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := ca.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	v := certs.NewValidator([]*x509.Certificate{ca.Certificate()}, nil)
	fmt.Println(v.Validate(context.Background(), id.Certificate, id.Chain, certs.Sign, "Alice@Firma.example", epoch).Status)
	fmt.Println(v.Validate(context.Background(), id.Certificate, id.Chain, certs.Sign, "bob@firma.example", epoch).Status)
	// Output:
	// valid
	// mismatch
}
