package bundle_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
)

// A file is known by what is in it, and keys find their certificates in other files.
func TestRead(t *testing.T) {
	p := newPlace(t)
	issuing := must(p.CA.Intermediate("Issuing CA", democa.Options{}))
	id := must(issuing.Issue("alice@firma.example", democa.Options{}))
	p.Write("cert", democa.CertificatePEM(id.Certificate))
	p.Write("key", certstest.KeyPEM(t, id))
	p.Write("der", id.Certificate.Raw)
	p.Write("p12", must(democa.PKCS12(id, "geheim")))
	p.Write("with.password", []byte("geheim\n"))
	p.Write("with", must(democa.PKCS12(id, "geheim")))
	p.OpenSSL("pkcs8", "-topk8", "-in", "key", "-out", "encrypted", "-passout", "pass:geheim")
	p.OpenSSL("pkey", "-in", "key", "-outform", "DER", "-out", "keyder")
	p.Write("issuing", democa.CertificatePEM(issuing.Certificate()))
	for _, files := range [][]string{{"cert", "key", "issuing"}, {"keyder", "issuing", "der"}, {"p12"}, {"with"}, {"cert", "encrypted", "issuing", "cert"}} {
		var all bundle.Contents
		for _, name := range files {
			c, err := bundle.ReadFile(filepath.Join(p.Dir, name), bundle.Options{Passwords: []secret.String{secret.New("x"), secret.New("geheim")}})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all.Add(c)
		}
		ids, without := all.Identities()
		if len(ids) != 1 || without != 0 || !ids[0].Certificate.Equal(id.Certificate) || len(ids[0].Chain) != 1 {
			t.Errorf("%v: %+v, %d without", files, ids, without)
			continue
		}
		certstest.Opens(t, ids[0])
	}
	c, err := bundle.ReadFile(filepath.Join(p.Dir, "key"), bundle.Options{})
	if ids, without := c.Identities(); err != nil || len(ids) != 0 || without != 1 {
		t.Errorf("a key alone: %v, %d, %v", ids, without, err)
	}
}

func TestReadRefuses(t *testing.T) {
	p := newPlace(t)
	id := p.Issue("alice@firma.example", democa.Options{})
	p.Write("p12", must(democa.PKCS12(id, "geheim")))
	p.Write("text", []byte("hello"))
	p.Write("request", []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"))
	for name, want := range map[string]string{
		"p12": "no password known fits", "text": "neither a certificate nor a key", "request": "neither a certificate nor a key", "none": "no such file", ".": "not a regular file",
	} {
		_, err := bundle.ReadFile(filepath.Join(p.Dir, name), bundle.Options{Passwords: []secret.String{secret.New("falsch")}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "falsch") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bundle.ReadFile(filepath.Join(p.Dir, "none"), bundle.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
