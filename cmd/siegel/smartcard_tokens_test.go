//go:build cgo

package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// tokenOf makes a token of SoftHSM with a key and its certificate, and the PIN 123456.
func tokenOf(t *testing.T, label string) *x509.Certificate {
	t.Helper()
	for _, need := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(need); err != nil && os.Getenv("CI") == "" {
			t.Skipf("%s is missing; scripts/install-tools test installs it", need)
		}
	}
	dir := t.TempDir()
	t.Setenv("SOFTHSM2_CONF", filepath.Join(dir, "softhsm2.conf"))
	key, err := cardKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Token"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	cert, err3 := x509.ParseCertificate(der)
	err = errors.Join(err1, err2, err3, os.Mkdir(filepath.Join(dir, "tokens"), 0o700),
		os.WriteFile(filepath.Join(dir, "softhsm2.conf"), fmt.Appendf(nil, "directories.tokendir = %s/tokens\nobjectstore.backend = file\n", dir), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		os.WriteFile(filepath.Join(dir, "cert.der"), der, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", "123456"},
		{"softhsm2-util", "--import", filepath.Join(dir, "key.pem"), "--token", label, "--label", "k", "--id", "a1", "--pin", "123456"},
		{"pkcs11-tool", "--module", softHSM, "--token-label", label, "--login", "--pin", "123456", "--write-object", filepath.Join(dir, "cert.der"), "--type", "cert", "--id", "a1"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	return cert
}

// A token behind a module is listed, bound and probed as a card is.
func TestSmartcardTokens(t *testing.T) {
	cert := tokenOf(t, "gate way")
	none := cardtest.NewRack()
	code, stdout, stderr := atCards(none, "list", "--module", softHSM)
	if code != exitDone || !strings.Contains(stdout, "gate way, family pkcs11, serial ") || !strings.Contains(stdout, "none was refused since") || !strings.Contains(stdout, shaOf(cert.Raw)) {
		t.Fatal(stdout, stderr)
	}
	file, read := cardConfig(t)
	code, stdout, stderr = atCards(none, "bind", "demail", "--module", softHSM, "--token", "gate way", "-w", file)
	if code != exitDone || !strings.Contains(read(), `pkcs11: {module: "`+softHSM+`", token: "gate way", serial: "`) {
		t.Fatal(stdout, stderr, read())
	}
	code, stdout, stderr = atCards(none, "probe", "demail", "-c", file, "--json")
	var got struct {
		Keys []struct {
			Name, PIN string
			Trials    []struct{ Good bool }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitDone || len(got.Keys) != 1 || got.Keys[0].PIN != "accepted" || len(got.Keys[0].Trials) != 6 {
		t.Error(stdout, stderr)
	}
	if code, stdout, stderr = atCards(none, "probe", "--module", softHSM, "--pin-file", pinFile(t, "123456")); code != exitDone {
		t.Error(stdout, stderr)
	}
	if code, stdout, stderr = atCards(none, "export-cert", "--module", softHSM); code != exitDone || !strings.HasPrefix(stdout, "-----BEGIN") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(none, "list", "--module", softHSM, "--token", "other"); code != exitDone || !strings.Contains(stdout, "No such") {
		t.Error(stdout)
	}
	refused(t, none, exitUsage, "pkcs11-tool", "unlock", "demail", "--puk", "-c", file, "-y")
	refused(t, none, exitUsage, "pkcs11-tool", "change-pin", "demail", "-c", file, "-y")
	refused(t, none, exitFailed, "the module /no/such.so: ", "list", "--module", "/no/such.so")
	refused(t, none, exitUsage, "--token goes with --module", "list", "--token", "x")
	refused(t, none, exitUsage, "give one of the two", "list", "--module", softHSM, "--reader", "x")
	unlocksToken(t, file)
	code, stdout, _ = atCards(none, "probe", "--module", softHSM, "--pin-file", pinFile(t, "654321"))
	if code != exitFailed || !strings.Contains(stdout, "REFUSED") {
		t.Error(stdout)
	}
}

// unlocksToken: a PIN that a token has refused is written down and keeps others back, until a human presents the right one.
func unlocksToken(t *testing.T, file string) {
	t.Helper()
	none := cardtest.NewRack()
	code, stdout, stderr := atCards(none, "unlock", "demail", "-c", file, "--yes", "--pin-file", pinFile(t, "654321"))
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "The token does not say how many tries are left") || !strings.Contains(stderr, "has refused it") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(none, "probe", "demail", "-c", file); code != exitFailed || !strings.Contains(stdout, "siegel smartcard unlock") {
		t.Error(stdout)
	}
	if code, stdout, stderr = atCards(none, "unlock", "demail", "-c", file, "--yes", "--pin-file", pinFile(t, "123456")); code != exitDone || !strings.Contains(stderr, " of token ") ||
		!strings.HasPrefix(stdout, "The token has accepted the PIN") {
		t.Error(stdout, stderr)
	}
	if code, stdout, stderr = atCards(none, "probe", "demail", "-c", file); code != exitDone {
		t.Error(stdout, stderr)
	}
	if got := acts(t, file); len(got) != 3 || !strings.HasPrefix(got[1], "smartcard-unlock-failed on ") || !strings.Contains(got[2], "smartcard-unlock on ") {
		t.Errorf("%q", got)
	}
}
