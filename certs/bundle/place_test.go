package bundle_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// place is a folder of files.
type place struct {
	testing.TB
	dir string
	ca  *democa.CA
}

// sharedCA and the people it issued for are made once: keys take long.
var sharedCA = sync.OnceValue(func() *democa.CA { return must(democa.NewCA(now)) })

var people = sync.OnceValue(func() map[string]certs.Identity {
	all := map[string]certs.Identity{}
	for _, address := range []string{"alice@firma.example", "bob@firma.example"} {
		all[address] = must(sharedCA().Issue(address, democa.Options{}))
	}
	return all
})

func newPlace(t testing.TB) place { return place{t, t.TempDir(), sharedCA()} }

func (p place) write(name string, data ...[]byte) string {
	p.Helper()
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Join(data, nil), 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

func (p place) issue(address string, o democa.Options) certs.Identity {
	p.Helper()
	if id, ok := people()[address]; ok && o.Key == nil && o.Alter == nil && o.NotBefore.IsZero() {
		return id
	}
	return must(p.ca.Issue(address, o))
}

// run runs a program in the folder and returns what it says.
func (p place) run(name string, args ...string) string {
	p.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "GNUPGHOME="+p.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (p place) openssl(args ...string) string { p.Helper(); return p.run("openssl", args...) }

// needs skips the test where a program is missing, and fails where nothing may be.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: scripts/install-tools test installs it", name)
		} else if err != nil {
			t.Skipf("%s is missing: scripts/install-tools test installs it", name)
		}
	}
}

func key(id certs.Identity) []byte { return must(democa.KeyPEM(id.Key)) }

// with are options with passwords.
func with(passwords ...string) bundle.Options {
	var o bundle.Options
	for _, p := range passwords {
		o.Passwords = append(o.Passwords, secret.New(p))
	}
	return o
}

// decrypt proves that an identity's key opens what its certificate closed.
func decrypt(t *testing.T, id certs.Identity) {
	t.Helper()
	closed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, id.Certificate.PublicKey.(*rsa.PublicKey), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := id.Key.(crypto.Decrypter).Decrypt(rand.Reader, closed, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil || string(opened) != "secret" {
		t.Errorf("%q, %v", opened, err)
	}
}

// holds fails unless the file gives the identity, and so many certificates.
func (p place) holds(t *testing.T, path string, o bundle.Options, want certs.Identity, certificates int) {
	t.Helper()
	c, err := bundle.ReadFile(path, o)
	if err != nil {
		t.Fatal(err)
	}
	ids, without := c.Identities()
	if len(ids) != 1 || without != 0 || !ids[0].Certificate.Equal(want.Certificate) || len(c.Certificates) != certificates {
		t.Fatalf("%d identities, %d keys without, %d certificates", len(ids), without, len(c.Certificates))
	}
	decrypt(t, ids[0])
}
