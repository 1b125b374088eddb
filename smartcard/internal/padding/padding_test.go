package padding_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/internal/padding"
)

// raw is the bare operation with the private key.
func raw(k *rsa.PrivateKey, block []byte) []byte {
	return new(big.Int).Exp(new(big.Int).SetBytes(block), k.D, k.N).FillBytes(make([]byte, k.Size()))
}

// What is padded here is what the standard library takes, and the other way round; also for moduli that end within an octet.
func TestAgainstStandardLibrary(t *testing.T) {
	text, sum := bytes.Repeat([]byte{7}, 32), sha256.Sum256(nil)
	for _, bits := range []int{1024, 1025, 1031} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		info, err := padding.DigestInfo(crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		em, err := padding.PKCS1(info, k.Size())
		if err != nil || rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, sum[:], raw(k, em)) != nil {
			t.Errorf("%d: %v", bits, err)
		}
		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 0, 20} {
			em, err := padding.PSS(&k.PublicKey, crypto.SHA256, sum[:], salt)
			if err != nil || rsa.VerifyPSS(&k.PublicKey, crypto.SHA256, sum[:], raw(k, em), &rsa.PSSOptions{SaltLength: max(salt, rsa.PSSSaltLengthEqualsHash)}) != nil {
				t.Errorf("%d, salt %d: %v", bits, salt, err)
			}
		}
		//lint:ignore SA1019 cards undo what the world still does
		secret, err := rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := padding.UnpadKey(raw(k, secret), 32, rand.Reader); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d: %x, %v", bits, got, err)
		}
		if secret, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.PublicKey, text, []byte("label")); err != nil {
			t.Fatal(err)
		}
		if got, err := padding.UnpadOAEP(raw(k, secret), &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("label")}); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d: %x, %v", bits, got, err)
		}
		if padding.Below(k.N.Bytes(), &k.PublicKey) || !padding.Below(secret, &k.PublicKey) || padding.Below(secret[1:], &k.PublicKey) {
			t.Error("below")
		}
	}
}

// A wrong padding gives the random key, whatever is wrong.
func TestUnpadKey(t *testing.T) {
	good := append([]byte{0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0}, bytes.Repeat([]byte{9}, 16)...)
	random := bytes.Repeat([]byte{3}, 16)
	if got, err := padding.UnpadKey(good, 16, bytes.NewReader(random)); err != nil || got[0] != 9 {
		t.Errorf("%x, %v", got, err)
	}
	for i := range 11 {
		bad := bytes.Clone(good)
		if bad[i]++; i > 1 && i < 10 {
			bad[i] = 0
		}
		if got, err := padding.UnpadKey(bad, 16, bytes.NewReader(random)); err != nil || !bytes.Equal(got, random) {
			t.Errorf("octet %d: %x, %v", i, got, err)
		}
	}
	if _, err := padding.UnpadKey(good, 17, bytes.NewReader(random)); !errors.Is(err, padding.ErrDecryption) {
		t.Error(err)
	}
}

// Keys that are too short for a digest are told so.
func TestTooShort(t *testing.T) {
	if _, err := padding.PKCS1(make([]byte, 51), 61); !errors.Is(err, padding.ErrUnsupported) {
		t.Error(err)
	}
	small := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 511), E: 65537}
	if _, err := padding.PSS(small, crypto.SHA256, make([]byte, 32), rsa.PSSSaltLengthEqualsHash); !errors.Is(err, padding.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := padding.DigestInfo(crypto.SHA1, nil); !errors.Is(err, padding.ErrUnsupported) {
		t.Error(err)
	}
}
