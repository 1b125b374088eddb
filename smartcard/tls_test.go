package smartcard_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// OpenSSL's server takes a client whose key is on a card, by TLS 1.2 and 1.3, RSA and P-256.
func TestTLSClientAgainstOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is missing; scripts/install-tools test installs it")
		}
		t.Skip("openssl is missing")
	}
	p, n := newPIV(t, cardtest.PIVOptions{}), newTCOS(t, cardtest.TCOSOptions{})
	for name, c := range map[string]struct {
		card    simulated
		ref     byte
		version uint16
		want    string // what the server says of the signature
	}{
		"piv RSA, TLS 1.3":           {p, cardtest.SlotAuthentication, tls.VersionTLS13, "RSA-PSS"},
		"piv RSA, TLS 1.2":           {p, cardtest.SlotAuthentication, tls.VersionTLS12, "RSA-PSS"},
		"piv P-256, TLS 1.3":         {p, cardtest.SlotCardAuthentication, tls.VersionTLS13, "ECDSA"},
		"piv P-256, TLS 1.2":         {p, cardtest.SlotCardAuthentication, tls.VersionTLS12, "ECDSA"},
		"tcos RSA, TLS 1.3":          {n, cardtest.KeyAuthentication, tls.VersionTLS13, "RSA-PSS"},
		"tcos signature, PKCS1, 1.2": {n, cardtest.KeySignature, tls.VersionTLS12, "RSA"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, c.card).key(c.card, c.ref)
			got := handshake(t, k, c.version)
			if got != c.want {
				t.Errorf("the server saw a signature of type %q; want %q", got, c.want)
			}
		})
	}
}

// handshake speaks TLS to s_server, which asks for a certificate, and returns the type of signature that it says it has got.
func handshake(t *testing.T, k *smartcard.Key, version uint16) string {
	t.Helper()
	dir := t.TempDir()
	pool := serverFiles(t, dir)
	port := strconv.Itoa(freeport.Port(t))
	cmd := exec.Command("openssl", "s_server", "-accept", "127.0.0.1:"+port, "-cert", filepath.Join(dir, "cert.pem"), "-key", filepath.Join(dir, "key.pem"),
		"-Verify", "1", "-naccept", "1", "-state")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ACCEPT") {
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: version, MaxVersion: version,
		Certificates: []tls.Certificate{k.TLSCertificate()}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	kind := ""
	for lines.Scan() && lines.Text() != "hello" {
		if v, ok := strings.CutPrefix(lines.Text(), "Peer signature type: "); ok {
			kind = v
		}
	}
	return kind
}

// serverFiles are the certificate and key of a server.
func serverFiles(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pool
}
