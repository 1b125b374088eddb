package x509x_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// What is written is read again as the same key, of each kind.
func TestMarshalPrivateKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	xKey, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{rsaKey, ecKey, edKey, xKey} {
		der, err := x509x.MarshalPrivateKey(key)
		if err != nil {
			t.Errorf("%T: %v", key, err)
			continue
		}
		again, err := x509x.ParsePrivateKey(der)
		if equal, ok := again.(interface{ Equal(any) bool }); err != nil || ok && !equal.Equal(key) {
			t.Errorf("%T: read as %T, %v", key, again, err)
		}
	}
	if _, err := x509x.MarshalPrivateKey("a key"); err == nil {
		t.Error("a text is written as a key")
	}
}

// OpenSSL reads the Brainpool keys that are written here as those that it made.
func TestMarshalBrainpoolKey(t *testing.T) {
	for _, curve := range []string{"brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"} {
		dir := t.TempDir()
		openssl := func(args ...string) string {
			cmd := exec.Command("openssl", args...)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("openssl %v: %v\n%s", args, err, out)
			}
			return string(out)
		}
		openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+curve, "-outform", "DER", "-out", "key")
		der, err := os.ReadFile(filepath.Join(dir, "key"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509x.ParsePrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		again, err := x509x.MarshalPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "again"), again, 0o600); err != nil {
			t.Fatal(err)
		}
		want := openssl("pkey", "-in", "key", "-inform", "DER", "-text", "-noout")
		if got := openssl("pkey", "-in", "again", "-inform", "DER", "-text", "-noout", "-check"); !strings.Contains(got, strings.TrimSpace(want)) || !strings.Contains(got, "valid") {
			t.Errorf("%s: %s, want %s", curve, got, want)
		}
	}
}
