package bundle

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// FuzzParse reads any file under any name: it ends, it reports in single lines, and never the password.
func FuzzParse(f *testing.F) {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	id, err := ca.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		f.Fatal(err)
	}
	key, err := democa.KeyPEM(id.Key)
	if err != nil {
		f.Fatal(err)
	}
	p12, err := democa.PKCS12(id, "geheim", ca.Certificate())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.pem", append(key, democa.CertificatePEM(id.Certificate)...))
	f.Add("a.cer", id.Certificate.Raw)
	f.Add("a.p12", p12)
	f.Add("a.key", []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n-----END RSA PRIVATE KEY-----\n"))
	f.Add("a.p7b", []byte{0x30, 0x80})
	if more, err := filepath.Glob(filepath.Join("testdata", "*.p12")); err == nil {
		for _, path := range more {
			if data, err := os.ReadFile(path); err == nil {
				f.Add(filepath.Base(path), data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		var r FileReport
		var c content
		c.parse(filepath.Base("/nowhere/"+name), data, Options{Passwords: []secret.String{secret.New("geheim")}, Named: len(data)%2 == 0}, &r)
		for _, cert := range c.certs {
			if cert == nil {
				t.Fatal("no certificate")
			}
		}
		for _, finding := range r.Findings {
			if strings.ContainsAny(finding.Text, "\r\n\x00") || strings.Contains(finding.Text, "geheim") {
				t.Fatalf("report %q", finding.Text)
			}
		}
		if len(c.certs)+len(c.keys) == 0 && len(r.Findings) == 0 && !strings.Contains(string(data), "EC PARAMETERS") {
			t.Fatal("nothing found and nothing said")
		}
	})
}

// FuzzSplitPKCS12 takes files apart and puts them together: what could be split can be split again.
func FuzzSplitPKCS12(f *testing.F) {
	part, err := throwawayKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(joinPKCS12("", part, part))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		parts, err := splitPKCS12(data)
		if err != nil {
			return
		}
		if len(parts) > 2*maxParts {
			t.Fatalf("%d parts", len(parts))
		}
		for _, p := range parts {
			again, err := splitPKCS12(joinPKCS12("x", p.der))
			if err != nil || len(again) != 1 || again[0].key != p.key {
				t.Fatalf("%x: %v, %v", p.der, again, err)
			}
		}
	})
}

// FuzzPKCS7 reads any bytes as a bundle: it ends, and each certificate that comes out is one.
func FuzzPKCS7(f *testing.F) {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	good, err := PKCS7([]*x509.Certificate{ca.Certificate()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x30, 0x80, 0x06, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r FileReport
		var c content
		c.pkcs7(data, &r)
		if len(c.certs) == 0 && len(r.Findings) == 0 {
			t.Fatal("nothing found and nothing said")
		}
		for _, cert := range c.certs {
			if _, err := x509x.ParseCertificate(cert.Raw); err != nil {
				t.Fatal(err)
			}
		}
	})
}
