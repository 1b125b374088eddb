//go:build unix

package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

const softhsm = "/usr/lib/softhsm/libsofthsm2.so"

// Signatures a second by the same keys in a file, in SoftHSM, and on a simulated card, in this process and behind the real pcscd, by one after
// the other and by 16 at once. A simulated card computes on this machine's processors: what is measured is what stands between.
func BenchmarkSign(b *testing.B) {
	k, err := theKeys()
	if err != nil {
		b.Fatal(err)
	}
	for _, key := range []struct {
		name string
		key  crypto.Signer
	}{{"RSA-2048", k.rsa[0]}, {"P-256", k.p256}} {
		for _, place := range []struct {
			name string
			open func(testing.TB, crypto.Signer) crypto.Signer
		}{{"file", inFile}, {"softhsm", inSoftHSM}, {"card", onCard}, {"pcscd", behindPCSCD}} {
			b.Run(key.name+"/"+place.name, func(b *testing.B) {
				signer := place.open(b, key.key)
				for _, callers := range []int{1, 16} {
					b.Run(fmt.Sprint(callers), func(b *testing.B) { signs(b, signer, callers) })
				}
			})
		}
	}
}

// signs lets callers sign all at once.
func signs(b *testing.B, k crypto.Signer, callers int) {
	digest := sha256.Sum256([]byte(letter))
	work := make(chan struct{})
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range work {
				if _, err := k.Sign(nil, digest[:], crypto.SHA256); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signatures/s")
}

// inFile is the key as files hold it.
func inFile(t testing.TB, k crypto.Signer) crypto.Signer {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	read, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return read.(crypto.Signer)
}

// certified is a certificate of the key.
func certified(t testing.TB, k crypto.Signer) *x509.Certificate {
	t.Helper()
	issue, err := cardtest.SimulatedCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	der, err := issue(cardtest.Authentication, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inSoftHSM(t testing.TB, k crypto.Signer) crypto.Signer {
	if _, err := os.Stat(softhsm); err != nil || !pkcs11.Available {
		absent(t, "SoftHSM, or cgo")
	}
	dir := t.TempDir()
	conf, tokens := filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "tokens")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	box := &box{t: t, dir: dir}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--init-token", "--free", "--label", "gw", "--so-pin", "12345678", "--pin", pin},
		{"--import", box.file("key.pem", "PRIVATE KEY", der), "--token", "gw", "--label", "key", "--id", "01", "--pin", pin}} {
		if out, err := exec.Command("softhsm2-util", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	w, err := pkcs11.New(pkcs11.Options{PINs: func(ctx context.Context, _ pkcs11.Selection, id smartcard.Identity, p smartcard.PIN) (secret.String, error) {
		return pins(ctx, id, p)
	}, Memory: smartcard.ForThisRun(), FingerprintKey: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	token, err := w.Token(pkcs11.Selection{Module: softhsm, Token: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	c := certified(t, k)
	sum := sha256.Sum256(c.Raw)
	found, err := token.Key(t.Context(), pkcs11.Want{Fingerprint: hex.EncodeToString(sum[:]), Certificate: c})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func absent(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; scripts/install-tools test installs it", what)
	}
	t.Skipf("%s is missing", what)
}

func simulated(t testing.TB, k crypto.Signer) *cardtest.PIV {
	t.Helper()
	c, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func onCard(t testing.TB, k crypto.Signer) crypto.Signer {
	c := simulated(t, k)
	rack := cardtest.NewRack("reader")
	if err := rack.Insert("reader", c); err != nil {
		t.Fatal(err)
	}
	return find(t, wallet(t, rack.Transport()), serial("piv"), c.Certificate(cardtest.SlotAuthentication))
}

func behindPCSCD(t testing.TB, k crypto.Signer) crypto.Signer {
	if !pcsc.Available {
		absent(t, "cgo")
	}
	c := simulated(t, k)
	d := pcscdtest.Start(t)
	d.Setenv(t)
	d.Plug(t, 0, c)
	w := wallet(t, pcsc.New())
	return find(t, w, serial("piv"), c.Certificate(cardtest.SlotAuthentication))
}

// Wherever a key is, it signs, so that what is measured is the same.
func TestSignersOfBenchmark(t *testing.T) {
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(testing.TB, crypto.Signer) crypto.Signer{"file": inFile, "softhsm": inSoftHSM, "card": onCard, "pcscd": behindPCSCD} {
		t.Run(name, func(t *testing.T) {
			digest := sha256.Sum256(nil)
			if _, err := open(t, k.p256).Sign(nil, digest[:], crypto.SHA256); err != nil {
				t.Error(err)
			}
		})
	}
}
