// Package certstest is a folder in which a test lays down certificates and keys, and has programs that we did not write make them. It reads
// nothing itself.
package certstest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

// Place is a folder of files that goes with its test. Its methods end the test where they fail.
type Place struct {
	testing.TB
	Dir string
	CA  *democa.CA // that issues; may be shared by tests, since keys take long
}

// New makes an empty folder.
func New(t testing.TB, ca *democa.CA) Place { return Place{t, t.TempDir(), ca} }

// Path is where a file of this name lies, whether it is there or not. Folders in the name are separated by /.
func (p Place) Path(name string) string { return filepath.Join(p.Dir, filepath.FromSlash(name)) }

// Write writes a file for its owner alone, with the folders above it, and returns its path.
func (p Place) Write(name string, data ...[]byte) string {
	p.Helper()
	path := p.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Join(data, nil), 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

// Remove takes files away, of which some may not be there.
func (p Place) Remove(names ...string) {
	for _, name := range names {
		os.Remove(p.Path(name))
	}
}

// Run runs a program in the folder, which is the home of GnuPG as well, and returns what it says.
func (p Place) Run(name string, args ...string) string {
	p.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "GNUPGHOME="+p.Dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// OpenSSL runs openssl in the folder.
func (p Place) OpenSSL(args ...string) string { p.Helper(); return p.Run("openssl", args...) }

// Issue has the CA issue a certificate.
func (p Place) Issue(address string, o democa.Options) certs.Identity {
	p.Helper()
	id, err := p.CA.Issue(address, o)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// KeyPEM is the private key of an identity, not encrypted.
func KeyPEM(t testing.TB, id certs.Identity) []byte {
	t.Helper()
	text, err := democa.KeyPEM(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Opens fails unless an identity's RSA key opens what its certificate closed.
func Opens(t testing.TB, id certs.Identity) {
	t.Helper()
	public, ok := id.Certificate.PublicKey.(*rsa.PublicKey)
	decrypter, can := id.Key.(crypto.Decrypter)
	if !ok || !can {
		t.Errorf("a key of %T for a certificate of %T", id.Key, id.Certificate.PublicKey)
		return
	}
	closed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := decrypter.Decrypt(rand.Reader, closed, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil || string(opened) != "secret" {
		t.Errorf("%q, %v", opened, err)
	}
}
