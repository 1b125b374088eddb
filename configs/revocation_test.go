package configs

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/revocation"
)

// loadRevocation reads a configuration with a section, beside files that OpenSSL made.
func loadRevocation(t *testing.T, section string) Revocation {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	for name, text := range map[string]string{"ca.cnf": "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n", "index": "", "number": "01\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=CA", "-keyout", "ca.key", "-out", "ca.pem"},
		{"ca", "-config", "ca.cnf", "-gencrl", "-crldays", "9", "-cert", "ca.pem", "-keyfile", "ca.key", "-out", "revoked.pem"},
		{"crl", "-in", "revoked.pem", "-outform", "DER", "-out", "revoked.crl"},
	} {
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	file := filepath.Join(dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(small, "trust: trust}", "trust: trust, revocation: "+section+"}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file, options())
	for _, p := range problems.Errors() {
		t.Errorf("%s", p)
	}
	if c == nil {
		t.FailNow()
	}
	return c.Certificates.Revocation
}

func TestRevocation(t *testing.T) {
	fingerprint := sha256.Sum256([]byte("ca"))
	text := strings.ToUpper(hex.EncodeToString(fingerprint[:]))
	r := loadRevocation(t, `{mode: require, order: crl, timeout: 2s, allowed: ["*.Firma.example", 10.1.2.0/24, "::1", pki], ports: 8080,
    proxy: "http://proxy.firma.example:3128", directory: "ldaps://dc1.firma.example:636", max_size: 1 MiB, nonce: true,
    files: [revoked.crl, revoked.pem, ca.pem], rules: [{authorities: "`+text[:2]+":"+text[2:]+`", mode: "off"}, {domains: Partner.example, mode: soft}]}`)
	s := r.Settings()
	if len(s.Given) != 2 || len(s.Signers) != 1 {
		t.Errorf("%d lists, %d certificates", len(s.Given), len(s.Signers))
	}
	if s.Proxy.String() != "http://proxy.firma.example:3128" {
		t.Errorf("the proxy is %v", s.Proxy)
	}
	if s.TLS == nil || s.TLS.MinVersion != tls.VersionTLS12 {
		t.Errorf("TLS is %+v", s.TLS)
	}
	s.Given, s.Signers, s.Proxy, s.TLS = nil, nil, nil, nil
	want := revocation.Settings{
		Mode: revocation.Require, Order: []revocation.Method{revocation.CRL}, Timeout: 2 * time.Second, MaxList: 1 << 20, Nonce: true,
		Directory: "ldaps://dc1.firma.example:636", Hosts: []string{"*.firma.example", "pki"}, Ports: []uint16{8080},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("::1/128")},
		Rules: []revocation.Rule{
			{Authorities: [][sha256.Size]byte{fingerprint}, Mode: revocation.Off}, {Domains: []string{"partner.example"}, Mode: revocation.Soft},
		},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("\n%+v, want\n%+v", s, want)
	}
}

// Without a word, and by one word.
func TestRevocationShort(t *testing.T) {
	if r := loadRevocation(t, "require"); r.Mode != revocation.Require || len(r.Order) != 2 || r.MaxSize != revocation.MaxSize {
		t.Errorf("%+v", r)
	}
	if r := loadRevocation(t, "{}"); r.Mode != revocation.Soft || r.Timeout != 5*time.Second {
		t.Errorf("%+v", r)
	}
}
