package tcos_test

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
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// blank is a card with the files, PINs and keys that a test gives it, and nothing else: cardtest has the NetKey, and no other TCOS card is
// to be had.
type blank struct {
	apps map[string]uint16            // AIDs, and what directory each chooses
	dirs map[uint16]map[uint16][]byte // files
	pins map[uint16]map[byte]*string  // by directory; those of the whole card are in that of number zero; nil for a NullPIN
	puks map[byte]string
	keys map[byte]crypto.Signer
	raw  bool // signatures of curves are r and s

	dir, file uint16
	env       []byte
	open      map[byte]bool
	log       []apdu.Command
}

func (b *blank) ATR() []byte { return cardtest.TCOSATRs()[0] }
func (b *blank) Reset()      { b.dir, b.file, b.env, b.open = 0x3F00, 0, nil, map[byte]bool{} }

func (b *blank) Transmit(raw []byte) []byte {
	c, err := apdu.Parse(raw)
	if err != nil {
		return []byte{0x67, 0}
	}
	c.Data = bytes.Clone(c.Data)
	b.log = append(b.log, c)
	data, sw := b.answer(c)
	return binary.BigEndian.AppendUint16(data, uint16(sw))
}

func (b *blank) answer(c apdu.Command) ([]byte, apdu.Status) {
	switch c.INS {
	case apdu.Select:
		return nil, b.choose(c)
	case apdu.ReadBinary:
		f, offset := b.dirs[b.dir][b.file], int(c.P1)<<8|int(c.P2)
		if offset >= len(f) {
			return nil, apdu.BadOffset
		}
		return bytes.Clone(f[offset:min(len(f), offset+c.Ne)]), apdu.OK
	case apdu.Verify:
		return nil, b.verify(c)
	case apdu.ChangeReference, apdu.ResetRetryCounter:
		return nil, b.change(c)
	case apdu.ManageSecurity:
		b.env = c.Data
		return nil, apdu.OK
	case apdu.PerformSecurity:
		return b.perform(c)
	}
	return nil, apdu.UnknownINS
}

func (b *blank) choose(c apdu.Command) apdu.Status {
	dir, named := b.apps[string(c.Data)]
	switch {
	case c.P1 == 4 && named:
		b.dir = dir
	case c.P1 == 0, c.P1 == 1 && b.dirs[binary.BigEndian.Uint16(c.Data)] != nil:
		b.dir = binary.BigEndian.Uint16(c.Data)
	case c.P1 == 2 && b.dirs[b.dir][binary.BigEndian.Uint16(c.Data)] != nil:
		b.file = binary.BigEndian.Uint16(c.Data)
	default:
		return apdu.NotFound
	}
	return apdu.OK
}

func (b *blank) pin(ref byte) (*string, bool) {
	dir := b.dir
	if ref < 0x80 {
		dir = 0
	}
	p, ok := b.pins[dir][ref]
	return p, ok
}

func (b *blank) verify(c apdu.Command) apdu.Status {
	p, ok := b.pin(c.P2)
	switch {
	case !ok:
		return apdu.NoReference
	case p == nil:
		return apdu.Unsatisfied
	case len(c.Data) == 0 && b.open[c.P2]:
		return apdu.OK
	case len(c.Data) == 0:
		return 0x63C3
	case string(c.Data) != *p:
		return 0x63C2
	}
	b.open[c.P2] = true
	return apdu.OK
}

func (b *blank) change(c apdu.Command) apdu.Status {
	p, ok := b.pin(c.P2)
	old := b.puks[c.P2]
	if c.INS == apdu.ChangeReference {
		old = "\x00\x00\x00\x00\x00\x00"
		if c.P2 == 3 {
			old = "00000"
		}
		if p != nil {
			old = *p
		}
	}
	value, right := bytes.CutPrefix(c.Data, []byte(old))
	if !ok || !right || old == "" {
		return 0x63C2
	}
	dir := b.dir
	if c.P2 < 0x80 {
		dir = 0
	}
	b.pins[dir][c.P2] = new(string(value))
	return apdu.OK
}

