package cardtest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

const (
	selectPIV = "00 A4 04 00 05 A000000308 00"
	pivRight  = "00 20 00 80 08 313233343536FFFF"
	pivWrong  = "00 20 00 80 08 303030303030FFFF"
)

func TestPIVObjects(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{Serial: 0x01020304})
	talk(t, c, "00 CB 3F FF 03 5C017E 00 = 6D00") // no application chosen
	got, _ := send(t, c, selectPIV)
	if aid, ok, err := apdu.Find(got, 0x61, 0x79, 0x4F); err != nil || !ok || !bytes.Equal(aid, unhex(t, "A000000308")) {
		t.Errorf("%X, %v", got, err)
	}
	for slot, tag := range map[byte]string{0x9A: "5FC105", 0x9C: "5FC10A", 0x9D: "5FC10B", 0x9E: "5FC101", 0x82: "5FC10D", 0x83: "5FC10E"} {
		got := whole(t, c, apdu.Command{INS: apdu.GetData, P1: 0x3F, P2: 0xFF, Data: apdu.Encode(0x5C, unhex(t, tag)), Ne: 256}, apdu.Options{})
		der, ok, err := apdu.Find(got, 0x53, 0x70)
		if err != nil || !ok || !bytes.Equal(der, c.Certificate(slot)) {
			t.Errorf("%02X: %v, %v", slot, ok, err)
		}
	}
	for command, want := range map[string]string{
		"00 FD 00 00 00":                "050403",
		"00 F8 00 00 00":                "01020304",
		"00 F7 00 80 00":                "0101FF 050100 06020303",
		"00 F7 00 81 00":                "0101FF 050100 06020303",
		"00 CB 3F FF 03 5C017E 00":      "7E 12 4F0B A000000308000010000100 5F2F 02 4000",
		"00 CB 3F FF 05 5C035FC10C 00":  "53 08 C10102 C20100 FE00",
		"00 20 00 80":                   "",
		"00 A4 04 00 07 A0000003080000": "",
	} {
		if got, sw := send(t, c, command); want != "" && (sw != apdu.OK || !bytes.Equal(got, unhex(t, want))) {
			t.Errorf("%s: %X, %v", command, got, sw)
		}
	}
	talk(t, c, "00 CB 3F FF 05 5C035FC108 00 = 6A82", "00 CB 00 00 05 5C035FC105 00 = 6A86", "00 CB 3F FF 02 5C05 00 = 6A80", "00 F7 00 95 00 = 6A88", "00 A4 04 00 05 A000000309 = 6A82", "00 CB 3F FF 03 5C017E 00 = 9000",
		"80 A4 04 00 05 A000000308 = 6E00", "00 DB 3F FF 00 = 6D00")
	if c.Certificate(0x95) != nil {
		t.Error("a certificate of an empty slot")
	}
}

func TestPIVPIN(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	talk(t, c, selectPIV+"= 9000", "00 20 00 80 = 63C3", pivRight+"= 9000", "00 20 00 80 = 9000", "00 20 FF 80 = 9000", "00 20 00 80 = 63C3", "00 20 00 81 = 6A88", "00 20 01 80 = 6A86",
		pivWrong+"= 63C2", "00 20 00 80 06 313233343536 = 6A80", pivWrong+"= 63C1", pivWrong+"= 63C0", pivRight+"= 6983", "00 20 00 80 = 6983")
	if c.Tries(cardtest.PIVPIN) != 0 {
		t.Error(c.Tries(cardtest.PIVPIN))
	}
	c.Reset()
	talk(t, c, selectPIV+"= 9000", "00 20 00 80 = 6983",
		"00 2C 00 80 10 3030303030303030 363534333231FFFF = 63C2", "00 2C 00 81 10 3132333435363738 363534333231FFFF = 6A88", "00 2C 00 80 01 31 = 6A80",
		"00 2C 00 80 10 3132333435363738 363534333231FFFF = 9000", pivRight+"= 63C2", "00 24 00 80 10 363534333231FFFF 313233343536FFFF = 9000", pivRight+"= 9000",
		"00 24 00 81 10 3132333435363738 3837363534333231 = 9000", "00 24 00 81 10 3132333435363738 3837363534333231 = 63C2", "00 24 00 80 01 31 = 6A80", "00 24 00 42 = 6A88", "00 24 01 80 = 6A86")
	if c.Tries(cardtest.PIVPUK) != 2 || c.Counts().Presented != 13 || c.Counts().Refused != 8 {
		t.Errorf("%d, %+v", c.Tries(cardtest.PIVPUK), c.Counts())
	}
}

