package tcos_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// Each kind of card is known by its applications; its keys are where they are, sign, and are opened by the PIN that counts there.
func TestKinds(t *testing.T) {
	k := theSigners()
	for name, c := range map[string]struct {
		make func(*blank)
		apps map[string]uint16
		key  string
		pin  smartcard.PIN
		raw  bool
	}{
		"SigG": {func(b *blank) { b.put(t, 0xDF04, 0xC000, 0x84, theRSA()); b.set(0xDF04, 0x81, "123456") }, map[string]uint16{aidSigG: 0xDF04},
			"qualified signature (SigG, key 84)", smartcard.PIN{Ref: 0x81, Name: "PIN 1", Min: 6, Max: 16, Digits: true, Application: "SigG"}, false},
		"eSign, P-256, r and s": {func(b *blank) { b.put(t, 0xDF05, 0xC001, 0x84, k.p256); b.set(0xDF05, 0x81, "123456"); b.raw = true }, map[string]uint16{aidESign: 0xDF05},
			"qualified signature (eSign, key 84)", smartcard.PIN{Ref: 0x81, Name: "PIN 1", Min: 6, Max: 24, Digits: true, Application: "eSign"}, false},
		"NetKey of a Signature Card 2.0, P-384": {func(b *blank) { b.put(t, 0xDF02, 0xC500, 0x82, k.p384); b.set(0, 3, "123456") }, map[string]uint16{aidNKS: 0xDF02},
			"authentication (NetKey, key 82)", smartcard.PIN{Ref: 3, Name: "the global PIN", Min: 6, Max: 24, Digits: true}, false},
		"IDKey": {func(b *blank) {
			b.put(t, 0xDF07, 0x4332, 0x85, theRSA())
			b.dirs[0xDF08] = map[uint16][]byte{}
			b.set(0, 0, "123456")
		},
			map[string]uint16{aidIDKey: 0xDF07}, "signature 2 (IDKey, key 85)", smartcard.PIN{Name: "the global PIN", Min: 6, Max: 16, Digits: true}, false},
		"IDKey, encryption": {func(b *blank) { b.put(t, 0xDF08, 0x4331, 0x81, theRSA()); b.set(0, 0, "123456") },
			map[string]uint16{aidIDKey: 0xDF07}, "encryption 1 (IDKey encryption, key 81)", smartcard.PIN{Name: "the global PIN", Min: 6, Max: 16, Digits: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBlank(c.apps)
			c.make(b)
			card := open(t, b, tcos.Options{}, "123456")
			s, err := card.State(t.Context())
			if err != nil || len(s.Keys) != 1 || s.Keys[0].Name != c.key || s.Identity.Serial != "4711" || *s.Keys[0].PIN != c.pin {
				t.Fatalf("%+v, %v", s, err)
			}
			if state := s.PINs[c.pin]; !state.Known || state.Tries != 3 {
				t.Errorf("%+v", s.PINs)
			}
			key, err := card.Key(t.Context(), smartcard.Want{Fingerprint: s.Keys[0].Fingerprint()})
			if err != nil || len(key.SignatureAlgorithms()) == 0 {
				t.Fatal(key.SignatureAlgorithms(), err)
			}
			sum := sha256.Sum256([]byte("text"))
			if _, err := key.Sign(nil, sum[:], crypto.SHA256); err != nil { // the key verifies it
				t.Error(err)
			}
		})
	}
}

// A key that only signs what the card pads says so, so that TLS offers nothing else.
func TestPKCS1Only(t *testing.T) {
	b := newBlank(map[string]uint16{aidSigG: 0xDF04})
	b.put(t, 0xDF04, 0xC000, 0x84, theRSA())
	b.set(0xDF04, 0x81, "123456")
	card := open(t, b, tcos.Options{}, "123456")
	s, err := card.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := card.Key(t.Context(), smartcard.Want{Fingerprint: s.Keys[0].Fingerprint()})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range key.SignatureAlgorithms() {
		if a>>8 > 6 || a&0xFF != 1 { // RFC 8446, 4.2.3: rsa_pkcs1_*
			t.Errorf("%v", a)
		}
	}
	sum := sha256.Sum256(nil)
	if _, err := key.Sign(nil, sum[:], &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 32}); !errors.Is(err, smartcard.ErrUnsupported) {
		t.Error(err)
	}
}

// The PIN 83 of SigG unblocks 81: where 81 has none yet, it is not presented in its place.
func TestSigGUnblocks(t *testing.T) {
	b := newBlank(map[string]uint16{aidSigG: 0xDF04})
	b.put(t, 0xDF04, 0xC000, 0x84, theRSA())
	b.set(0xDF04, 0x83, "12345678")
	b.pins[0xDF04][0x81] = nil
	b.puks[0x81] = "12345678"
	card := open(t, b, tcos.Options{}, "12345678")
	s, err := card.State(t.Context())
	if err != nil || s.Keys[0].PIN.Ref != 0x81 || !s.PINs[*s.Keys[0].PIN].Null {
		t.Fatal(s, err)
	}
	if err := card.ChangePIN(t.Context(), *s.Keys[0].PIN, secret.String{}, secret.New("123456")); err != nil {
		t.Error(err)
	}
	if err := card.Unblock(t.Context(), *s.Keys[0].PIN, secret.New("12345678"), secret.New("654321")); err != nil || *b.pins[0xDF04][0x81] != "654321" {
		t.Error(err)
	}
	asked := slices.ContainsFunc(b.log, func(c apdu.Command) bool { return c.INS == apdu.Verify && c.P2 == 0x83 && len(c.Data) == 0 })
	if presented := slices.ContainsFunc(b.log, func(c apdu.Command) bool { return c.INS == apdu.Verify && c.P2 == 0x83 && len(c.Data) > 0 }); presented || !asked {
		t.Error("the counter of what unblocks was not asked for, or it was presented")
	}
}

