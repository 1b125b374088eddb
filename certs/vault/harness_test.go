package vault_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// gatewayPolicy is what docs/certificates.md tells administrators to allow.
const gatewayPolicy = `
path "transit/keys/*" { capabilities = ["read", "update"] }
path "transit/sign/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "secret/data/siegel/*" { capabilities = ["read"] }
path "pki/issue/mail" { capabilities = ["update"] }
path "pki/sign/mail" { capabilities = ["update"] }
path "pki/revoke" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
`

// started is a server with every engine mounted and the policy "gateway".
func started(t testing.TB, o vaulttest.Options) *vaulttest.Server {
	t.Helper()
	s := vaulttest.Start(t, o)
	s.Mount(t, "transit", "transit")
	s.Mount(t, "secret", "kv")
	s.Policy(t, "gateway", gatewayPolicy)
	return s
}

// roots reads the CA of a server.
func roots(t testing.TB, s *vaulttest.Server) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// client makes a client that logs in by AppRole; change may alter its options.
func client(t testing.TB, s *vaulttest.Server, change func(*vault.Options)) *vault.Client {
	t.Helper()
	o := vault.Options{Name: "main", Addresses: []string{s.Address}, Roots: roots(t, s), Timeout: time.Minute, Log: quiet()}
	if change != nil {
		change(&o)
	}
	if o.Login == (vault.Login{}) {
		role, id := s.AppRole(t, "gateway", "gateway", nil)
		o.Login = vault.Login{RoleID: secret.New(role), SecretID: secret.New(id)}
	}
	c, err := vault.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// log collects lines.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newLog() (*logrus.Logger, *log) {
	out := new(log)
	l := logrus.New()
	l.SetOutput(out)
	l.SetLevel(logrus.DebugLevel)
	return l, out
}

// certificate makes one for the newest version of a key, self-signed by the vault's own key.
func certificate(t testing.TB, c *vault.Client, reference string, usage x509.KeyUsage) *x509.Certificate {
	t.Helper()
	key := newest(t, c, reference)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "Alice"}, EmailAddresses: []string{"alice@firma.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: usage, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newest(t testing.TB, c *vault.Client, reference string) crypto.Signer {
	t.Helper()
	r, err := vault.ParseKeyReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.Newest(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// bound gives the key of a certificate.
func bound(t testing.TB, c *vault.Client, reference string, certificate *x509.Certificate) crypto.Signer {
	t.Helper()
	key, err := keyOf(t.Context(), c, reference, certificate)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyOf(ctx context.Context, c *vault.Client, reference string, certificate *x509.Certificate) (crypto.Signer, error) {
	r, err := vault.ParseKeyReference(reference)
	if err != nil {
		return nil, err
	}
	key, err := c.Key(ctx, r, certificate)
	if err != nil {
		return nil, err
	}
	return key.(crypto.Signer), nil
}

const both = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment

// sign signs the digest of a text.
func sign(key crypto.Signer, text string, opts crypto.SignerOpts) (digest, signature []byte, err error) {
	h := opts.HashFunc().New()
	io.WriteString(h, text)
	digest = h.Sum(nil)
	signature, err = key.Sign(rand.Reader, digest, opts)
	return digest, signature, err
}

// wantAway holds that an error is temporary and names the vault, and that its text holds all the words.
func wantAway(t testing.TB, err error, words ...string) {
	t.Helper()
	var away *certs.UnavailableError
	if !errors.As(err, &away) || away.Source != "vault:main" || !away.Temporary() {
		t.Fatalf("not unavailable: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

// wantConfig holds that an error is for an administrator, and that its text holds all the words.
func wantConfig(t testing.TB, err error, words ...string) {
	t.Helper()
	var config *vault.ConfigError
	if !errors.As(err, &config) || config.Vault != "main" {
		t.Fatalf("no mistake of the configuration: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

// eventually asks again until it is so, for as long as a test may take on a machine at work.
func eventually(t testing.TB, what string, ask func() error) {
	t.Helper()
	end := time.NewTimer(2 * time.Minute)
	defer end.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-end.C:
			t.Fatalf("%s: %v", what, err)
		case <-pause.C:
		}
	}
}

func publicRSA(t testing.TB, key crypto.Signer) *rsa.PublicKey {
	t.Helper()
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		t.Fatalf("a key of %T", key.Public())
	}
	return public
}
