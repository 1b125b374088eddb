package keys

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
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

const pin = "123456"

// keys are made once: RSA takes long.
type keys struct {
	rsa        []*rsa.PrivateKey // 2048, 2048, 3072 bits
	p256, p384 *ecdsa.PrivateKey
}

var theKeys = sync.OnceValues(func() (k keys, err error) {
	for _, bits := range []int{2048, 2048, 3072} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return k, err
		}
		k.rsa = append(k.rsa, key)
	}
	if k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return k, err
	}
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return k, err
})

// Slots of the PIV card that have other keys than cards usually come with.
const (
	slotP256 = cardtest.SlotRetired + iota // agrees
	slotP384                               // agrees
	slot3072
)

// box is a NetKey and three PIV cards with certificates of one authority, in a rack with a wallet before it, and a folder for OpenSSL.
type box struct {
	t      testing.TB
	dir    string
	wallet *smartcard.Wallet
	cards  map[string]card
}

// card is what the tests ask of both kinds.
type card interface {
	cardtest.Card
	Certificate(ref byte) []byte
	Counts() cardtest.Counts
}

// newBox puts all cards in. "piv" has RSA in 9A and 9D, P-256 in 9C and 9E; "piv384" P-384 in 9A; "tcos" three RSA keys, of which 80 signs by
// PKCS #1 v1.5 only.
func newBox(t testing.TB) *box {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is missing; scripts/install-tools test installs it")
		}
		t.Skip("openssl is missing")
	}
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, dir: t.TempDir(), cards: map[string]card{}}
	issue := b.authority()
	rack := cardtest.NewRack("a", "b", "c")
	one, err := cardtest.NewPIV(cardtest.PIVOptions{Issue: issue, Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa[0],
		cardtest.SlotSignature: k.p256, cardtest.SlotKeyManagement: k.rsa[1], cardtest.SlotCardAuthentication: k.p256, slotP256: k.p256, slotP384: k.p384, slot3072: k.rsa[2]}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := cardtest.NewPIV(cardtest.PIVOptions{Serial: 384, Issue: issue, Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k.p384}})
	if err != nil {
		t.Fatal(err)
	}
	three, err := cardtest.NewTCOS(cardtest.TCOSOptions{Issue: issue, Keys: map[byte]*rsa.PrivateKey{cardtest.KeySignature: k.rsa[0],
		cardtest.KeyEncryption: k.rsa[1], cardtest.KeyAuthentication: k.rsa[0]}})
	if err != nil {
		t.Fatal(err)
	}
	b.cards["piv"], b.cards["piv384"], b.cards["tcos"] = one, two, three
	for reader, c := range map[string]cardtest.Card{"a": one, "b": two, "c": three} {
		if err := rack.Insert(reader, c); err != nil {
			t.Fatal(err)
		}
	}
	b.wallet = wallet(t, rack.Transport())
	return b
}

func wallet(t testing.TB, transport smartcard.Transport) *smartcard.Wallet {
	t.Helper()
	w, err := smartcard.New(smartcard.Options{Transport: transport, Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})},
		Memory: smartcard.ForThisRun(), FingerprintKey: bytes.Repeat([]byte{7}, 32), PINs: pins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func pins(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
	return secret.New(pin), nil
}

// serials of the cards.
func serial(name string) string {
	return map[string]string{"piv": "12345678", "piv384": "384", "tcos": "89490176940000000001"}[name]
}

// key is a key of a card.
func (b *box) key(name string, ref byte) *smartcard.Key {
	b.t.Helper()
	return find(b.t, b.wallet, serial(name), b.cards[name].Certificate(ref))
}

func find(t testing.TB, w *smartcard.Wallet, serial string, der []byte) *smartcard.Key {
	t.Helper()
	c, err := w.Card(smartcard.Selection{Serial: serial})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	k, err := c.Key(t.Context(), smartcard.Want{Fingerprint: hex.EncodeToString(sum[:]), Binding: true})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// innocent looks whether a card was ever given a wrong PIN.
func (b *box) innocent() {
	b.t.Helper()
	for name, c := range b.cards {
		if n := c.Counts().Refused; n != 0 {
			b.t.Errorf("%s: %d PINs refused", name, n)
		}
	}
}

// file writes what is PEM, and returns its path.
func (b *box) file(name, kind string, der []byte) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// authority writes ca.pem, and a server certificate (server.pem, server.key), and issues certificates for all purposes of mail and TLS.
func (b *box) authority() cardtest.Issue {
	b.t.Helper()
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of the tests"}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), SubjectKeyId: []byte{1}}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, root.Public(), root)
	if err != nil {
		b.t.Fatal(err)
	}
	b.file("ca.pem", "CERTIFICATE", der)
	next := int64(1)
	issue := func(use cardtest.Use, public crypto.PublicKey) ([]byte, error) {
		next++
		c := &x509.Certificate{SerialNumber: big.NewInt(next), Subject: pkix.Name{CommonName: "Simulated card: " + use.String()}, NotBefore: ca.NotBefore,
			NotAfter: ca.NotAfter, EmailAddresses: []string{address}, DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
		if use == cardtest.Encryption {
			c.KeyUsage = x509.KeyUsageKeyEncipherment
			if _, ok := public.(*ecdsa.PublicKey); ok {
				c.KeyUsage = x509.KeyUsageKeyAgreement
			}
		}
		return x509.CreateCertificate(rand.Reader, c, ca, public, root)
	}
	server, err := issue(cardtest.Authentication, root.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	b.file("server.pem", "CERTIFICATE", server)
	private, err := x509.MarshalPKCS8PrivateKey(root)
	if err != nil {
		b.t.Fatal(err)
	}
	b.file("server.key", "PRIVATE KEY", private)
	return issue
}

const address = "card@example.org"

// openssl runs it in the folder, and returns what it wrote.
func (b *box) openssl(args ...string) ([]byte, error) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "openssl", args...)
	cmd.Dir = b.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		b.t.Logf("openssl %v: %v\n%s", args, err, errs.String())
		return nil, err
	}
	return out.Bytes(), nil
}
