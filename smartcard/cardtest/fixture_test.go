package cardtest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// keys are made once for all tests: RSA takes long.
type keys struct {
	rsa        []*rsa.PrivateKey // 2048 bits
	rsa3072    *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
}

var theKeys = sync.OnceValues(func() (k keys, err error) {
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return k, err
		}
		k.rsa = append(k.rsa, key)
	}
	if k.rsa3072, err = rsa.GenerateKey(rand.Reader, 3072); err != nil {
		return k, err
	}
	if k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return k, err
	}
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return k, err
})

func getKeys(t testing.TB) keys {
	t.Helper()
	k, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newTCOS(t testing.TB, o cardtest.TCOSOptions) *cardtest.TCOS {
	t.Helper()
	if o.Keys == nil {
		k := getKeys(t)
		o.Keys = map[byte]*rsa.PrivateKey{cardtest.KeySignature: k.rsa[0], cardtest.KeyEncryption: k.rsa[1], cardtest.KeyAuthentication: k.rsa[2]}
	}
	c, err := cardtest.NewTCOS(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newPIV holds RSA-2048 in 9A and 9D, P-256 in 9C and 9E, RSA-3072 and P-384 in retired slots.
func newPIV(t testing.TB, o cardtest.PIVOptions) *cardtest.PIV {
	t.Helper()
	if o.Keys == nil {
		k := getKeys(t)
		o.Keys = map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa[0], cardtest.SlotSignature: k.p256, cardtest.SlotKeyManagement: k.rsa[1],
			cardtest.SlotCardAuthentication: k.p256, cardtest.SlotRetired: k.rsa3072, cardtest.SlotRetired + 1: k.p384}
	}
	c, err := cardtest.NewPIV(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends a command in hexadecimal and returns answer and status word.
func send(t testing.TB, c cardtest.Card, command string) ([]byte, apdu.Status) {
	t.Helper()
	return exchange(t, c, unhex(t, command))
}

func exchange(t testing.TB, c cardtest.Card, command []byte) ([]byte, apdu.Status) {
	t.Helper()
	r, err := apdu.ParseResponse(c.Transmit(command))
	if err != nil {
		t.Fatalf("%x: %v", command, err)
	}
	return r.Data, r.Status
}

// talk sends commands one after another, each with the status word that is expected: "00 20 00 81 = 63C3".
func talk(t *testing.T, c cardtest.Card, lines ...string) {
	t.Helper()
	for _, l := range lines {
		command, want, _ := strings.Cut(l, "=")
		if _, sw := send(t, c, command); sw != apdu.Status(unhex(t, want)[0])<<8|apdu.Status(unhex(t, want)[1]) {
			t.Fatalf("%s: %v", l, sw)
		}
	}
}

// whole is a command through apdu.Exchange, which must succeed.
func whole(t testing.TB, c cardtest.Card, command apdu.Command, o apdu.Options) []byte {
	t.Helper()
	r, err := apdu.Exchange(func(b []byte) ([]byte, error) { return c.Transmit(b), nil }, command, o)
	if err == nil {
		err = r.Err(command, apdu.ISO)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Data
}

var text = []byte("Signed by a simulated card, and by nobody.")

func verifyRSA(t *testing.T, public crypto.PublicKey, h crypto.Hash, digest, signature []byte) {
	t.Helper()
	if err := rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), h, digest, signature); err != nil {
		t.Error(err)
	}
}

// encrypt encrypts the text by PKCS #1 v1.5, which cards still meet.
func encrypt(t *testing.T, public *rsa.PublicKey) []byte {
	t.Helper()
	//lint:ignore SA1019 the card undoes what the world still does
	secret, err := rsa.EncryptPKCS1v15(rand.Reader, public, text)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}