func (b *blank) perform(c apdu.Command) ([]byte, apdu.Status) {
	ref, _, _ := apdu.Find(b.env, 0x84)
	if len(ref) != 1 || b.keys[ref[0]] == nil {
		return nil, apdu.NoReference
	}
	if len(b.open) == 0 {
		return nil, apdu.NotAuthorized
	}
	switch k := b.keys[ref[0]].(type) {
	case *rsa.PrivateKey:
		if _, names, _ := apdu.Find(b.env, 0x80); !names {
			return nil, apdu.BadData
		}
		out, err := rsa.SignPKCS1v15(nil, k, 0, c.Data)
		if err != nil {
			return nil, apdu.BadData
		}
		return out, apdu.OK
	case *ecdsa.PrivateKey:
		if _, names, _ := apdu.Find(b.env, 0x80); names {
			return nil, apdu.BadData
		}
		out, err := ecdsa.SignASN1(rand.Reader, k, c.Data)
		if err != nil {
			return nil, apdu.BadData
		}
		if b.raw {
			var v struct{ R, S *big.Int }
			asn1.Unmarshal(out, &v)
			half := (k.Params().N.BitLen() + 7) / 8
			out = append(v.R.FillBytes(make([]byte, half)), v.S.FillBytes(make([]byte, half))...)
		}
		return out, apdu.OK
	}
	return nil, apdu.Unsupported
}

// theRSA is made once, and not where only certificates are read: it takes long.
var theRSA = sync.OnceValue(func() *rsa.PrivateKey {
	k, _ := rsa.GenerateKey(rand.Reader, 2048)
	return k
})

type signers struct {
	p256, p384 *ecdsa.PrivateKey
	issue      cardtest.Issue
}

var theSigners = sync.OnceValue(func() (s signers) {
	s.p256, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	s.issue, _ = cardtest.SimulatedCA(time.Now())
	return s
})

func issue(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := theSigners().issue(cardtest.Authentication, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

const (
	aidSigG  = "\xD2\x76\x00\x00\x66\x01"
	aidNKS   = "\xD2\x76\x00\x00\x03\x01\x02"
	aidESign = "\xA0\x00\x00\x01\x67\x45\x53\x49\x47\x4E"
	aidIDKey = "\xD2\x76\x00\x00\x03\x0C\x01"
)

// newBlank is a card with its serial number.
func newBlank(apps map[string]uint16) *blank {
	return &blank{apps: apps, pins: map[uint16]map[byte]*string{0: {}}, keys: map[byte]crypto.Signer{}, puks: map[byte]string{},
		dirs: map[uint16]map[uint16][]byte{0x3F00: {0x2F02: []byte("\x5A\x02\x47\x11")}}}
}

// put puts a key and its certificate somewhere.
func (b *blank) put(t testing.TB, dir, file uint16, ref byte, key crypto.Signer) {
	if b.dirs[dir] == nil {
		b.dirs[dir] = map[uint16][]byte{}
	}
	b.dirs[dir][file], b.keys[ref] = issue(t, key), key
}

func (b *blank) set(dir uint16, ref byte, value string) {
	if b.pins[dir] == nil {
		b.pins[dir] = map[byte]*string{}
	}
	b.pins[dir][ref] = &value
}

// direct is a reader with a card, without goroutines: what a fuzzer sees is the same each time.
type direct struct{ cardtest.Card }

func (d direct) Readers(context.Context) ([]smartcard.ReaderState, error) {
	return []smartcard.ReaderState{{Name: "reader", ATR: d.ATR()}}, nil
}

func (direct) Watch(ctx context.Context, _ []smartcard.ReaderState) ([]smartcard.ReaderState, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (d direct) Connect(context.Context, string) (smartcard.Link, error) { d.Reset(); return d, nil }
func (direct) Begin(context.Context) error                               { return nil }
func (direct) End() error                                                { return nil }
func (direct) Close() error                                              { return nil }

func (d direct) Transmit(_ context.Context, command []byte) ([]byte, error) {
	return d.Card.Transmit(command), nil
}

func open(t testing.TB, c cardtest.Card, o tcos.Options, pin string) *smartcard.Card {
	t.Helper()
	w, err := smartcard.New(smartcard.Options{Transport: direct{c}, Families: []smartcard.Family{tcos.New(o)}, Memory: smartcard.ForThisRun(),
		FingerprintKey: make([]byte, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New(pin), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	card, err := w.Card(smartcard.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

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
