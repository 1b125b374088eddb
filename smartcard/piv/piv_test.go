package piv_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
)

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

func open(t testing.TB, c cardtest.Card) *smartcard.Card {
	t.Helper()
	w, err := smartcard.New(smartcard.Options{Transport: direct{c}, Families: []smartcard.Family{piv.New(piv.Options{})}, Memory: smartcard.ForThisRun(),
		FingerprintKey: make([]byte, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New("123456"), nil
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

// Every slot and every algorithm of the standard: keys sign, open and agree, the retired ones too.
func TestSlots(t *testing.T) {
	keys := map[byte]crypto.Signer{}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsa3072, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for slot, k := range map[byte]crypto.Signer{0x9A: rsa3072, 0x9C: p384, 0x9D: rsa2048, 0x9E: p256} {
		keys[slot] = k
	}
	for i := range byte(20) {
		keys[0x82+i] = []crypto.Signer{rsa2048, rsa3072, p256, p384}[i%4]
	}
	c, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	card := open(t, c)
	s, err := card.State(t.Context())
	if err != nil || len(s.Keys) != 24 {
		t.Fatal(len(s.Keys), err)
	}
	for _, info := range s.Keys {
		key, err := card.Key(t.Context(), smartcard.Want{Fingerprint: info.Fingerprint(), Binding: true})
		if err != nil {
			t.Fatal(err)
		}
		if (info.Ref == 0x9E) != (info.PIN == nil) || (info.Ref == 0x9C) != info.PerUse {
			t.Errorf("%+v", info)
		}
		works(t, key)
	}
	if n := c.Counts(); n.Refused != 0 {
		t.Errorf("%+v", n)
	}
}

// works uses a key in all ways that it says it can be.
func works(t *testing.T, key *smartcard.Key) {
	t.Helper()
	sum := sha512.Sum384([]byte("text"))
	if key.Info().Can(smartcard.SignEC | smartcard.RawRSA) {
		if _, err := key.Sign(nil, sum[:], crypto.SHA384); err != nil {
			t.Errorf("%s: %v", key.Info().Name, err)
		}
	}
	if public, ok := key.Public().(*rsa.PublicKey); ok {
		sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, []byte("text"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Decrypt(nil, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil || string(got) != "text" {
			t.Errorf("%s: %q, %v", key.Info().Name, got, err)
		}
		return
	}
	if !key.Info().Can(smartcard.AgreeEC) {
		return
	}
	other, err := ecdsa.GenerateKey(key.Public().(*ecdsa.PublicKey).Curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ours, err1 := other.ECDH()
	theirs, err2 := key.Public().(*ecdsa.PublicKey).ECDH()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	want, err := ours.ECDH(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.SharedSecret(ours.PublicKey()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v", key.Info().Name, err)
	}
}

// shelf is a card with an object in each place, of no key.
type shelf struct {
	object   []byte
	rest     []byte
	commands int
}

func (*shelf) ATR() []byte { return []byte{0x3B, 0} }
func (*shelf) Reset()      {}

func (s *shelf) Transmit(raw []byte) []byte {
	s.commands++
	c, err := apdu.Parse(raw)
	switch {
	case err != nil:
		return []byte{0x67, 0}
	case c.INS == apdu.Select:
		return []byte{0x90, 0}
	case c.INS == 0xF8:
		return []byte{0, 0, 0, 1, 0x90, 0}
	case c.INS == apdu.GetData:
		s.rest = s.object
	case c.INS != apdu.GetResponse:
		return []byte{0x6D, 0}
	}
	n := min(len(s.rest), 256)
	sw := uint16(0x9000)
	if len(s.rest) > n {
		sw = 0x6100
	}
	out := binary.BigEndian.AppendUint16(bytes.Clone(s.rest[:n]), sw)
	s.rest = s.rest[n:]
	return out
}

func testCertificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue, err := cardtest.SimulatedCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	der, err := issue(cardtest.Authentication, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func object(info byte, certificate []byte) []byte {
	return apdu.Encode(0x53, apdu.Encode(0x70, certificate), apdu.Encode(0x71, []byte{info}), apdu.Encode(0xFE))
}

// Certificates may be compressed, within bounds: one that unpacks to a lot is none.
func TestCompressed(t *testing.T) {
	der := testCertificate(t)
	for name, c := range map[string]struct {
		object []byte
		keys   int
	}{
		"plain":            {object(0, der), 24},
		"compressed":       {object(1, zipped(t, der)), 24},
		"says compressed":  {object(1, der), 0},
		"says plain":       {object(0, zipped(t, der)), 0},
		"a lot in little":  {object(1, zipped(t, append(bytes.Clone(der), make([]byte, 8<<20)...))), 0},
		"cut":              {object(1, zipped(t, der)[:100]), 0},
		"nothing":          {object(0, nil), 0},
		"not compressible": {[]byte{0x53, 0x82}, 0},
	} {
		s, err := open(t, &shelf{object: c.object}).State(t.Context())
		if err != nil || len(s.Keys) != c.keys {
			t.Errorf("%s: %d keys, %v", name, len(s.Keys), err)
		}
	}
}

// A failure that may pass makes no card another one and loses no key.
func TestFailuresPass(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: map[byte]crypto.Signer{0x9A: key, 0x95: key}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 35 {
		card := open(t, c)
		left := i
		c.Fault(1, func(apdu.Command) bool { left--; return left < 0 }, cardtest.Fails(0x6F00))
		if s, err := card.State(t.Context()); err == nil && (len(s.Keys) != 2 || s.Identity.Serial != "12345678") {
			t.Errorf("%d: %+v", i, s)
		}
		c.Heal()
	}
}

var theCertificate = sync.OnceValue(func() []byte { return testCertificate(&testing.B{}) })

// Whatever is in the objects of a card: nothing panics, and no more is read than there can be.
func FuzzObject(f *testing.F) {
	der := theCertificate()
	f.Add(object(0, der))
	f.Add(object(1, zipped(f, der)))
	f.Add([]byte("\x53\x84\xFF\xFF\xFF\xFF\x70"))
	f.Fuzz(func(t *testing.T, object []byte) {
		s := &shelf{object: object}
		if _, err := open(t, s).State(t.Context()); err == nil && s.commands > 3000 {
			t.Errorf("%d commands", s.commands)
		}
	})
}
