package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"math/big"
	"testing"

	"github.com/ProtonMail/go-crypto/brainpool"
	"github.com/c2sp/wycheproof"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// octets is hex in JSON.
type octets []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (o *octets) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	b, err := hex.DecodeString(text)
	*o = b
	return err
}

// proof is a test of Project Wycheproof, with the fields of all kinds that are used here.
type proof struct {
	ID                         int `json:"tcId"`
	Comment, Result            string
	Key, IV, AAD, Msg, CT, Tag octets
	Public, Private, Shared    octets
	ivSize, keySize, tagSize   int
}

// proofs are the tests in a file.
func proofs(t *testing.T, name string) (all []proof) {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name+"_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			IVSize, KeySize, TagSize int
			Tests                    []proof
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.TestGroups {
		for _, p := range g.Tests {
			p.ivSize, p.keySize, p.tagSize = g.IVSize, g.KeySize, g.TagSize
			all = append(all, p)
		}
	}
	if len(all) < 50 {
		t.Fatalf("%s: %d tests", name, len(all))
	}
	return all
}

// judge fails where ours is not what the test wants. What is merely acceptable may be refused.
func (p proof) judge(t *testing.T, name string, ours, want []byte, ok bool) {
	t.Helper()
	switch {
	case ok && (p.Result == "invalid" || !bytes.Equal(ours, want)):
		t.Errorf("%s, %d, %s (%s): %x, not %x", name, p.ID, p.Comment, p.Result, ours, want)
	case !ok && p.Result == "valid":
		t.Errorf("%s, %d, %s: refused", name, p.ID, p.Comment)
	}
}

func TestWycheproofKeyWrap(t *testing.T) {
	for _, p := range proofs(t, "aes_wrap") {
		if len(p.Msg) < 16 { // no content key is as short
			continue
		}
		key, ok := unwrapKey(p.Key, p.CT, len(p.Msg))
		p.judge(t, "unwrap", key, p.Msg, ok)
		if _, ok := unwrapKey(p.Key, p.CT, len(p.Msg)-8); ok {
			t.Errorf("%d: a key of another size", p.ID)
		}
		if p.Result == "valid" {
			wrapped, err := wrapKey(p.Key, p.Msg)
			p.judge(t, "wrap", wrapped, p.CT, err == nil)
		}
	}
}

// agreed is what private agrees on with the originator of a.
func agreed(private crypto.PrivateKey, public crypto.PublicKey, a keyAgree) ([]byte, bool) {
	agreement, err := NewKeyAgreement(private, AgreementOptions{SoftwareBrainpool: true})
	if err != nil {
		return nil, false
	}
	peer, ok := a.peer(public)
	if !ok {
		return nil, false
	}
	secret, err := agreement.SharedSecret(peer)
	return secret, err == nil && validSecret(public, secret)
}

func TestWycheproofECDH(t *testing.T) {
	for name, c := range map[string]elliptic.Curve{"ecdh_secp256r1": elliptic.P256(), "ecdh_secp384r1": elliptic.P384(), "ecdh_secp521r1": elliptic.P521(),
		"ecdh_brainpoolP256r1": brainpool.P256r1(), "ecdh_brainpoolP384r1": brainpool.P384r1(), "ecdh_brainpoolP512r1": brainpool.P512r1()} {
		for _, p := range proofs(t, name) {
			var a keyAgree
			var ok bool
			a.origin, a.point, ok = readPublicKeyInfo(&x509.Certificate{RawSubjectPublicKeyInfo: p.Public})
			if !ok {
				p.judge(t, name, nil, nil, false)
				continue
			}
			if p.common(c) {
				continue
			}
			//lint:ignore SA1019 crypto/ecdsa makes no Brainpool keys of numbers
			private := &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: c}, D: new(big.Int).SetBytes(p.Private)}
			if !x509x.Brainpool(c) {
				private = privateKey(c, p.Private)
			}
			secret, ok := agreed(private, &private.PublicKey, a)
			p.judge(t, name, secret, p.Shared, ok)
		}
	}
}

// common reports whether p is one of very many on a slow curve that differ in little.
func (p proof) common(c elliptic.Curve) bool {
	return c != elliptic.P256() && p.Result == "valid" && p.ID%16 != 1
}

// privateKey is the key on c with the number d.
func privateKey(c elliptic.Curve, d []byte) *ecdsa.PrivateKey {
	number := new(big.Int).SetBytes(d).FillBytes(make([]byte, fieldSize(c))) // they are not as long as they should be
	key, err := ecdsa.ParseRawPrivateKey(c, number)
	if err != nil {
		panic(err)
	}
	return key
}

// TestWycheproofCompressed has points in both forms.
func TestWycheproofCompressed(t *testing.T) {
	for name, c := range map[string]elliptic.Curve{"ecdh_secp256r1_ecpoint": elliptic.P256(), "ecdh_secp384r1_ecpoint": elliptic.P384(), "ecdh_secp521r1_ecpoint": elliptic.P521()} {
		compressed := 0
		for _, p := range proofs(t, name) {
			if p.common(c) {
				continue
			}
			private := privateKey(c, p.Private)
			secret, ok := agreed(private, &private.PublicKey, keyAgree{origin: algorithm{oidECPublicKey, null()}, point: p.Public})
			p.judge(t, name, secret, p.Shared, ok)
			if ok && p.Public[0] != 4 {
				compressed++
			}
		}
		if compressed == 0 {
			t.Errorf("%s: no compressed point was read", name)
		}
	}
}

func TestWycheproofX25519(t *testing.T) {
	for _, p := range proofs(t, "x25519") {
		private, err := ecdh.X25519().NewPrivateKey(p.Private)
		if err != nil {
			t.Fatal(p.ID, err)
		}
		secret, ok := agreed(private, private.PublicKey(), keyAgree{origin: algorithm{oid: oidX25519}, point: p.Public})
		p.judge(t, "x25519", secret, p.Shared, ok)
		if zero := bytes.Equal(p.Shared, make([]byte, 32)); ok == zero {
			t.Errorf("%d, %s: agreed %v, all zeros %v", p.ID, p.Comment, ok, zero)
		}
	}
}

func TestWycheproofContent(t *testing.T) {
	for name, algorithms := range map[string]map[int]Algorithm{
		"aes_gcm":           {128: AES128GCM, 192: AES192GCM, 256: AES256GCM},
		"chacha20_poly1305": {256: ChaCha20Poly1305},
	} {
		for _, p := range proofs(t, name) {
			spec, err := cipherByName(algorithms[p.keySize])
			if err != nil || p.ivSize != 96 || p.tagSize != 128 {
				continue
			}
			d, err := newContentCipher(spec, p.Key, p.IV, false)
			if err != nil {
				t.Fatal(name, p.ID, err)
			}
			plain, err := d.decryptLast(bytes.Clone(p.CT), p.AAD, p.Tag)
			p.judge(t, name, plain, p.Msg, err == nil)
			if p.Result != "valid" || len(p.AAD) > 0 {
				continue
			}
			e, err := newContentCipher(spec, p.Key, p.IV, true)
			if err != nil {
				t.Fatal(name, p.ID, err)
			}
			sealed, err := e.encryptLast(append(make([]byte, 0, len(p.Msg)+16), p.Msg...))
			p.judge(t, name, sealed, p.CT, err == nil)
			p.judge(t, name, e.tag(), p.Tag, true)
		}
	}
}
