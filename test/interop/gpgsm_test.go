package interop

import (
	"crypto/ecdsa"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// gpgSM is gpgsm with a home of its own.
type gpgSM struct {
	desk
	home    string
	release string
	missing map[string]error // people whose key it does not take
	mu      sync.Mutex
}

func newGPGSM(t testing.TB, w *world) peer {
	t.Helper()
	home, err := os.MkdirTemp("", "gpgsm") // short: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	out, err := run(nil, "gpgsm", "--version")
	if err != nil {
		t.Fatal(err)
	}
	g := &gpgSM{desk: desk{w}, home: home, release: strings.Fields(string(out))[2], missing: map[string]error{}}
	if err := os.Mkdir(filepath.Join(home, "private-keys-v1.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "trustlist.txt"), fmt.Sprintf("%X S relax\n", sha1.Sum(w.root.cert.Raw)))
	write(t, filepath.Join(home, "gpg-agent.conf"), "allow-loopback-pinentry\n")
	if _, err := g.gpgsm("--import", w.root.file("crt")); err != nil {
		t.Fatal(err)
	}
	for name, p := range w.people {
		if err := g.take(p); err != nil {
			g.missing[name] = err
		}
	}
	return g
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// take imports p. Elliptic keys in PKCS #12 end gpgsm 2.2 with a segmentation fault, so they are put where its agent
// keeps them, as it writes them.
func (g *gpgSM) take(p person) error {
	key, elliptic := p.key.(*ecdsa.PrivateKey)
	if !elliptic {
		for range 10 { // gpgsm 2.2 fails to read some of the files openssl makes of one key
			_, err := g.gpgsm("--import", p.file("p12"))
			if err == nil {
				break
			}
			if err := runAll([]string{"openssl", "pkcs12", "-export", "-inkey", p.file("key"), "-in", p.file("crt"), "-name", p.name, "-passout", "pass:x",
				"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-out", p.file("p12.gpgsm")}); err != nil {
				return err
			}
			if err := os.Rename(p.file("p12.gpgsm"), p.file("p12")); err != nil {
				return err
			}
		}
	}
	if _, err := g.gpgsm("--import", p.file("crt")); err != nil {
		return err
	}
	if !elliptic {
		return nil
	}
	listed, err := run(nil, "gpgsm", "--homedir", g.home, "--batch", "--with-colons", "-k", "<"+p.address+">")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(listed)) {
		if grip := strings.Split(line, ":"); grip[0] == "grp" {
			return os.WriteFile(filepath.Join(g.home, "private-keys-v1.d", grip[9]+".key"), agentKey(key), 0o600)
		}
	}
	return errors.New("gpgsm lists no key grip")
}

// agentKey is a private key as gpg-agent keeps it.
func agentKey(key *ecdsa.PrivateKey) []byte {
	s := func(b []byte) string { return fmt.Sprintf("%d:%s", len(b), b) }
	name := key.Curve.Params().Name
	if strings.HasPrefix(name, "P-") {
		name = "NIST " + name
	}
	//lint:ignore SA1019 Bytes has no Brainpool curves
	secret := key.D.FillBytes(make([]byte, (key.Curve.Params().BitSize+7)/8))
	return []byte("(11:private-key(3:ecc(5:curve" + s([]byte(name)) + ")(1:q" + s(x509x.MarshalPoint(&key.PublicKey)) + ")(1:d" + s(secret) + ")))")
}

// gpgsm runs it, once at a time since it locks its key ring, and returns its status lines.
func (g *gpgSM) gpgsm(args ...string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	cmd := exec.Command("gpgsm", append([]string{"--homedir", g.home, "--batch", "--yes", "--disable-crl-checks", "--disable-dirmngr",
		"--disable-policy-checks", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--status-fd", "1"}, args...)...)
	cmd.Stdin = strings.NewReader("x\n")
	var out, problem strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("gpgsm: %w: %s", err, problem.String())
	}
	return out.String() + problem.String(), nil
}

func (*gpgSM) name() string      { return "gpgsm" }
func (g *gpgSM) version() string { return g.release }

func (g *gpgSM) sign(c signCase, content []byte) ([]byte, error) {
	switch {
	case c.ski:
		return nil, lack{"naming signers by key identifier"}
	case c.form == opaque:
		return nil, lack{"a definite length"}
	case c.bare:
		return nil, lack{"signatures without signed attributes"}
	case slices.ContainsFunc(c.schemes, func(s signScheme) bool { return s.pss && s.person == "rsa" }):
		return nil, lack{"RSASSA-PSS"}
	}
	return g.files(content, func(dir string) error {
		args := []string{"--include-certs", "-1", "--digest-algo", strings.ReplaceAll(hashNames[c.hash], "-", ""), "--output", filepath.Join(dir, "out"), "--sign"}
		if c.form == detached {
			args = append(args, "--detach-sign")
		}
		for _, p := range g.w.signers(c) {
			if err := g.missing[p.name]; err != nil {
				return err
			}
			args = append(args, "--local-user", "<"+p.address+">")
		}
		_, err := g.gpgsm(append(args, filepath.Join(dir, "in"))...)
		return err
	})
}

func (g *gpgSM) verify(c signCase, message, content []byte) error {
	return g.signedFiles(c, message, content, func(dir string) error {
		args := []string{"--output", filepath.Join(dir, "out"), "--verify", filepath.Join(dir, "in")}
		if c.form == detached {
			args = []string{"--verify", filepath.Join(dir, "in"), filepath.Join(dir, "content")}
		}
		out, err := g.gpgsm(args...)
		if err == nil && strings.Count(out, "GOODSIG") != len(c.schemes) {
			return fmt.Errorf("gpgsm: %s", out)
		}
		return err
	})
}

func (g *gpgSM) encrypt(c sealCase, content []byte) ([]byte, error) {
	switch {
	case c.ski:
		return nil, lack{"naming recipients by key identifier"}
	case c.form == opaque:
		return nil, lack{"a definite length"}
	case slices.ContainsFunc(c.transports, func(t transport) bool { return t.oaep }):
		return nil, lack{"RSAES-OAEP"}
	case slices.ContainsFunc(c.transports, func(t transport) bool { return t.readers }):
		return nil, lack{"another key derivation"}
	}
	cipher := map[string]string{"aes128-cbc": "AES", "aes192-cbc": "AES192", "aes256-cbc": "AES256", "des-ede3-cbc": "3DES"}[c.algorithm]
	if cipher == "" {
		return nil, lack{c.algorithm}
	}
	return g.files(content, func(dir string) error {
		args := []string{"--cipher-algo", cipher, "--output", filepath.Join(dir, "out")}
		for _, p := range g.w.recipients(c) {
			args = append(args, "--recipient", "<"+p.address+">")
		}
		_, err := g.gpgsm(append(args, "--encrypt", filepath.Join(dir, "in"))...)
		return err
	})
}

func (g *gpgSM) decrypt(c sealCase, p person, message, content []byte) error {
	return g.openedFiles(message, content, func(dir string) error {
		_, err := g.gpgsm("--output", filepath.Join(dir, "out"), "--decrypt", filepath.Join(dir, "in"))
		return err
	})
}
