package interop

import (
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Every peer verifies signatures that say which certificate is to be encrypted to (RFC 8551, 2.5.3), and those that keep the certificates
// of a message have it then.
func TestEncryptionKeyPreference(t *testing.T) {
	w := getWorld(t)
	content := theContent()
	signer, other := w.people["p256"], w.people["rsa"]
	options := cms.SignOptions{Time: time.Now(), Signers: []cms.Signer{{Certificate: signer.cert, Key: signer.key.(crypto.Signer), Encryption: other.cert}}}
	s, err := cms.NewDetachedSigner(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Write(content)
	message, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	c := signCase{label: "preference", schemes: []signScheme{{"ECDSA P-256", "p256", false}}, hash: crypto.SHA256, form: detached}
	for _, p := range append(peers(t, w), ours{w}) {
		if err := p.verify(c, message, content); err != nil {
			t.Errorf("%s: %v", p.name(), err)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "message"), string(message))
	write(t, filepath.Join(dir, "content"), string(content))
	t.Run("OpenSSL", func(t *testing.T) {
		out, err := run(nil, "openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", filepath.Join(dir, "message"))
		if err != nil || !strings.Contains(string(out), "id-smime-aa-encrypKeyPref") {
			t.Errorf("%v: %s", err, out)
		}
		if _, err := run(nil, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "message"), "-content", filepath.Join(dir, "content"),
			"-CAfile", w.root.file("crt"), "-certsout", filepath.Join(dir, "certs"), "-out", "/dev/null"); err != nil {
			t.Fatal(err)
		}
		all, err := os.ReadFile(filepath.Join(dir, "certs"))
		if n := strings.Count(string(all), "BEGIN CERTIFICATE"); err != nil || n != 2 {
			t.Errorf("%d certificates, %v", n, err)
		}
	})
	t.Run("NSS", func(t *testing.T) {
		db := "sql:" + t.TempDir()
		if err := runAll([]string{"certutil", "-N", "-d", db, "--empty-password"}, []string{"certutil", "-A", "-d", db, "-n", "root", "-t", ",C,", "-i", w.root.file("crt")},
			[]string{"cmsutil", "-D", "-k", "-u", "4", "-d", db, "-i", filepath.Join(dir, "message"), "-c", filepath.Join(dir, "content"), "-o", filepath.Join(dir, "out")}); err != nil {
			t.Fatal(err)
		}
		out, err := run(nil, "certutil", "-L", "-d", db, "--email", other.address)
		if err != nil || !strings.Contains(string(out), other.address) {
			t.Errorf("it has no certificate of %s: %v\n%s", other.address, err, out)
		}
	})
	t.Run("gpgsm", func(t *testing.T) {
		home, err := os.MkdirTemp("", "gpgsm") // short: sockets are made in it
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, _ = run(nil, "gpgconf", "--homedir", home, "--kill", "all")
			os.RemoveAll(home)
		})
		out, err := run(nil, "gpgsm", "--homedir", home, "--batch", "--disable-crl-checks", "--disable-dirmngr", "--import", filepath.Join(dir, "message"))
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		listed, err := run(nil, "gpgsm", "--homedir", home, "--batch", "--with-colons", "--list-keys")
		if want := fmt.Sprintf("%X", other.cert.SerialNumber); err != nil || !strings.Contains(strings.ToUpper(string(listed)), want) {
			t.Errorf("%v: %s", err, listed)
		}
	})
}
