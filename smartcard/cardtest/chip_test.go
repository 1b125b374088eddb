package cardtest_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// Commands come in parts and answers go out in pieces, and a command between them ends both.
func TestParts(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	talk(t, c, selectPIV+"= 9000",
		"10 CB 3F FF 02 5C03 = 9000", "00 CB 3F FF 03 5FC105 10 = 6100", "00 C0 00 00 FF = 6100", "00 20 00 80 = 63C3", "00 C0 00 00 10 = 6985",
		"10 CB 3F FF 02 5C03 = 9000", "00 20 00 80 = 63C3", "00 CB 3F FF 03 5FC105 00 = 6A80")
	for range 16 {
		if _, sw := exchange(t, c, append(unhex(t, "10 87 07 9A FF"), make([]byte, 255)...)); sw != apdu.OK {
			t.Fatal(sw)
		}
	}
	if _, sw := exchange(t, c, append(unhex(t, "10 87 07 9A FF"), make([]byte, 255)...)); sw != apdu.WrongLength {
		t.Errorf("a command without end: %v", sw)
	}
}

func TestFaults(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	c := newTCOS(t, cardtest.TCOSOptions{})
	meanwhile := 0
	for _, f := range []struct {
		name   string
		effect cardtest.Effect
		want   []byte
	}{
		{"removed", cardtest.Removed(), nil},
		{"removed after", cardtest.RemovedAfter(), nil},
		{"status", cardtest.Fails(apdu.Blocked), []byte{0x69, 0x83}},
		{"garbage", cardtest.Garbage(1, 2, 3), []byte{1, 2, 3}},
		{"truncated", cardtest.Truncated(1), []byte{0x63}},
		{"not so long", cardtest.Truncated(9), []byte{0x63, 0xC3}},
		{"nothing", cardtest.Truncated(0), []byte{}},
		{"slow", cardtest.Slow(gone), []byte{0x63, 0xC3}},
		{"meanwhile", cardtest.Meanwhile(func() { meanwhile++; c.Reset() }), []byte{0x63, 0xC3}},
	} {
		c.Fault(1, cardtest.Instruction(apdu.Verify), f.effect)
		talk(t, c, "00 A4 00 0C = 9000") // is not met
		if got := c.Transmit(unhex(t, "00 20 00 00")); !bytes.Equal(got, f.want) || (got == nil) != (f.want == nil) {
			t.Errorf("%s: %X", f.name, got)
		}
		talk(t, c, "00 20 00 00 = 63C3") // is over
	}
	if meanwhile != 1 || c.Counts().Resets != 1 {
		t.Errorf("%d, %+v", meanwhile, c.Counts())
	}
	c.Fault(2, cardtest.Presenting, cardtest.Fails(0x6F00))
	c.Fault(1, cardtest.Using, cardtest.Fails(0x6400))
	c.Fault(9, nil, cardtest.Fails(0x6581))
	talk(t, c, "00 2A 9E 9A 01 00 = 6400", globalRight+"= 6F00", globalRight+"= 6F00", globalRight+"= 6581", "00 20 00 00 = 6581")
	c.Heal()
	talk(t, c, globalRight+"= 9000")
	if n := c.Counts(); n.Presented != 1 || n.Refused != 0 {
		t.Errorf("a card that never saw a PIN counts it: %+v", n)
	}
}

// A card that is pulled while it signs has signed, and one that is pulled before has not.
func TestRemovedWhileSigning(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	talk(t, c, selectPIV+"= 9000", pivRight+"= 9000")
	sign := append(unhex(t, "00 87 11 9E 26 7C24 8200 8120"), make([]byte, 32)...)
	c.Fault(1, cardtest.Using, cardtest.Removed())
	c.Fault(1, cardtest.Using, cardtest.RemovedAfter())
	for want := range 2 {
		if got := c.Transmit(append(sign, 0)); got != nil || c.Counts().Signatures != want {
			t.Errorf("%X, %d signatures", got, c.Counts().Signatures)
		}
	}
}

// Whatever is sent to a card, it answers with a status word.
func FuzzTransmit(f *testing.F) {
	f.Add(unhex(f, "07 00A40C07D27600000301"), true)
	f.Add(unhex(f, "0A 00A4040005A000000308 0B 00CB3FFF055C035FC10500"), false)
	// Both cards, without the time that RSA takes.
	k := getKeys(f)
	tcos := newTCOS(f, cardtest.TCOSOptions{Keys: map[byte]*rsa.PrivateKey{cardtest.KeySignature: k.rsa[0]}})
	piv := newPIV(f, cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotSignature: k.p256}})
	f.Fuzz(func(t *testing.T, commands []byte, family bool) {
		var c cardtest.Card = piv
		if family {
			c = tcos
		}
		c.Reset()
		for len(commands) > 0 {
			n := min(int(commands[0]), len(commands)-1)
			if _, err := apdu.ParseResponse(c.Transmit(commands[1 : 1+n])); err != nil {
				t.Fatalf("%x: %v", commands[1:1+n], err)
			}
			commands = commands[1+n:]
		}
	})
}