// use is GENERAL AUTHENTICATE; tag 81 signs or deciphers, 85 agrees.
func use(t *testing.T, c cardtest.Card, algorithm, slot byte, tag apdu.Tag, in []byte) ([]byte, apdu.Status) {
	t.Helper()
	command := apdu.Command{INS: apdu.GeneralAuthenticate, P1: algorithm, P2: slot, Ne: 256, Data: apdu.Encode(0x7C, apdu.Encode(0x82), apdu.Encode(tag, in))}
	r, err := apdu.Exchange(func(b []byte) ([]byte, error) { return c.Transmit(b), nil }, command, apdu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := apdu.Find(r.Data, 0x7C, 0x82)
	if err != nil {
		t.Fatal(err)
	}
	return out, r.Status
}

// Each algorithm, with long commands in parts and long answers in pieces.
func TestPIVKeys(t *testing.T) {
	k := getKeys(t)
	c := newPIV(t, cardtest.PIVOptions{Keys: map[byte]crypto.Signer{0x9A: k.rsa3072, 0x9C: k.p384, 0x9D: k.p256, 0x9E: k.rsa[0]}})
	sum := sha256.Sum256(text)
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, 384-3-19-32)...)
	em = append(append(append(em, 0), unhex(t, sha256Info)...), sum[:]...)
	talk(t, c, selectPIV+"= 9000")
	if _, sw := use(t, c, 0x05, 0x9A, 0x81, em); sw != apdu.NotAuthorized {
		t.Error(sw)
	}
	talk(t, c, pivRight+"= 9000")
	out, _ := use(t, c, 0x05, 0x9A, 0x81, em)
	verifyRSA(t, k.rsa3072.Public(), crypto.SHA256, sum[:], out)

	talk(t, c, pivRight+"= 9000")
	if out, _ = use(t, c, 0x14, 0x9C, 0x81, sum[:]); !ecdsa.VerifyASN1(&k.p384.PublicKey, sum[:], out) {
		t.Error("the signature is wrong")
	}
	if _, sw := use(t, c, 0x14, 0x9C, 0x81, sum[:]); sw != apdu.NotAuthorized {
		t.Errorf("the signature key asks for no PIN the second time: %v", sw)
	}

	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.p256.PublicKey.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	want, err := peer.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	if out, _ = use(t, c, 0x11, 0x9D, 0x85, peer.PublicKey().Bytes()); !bytes.Equal(out, want) {
		t.Errorf("%x", out)
	}
	c.Reset()
	talk(t, c, selectPIV+"= 9000")
	if _, sw := use(t, c, 0x07, 0x9E, 0x81, append(make([]byte, 255), 2)); sw != apdu.OK {
		t.Errorf("the card's own key asks for a PIN: %v", sw)
	}
	if n := c.Counts(); n.Signatures != 3 || n.Deciphered != 1 {
		t.Errorf("%+v", n)
	}
}

func TestPIVRefusesUse(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	talk(t, c, selectPIV+"= 9000", pivRight+"= 9000", "00 87 07 95 01 00 00 = 6A88", "00 87 11 9A 01 00 00 = 6A86", "00 87 07 9A 02 7C05 00 = 6A80", "00 87 07 9A 04 7C028200 00 = 6A80", "00 87 07 9A 05 7C03810101 00 = 6A80", "00 87 07 9A 04 7C028205 00 = 6A80")
	for name, in := range map[string][]byte{"short": {1}, "above the modulus": bytes.Repeat([]byte{0xFF}, 256), "none": {}} {
		if _, sw := use(t, c, 0x07, 0x9A, 0x81, in); sw != apdu.BadData {
			t.Errorf("%s: %v", name, sw)
		}
	}
	if _, sw := use(t, c, 0x11, 0x9E, 0x81, make([]byte, 33)); sw != apdu.BadData {
		t.Error(sw)
	}
	if _, sw := use(t, c, 0x11, 0x9E, 0x85, make([]byte, 65)); sw != apdu.BadData {
		t.Errorf("a point off the curve: %v", sw)
	}
	if _, sw := use(t, c, 0x07, 0x9A, 0x85, make([]byte, 65)); sw != apdu.BadData {
		t.Errorf("agreement with RSA: %v", sw)
	}
}

// The certificates say whose they are, for how long and for what.
func TestSimulatedCertificates(t *testing.T) {
	now := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	c := newPIV(t, cardtest.PIVOptions{Now: func() time.Time { return now }})
	for slot, want := range map[byte]x509.KeyUsage{0x9A: x509.KeyUsageDigitalSignature, 0x9C: x509.KeyUsageContentCommitment, 0x9D: x509.KeyUsageKeyEncipherment, 0x83: x509.KeyUsageKeyAgreement} {
		cert := parse(t, c.Certificate(slot))
		if cert.KeyUsage != want || cert.Issuer.CommonName != "Simulated smart card CA" || cert.NotAfter != now.AddDate(1, 0, 0) || cert.EmailAddresses[0] != "simulated.card@example.org" {
			t.Errorf("%02X: %s by %s until %s", slot, cert.Subject, cert.Issuer, cert.NotAfter)
		}
	}
}

func TestNewPIVRefuses(t *testing.T) {
	k := getKeys(t)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	failing := func(cardtest.Use, crypto.PublicKey) ([]byte, error) { return nil, rsa.ErrVerification }
	for name, o := range map[string]cardtest.PIVOptions{
		"PIN": {PIN: "12345"}, "long PIN": {PIN: "123456789"}, "letters": {PIN: "12345x"}, "PUK": {PUK: "123456"}, "tries": {Tries: -1},
		"slot": {Keys: map[byte]crypto.Signer{0x9B: k.p256}}, "curve": {Keys: map[byte]crypto.Signer{0x9A: p521}},
		"issuer": {Keys: map[byte]crypto.Signer{0x9A: k.p256}, Issue: failing},
	} {
		if _, err := cardtest.NewPIV(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
