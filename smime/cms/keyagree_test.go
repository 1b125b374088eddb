package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/ProtonMail/go-crypto/brainpool"
)

// agreementKeys are a key on each curve.
func agreementKeys(t testing.TB) map[string]crypto.PrivateKey {
	t.Helper()
	keys := map[string]crypto.PrivateKey{}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521(), brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1()} {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[c.Params().Name] = key
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys["X25519"] = key
	return keys
}

// peerOf is the public key of key as a KeyAgreement is given it.
func peerOf(t testing.TB, key crypto.PrivateKey) crypto.PublicKey {
	t.Helper()
	switch key := key.(type) {
	case *ecdh.PrivateKey:
		return key.PublicKey()
	case *ecdsa.PrivateKey:
		if nist, err := key.PublicKey.ECDH(); err == nil {
			return nist
		}
		return &key.PublicKey
	}
	t.Fatalf("%T", key)
	return nil
}

func TestNewKeyAgreement(t *testing.T) {
	mine, theirs := agreementKeys(t), agreementKeys(t)
	for name, key := range mine {
		_, err := NewKeyAgreement(key, AgreementOptions{})
		if brainpool := name[0] == 'b'; brainpool != errors.Is(err, ErrUnsupported) {
			t.Errorf("%s without leave: %v", name, err)
		}
		a, err := NewKeyAgreement(key, AgreementOptions{SoftwareBrainpool: true})
		if err != nil {
			t.Fatal(name, err)
		}
		b, err := NewKeyAgreement(theirs[name], AgreementOptions{SoftwareBrainpool: true})
		if err != nil {
			t.Fatal(name, err)
		}
		one, err := a.SharedSecret(peerOf(t, theirs[name]))
		other, again := b.SharedSecret(peerOf(t, key))
		if err != nil || again != nil || !bytes.Equal(one, other) || len(one) < 32 {
			t.Errorf("%s: %x %v, %x %v", name, one, err, other, again)
		}
		for foreign, key := range theirs {
			if _, err := a.SharedSecret(peerOf(t, key)); foreign != name && err == nil {
				t.Errorf("%s agrees with a key on %s", name, foreign)
			}
		}
		if _, err := a.SharedSecret(nil); err == nil {
			t.Errorf("%s agrees with nobody", name)
		}
	}
	_, edward, _ := ed25519.GenerateKey(rand.Reader)
	for _, key := range []crypto.PrivateKey{nil, edward, get(t, "rsa").key} {
		if _, err := NewKeyAgreement(key, AgreementOptions{SoftwareBrainpool: true}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%T: %v", key, err)
		}
	}
}
