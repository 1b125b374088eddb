//go:build cgo && unix

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
)

func digests() map[crypto.Hash][]byte {
	a, b := sha512.Sum384(digest[:]), sha512.Sum512(digest[:])
	return map[crypto.Hash][]byte{crypto.SHA256: digest[:], crypto.SHA384: a[:], crypto.SHA512: b[:]}
}

// Every kind of key signs in all ways, and the standard library verifies it.
func TestSign(t *testing.T) {
	h, k := newHSM(t), getKeys(t)
	h.init("gw")
	d := newDesk(t)
	for id, key := range map[string]crypto.Signer{"a1": k.rsa[0], "a2": k.p256, "a3": k.p384, "a4": k.p521} {
		cert := h.pair("gw", id, key, x509.KeyUsageDigitalSignature)
		d.restart() // a session knows the certificates that there were
		key := d.key("gw", cert)
		for hash, digest := range digests() {
			s, err := key.Sign(nil, digest, hash)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			switch public := key.Public().(type) {
			case *rsa.PublicKey:
				if err := rsa.VerifyPKCS1v15(public, hash, digest, s); err != nil {
					t.Error(err)
				}
				for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 20} {
					o := &rsa.PSSOptions{Hash: hash, SaltLength: salt}
					if s, err = key.Sign(nil, digest, o); err != nil || rsa.VerifyPSS(public, hash, digest, s, o) != nil {
						t.Errorf("%v, salt %d: %v", hash, salt, err)
					}
				}
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(public, digest, s) {
					t.Errorf("%s, %v", id, hash)
				}
			}
		}
		if n := key.Signatures(); n != 3 && n != 12 {
			t.Errorf("%d signatures", n)
		}
		if tc := key.TLSCertificate(cert); len(tc.Certificate) != 2 || len(tc.SupportedSignatureAlgorithms) == 0 {
			t.Errorf("%+v", tc)
		}
		sum := sha1.Sum(nil)
		if _, err := key.Sign(nil, sum[:], crypto.SHA1); id == "a1" && !errors.Is(err, smartcard.ErrUnsupported) {
			t.Error(err)
		}
		if _, err := key.Sign(nil, digest[:4], crypto.SHA256); !errors.Is(err, smartcard.ErrUnsupported) {
			t.Error(err)
		}
	}
}

// What is encrypted by PKCS #1 v1.5 and OAEP is decrypted; a wrong padding gives a random key.
func TestDecrypt(t *testing.T) {
	h, k := newHSM(t), getKeys(t)
	h.init("gw")
	cert := h.pair("gw", "a1", k.rsa[0], x509.KeyUsageKeyEncipherment)
	key := newDesk(t).key("gw", cert)
	public, text := &k.rsa[0].PublicKey, bytes.Repeat([]byte{5}, 32)

	//lint:ignore SA1019 tokens undo what the world still does
	secret, err := rsa.EncryptPKCS1v15(rand.Reader, public, text)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	if got, err := key.Decrypt(nil, secret, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32}); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%x, %v", got, err)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	if got, err := key.Decrypt(nil, secret, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 24}); err != nil || len(got) != 24 {
		t.Errorf("%x, %v", got, err)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	if _, err := key.Decrypt(nil, secret, &rsa.PKCS1v15DecryptOptions{}); !errors.Is(err, smartcard.ErrUnsupported) {
		t.Error(err)
	}
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512} {
		secret, err := rsa.EncryptOAEP(hash.New(), rand.Reader, public, text, []byte("label"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Decrypt(nil, secret, &rsa.OAEPOptions{Hash: hash, Label: []byte("label")}); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%v: %x, %v", hash, got, err)
		}
		if _, err := key.Decrypt(nil, secret, &rsa.OAEPOptions{Hash: hash, Label: []byte("other")}); !errors.Is(err, smartcard.ErrDecryption) {
			t.Error(err)
		}
	}
	if _, err := key.Decrypt(nil, secret[1:], &rsa.OAEPOptions{Hash: crypto.SHA1}); !errors.Is(err, smartcard.ErrDecryption) {
		t.Error(err)
	}
}

// Keys agree with others on their curve.
func TestSharedSecret(t *testing.T) {
	h, k := newHSM(t), getKeys(t)
	h.init("gw")
	d := newDesk(t)
	for id, key := range map[string]*ecdsa.PrivateKey{"a2": k.p256, "a3": k.p384, "a4": k.p521} {
		cert := h.agreeing("gw", id, key, x509.KeyUsageKeyAgreement)
		d.restart()
		other, err := ecdsa.GenerateKey(key.Curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		theirs, _ := other.ECDH()
		ours, _ := key.ECDH()
		want, err := ours.ECDH(theirs.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.key("gw", cert).SharedSecret(theirs.PublicKey()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", id, got, err, want)
		}
	}
}
