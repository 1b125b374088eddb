package cardtest_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// Commands of the tests. 123456 and 12345678 are the PIN and the PUK.
const (
	selectMF    = "00 A4 00 0C 02 3F00"
	selectNKS   = "00 A4 04 0C 07 D2760000030102"
	pin1Right   = "00 20 00 81 06 313233343536"
	pin1Wrong   = "00 20 00 81 06 303030303030"
	pin2Right   = "00 20 00 83 06 313233343536"
	globalRight = "00 20 00 00 06 313233343536"
	globalWrong = "00 20 00 00 06 303030303030"
)

// DigestInfo of SHA-256 before the hash (RFC 8017, 9.2).
const sha256Info = "3031300d060960864801650304020105000420"

func TestTCOSFiles(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	for _, l := range []struct{ command, answer string }{
		{"00 A4 04 04 07 D2760000030102 00", "62 10 82 01 38 83 02 DF01 84 07 D2760000030102"},
		{"00 A4 04 00 05 D276000003 00", "6F 10 82 01 38 83 02 DF01 84 07 D2760000030102"},
		{"80 AA 01 00 00", ""},
		{"00 A4 03 0C", ""},
		{"80 AA 01 00 00", "DF01"},
		{"80 AA 02 00 00", "2F02 5049"},
		{"00 A4 02 04 02 2F02 00", "62 0B 80 02 000C 82 01 01 83 02 2F02"},
		{"00 B0 00 00 00", "5A 0A 89490176940000000001"},
		{"00 B0 00 0A 02", "0001"},
		{"00 B0 00 00 04", "5A 0A 8949"},
		{"00 A4 08 0C 04 DF01 5349", ""},
		{"00 B2 01 04 00", "A0 03 83 01 80 B6 00"},
		{"00 B2 02 04 00", "A0 03 83 01 81 B6 00 B8 00"},
		{"00 A4 09 04 02 5049 00", "62 0B 80 02 0010 82 01 04 83 02 5049"},
		{"00 B2 02 04 00", "A0 06 83 01 83 90 01 03"},
		{"00 A4 00 0C", ""},
		{"00 A4 01 0C 02 DF01", ""},
		{"80 AA 06 00 00", "04110301 00000000 03000000 00000000"},
	} {
		got, sw := send(t, c, l.command)
		if sw != apdu.OK && l.answer != "" || !bytes.Equal(got, unhex(t, l.answer)) {
			t.Fatalf("%s: %X, %v", l.command, got, sw)
		}
	}
}

func TestTCOSRefuses(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	talk(t, c,
		"00 A4 02 0C 02 C000 = 6A82", "00 A4 04 0C 06 D27600006601 = 6A82", "00 A4 08 0C 03 DF01C0 = 6A82", "00 A4 00 0D 02 3F00 = 6A86", "00 A4 03 0C = 6A82",
		"00 B0 00 00 00 = 6986", "00 B2 01 04 00 = 6986", "00 A4 02 0C 02 5049 = 9000", "00 B0 00 00 00 = 6981", "00 B2 03 04 00 = 6A83", "00 B2 00 04 00 = 6A83", "00 B2 01 00 00 = 6A86",
		"00 A4 02 0C 02 2F02 = 9000", "00 B2 01 04 00 = 6981", "00 B0 00 0C 01 = 6B00", "00 B0 00 0A 05 = 6282", "00 B0 80 00 01 = 6A86", "80 AA 07 00 00 = 6A86",
		"00 20 00 81 = 6A88", "00 20 00 42 = 6A88", "00 20 01 00 = 6A86", "00 24 00 42 01 00 = 6A88", "00 2C 00 01 08 3132333435363738 = 6A88",
		"00 22 41 B6 03 840180 = 6A88", selectNKS+"= 9000", "00 22 41 B6 03 840184 = 6A88", "00 22 41 B8 03 840180 = 6A81", "00 22 41 B6 06 80010A 840181 = 6A81", "00 22 F3 01 = 6A81",
		"00 22 41 B6 04 84028180 = 6A80", "00 22 41 B6 01 84 = 6A80", "00 2A 80 86 01 00 00 = 6985", "00 2A 00 00 01 00 00 = 6A86", "00 2A 9E 9A 01 00 00 = 6982",
		"00 5A 00 00 = 6D00", "01 A4 00 0C = 6E00", "10 2A 9E 9A 01 00 = 6884", "00 C0 00 00 00 = 6985", "00 A4 = 6700")
}

