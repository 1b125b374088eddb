package enroll_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/internal/atrest"
)

const pki = "http://pki.firma.example"

// bench is a CA on a store, at a time of its own.
type bench struct {
	t     *testing.T
	now   time.Time
	key   atrest.Key
	dir   string
	store *store.Store
	ca    *enroll.CA
	o     enroll.CAOptions
	keys  map[enroll.KeyKind]crypto.Signer // one of a kind is enough here
}

// newBench begins now, since OpenSSL and zlint know no other time.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Now(), key: atrest.NewKey(), dir: filepath.Join(t.TempDir(), "certs"), keys: map[enroll.KeyKind]crypto.Signer{}}
	b.o = enroll.CAOptions{URL: pki, Now: func() time.Time { return b.now }}
	b.open()
	return b
}

// open opens the store, again where it is open.
func (b *bench) open() {
	b.t.Helper()
	if b.store != nil {
		b.store.Close()
	}
	s, err := store.Open(b.t.Context(), store.Options{Dir: b.dir, Key: b.key, Now: func() time.Time { return b.now }})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close() })
	b.store, b.o.Ledger = s, s.Ledger()
	if b.ca, err = enroll.NewCA(b.o); err != nil {
		b.t.Fatal(err)
	}
}

func founding() enroll.Founding {
	return enroll.Founding{Organization: "Firma GmbH", Country: "DE", Domains: []string{"firma.example", ".firma.example"}, Key: enroll.P384}
}

// found makes the CA.
func (b *bench) found() (root, issuing *x509.Certificate) {
	b.t.Helper()
	all, err := b.ca.Found(b.t.Context(), founding())
	if err != nil {
		b.t.Fatal(err)
	}
	return all[0].Certificate, all[1].Certificate
}

func (b *bench) issue(address string, p certs.Purpose, kind enroll.KeyKind) enroll.Issued {
	b.t.Helper()
	key := b.keys[kind]
	if key == nil {
		key = must(enroll.NewKey(kind))
		b.keys[kind] = key
	}
	got, err := b.ca.Issue(context.Background(), enroll.Request{Address: address, Purpose: p, Key: key})
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// doc is what the CA publishes for a certificate of its own.
func (b *bench) doc(url string) enroll.Document {
	b.t.Helper()
	d, ok := b.ca.Published(filepath.Base(url))
	if !ok {
		b.t.Fatalf("%s is not published", url)
	}
	return d
}

// files writes things to a folder of their own and returns how they are called there.
func files(t *testing.T, things map[string][]byte) func(string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range things {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

func certPEM(c ...*x509.Certificate) (out []byte) {
	for _, c := range c {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func crlPEM(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }

// tool runs a program that we did not write, and fails where it is not there.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("%s is not installed; scripts/install-tools test installs it", name)
		}
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}
