package apdu

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The seven forms of ISO 7816-3, 12.1.3, with commands that cards of our families get.
func TestEncode(t *testing.T) {
	long := bytes.Repeat([]byte{0xAB}, 256)
	for _, c := range []struct {
		name    string
		command Command
		want    string
	}{
		{"1", Command{INS: Verify, P2: 0x81}, "00 20 00 81"},
		{"2S", Command{INS: ReadBinary, Ne: 10}, "00 B0 00 00 0A"},
		{"2S all", Command{INS: ReadBinary, Ne: 256}, "00 B0 00 00 00"},
		{"2E", Command{INS: ReadBinary, Ne: 257}, "00 B0 00 00 00 01 01"},
		{"2E all", Command{INS: ReadBinary, Ne: 65536}, "00 B0 00 00 00 00 00"},
		{"3S", Command{INS: Select, P1: 4, P2: 0x0C, Data: unhex(t, "D27600000301 02")}, "00 A4 04 0C 07 D2 76 00 00 03 01 02"},
		{"3E", Command{INS: PerformSecurity, P1: 0x80, P2: 0x86, Data: long}, "00 2A 80 86 00 01 00" + hex.EncodeToString(long)},
		{"4S", Command{INS: GetData, P1: 0x3F, P2: 0xFF, Data: unhex(t, "5C035FC105"), Ne: 256}, "00 CB 3F FF 05 5C 03 5F C1 05 00"},
		{"4E", Command{INS: PerformSecurity, P1: 0x80, P2: 0x86, Data: long, Ne: 256}, "00 2A 80 86 00 01 00" + hex.EncodeToString(long) + "01 00"},
		{"4E by Ne", Command{INS: GetData, Data: []byte{1}, Ne: 65536}, "00 CB 00 00 00 00 01 01 00 00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.command.Encode()
			if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
				t.Fatalf("%x, %v", got, err)
			}
			back, err := Parse(got)
			if err != nil || back.String() != c.command.String() || back.Ne != c.command.Ne || !bytes.Equal(back.Data, c.command.Data) {
				t.Errorf("read as %s, %d octets: %v", back, back.Ne, err)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		command Command
		want    error
	}{
		"data":     {Command{Data: make([]byte, 65536)}, ErrTooLong},
		"answer":   {Command{Ne: 65537}, ErrTooLong},
		"negative": {Command{Ne: -1}, ErrCommand},
	} {
		if b, err := c.command.Encode(); b != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %d octets, %v", name, len(b), err)
		}
		if b, err := c.command.Chain(); b != nil || !errors.Is(err, c.want) {
			t.Errorf("%s in parts: %d, %v", name, len(b), err)
		}
	}
}

func TestChain(t *testing.T) {
	data := make([]byte, 600)
	for i := range data {
		data[i] = byte(i)
	}
	parts, err := Command{INS: GeneralAuthenticate, P1: 7, P2: 0x9A, Data: data, Ne: 512}.Chain()
	if err != nil || len(parts) != 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	var joined []byte
	for i, p := range parts {
		cla, ne := byte(0x10), 0
		if i == 2 {
			cla, ne = 0, 256
		}
		if !p.Short() || p.CLA != cla || p.Ne != ne || p.INS != GeneralAuthenticate || p.P1 != 7 || p.P2 != 0x9A {
			t.Errorf("part %d: %s, %d expected", i, p, p.Ne)
		}
		joined = append(joined, p.Data...)
	}
	if !bytes.Equal(joined, data) {
		t.Error("the parts are not the data")
	}
	if parts, err := (Command{INS: Verify, Data: data[:255]}).Chain(); err != nil || len(parts) != 1 || parts[0].CLA != 0 {
		t.Errorf("255 octets: %v, %v", parts, err)
	}
	for name, c := range map[string]Command{"too long": {Data: make([]byte, 64*255+1)}, "for the reader": {CLA: 0xFF, Data: data}} {
		if _, err := c.Chain(); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "00 A4 04", "00 A4 04 0C 02 3F", "00 A4 04 0C 02 3F 00 00 00", "00 A4 04 0C 00 01", "00 A4 04 0C 00 00 02 3F", "00 A4 04 0C 00 00 02 3F 00 00", "00 A4 04 0C 00 00 00 3F"} {
		if c, err := Parse(unhex(t, s)); !errors.Is(err, ErrCommand) {
			t.Errorf("%q: %s, %v", s, c, err)
		}
	}
}

// A command in a log or an error does not show what it carries.
func TestCommandHidesData(t *testing.T) {
	c := Command{INS: Verify, P2: 0x81, Data: []byte("123456")}
	if s := c.String(); s != "VERIFY (00 20 00 81, 6 octets of data)" {
		t.Error(s)
	}
	if !c.PresentsSecret() || (Command{INS: Verify}).PresentsSecret() || (Command{INS: Select, Data: []byte{1}}).PresentsSecret() {
		t.Error("what presents a secret")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, "00CB3FFF055C035FC10500"))
	f.Add(unhex(f, "00B00000000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrCommand) {
				t.Fatal(err)
			}
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(again)
		if err != nil || back.Ne != c.Ne || !bytes.Equal(back.Data, c.Data) || back.String() != c.String() {
			t.Fatalf("%s became %s, %v", c, back, err)
		}
	})
}
