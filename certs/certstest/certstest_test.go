package certstest_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
)

// told collects what a test is told, instead of failing.
type told struct {
	testing.TB
	errors int
}

func (t *told) Helper()               {}
func (t *told) Errorf(string, ...any) { t.errors++ }

// What is laid down OpenSSL reads, and a key is told from another one.
func TestPlace(t *testing.T) {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := certstest.New(t, ca)
	alice, bob := p.Issue("alice@firma.example", democa.Options{}), p.Issue("bob@firma.example", democa.Options{})
	path := p.Write("users/alice.pem", democa.CertificatePEM(alice.Certificate), certstest.KeyPEM(t, alice))
	info, err := os.Stat(path)
	if err != nil || path != p.Path("users/alice.pem") || info.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", path, info, err)
	}
	if out := p.OpenSSL("x509", "-in", "users/alice.pem", "-noout", "-email"); strings.TrimSpace(out) != "alice@firma.example" {
		t.Errorf("%q", out)
	}
	p.OpenSSL("pkey", "-in", "users/alice.pem", "-check", "-noout")
	p.Remove("users/alice.pem", "none")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	certstest.Opens(t, alice)
	other := &told{TB: t}
	certstest.Opens(other, certs.Identity{Certificate: alice.Certificate, Key: bob.Key})
	certstest.Opens(other, certs.Identity{Certificate: alice.Certificate})
	if other.errors != 2 {
		t.Errorf("%d of 2 wrong keys are found", other.errors)
	}
}
