package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

const letter = "From: " + address + "\r\nTo: bob@example.net\r\nSubject: by a card\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nSigned by a simulated card, and by nobody.\r\n"

// text is a message.
type text string

func (s text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }
func (s text) Size() int64                  { return int64(len(s)) }

// memory is where decrypted content rests.
type memory struct{ bytes.Buffer }

func (m *memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.Bytes())), nil }
func (m *memory) Size() int64                  { return int64(m.Len()) }
func (m *memory) Close() error                 { return nil }

// OpenSSL verifies what keys on cards have signed, clear and opaque.
func TestSignedByCards(t *testing.T) {
	b := newBox(t)
	for name, c := range map[string]struct {
		card string
		ref  byte
		hash crypto.Hash
		pss  bool
	}{
		"piv RSA":               {"piv", cardtest.SlotAuthentication, 0, false},
		"piv RSA, PSS":          {"piv", cardtest.SlotAuthentication, 0, true},
		"piv RSA, PSS, SHA-512": {"piv", cardtest.SlotAuthentication, crypto.SHA512, true},
		"piv P-256":             {"piv", cardtest.SlotSignature, 0, false},
		"piv P-384":             {"piv384", cardtest.SlotAuthentication, 0, false},
		"tcos":                  {"tcos", cardtest.KeySignature, 0, false},
		"tcos, SHA-512":         {"tcos", cardtest.KeySignature, crypto.SHA512, false},
		"tcos, PSS":             {"tcos", cardtest.KeyAuthentication, 0, true},
	} {
		for _, opaque := range []bool{false, true} {
			k := b.key(c.card, c.ref)
			var out bytes.Buffer
			err := smime.Protect(&out, text(letter), smime.ProtectOptions{Opaque: opaque, Time: time.Now(),
				Signers: []smime.Signer{{Certificate: k.Certificate(), Key: k.WithContext(t.Context()), Hash: c.hash, PSS: c.pss}}})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err := os.WriteFile(filepath.Join(b.dir, "signed.eml"), out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := b.openssl("cms", "-verify", "-in", "signed.eml", "-CAfile", "ca.pem", "-purpose", "smimesign")
			if err != nil || !strings.Contains(string(got), "and by nobody.") {
				t.Errorf("%s, opaque %v: %v\n%s", name, opaque, err, got)
			}
			if n := k.Signatures(); n != 1 {
				t.Errorf("%s: %d signatures", name, n)
			}
		}
	}
	b.innocent()
}

// Keys on cards open what OpenSSL has encrypted for them, by RSA and by agreement.
func TestOpenedByCards(t *testing.T) {
	b := newBox(t)
	if err := os.WriteFile(filepath.Join(b.dir, "letter.eml"), []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		card string
		ref  byte
		args []string
	}{
		"piv RSA":             {"piv", cardtest.SlotKeyManagement, nil},
		"piv RSA, OAEP":       {"piv", cardtest.SlotKeyManagement, []string{"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"}},
		"piv RSA-3072":        {"piv", slot3072, nil},
		"piv P-256":           {"piv", slotP256, nil},
		"piv P-256, SHA-256":  {"piv", slotP256, []string{"-keyopt", "ecdh_kdf_md:sha256"}},
		"piv P-384, GCM":      {"piv", slotP384, []string{"-aes-256-gcm"}},
		"tcos RSA":            {"tcos", cardtest.KeyEncryption, nil},
		"tcos RSA, OAEP, GCM": {"tcos", cardtest.KeyEncryption, []string{"-aes-256-gcm", "-keyopt", "rsa_padding_mode:oaep"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := b.key(c.card, c.ref)
			b.file("to.pem", "CERTIFICATE", k.Certificate().Raw)
			cipher := []string{"-aes-256-cbc"}
			if len(c.args) > 0 && strings.HasPrefix(c.args[0], "-aes") {
				cipher, c.args = c.args[:1], c.args[1:]
			}
			args := append([]string{"cms", "-encrypt", "-in", "letter.eml"}, cipher...)
			wire, err := b.openssl(append(append(args, "-recip", "to.pem"), c.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			key := cms.Key{Certificate: k.Certificate()}
			if _, ok := k.Public().(*ecdsa.PublicKey); ok {
				key.Agreement = k.WithContext(t.Context())
			} else {
				key.Decrypter = k.WithContext(t.Context())
			}
			opened, err := smime.Open(t.Context(), text(wire), smime.OpenOptions{Keys: func([]cms.RecipientID) []cms.Key { return []cms.Key{key} },
				Scratch: func() smime.Buffer { return new(memory) }})
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			var out bytes.Buffer
			if _, err := opened.WriteTo(&out); err != nil || !strings.Contains(out.String(), "and by nobody.") {
				t.Errorf("%v, %+v\n%s", err, opened.Layers, out.String())
			}
		})
	}
	b.innocent()
}