// The first PIN of a Signature Card 2.0 is set over five digits.
func TestNullOfCard2(t *testing.T) {
	b := newBlank(map[string]uint16{aidNKS: 0xDF02})
	b.put(t, 0xDF02, 0xC000, 0x80, theRSA())
	b.pins[0][3] = nil
	card := open(t, b, tcos.Options{}, "123456")
	s, err := card.State(t.Context())
	if err != nil || len(s.PINs) != 1 {
		t.Fatal(s, err)
	}
	for p := range s.PINs {
		if err := card.ChangePIN(t.Context(), p, secret.String{}, secret.New("123456")); err != nil || *b.pins[0][3] != "123456" {
			t.Error(p, err)
		}
	}
}

// Everything that is known of a card can be told otherwise.
func TestLayout(t *testing.T) {
	b := newBlank(map[string]uint16{"\xD2\x76\xFF\xFF\x01": 0xDF01})
	b.put(t, 0xDF11, 0xABCD, 0x42, theRSA())
	b.set(0, 7, "1234")
	o := tcos.Options{Applications: []tcos.Application{{Name: "ours", AID: []byte("\xD2\x76\xFF\xFF\x01"), Directory: 0xDF11, PINs: []tcos.PIN{{Ref: 7, Name: "our PIN", Min: 4, Max: 8}},
		Keys: []tcos.Key{{Name: "key", Ref: 0x42, Certificates: []uint16{0x1111, 0xABCD}, PINs: []byte{9, 7}, Operations: smartcard.PadRSA}}}}}
	card := open(t, b, o, "1234")
	s, err := card.State(t.Context())
	if err != nil || len(s.Keys) != 1 || s.Keys[0].PIN.Name != "our PIN" {
		t.Fatal(s, err)
	}
	key, err := card.Key(t.Context(), smartcard.Want{Fingerprint: s.Keys[0].Fingerprint()})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	if _, err := key.Sign(nil, sum[:], crypto.SHA256); err != nil {
		t.Error(err)
	}
	ref := byte(0x81)
	o.PINRef = &ref
	if s, err = open(t, b, o, "1234").State(t.Context()); err != nil || s.Keys[0].PIN.Ref != 0x81 || s.Keys[0].PIN.Application != "ours" {
		t.Error(s, err)
	}
}

// A failure that may pass loses no key: the card is asked again.
func TestFailuresPass(t *testing.T) {
	c, err := cardtest.NewTCOS(cardtest.TCOSOptions{Keys: map[byte]*rsa.PrivateKey{cardtest.KeyAuthentication: theRSA()}})
	if err != nil {
		t.Fatal(err)
	}
	card := open(t, c, tcos.Options{}, "123456")
	for i := range 40 {
		left := i
		c.Fault(1, func(apdu.Command) bool { left--; return left < 0 }, cardtest.Fails(0x6F00))
		s, err := card.State(t.Context())
		if err == nil && (len(s.Keys) != 1 || s.Keys[0].Certificate == nil || s.Identity.Serial != "89490176940000000001") {
			t.Errorf("%d: %+v", i, s)
		}
		c.Heal()
		if s, err := card.State(t.Context()); err != nil || len(s.Keys) != 1 {
			t.Errorf("%d: %+v, %v", i, s, err)
		}
	}
	if n := c.Counts().Presented; n != 0 {
		t.Error(n)
	}
}

// Whatever is in the files of a card: nothing panics, and what is a certificate is read.
func FuzzFile(f *testing.F) {
	der := issue(f, theSigners().p256)
	f.Add(der)
	f.Add(apdu.Encode(0x30, []byte("\x06\x03\x55\x04\x24"), der))
	f.Add([]byte("\x30\x82\xFF\xFF\x06\x03\x55\x04\x24"))
	f.Add([]byte("\x30\x84\x00\x00\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		b := newBlank(map[string]uint16{aidNKS: 0xDF02})
		b.dirs[0xDF02] = map[uint16][]byte{0xC000: file}
		b.set(0, 0, "123456")
		s, err := open(t, b, tcos.Options{}, "123456").State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range s.Keys {
			if _, err := x509.ParseCertificate(k.Certificate.Raw); err != nil {
				t.Error(err)
			}
		}
		if len(b.log) > 600 {
			t.Errorf("%d commands", len(b.log))
		}
		b.dirs[0x3F00][0x2F02] = file // the serial number
		if s, err := open(t, b, tcos.Options{}, "123456").State(t.Context()); err == nil && (len(s.Identity.Serial) == 0 || len(s.Identity.Serial) > 64) {
			t.Errorf("%q", s.Identity.Serial)
		} else if _, hexErr := hex.DecodeString(s.Identity.Serial); err == nil && hexErr != nil {
			t.Error(hexErr)
		}
	})
}
