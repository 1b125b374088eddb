//go:build cgo && unix

package pkcs11_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

const softhsm = "/usr/lib/softhsm/libsofthsm2.so"

// keys are made once for all tests: RSA takes long.
type keys struct {
	rsa              []*rsa.PrivateKey
	p256, p384, p521 *ecdsa.PrivateKey
}

var theKeys = sync.OnceValues(func() (k keys, err error) {
	for range 2 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return k, err
		}
		k.rsa = append(k.rsa, key)
	}
	for curve, to := range map[elliptic.Curve]**ecdsa.PrivateKey{elliptic.P256(): &k.p256, elliptic.P384(): &k.p384, elliptic.P521(): &k.p521} {
		if *to, err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			return k, err
		}
	}
	return k, nil
})

func getKeys(t testing.TB) keys {
	t.Helper()
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certify makes a certificate for a key.
func certify(t testing.TB, name string, key crypto.Signer, usage x509.KeyUsage) *x509.Certificate {
	t.Helper()
	c := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, KeyUsage: usage,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// authority makes a certificate that may issue others, for a key.
func authority(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c := x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// hsm is a folder of SoftHSM's tokens.
type hsm struct {
	t   testing.TB
	dir string
}

// newHSM makes an empty one, and points SoftHSM in this process and in programs to it.
func newHSM(t testing.TB) *hsm {
	t.Helper()
	for _, need := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(need); err != nil {
			missing(t, need)
		}
	}
	if _, err := os.Stat(softhsm); err != nil {
		missing(t, softhsm)
	}
	h := &hsm{t, t.TempDir()}
	conf := filepath.Join(h.dir, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nslots.removable = true\nlog.level = ERROR\n", h.tokens())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.tokens(), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	return h
}

func missing(t testing.TB, name string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; scripts/install-tools test installs it", name)
	}
	t.Skipf("%s is missing; scripts/install-tools test installs it", name)
}

func (h *hsm) tokens() string { return filepath.Join(h.dir, "tokens") }

// run runs a program.
func (h *hsm) run(name string, args ...string) {
	h.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		h.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// init makes a token with the PIN 123456.
func (h *hsm) init(label string) {
	h.t.Helper()
	h.run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", "123456")
}

// write writes a file.
func (h *hsm) write(name, kind string, der []byte) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if kind != "" {
		der = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	if err := os.WriteFile(path, der, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// key puts a key into a token.
func (h *hsm) key(label, id string, key crypto.Signer) {
	h.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.run("softhsm2-util", "--import", h.write("key.pem", "PRIVATE KEY", der), "--token", label, "--label", "key "+id, "--id", id, "--pin", "123456", "--force")
}

// agreeing puts a key into a token that may agree with others; without a public key, as softhsm2-util makes one.
func (h *hsm) agreeing(label, id string, key crypto.Signer, usage x509.KeyUsage) *x509.Certificate {
	h.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.run("pkcs11-tool", "--module", softhsm, "--token-label", label, "--login", "--pin", "123456", "--write-object", h.write("key.der", "", der),
		"--type", "privkey", "--id", id, "--usage-derive")
	cert := certify(h.t, "certificate "+id, key, usage)
	h.certificate(label, id, cert)
	return cert
}

// certificate puts a certificate into a token.
func (h *hsm) certificate(label, id string, cert *x509.Certificate) {
	h.t.Helper()
	h.run("pkcs11-tool", "--module", softhsm, "--token-label", label, "--login", "--pin", "123456", "--write-object", h.write("cert.der", "", cert.Raw),
		"--type", "cert", "--id", id, "--label", cert.Subject.CommonName)
}

// pair puts both into a token, and returns the certificate.
func (h *hsm) pair(label, id string, key crypto.Signer, usage x509.KeyUsage) *x509.Certificate {
	h.t.Helper()
	h.key(label, id, key)
	cert := certify(h.t, "certificate "+id, key, usage)
	h.certificate(label, id, cert)
	return cert
}

// desk is a wallet that remembers what those before it have.
type desk struct {
	t      testing.TB
	memory smartcard.Memory
	wallet *pkcs11.Wallet
	pin    string
	later  time.Duration // what the clock is ahead; between calls
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{t: t, memory: smartcard.ForThisRun(), pin: "123456"}
	d.restart()
	t.Cleanup(func() { d.wallet.Close() })
	return d
}

// restart is a new process.
func (d *desk) restart() {
	d.t.Helper()
	if d.wallet != nil {
		if err := d.wallet.Close(); err != nil {
			d.t.Fatal(err)
		}
	}
	w, err := pkcs11.New(pkcs11.Options{Memory: d.memory, FingerprintKey: bytes.Repeat([]byte{7}, 32),
		Now: func() time.Time { return time.Now().Add(d.later) },
		PINs: func(context.Context, pkcs11.Selection, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New(d.pin), nil
		}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.wallet = w
}

func (d *desk) token(s pkcs11.Selection) *pkcs11.Token {
	d.t.Helper()
	if s.Module == "" {
		s.Module = softhsm
	}
	token, err := d.wallet.Token(s)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

// key is that of a certificate in the token with the label.
func (d *desk) key(label string, cert *x509.Certificate) *pkcs11.Key {
	d.t.Helper()
	k, err := d.token(pkcs11.Selection{Token: label}).Key(d.t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert)})
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

var digest = sha256.Sum256([]byte("Signed in a token."))

func sign(k *pkcs11.Key) error {
	_, err := k.Sign(nil, digest[:], crypto.SHA256)
	return err
}
