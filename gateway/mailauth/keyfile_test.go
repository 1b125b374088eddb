package mailauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

func public(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

// A new key comes back from its file as it was.
func TestNewKey(t *testing.T) {
	for _, a := range []mailauth.Algorithm{mailauth.RSA, mailauth.Ed25519} {
		key, err := mailauth.NewKey(a, 2048)
		if err != nil {
			t.Fatal(err)
		}
		text, err := mailauth.KeyPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := mailauth.ParseKey(text)
		if err != nil || public(t, again) != public(t, key) {
			t.Errorf("%s: %v", a, err)
		}
		if got := signer(t, mailauth.SignerOptions{Key: key}).Algorithm(); got != a {
			t.Errorf("a key of the kind %s is called %s", a, got)
		}
	}
	for _, c := range []struct {
		kind mailauth.Algorithm
		bits int
	}{{"dsa", 2048}, {"rsa", 1024}, {"rsa", 8192}, {"", 2048}} {
		if _, err := mailauth.NewKey(c.kind, c.bits); !errors.Is(err, mailauth.ErrSigner) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// The files that OpenSSL writes are read.
func TestParseKeyOfOpenSSL(t *testing.T) {
	for name, args := range map[string]string{
		"PKCS#8":  "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
		"PKCS#1":  "genrsa -traditional 2048",
		"Ed25519": "genpkey -algorithm ed25519",
	} {
		out, err := exec.Command("openssl", strings.Fields(args)...).Output()
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := mailauth.ParseKey(out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is no usable private key is refused with a word on what to do, and without a word of the file.
func TestParseKeyRefuses(t *testing.T) {
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	good, err := mailauth.KeyPEM(edKey())
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := mailauth.KeyPEM(ec)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 768)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"no PEM private key":     "planted",
		"more than one":          string(good) + string(good),
		"is encrypted":           block("ENCRYPTED PRIVATE KEY", []byte("planted")),
		"public half":            block("PUBLIC KEY", []byte("planted")),
		"that can be read":       block("PRIVATE KEY", []byte("planted")),
		"RSA or Ed25519 private": block("EC PRIVATE KEY", []byte("planted")),
		"must be RSA or Ed25519": string(other),
		"has 768 bits":           block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)),
	} {
		_, err := mailauth.ParseKey([]byte(text))
		if !errors.Is(err, mailauth.ErrSigner) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// The line for a zone is read back as the record by a name server that we did not write.
func TestZoneLine(t *testing.T) {
	rsa4096, err := mailauth.NewKey(mailauth.RSA, 4096)
	if err != nil {
		t.Fatal(err)
	}
	zone := "$TTL 300\nfirma.example. IN SOA ns.firma.example. a.firma.example. 1 2 3 4 5\nfirma.example. IN NS ns.firma.example.\nns.firma.example. IN A 192.0.2.1\n"
	var signers []*mailauth.Signer
	for selector, key := range map[string]crypto.Signer{"a": rsaKey(), "b": rsa4096, "c": edKey()} {
		s := signer(t, mailauth.SignerOptions{Selector: selector, Key: key})
		name, text, err := s.Record()
		if err != nil {
			t.Fatal(err)
		}
		zone += mailauth.ZoneLine(name, text)
		signers = append(signers, s)
	}
	for line := range strings.Lines(zone) {
		if len(line) > 300 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
	server := dnstest.Start(t, zone)
	r := server.Resolver(t, dns.Options{Attempts: 1}).Net()
	for _, s := range signers {
		if err := s.Published(t.Context(), r); err != nil {
			t.Errorf("%s: %v", s.Selector(), err)
		}
	}
	checkZone(t, zone)
}

// checkZone has Knot read a zone.
func checkZone(t *testing.T, zone string) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"firma.example.zone": zone,
		"knot.conf":          "zone:\n  - domain: firma.example\n    storage: " + dir + "\n    file: firma.example.zone\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	peer(t, "", "knotc", "-c", filepath.Join(dir, "knot.conf"), "zone-check", "firma.example")
}

// A record that will not do is told from one that will.
func TestPublished(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	name, text, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	_, p, _ := strings.Cut(text, "p=")
	_, other, err := signer(t, mailauth.SignerOptions{Key: newRSA(2048)}).Record()
	if err != nil {
		t.Fatal(err)
	}
	server := dnstest.Start(t, "")
	r := server.Resolver(t, dns.Options{Attempts: 1, CacheSize: -1}).Net()
	for want, records := range map[string][]string{
		"there is no record":  nil,
		"":                    {text},
		"2 TXT records":       {text, text + ";"},
		"malformed":           {"v=DKIM1; p"},
		"v=DKIM1":             {"v=DKIM2; p=" + p},
		"leaves sha256 out":   {"h=sha1; p=" + p},
		"not for mail":        {"s=web; p=" + p},
		"revoked":             {"v=DKIM1; p="},
		"was it cut off":      {"v=DKIM1; p=" + p[:len(p)-5]},
		"of the kind ed25519": {"v=DKIM1; k=ed25519; p=" + p},
		"is another key":      {other},
	} {
		zone := ""
		for _, record := range records {
			zone += txt(name, record)
		}
		server.Set(t, zone)
		err := s.Published(t.Context(), r)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for _, fine := range []string{"p=" + p, "k=rsa; h=sha1:sha256; s=email; t=y; p=" + p[:20] + " " + p[20:]} {
		server.Set(t, txt(name, fine))
		if err := s.Published(t.Context(), r); err != nil {
			t.Errorf("%.30s: %v", fine, err)
		}
	}
	server.Fail(name, dnstest.ServFail)
	if err := s.Published(t.Context(), r); err == nil || errors.Is(err, mailauth.ErrNoRecord) || errors.Is(err, mailauth.ErrOtherRecord) {
		t.Errorf("without DNS: %v", err)
	}
}

// Whatever is read as a key can sign, and no text of the file is in an error.
func FuzzParseKey(f *testing.F) {
	for _, key := range []crypto.Signer{edKey(), rsaKey()} {
		text, err := mailauth.KeyPEM(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := mailauth.ParseKey(text)
		if err != nil {
			if key != nil && !errors.Is(err, mailauth.ErrSigner) {
				t.Error(err)
			}
			return
		}
		if _, err := mailauth.NewSigner(mailauth.SignerOptions{Domain: "firma.example", Selector: "s", Key: key}); err != nil {
			t.Error(err)
		}
	})
}
