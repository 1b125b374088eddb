//go:build unix

package cardtest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// bench is a daemon with a card, and files for a program that signs.
type bench struct {
	*pcscdtest.Daemon
	in, out string
	module  string
}

func newBench(t *testing.T, cards ...cardtest.Card) bench {
	t.Helper()
	d := pcscdtest.Start(t)
	for i, c := range cards {
		d.Plug(t, i, c)
	}
	dir := t.TempDir()
	b := bench{Daemon: d, in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}
	b.write(t, text)
	found, _ := filepath.Glob("/usr/lib/*/opensc-pkcs11.so")
	if len(found) == 0 {
		found = []string{"/usr/lib/opensc-pkcs11.so"}
	}
	b.module = found[0]
	return b
}

func (b bench) write(t *testing.T, in []byte) {
	t.Helper()
	if err := os.WriteFile(b.in, in, 0o600); err != nil {
		t.Fatal(err)
	}
}

// result is what the program wrote.
func (b bench) result(t *testing.T) []byte {
	t.Helper()
	out, err := os.ReadFile(b.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.out); err != nil {
		t.Fatal(err)
	}
	return out
}

// pkcs11 uses OpenSC's PKCS #11 module; the number of a slot counts the PINs of the card.
func (b bench) pkcs11(t *testing.T, slot string, args ...string) ([]byte, error) {
	t.Helper()
	args = append([]string{"--module", b.module, "--slot", slot, "--login", "--pin", "123456", "-i", b.in, "-o", b.out}, args...)
	said, err := b.Try(t, "pkcs11-tool", args...)
	if err != nil {
		return []byte(said), err
	}
	return b.result(t), nil
}

