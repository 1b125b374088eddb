package cms

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gpgsmHome makes a home for gpgsm that knows and trusts p, with its key.
func gpgsmHome(t *testing.T, p party) string {
	t.Helper()
	home, err := os.MkdirTemp("", "gpgsm") // short: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	write(t, filepath.Join(home, "trustlist.txt"), fmt.Appendf(nil, "%X S relax\n", sha1.Sum(p.cert.Raw)))
	write(t, filepath.Join(home, "gpg-agent.conf"), []byte("allow-loopback-pinentry\n"))
	cert, key := p.files(t)
	for try := 1; ; try++ { // gpgsm 2.2 fails to read some of the files openssl makes of one key
		bundle := openssl(t, nil, "pkcs12", "-export", "-legacy", "-in", cert, "-inkey", key, "-passout", "pass:x")
		out, err := gpgsm(t, home, nil, "--import", temp(t, bundle))
		if err == nil {
			break
		}
		if try == 10 {
			t.Fatalf("gpgsm: %v: %s", err, out)
		}
	}
	return home
}

// gpgsm runs gpgsm, whose passphrase is x, and returns its status lines; its output goes where args say.
func gpgsm(t *testing.T, home string, stdin []byte, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("gpgsm", append([]string{"--homedir", home, "--batch", "--yes", "--disable-crl-checks", "--disable-dirmngr",
		"--disable-policy-checks", "--pinentry-mode", "loopback", "--passphrase-fd", "3", "--status-fd", "1"}, args...)...)
	pass, err := os.Open(temp(t, []byte("x\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer pass.Close()
	cmd.ExtraFiles = []*os.File{pass}
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestEnvelopeGPGSM encrypts for gpgsm and decrypts from it. Its version 2.2 has CBC alone.
func TestEnvelopeGPGSM(t *testing.T) {
	p := get(t, "rsa")
	home := gpgsmHome(t, p)
	content := text(70000)
	for _, size := range []int64{70000, -1} {
		for _, algorithm := range []Algorithm{AES128CBC, AES256CBC} {
			message := encrypt(t, EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: size}, content)
			file := filepath.Join(t.TempDir(), "plain")
			out, err := gpgsm(t, home, message, "--output", file, "--decrypt")
			if plain, _ := os.ReadFile(file); err != nil || !bytes.Equal(plain, content) {
				t.Errorf("%s, size %d: %v: %s", algorithm, size, err, out)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "message")
	if out, err := gpgsm(t, home, content, "--output", file, "--encrypt", "-r", "rsa@example.com"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	message, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if plain, _, err := decrypt(message, finder(p)); err != nil || !bytes.Equal(plain, content) {
		t.Errorf("from gpgsm: %v", err)
	}
}

// TestVerifyGPGSM verifies what gpgsm signs, detached and opaque.
func TestVerifyGPGSM(t *testing.T) {
	p := get(t, "rsa")
	home := gpgsmHome(t, p)
	content := text(70000)
	for _, detached := range []bool{true, false} {
		file := filepath.Join(t.TempDir(), "message")
		args := []string{"--include-certs", "-1", "--output", file, "--local-user", "rsa@example.com", "--sign"}
		if detached {
			args = append(args, "--detach-sign")
		}
		if out, err := gpgsm(t, home, content, args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		message, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var signed *Signed
		got := content
		if detached {
			signed, err = VerifyDetached(message, bytes.NewReader(content), Limits{})
		} else {
			got, signed, err = verifyOpaque(message)
		}
		good(t, signed, err, p)
		if !bytes.Equal(got, content) {
			t.Error("other content")
		}
	}
}

func TestSignAgainstGPGSM(t *testing.T) {
	home := gpgsmHome(t, get(t, "rsa"))
	content := text(9000)
	for _, name := range []string{"rsa", "p256", "p384"} {
		o := get(t, name).signer()
		der := signDetached(t, o, content)
		out, _ := gpgsm(t, home, nil, "--verify", temp(t, der), temp(t, content))
		if !strings.Contains(out, "GOODSIG") {
			t.Errorf("%s: gpgsm finds no good signature: %s", name, out)
		}
		out, _ = gpgsm(t, home, nil, "--verify", temp(t, der), temp(t, append([]byte("x"), content...)))
		if !strings.Contains(out, "BADSIG") {
			t.Errorf("%s: gpgsm finds a changed content right: %s", name, out)
		}
	}
}

// TestSignKindsGPGSM has gpgsm verify the kinds of signatures that it knows beside the plain ones.
func TestSignKindsGPGSM(t *testing.T) {
	home := gpgsmHome(t, get(t, "rsa"))
	content := text(9000)
	pss := get(t, "rsa").signer()
	pss.Signers[0].PSS = true
	brainpool := makeBrainpool(t, 256).signer()
	brainpool.SoftwareBrainpool = true
	two := get(t, "p384").signer()
	two.Signers = append(two.Signers, get(t, "rsa2").signer().Signers[0])
	for name, c := range map[string]struct {
		o    SignOptions
		good int
	}{"PSS": {pss, 1}, "Brainpool": {brainpool, 1}, "two signers": {two, 2}} {
		out, _ := gpgsm(t, home, nil, "--verify", temp(t, signDetached(t, c.o, content)), temp(t, content))
		if strings.Count(out, "GOODSIG") != c.good {
			t.Errorf("%s: gpgsm finds %d good signatures: %s", name, strings.Count(out, "GOODSIG"), out)
		}
	}
}