// Counters and status words of the PINs, and what a wrong one, a reset and another directory take away.
func TestTCOSPINs(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	talk(t, c, "00 20 00 00 = 63C3", globalRight+"= 9000", "00 20 00 00 = 9000", globalWrong+"= 63C2", "00 20 00 00 = 63C2", "00 20 00 00 05 3132333435 = 6A80", globalWrong+"= 63C1", globalRight+"= 9000",
		selectNKS+"= 9000", pin1Right+"= 9000", "00 20 00 81 = 9000", "00 A4 02 0C 02 C000 = 9000", "00 20 00 81 = 9000", selectMF+"= 9000", selectNKS+"= 9000", "00 20 00 81 = 63C3", "00 20 00 00 = 9000",
		pin1Wrong+"= 63C2", pin1Wrong+"= 63C1", pin1Wrong+"= 63C0", pin1Wrong+"= 6983", pin1Right+"= 6983", "00 20 00 81 = 6983")
	if c.Tries(cardtest.TCOSPIN1) != 0 || c.Tries(cardtest.TCOSPIN2) != 3 || c.Tries(0x42) != -1 {
		t.Error(c.Tries(cardtest.TCOSPIN1), c.Tries(cardtest.TCOSPIN2), c.Tries(0x42))
	}
	c.Reset()
	talk(t, c, "00 20 00 00 = 63C3", selectNKS+"= 9000", "00 20 00 81 = 6983",
		"00 2C 00 81 0E 3030303030303030 313233343536 = 63C2", "00 2C 00 81 0E 3132333435363738 363534333231 = 9000", "00 20 00 81 = 63C3", pin1Right+"= 63C2", "00 20 00 81 06 363534333231 = 9000",
		"00 2C 03 81 = 6982", "00 20 00 01 08 3132333435363738 = 9000", "00 2C 02 81 06 313233343536 = 9000", pin1Right+"= 9000", "00 2C 03 81 = 9000", "00 2C 01 81 08 3132333435363738 = 9000", "00 2C 07 81 = 6A86",
		"00 24 00 81 0C 303030303030 363534333231 = 63C2", "00 24 00 81 0C 313233343536 363534333231 = 9000", "00 24 00 81 07 363534333231 30 = 6A80", "00 24 00 81 01 36 = 6A80", "00 24 01 81 06 313233343536 = 6A86")
	if n := c.Counts(); n.Presented != 20 || n.Refused != 11 || n.Resets != 1 {
		t.Errorf("%+v", n)
	}
}

// A card whose PIN the holder has not set yet takes none, and loses no try.
func TestTCOSNullPIN(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{NullPIN: true})
	talk(t, c, "00 20 00 00 = 6985", globalRight+"= 6985", selectNKS+"= 9000", "00 20 00 81 = 6985",
		"00 24 00 00 0C 313233343536 313233343536 = 6985", "00 24 00 00 0C 000000000000 313233343536 = 9000", globalRight+"= 9000",
		"00 24 01 81 05 3132333435 = 6A80", "00 24 01 81 06 313233343536 = 9000", pin1Right+"= 9000", "00 24 01 81 06 313233343536 = 6A86")
	if c.Tries(cardtest.TCOSGlobal) != 3 {
		t.Error(c.Tries(cardtest.TCOSGlobal))
	}
}

// Signatures as GnuPG asks for them (algorithm 02), and as OpenSC does (the bare key, raw).
func TestTCOSSigns(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	sum := sha256.Sum256(text)
	info := append(unhex(t, sha256Info), sum[:]...)
	cds := apdu.Command{INS: apdu.PerformSecurity, P1: 0x9E, P2: 0x9A, Data: info, Ne: 256}
	talk(t, c, selectNKS+"= 9000", pin1Right+"= 9000", pin2Right+"= 9000", "00 22 41 B6 06 800102 840182 = 9000")
	verifyRSA(t, c.Public(cardtest.KeyAuthentication), crypto.SHA256, sum[:], whole(t, c, cds, apdu.Options{}))
	talk(t, c, "00 22 41 B6 06 800102 840180 = 9000")
	verifyRSA(t, c.Public(cardtest.KeySignature), crypto.SHA256, sum[:], whole(t, c, cds, apdu.Options{}))
	talk(t, c, "00 22 41 B6 03 840180 = 9000", "00 2A 9E 9A 33"+hex.EncodeToString(info)+"00 = 6A87")

	talk(t, c, "00 22 41 B8 06 80010A 840182 = 9000")
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, 256-3-len(info))...)
	em = append(append(em, 0), info...)
	raw := apdu.Command{INS: apdu.PerformSecurity, P1: 0x80, P2: 0x86, Data: append([]byte{2}, em...), Ne: 256}
	verifyRSA(t, c.Public(cardtest.KeyAuthentication), crypto.SHA256, sum[:], whole(t, c, raw, apdu.Options{Extended: true}))

	if n := c.Counts(); n.Signatures != 2 || n.Deciphered != 1 {
		t.Errorf("%+v", n)
	}
	c.Reset()
	talk(t, c, selectNKS+"= 9000", "00 2A 9E 9A 33"+hex.EncodeToString(info)+"00 = 6982", globalRight+"= 9000", "00 22 41 B6 06 800102 840180 = 9000")
	whole(t, c, cds, apdu.Options{}) // the global PIN opens it too
}

