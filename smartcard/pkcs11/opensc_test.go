//go:build cgo && unix

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// opensc is the module of OpenSC.
func opensc(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/opensc-pkcs11.so")
	if err != nil || len(found) == 0 {
		missing(t, "opensc-pkcs11.so")
	}
	return found[0]
}

// card is one behind OpenSC: a token for each of its PINs.
type card struct {
	*desk
	module string
}

// use is a key of a simulated card, which may bind.
func (c card) use(label string, der []byte) *pkcs11.Key {
	c.t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	k, err := c.token(pkcs11.Selection{Module: c.module, Token: label}).Key(c.t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert), Binding: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

// signs tells whether a signature is one; it has been verified where it was made, and is again here.
func signs(t *testing.T, k *pkcs11.Key) {
	t.Helper()
	s, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Error(err)
		return
	}
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		err = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], s)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(public, digest[:], s) {
			err = rsa.ErrVerification
		}
	}
	if err != nil {
		t.Error(err)
	}
}

const pivLabel = "Simulated card: authentication" // OpenSC takes it from a certificate

// A PIV card by OpenSC: every key does what it can, also the one that asks for its PIN each time; the card is pulled and put back, pcscd is
// killed and started again, and no PIN is refused.
func TestOpenSCWithPIV(t *testing.T) {
	module := opensc(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := getKeys(t)
	p, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k.rsa[0], cardtest.SlotSignature: k.p256,
		cardtest.SlotKeyManagement: k.rsa[1], cardtest.SlotCardAuthentication: k.p256, cardtest.SlotRetired: p384}})
	if err != nil {
		t.Fatal(err)
	}
	d := pcscdtest.Start(t)
	d.Setenv(t)
	pull := d.Plug(t, 0, p)
	c := card{newDesk(t), module}
	authentication := c.use(pivLabel, p.Certificate(cardtest.SlotAuthentication))
	signs(t, authentication)
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	if s, err := authentication.Sign(nil, digest[:], pss); err != nil || rsa.VerifyPSS(&k.rsa[0].PublicKey, crypto.SHA256, digest[:], s, pss) != nil {
		t.Error(err)
	}
	each := c.use(pivLabel, p.Certificate(cardtest.SlotSignature))
	signs(t, each)
	before := p.Counts().Presented
	signs(t, each)
	if p.Counts().Presented == before {
		t.Error("the key that asks for its PIN each time was used without")
	}
	decrypts(t, c.use(pivLabel, p.Certificate(cardtest.SlotKeyManagement)), k.rsa[1])
	agrees(t, c.use(pivLabel, p.Certificate(cardtest.SlotRetired)), p384)

	pull()
	noCard(t)
	if err := sign(authentication); !smartcard.Temporary(err) {
		t.Error(err)
	}
	d.Plug(t, 0, p)
	c.later += time.Minute
	signs(t, authentication)

	d.Stop()
	if err := sign(authentication); !smartcard.Temporary(err) {
		t.Error(err)
	}
	d.Restart(t)
	d.Plug(t, 0, p)
	c.later += time.Minute
	signs(t, authentication)
	if n := p.Counts(); n.Refused != 0 {
		t.Errorf("%+v", n)
	}
}

// noCard waits until pcscd has noticed that all cards are away.
func noCard(t *testing.T) {
	t.Helper()
	var known []smartcard.ReaderState
	for {
		now, err := pcsc.New().Watch(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(now, func(r smartcard.ReaderState) bool { return r.ATR != nil }) {
			return
		}
		known = now
	}
}

// decrypts lets a key open what was encrypted to it.
func decrypts(t *testing.T, k *pkcs11.Key, key *rsa.PrivateKey) {
	t.Helper()
	text := bytes.Repeat([]byte{9}, 32)
	//lint:ignore SA1019 tokens undo what the world still does
	s, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, text)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	if got, err := k.Decrypt(nil, s, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32}); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%x, %v", got, err)
	}
	if s, err = rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &key.PublicKey, text, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Decrypt(nil, s, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%x, %v", got, err)
	}
}

// agrees lets a key agree with another one.
func agrees(t *testing.T, k *pkcs11.Key, key *ecdsa.PrivateKey) {
	t.Helper()
	other, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := key.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	want, err := ours.ECDH(other.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.SharedSecret(other.PublicKey()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
}

// A NetKey by OpenSC: each of its PINs is a token, and each key is used by the token of its PIN. A wrong PIN is presented once.
func TestOpenSCWithTCOS(t *testing.T) {
	module := opensc(t)
	k := getKeys(t)
	n, err := cardtest.NewTCOS(cardtest.TCOSOptions{Keys: map[byte]*rsa.PrivateKey{cardtest.KeySignature: k.rsa[0], cardtest.KeyEncryption: k.rsa[1],
		cardtest.KeyAuthentication: k.rsa[0]}})
	if err != nil {
		t.Fatal(err)
	}
	d := pcscdtest.Start(t)
	d.Setenv(t)
	d.Plug(t, 0, n)
	c := card{newDesk(t), module}
	const second = "NetKey V3 Card (NetKey PIN2)"
	signs(t, c.use(second, n.Certificate(cardtest.KeyAuthentication)))
	decrypts(t, c.use(second, n.Certificate(cardtest.KeyEncryption)), k.rsa[1])
	if counts := n.Counts(); counts.Refused != 0 || counts.Presented == 0 {
		t.Errorf("%+v", counts)
	}

	c.pin = "654321"
	c.restart()
	authentication := c.use(second, n.Certificate(cardtest.KeyAuthentication))
	if err := sign(authentication); !isPIN(err, smartcard.PINRefused) {
		t.Error(err)
	}
	c.pin = "123456" // the right one; but one was refused, and OpenSC's token does not say so
	if err := sign(authentication); !isPIN(err, smartcard.PINFewTries) || n.Tries(cardtest.TCOSPIN2) != 2 || n.Counts().Refused != 1 {
		t.Errorf("%v, %d tries left", err, n.Tries(cardtest.TCOSPIN2))
	}
	if err := c.token(pkcs11.Selection{Module: module, Token: second}).Unlock(t.Context(), secret.New("123456")); err != nil {
		t.Error(err)
	}
	signs(t, authentication)
	if n.Tries(cardtest.TCOSPIN2) != 3 || n.Counts().Refused != 1 {
		t.Errorf("%d tries left, %+v", n.Tries(cardtest.TCOSPIN2), n.Counts())
	}
}
