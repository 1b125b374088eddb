package democa_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

func newCA(t testing.TB, now time.Time) *democa.CA {
	t.Helper()
	ca, err := democa.NewCA(now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What the CA issues, openssl accepts for signing and for encryption, in its true shape.
func TestIssue(t *testing.T) {
	ca := newCA(t, time.Now())
	issuing, err := ca.Intermediate("Issuing", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := issuing.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root := write(t, dir, "ca.pem", democa.CertificatePEM(ca.Certificate()))
	between := write(t, dir, "issuing.pem", democa.CertificatePEM(issuing.Certificate()))
	leaf := write(t, dir, "leaf.pem", democa.CertificatePEM(id.Certificate))
	for _, purpose := range []string{"smimesign", "smimeencrypt"} {
		openssl(t, "verify", "-x509_strict", "-auth_level", "2", "-purpose", purpose, "-CAfile", root, "-untrusted", between, "-verify_email", "alice@firma.example", leaf)
	}
	shown := openssl(t, "x509", "-in", leaf, "-noout", "-text")
	for _, want := range []string{"CN = alice@firma.example", "email:alice@firma.example", "E-mail Protection", "Digital Signature, Key Encipherment",
		"2.23.140.1.5.1.2", "X509v3 Authority Key Identifier", "X509v3 Subject Key Identifier", "Public-Key: (2048 bit)", "X509v3 Key Usage: critical"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	if len(id.Chain) != 1 || id.Chain[0] != issuing.Certificate() {
		t.Errorf("chain %v", id.Chain)
	}
	if life := id.Certificate.NotAfter.Sub(id.Certificate.NotBefore); life > 825*24*time.Hour {
		t.Errorf("it lives %v", life)
	}
}

func TestIssueOptions(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	ca := newCA(t, now)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := democa.Options{Key: key, NotBefore: now.AddDate(-1, 0, 0), Alter: func(c *x509.Certificate) { c.Subject.Country = []string{"DE"} }}
	id, err := ca.Issue("bob@partner.example", o)
	if err != nil {
		t.Fatal(err)
	}
	c := id.Certificate
	if id.Key != key || c.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyAgreement || !c.NotAfter.Equal(now) || c.Subject.Country[0] != "DE" {
		t.Errorf("got %+v", c)
	}
	o.NotAfter, o.KeyUsage = now.AddDate(0, 1, 0), x509.KeyUsageDigitalSignature
	if id, err = ca.Issue("bob@partner.example", o); err != nil || !id.Certificate.NotAfter.Equal(o.NotAfter) || id.Certificate.KeyUsage != o.KeyUsage {
		t.Errorf("got %+v, %v", id.Certificate, err)
	}
}

func TestExport(t *testing.T) {
	ca := newCA(t, time.Now())
	id, err := ca.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p12, err := democa.PKCS12(id, "geheim", ca.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := write(t, dir, "alice.p12", p12)
	shown := openssl(t, "pkcs12", "-in", path, "-passin", "pass:geheim", "-nodes")
	key, err := democa.KeyPEM(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{string(key), string(democa.CertificatePEM(id.Certificate)), string(democa.CertificatePEM(ca.Certificate()))} {
		if !strings.Contains(shown, want) {
			t.Errorf("no\n%s", want)
		}
	}
	if ca.Key() == nil {
		t.Error("no key")
	}
}

func ExampleCA_Issue() {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := democa.NewCA(now)
	if err != nil {
		fmt.Println(err)
		return
	}
	alice, err := ca.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	v := certs.NewValidator([]*x509.Certificate{ca.Certificate()}, nil)
	fmt.Println(v.Validate(context.Background(), alice.Certificate, nil, certs.Sign, "alice@firma.example", now).Status)
	// Output: valid
}
