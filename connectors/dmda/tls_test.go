package dmda

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Certificates for TLS are good for what they are made for and nothing else, say that they are simulated, and an authority that was written down is the same again.
func TestTLSCertificates(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	a, err := NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadAuthority(text)
	if err != nil || !again.Certificate.Equal(a.Certificate) {
		t.Fatal(err)
	}
	server, err := again.Server(now, "127.0.0.1", "::1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	client, err := again.Client(now, "firma")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	for _, c := range []struct {
		pair tls.Certificate
		use  x509.ExtKeyUsage
		host string
		ok   bool
	}{
		{server, x509.ExtKeyUsageServerAuth, "127.0.0.1", true},
		{server, x509.ExtKeyUsageServerAuth, "localhost", true},
		{server, x509.ExtKeyUsageServerAuth, "anbieter.example", false},
		{server, x509.ExtKeyUsageClientAuth, "", false},
		{client, x509.ExtKeyUsageClientAuth, "", true},
		{client, x509.ExtKeyUsageServerAuth, "", false},
	} {
		_, err := c.pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, DNSName: c.host, KeyUsages: []x509.ExtKeyUsage{c.use}})
		if (err == nil) != c.ok {
			t.Errorf("%s, %v, %s: %v", c.pair.Leaf.Subject.CommonName, c.use, c.host, err)
		}
		if !strings.HasPrefix(c.pair.Leaf.Subject.CommonName, "SIMULATED") {
			t.Error(c.pair.Leaf.Subject)
		}
	}
	own := CertificatePEM(client.Leaf)
	if key, err := KeyPEM(client); err != nil || !strings.HasPrefix(string(key), "-----BEGIN PRIVATE KEY-----") {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", string(own), string(text[:len(text)/2])} {
		if _, err := ReadAuthority([]byte(bad)); err == nil || !strings.Contains(err.Error(), "simulation") {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"ca.pem": text, "client.pem": own} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := run(t, nil, peer(t, "openssl"), "verify", "-purpose", "sslclient", "-attime", "1795687200", "-CAfile", filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"))
	if !strings.Contains(said, "OK") {
		t.Error(said)
	}
}