func (b bench) mustPKCS11(t *testing.T, slot string, args ...string) []byte {
	t.Helper()
	out, err := b.pkcs11(t, slot, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func contains(t *testing.T, out string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

// OpenSC's driver for TCOS recognises the NetKey, reads its certificates, keys and PINs, verifies the PIN and uses each key.
func TestOpenSCWithTCOS(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	b := newBench(t, c)
	contains(t, b.Run(t, "opensc-tool", "-a", "-n"), "3b:bf:96:00:81:31:fe:5d:00:64:04:11:03:01:31:c0:73:f7:01:d0:00:90:00:7d", "TCOS")
	contains(t, b.Run(t, "pkcs15-tool", "-D"), "NetKey V3 Card", "8949017694000000000", "NetKey PIN1", "NetKey PIN2", "PUK", "Tries left     : 3",
		"Signatur Schluessel", "Usage          : [0x204], sign, nonRepudiation", "Verschluesselungs Schluessel", "Authentifizierungs Schluessel",
		"Telesec Signatur Zertifikat", "Telesec Verschluesselungs Zertifikat", "Telesec Authentifizierungs Zertifikat")
	contains(t, b.Run(t, "pkcs15-tool", "--read-certificate", "47"), "BEGIN CERTIFICATE")

	sum := sha256.Sum256(text)
	const pin2 = "1" // OpenSC shows a slot for each PIN
	verifyRSA(t, c.Public(cardtest.KeyAuthentication), crypto.SHA256, sum[:], b.mustPKCS11(t, pin2, "--sign", "-m", "SHA256-RSA-PKCS", "--id", "47"))
	b.write(t, text[:35])
	// The key that only signs: the PKCS #11 module of OpenSC 0.23 pads for it, and its driver refuses what is that long.
	b.Run(t, "pkcs15-crypt", "--sign", "--key", "45", "--pin", "123456", "--pkcs1", "--raw", "-i", b.in, "-o", b.out)
	verifyRSA(t, c.Public(cardtest.KeySignature), 0, text[:35], b.result(t))
	verifyRSA(t, c.Public(cardtest.KeyAuthentication), 0, text[:35], b.mustPKCS11(t, pin2, "--sign", "-m", "RSA-PKCS", "--id", "47"))

	b.write(t, encrypt(t, c.Public(cardtest.KeyEncryption).(*rsa.PublicKey)))
	if got := b.mustPKCS11(t, pin2, "--decrypt", "-m", "RSA-PKCS", "--id", "46"); !bytes.Equal(got, text) {
		t.Errorf("%q", got)
	}
	if n := c.Counts(); n.Signatures != 1 || n.Deciphered != 3 || n.Refused != 0 || n.Presented == 0 {
		t.Errorf("%+v", n)
	}
}

// A wrong PIN is counted as a card does, and OpenSC says how many tries are left.
func TestOpenSCWithWrongPIN(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	b := newBench(t, c)
	out, err := b.Try(t, "pkcs15-tool", "--verify-pin", "--auth-id", "03", "--pin", "654321")
	if err == nil || c.Tries(cardtest.TCOSPIN2) != 2 || c.Counts().Refused != 1 {
		t.Errorf("%v, %d tries left\n%s", err, c.Tries(cardtest.TCOSPIN2), out)
	}
	contains(t, b.Run(t, "pkcs15-tool", "--list-pins"), "Tries left     : 2")
	b.Run(t, "pkcs15-tool", "--verify-pin", "--auth-id", "03", "--pin", "123456")
	if c.Tries(cardtest.TCOSPIN2) != 3 {
		t.Error(c.Tries(cardtest.TCOSPIN2))
	}
	b.Run(t, "pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", "12345678", "--new-pin", "111111")
	b.Run(t, "pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "111111")
}

// OpenSC's driver for PIV, with every algorithm of the card.
func TestOpenSCWithPIV(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	b := newBench(t, c)
	contains(t, b.Run(t, "opensc-tool", "-a", "-n"), "3b:fd:13:00:00:81:31:fe:15:80:73:c0:21:c0:57:59:75:62:69:4b:65:79:40", "Personal Identity Verification")
	contains(t, b.Run(t, "piv-tool", "-n"), "Personal Identity Verification")
	contains(t, b.Run(t, "pkcs15-tool", "-D"), "Simulated card: authentication", "PIV AUTH key", "SIGN key", "KEY MAN key", "CARD AUTH key",
		"Certificate for PIV Authentication", "Certificate for Digital Signature", "Retired")

	k, sum := getKeys(t), sha256.Sum256(text)
	verifyRSA(t, k.rsa[0].Public(), crypto.SHA256, sum[:], b.mustPKCS11(t, "0", "--sign", "-m", "SHA256-RSA-PKCS", "--id", "01"))
	pss := b.mustPKCS11(t, "0", "--sign", "-m", "SHA256-RSA-PKCS-PSS", "--mgf", "MGF1-SHA256", "--salt-len", "32", "--id", "01")
	if err := rsa.VerifyPSS(&k.rsa[0].PublicKey, crypto.SHA256, sum[:], pss, nil); err != nil {
		t.Error(err)
	}
	b.write(t, sum[:])
	verifyEC(t, &k.p256.PublicKey, sum[:], b.mustPKCS11(t, "0", "--sign", "-m", "ECDSA", "--id", "02"))
	b.write(t, text[:35])
	verifyRSA(t, k.rsa[0].Public(), 0, text[:35], b.mustPKCS11(t, "0", "--sign", "-m", "RSA-PKCS", "--id", "01"))

	b.write(t, encrypt(t, &k.rsa[1].PublicKey))
	if got := b.mustPKCS11(t, "0", "--decrypt", "-m", "RSA-PKCS", "--id", "03"); !bytes.Equal(got, text) {
		t.Errorf("%q", got)
	}
	if n := c.Counts(); n.Signatures != 4 || n.Deciphered != 1 || n.Refused != 0 {
		t.Errorf("%+v", n)
	}
}

// PIV with RSA-3072 and P-384 where they are used most.
func TestOpenSCWithLongKeys(t *testing.T) {
	k := getKeys(t)
	c := newPIV(t, cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa3072, cardtest.SlotSignature: k.p384}})
	b := newBench(t, c)
	sum := sha256.Sum256(text)
	verifyRSA(t, k.rsa3072.Public(), crypto.SHA256, sum[:], b.mustPKCS11(t, "0", "--sign", "-m", "SHA256-RSA-PKCS", "--id", "01"))
	b.write(t, sum[:])
	verifyEC(t, &k.p384.PublicKey, sum[:], b.mustPKCS11(t, "0", "--sign", "-m", "ECDSA", "--id", "02"))
}

// verifyEC verifies r and s one after the other, as PKCS #11 has it.
func verifyEC(t *testing.T, public *ecdsa.PublicKey, digest, signature []byte) {
	t.Helper()
	half := len(signature) / 2
	if !ecdsa.Verify(public, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])) {
		t.Error("the signature is wrong")
	}
}

