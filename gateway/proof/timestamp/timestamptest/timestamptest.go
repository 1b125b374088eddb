// Package timestamptest runs a time-stamping authority for tests: OpenSSL behind HTTP, with a certificate made for the test. It is of no other use.
package timestamptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Authority is one that answers.
type Authority struct {
	URL    string
	CAFile string         // PEM
	Roots  *x509.CertPool // that vouch for it
	dir    string
	mu     sync.Mutex // OpenSSL keeps the serial number in a file
	asked  int
}

// Asked is how many requests it has answered.
func (a *Authority) Asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

const config = `[tsa]
default_tsa = here
[here]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1, millisecs:500
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`

// Serve runs an authority until the test ends. A test that misses OpenSSL is skipped, and fails where CI is set.
func Serve(t testing.TB) *Authority {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed; scripts/install-tools test installs it")
		}
		t.Skip("openssl is not installed; scripts/install-tools test installs it")
	}
	a := &Authority{dir: t.TempDir(), Roots: x509.NewCertPool()}
	a.CAFile = filepath.Join(a.dir, "ca.pem")
	ca, caKey := a.make(t, "ca", nil, nil, Certificate("Simulated Timestamp CA", true))
	a.make(t, "tsa", ca, caKey, Certificate("Simulated Timestamp Authority", false))
	a.Roots.AddCert(ca)
	for name, text := range map[string]string{"tsa.cnf": config, "serial": "01\n"} {
		a.write(t, name, []byte(text))
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Certificate is what a certificate of an authority, or of one that stamps, says.
func Certificate(name string, ca bool) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: ca,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		c.KeyUsage = x509.KeyUsageCertSign
		return c
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		panic(err)
	}
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}} // RFC 3161, 2.3
	return c
}

// make makes a key and its certificate, as files.
func (a *Authority) make(t testing.TB, name string, issuer *x509.Certificate, by *ecdsa.PrivateKey, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if issuer == nil {
		issuer, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// Use has the authority sign with another certificate, issued by one that nobody knows where stranger is set.
func (a *Authority) Use(t testing.TB, c *x509.Certificate, stranger bool) {
	t.Helper()
	var ca *x509.Certificate
	var key *ecdsa.PrivateKey
	if stranger {
		ca, key = a.make(t, "other", nil, nil, Certificate("Unknown CA", true))
	} else {
		block, _ := pem.Decode(a.read(t, "ca.pem"))
		secret, _ := pem.Decode(a.read(t, "ca.key"))
		parsed, err := x509.ParsePKCS8PrivateKey(secret.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if ca, err = x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
		key = parsed.(*ecdsa.PrivateKey)
	}
	a.make(t, "tsa", ca, key, c)
}

// Token signs a TSTInfo as it is given, as OpenSSL signs mail: named has the signature name its certificate.
func (a *Authority) Token(t testing.TB, info []byte, named bool) []byte {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.write(t, "info.der", info)
	args := []string{"cms", "-sign", "-binary", "-nodetach", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-md", "sha256", "-in", "info.der", "-outform", "DER", "-out", "token.der", "-signer", "tsa.pem", "-inkey", "tsa.key"}
	if named {
		args = append(args, "-cades")
	}
	c := exec.Command("openssl", args...)
	c.Dir = a.dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a.read(t, "token.der")
}

func (a *Authority) write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *Authority) read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ServeHTTP answers a request (RFC 3161, 3.4).
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	question, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err == nil {
		err = os.WriteFile(filepath.Join(a.dir, "question.tsq"), question, 0o600)
	}
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "no request for a timestamp", http.StatusBadRequest)
		return
	}
	c := exec.Command("openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question.tsq", "-out", "answer.tsr")
	c.Dir = a.dir
	if out, err := c.CombinedOutput(); err != nil {
		http.Error(w, string(out), http.StatusInternalServerError)
		return
	}
	answer, err := os.ReadFile(filepath.Join(a.dir, "answer.tsr"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Write(answer)
}
