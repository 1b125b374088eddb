package smartcard_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"errors"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// Every key signs what it says it can, in all ways, and the standard library verifies it.
func TestSign(t *testing.T) {
	p, n := newPIV(t, cardtest.PIVOptions{}), newTCOS(t, cardtest.TCOSOptions{})
	for name, c := range map[string]struct {
		card simulated
		ref  byte
		pss  bool
	}{
		"piv 9A":  {p, cardtest.SlotAuthentication, true},
		"piv 9C":  {p, cardtest.SlotSignature, false},
		"piv 9E":  {p, cardtest.SlotCardAuthentication, false},
		"tcos 80": {n, cardtest.KeySignature, false},
		"tcos 82": {n, cardtest.KeyAuthentication, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, c.card).key(c.card, c.ref)
			for h, d := range digests() {
				s, err := k.Sign(nil, d, h)
				if err != nil {
					t.Fatal(err)
				}
				checkSignature(t, k.Public(), h, d, s)
				for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 20} {
					o := &rsa.PSSOptions{Hash: h, SaltLength: salt}
					if s, err = k.Sign(nil, d, o); !c.pss {
						if _, isRSA := k.Public().(*rsa.PublicKey); isRSA && !errors.Is(err, smartcard.ErrUnsupported) {
							t.Error(err)
						}
						continue
					}
					if err != nil || rsa.VerifyPSS(k.Public().(*rsa.PublicKey), h, d, s, o) != nil {
						t.Errorf("%v, salt %d: %v", h, salt, err)
					}
				}
			}
			if c.pss != slices.Contains(k.SignatureAlgorithms(), tls.PSSWithSHA256) {
				t.Error(k.SignatureAlgorithms())
			}
			if tc := k.TLSCertificate(k.Certificate()); len(tc.Certificate) != 2 || len(tc.SupportedSignatureAlgorithms) == 0 {
				t.Errorf("%+v", tc)
			}
			if k.Signatures() == 0 {
				t.Error("not counted")
			}
		})
	}
}

func digests() map[crypto.Hash][]byte {
	d384, d512 := sha512.Sum384(nil), sha512.Sum512(nil)
	return map[crypto.Hash][]byte{crypto.SHA256: digest[:], crypto.SHA384: d384[:], crypto.SHA512: d512[:]}
}

func checkSignature(t *testing.T, public crypto.PublicKey, h crypto.Hash, digest, signature []byte) {
	t.Helper()
	ok := false
	switch k := public.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(k, h, digest, signature) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest, signature)
	}
	if !ok {
		t.Errorf("%v: the signature is wrong", h)
	}
}

// What was encrypted to a card is decrypted by it, and what was not is told by nothing but a random key.
func TestDecrypt(t *testing.T) {
	text := bytes.Repeat([]byte{9}, 32)
	p, n := newPIV(t, cardtest.PIVOptions{}), newTCOS(t, cardtest.TCOSOptions{})
	for name, c := range map[string]struct {
		card simulated
		ref  byte
	}{"piv": {p, cardtest.SlotKeyManagement}, "tcos": {n, cardtest.KeyEncryption}} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, c.card).key(c.card, c.ref)
			public := k.Public().(*rsa.PublicKey)
			//lint:ignore SA1019 the card undoes what the world still does
			v15, err := rsa.EncryptPKCS1v15(rand.Reader, public, text)
			if err != nil {
				t.Fatal(err)
			}
			//lint:ignore SA1019 what mail is encrypted by
			got, err := k.Decrypt(nil, v15, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32})
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%x, %v", got, err)
			}
			for _, bad := range [][]byte{append([]byte{}, make([]byte, 256)...), append([]byte{1}, v15[1:]...)} {
				//lint:ignore SA1019 what mail is encrypted by
				got, err := k.Decrypt(nil, bad, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32})
				if err != nil || len(got) != 32 || bytes.Equal(got, text) {
					t.Errorf("%x, %v", got, err)
				}
			}
			for _, o := range []*rsa.OAEPOptions{{Hash: crypto.SHA256}, {Hash: crypto.SHA512, MGFHash: crypto.SHA256, Label: []byte("l")}} {
				checkOAEP(t, k, o, text)
			}
			//lint:ignore SA1019 what mail is encrypted by
			for _, o := range []crypto.DecrypterOpts{nil, &rsa.PKCS1v15DecryptOptions{}} {
				if _, err := k.Decrypt(nil, v15, o); !errors.Is(err, smartcard.ErrUnsupported) {
					t.Error(err)
				}
			}
			//lint:ignore SA1019 what mail is encrypted by
			if _, err := k.Decrypt(nil, v15[1:], &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32}); !errors.Is(err, smartcard.ErrDecryption) {
				t.Error(err)
			}
		})
	}
}

func checkOAEP(t *testing.T, k *smartcard.Key, o *rsa.OAEPOptions, text []byte) {
	t.Helper()
	secret, err := rsa.EncryptOAEPWithOptions(rand.Reader, k.Public().(*rsa.PublicKey), text, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Decrypt(nil, secret, o)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%x, %v", got, err)
	}
	other := *o
	other.Label = []byte("another")
	if _, err := k.Decrypt(nil, secret, &other); !errors.Is(err, smartcard.ErrDecryption) {
		t.Error(err)
	}
}

// Both sides agree on the same secret.
func TestSharedSecret(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	d := newDesk(t, c)
	k := d.key(c, cardtest.SlotRetired)
	ours, err := k.Public().(*ecdsa.PublicKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ours.Curve().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := peer.ECDH(ours)
	got, err := k.SharedSecret(peer.PublicKey())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := d.key(c, cardtest.SlotAuthentication).SharedSecret(peer.PublicKey()); !errors.Is(err, smartcard.ErrUnsupported) {
		t.Error(err)
	}
	if err := sign(k); !errors.Is(err, smartcard.ErrUnsupported) {
		t.Error(err)
	}
}

// A key that binds its holder is not used by accident, and what is not on the card is said so.
func TestKeyNamed(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	card := newDesk(t, c).card(smartcard.Selection{Serial: "12345678"})
	for ref, want := range map[byte]error{cardtest.SlotSignature: smartcard.ErrNonRepudiation, cardtest.SlotAuthentication: nil, 0x95: smartcard.ErrNoCertificate} {
		if _, err := card.Key(t.Context(), smartcard.Want{Fingerprint: fingerprint(c.Certificate(ref))}); !errors.Is(err, want) {
			t.Errorf("%02X: %v", ref, err)
		}
	}
}

// A signature that the public key does not verify is not handed out, and neither are other answers that make no sense.
func TestHostileAnswers(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	k := newDesk(t, c).key(c, cardtest.SlotAuthentication)
	for name, e := range map[string]cardtest.Effect{
		"wrong signature": {After: func(a []byte) []byte { a[20] ^= 1; return a }},
		"empty":           cardtest.Garbage(),
		"no result":       cardtest.Garbage(0x7C, 0, 0x90, 0),
		"torn":            cardtest.Truncated(9),
		"no status":       cardtest.Garbage(1, 2, 3),
	} {
		t.Run(name, func(t *testing.T) {
			c.Fault(1, func(a apdu.Command) bool { return cardtest.Using(a) && a.CLA == 0 }, e) // the last part of it
			if err := sign(k); err == nil {
				t.Error("signed")
			}
			c.Heal()
			if err := sign(k); err != nil {
				t.Error(err)
			}
		})
	}
}