// Yubico's tool takes the PIV card for one of its own.
func TestYubicoTool(t *testing.T) {
	k := getKeys(t)
	c := newPIV(t, cardtest.PIVOptions{Serial: 4711, Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa[0], cardtest.SlotSignature: k.p384,
		cardtest.SlotKeyManagement: k.rsa[1], cardtest.SlotCardAuthentication: k.p256}})
	b := newBench(t, c)
	run := func(args ...string) string {
		t.Helper()
		return b.Run(t, "yubico-piv-tool", append([]string{"-v9", "-r", b.Reader(0)}, args...)...)
	}
	contains(t, run("-a", "version"), "5.4.3")
	contains(t, run("-a", "status"), "Serial Number:\t4711", "Slot 9a:", "Slot 9c:", "Slot 9d:", "Slot 9e:", "Simulated card: signature", "PIN tries left:\t3")
	for slot, algorithm := range map[string]string{"9a": "RSA2048", "9c": "ECCP384", "9e": "ECCP256"} {
		certificate := filepath.Join(t.TempDir(), "certificate.pem")
		run("-a", "read-certificate", "-s", slot, "-o", certificate)
		out := run("-a", "verify-pin", "-P", "123456", "-a", "test-signature", "-s", slot, "-A", algorithm, "-i", certificate)
		contains(t, out, "Successfully verified PIN.", "Successful")
	}
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	run("-a", "read-certificate", "-s", "9d", "-o", certificate)
	contains(t, run("-a", "verify-pin", "-P", "123456", "-a", "test-decipher", "-s", "9d", "-i", certificate), "Successfully performed")
	if out, err := b.Try(t, "yubico-piv-tool", "-r", b.Reader(0), "-a", "verify-pin", "-P", "000000"); err == nil || c.Tries(cardtest.PIVPIN) != 2 {
		t.Errorf("%v, %d tries left\n%s", err, c.Tries(cardtest.PIVPIN), out)
	}
	run("-a", "change-pin", "-P", "123456", "-N", "654321")
	run("-a", "verify-pin", "-P", "654321")
	run("-a", "unblock-pin", "-P", "12345678", "-N", "123456")
	run("-a", "verify-pin", "-P", "123456")
}

// The library piv-go, which is not ours, takes the PIV card for one of its own too: built in a module of its own, since it needs C.
func TestPIVGo(t *testing.T) {
	k := getKeys(t)
	program := filepath.Join(t.TempDir(), "pivgo")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "test", "pivgo")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-trimpath", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("piv-go needs a C compiler, pkg-config and libpcsclite-dev (scripts/install-tools test): %v\n%s", err, out)
	}
	for name, signer := range map[string]crypto.Signer{"RSA deciphers": k.rsa[1], "P-256 agrees": k.p256, "P-384 agrees": k.p384} {
		t.Run(name, func(t *testing.T) {
			c := newPIV(t, cardtest.PIVOptions{Serial: 4711, Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa3072, cardtest.SlotSignature: k.p384,
				cardtest.SlotKeyManagement: signer, cardtest.SlotCardAuthentication: k.rsa[0]}})
			b := newBench(t, c)
			contains(t, b.Run(t, program, b.Reader(0), "123456"), "serial 4711 version {5 4 3} tries 3", "slot 9a works", "slot 9c works", "slot 9d works", "slot 9e works")
			if n := c.Counts(); n.Signatures != 3 || n.Deciphered != 1 || n.Refused != 1 {
				t.Errorf("%+v", n)
			}
		})
	}
}

// Two readers at once, a card pulled and put in again, and a daemon that is started anew.
func TestReaders(t *testing.T) {
	tcos, piv := newTCOS(t, cardtest.TCOSOptions{}), newPIV(t, cardtest.PIVOptions{})
	b := newBench(t)
	pull := b.Plug(t, 0, tcos)
	b.Plug(t, 1, piv)
	contains(t, b.Run(t, "opensc-tool", "-r", b.Reader(0), "-n"), "TCOS")
	contains(t, b.Run(t, "opensc-tool", "-r", b.Reader(1), "-n"), "Personal")
	pull()
	b.Plug(t, 0, tcos)
	contains(t, b.Run(t, "opensc-tool", "-r", b.Reader(0), "-n"), "TCOS")
	b.Restart(t)
	if out, err := b.Try(t, "opensc-tool", "-r", b.Reader(1), "-n"); err == nil {
		t.Errorf("a card survives its daemon:\n%s", out)
	}
	b.Plug(t, 1, piv)
	contains(t, b.Run(t, "opensc-tool", "-r", b.Reader(1), "-n"), "Personal")
}
