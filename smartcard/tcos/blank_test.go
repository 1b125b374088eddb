package tcos_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
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