func TestTCOSPINPerUse(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{PINPerUse: true})
	sign := "00 2A 9E 9A 02 0102 00"
	talk(t, c, selectNKS+"= 9000", pin1Right+"= 9000", sign+"= 9000", sign+"= 6982", pin1Right+"= 9000", sign+"= 9000")
}

func TestTCOSDeciphers(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	secret := encrypt(t, c.Public(cardtest.KeyEncryption).(*rsa.PublicKey))
	decipher := apdu.Command{INS: apdu.PerformSecurity, P1: 0x80, P2: 0x86, Data: append([]byte{0x81}, secret...), Ne: 256}
	talk(t, c, selectNKS+"= 9000", pin2Right+"= 9000", "00 22 41 B8 06 80011A 840181 = 9000")
	if got := whole(t, c, decipher, apdu.Options{Extended: true}); !bytes.Equal(got, text) {
		t.Errorf("%q", got)
	}
	talk(t, c, "00 22 41 B8 06 80010A 840181 = 9000")
	got := whole(t, c, decipher, apdu.Options{Extended: true})
	if len(got) != 256 || got[1] != 2 || !bytes.HasSuffix(got, text) {
		t.Errorf("%x", got)
	}
	// What is no ciphertext, or not of the key's length.
	talk(t, c, "00 22 41 B8 06 80011A 840181 = 9000", "00 2A 80 86 02 00 01 00 = 6A87")
	for _, data := range [][]byte{slices.Concat([]byte{0x81}, make([]byte, 255), []byte{2}), append([]byte{0x81}, bytes.Repeat([]byte{0xFF}, 256)...), append([]byte{0x55}, secret...)} {
		decipher.Data = data
		raw, err := decipher.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, sw := exchange(t, c, raw); sw != apdu.BadData {
			t.Errorf("%v", sw)
		}
	}
}

// Certificates lie in their files as TeleSec wraps them, or bare.
func TestTCOSCertificates(t *testing.T) {
	for _, bare := range []bool{false, true} {
		c := newTCOS(t, cardtest.TCOSOptions{Bare: bare})
		for ref, id := range map[byte]string{cardtest.KeySignature: "C000", cardtest.KeyEncryption: "C200", cardtest.KeyAuthentication: "C500"} {
			talk(t, c, "00 A4 08 0C 04 DF01 "+id+" = 9000")
			der := c.Certificate(ref)
			got := whole(t, c, apdu.Command{INS: apdu.ReadBinary, Ne: 65536}, apdu.Options{Extended: true})
			if !bytes.HasSuffix(got, der) || bytes.Equal(got, der) != bare {
				t.Errorf("%s: %d octets of %d", id, len(got), len(der))
			}
			if cert := parse(t, der); !cert.PublicKey.(*rsa.PublicKey).Equal(c.Public(ref)) {
				t.Errorf("%s: another key", id)
			}
		}
	}
}

func TestNewTCOSRefuses(t *testing.T) {
	k := getKeys(t)
	for name, o := range map[string]cardtest.TCOSOptions{
		"PIN": {PIN: "12345"}, "letters": {PIN1: "abcdef"}, "PUK": {PUK: "1234567"}, "tries": {Tries: 16}, "serial": {Serial: "12"},
		"key": {Keys: map[byte]*rsa.PrivateKey{0x90: k.rsa[0]}}, "long key": {Keys: map[byte]*rsa.PrivateKey{cardtest.KeySecond: k.rsa3072}},
	} {
		if _, err := cardtest.NewTCOS(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := newTCOS(t, cardtest.TCOSOptions{ATR: cardtest.TCOSATRs()[2]})
	if !bytes.Equal(c.ATR(), cardtest.TCOSATRs()[2]) || c.Public(0x90) != nil || c.Certificate(0x90) != nil {
		t.Errorf("%x", c.ATR())
	}
}
