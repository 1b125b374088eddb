package apdu

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	for s, want := range map[Status]string{
		OK: "done (90 00)", NotFound: "the file or application is not on the card (6A 82)", 0x63C2: "a counter stands at 2 (63 C2)",
		0x6100: "256 more octets are waiting (61 00)", 0x6C10: "the length asked for is wrong; 16 octets are there (6C 10)",
		0x6A99: "the parameters are wrong (6A 99)", 0x6F01: "the card failed and gives no reason (6F 01)",
		0x9001: "a status word that ISO 7816-4 does not know (90 01)", 0x6500: "it could not be carried out; something on the card was changed (65 00)",
	} {
		if got := s.String(); got != want {
			t.Errorf("%04X: %s", uint16(s), got)
		}
	}
	if n, ok := Status(0x63C0).Tries(); n != 0 || !ok {
		t.Error(n, ok)
	}
	if _, ok := Status(0x6300).Tries(); ok {
		t.Error("63 00 carries no count")
	}
}

func TestExplain(t *testing.T) {
	pin := []byte("123456")
	for _, c := range []struct {
		family  Family
		command Command
		status  Status
		want    string
	}{
		{TCOS, Command{INS: Verify, Data: pin}, 0x63C2, "the PIN is wrong; tries left: 2 (63 C2)"},
		{TCOS, Command{INS: Verify}, 0x63C3, "the PIN has not been presented; tries left: 3 (63 C3)"},
		{TCOS, Command{INS: Verify}, Unsatisfied, "no PIN has been set yet (NullPIN); the holder of the card sets it once before it can be used (69 85)"},
		{PIV, Command{INS: Verify, Data: pin}, Unsatisfied, "not allowed in the card's present state (69 85)"},
		{PIV, Command{INS: Verify, Data: pin}, Blocked, "the PIN is blocked; its holder unblocks it with the PUK (69 83)"},
		{PIV, Command{INS: ResetRetryCounter, Data: pin}, 0x63C1, "the PUK is wrong; tries left: 1 (63 C1)"},
		{TCOS, Command{INS: ResetRetryCounter, Data: pin}, Blocked, "the PUK is blocked; only who issued the card can help, often by a new one (69 83)"},
		{ISO, Command{INS: Verify, Data: pin}, NotAuthorized, "the PIN is refused (69 82)"},
		{ISO, Command{INS: ChangeReference, Data: pin}, BadData, "the card does not take a PIN of this length or of these characters (6A 80)"},
		{ISO, Command{INS: Verify, Data: pin}, NoReference, "the card has no PIN of this number (6A 88)"},
		{PIV, Command{INS: Select, P1: 4}, NotFound, "the card has no application of this name (6A 82)"},
		{PIV, Command{INS: GetData}, NotFound, "the card holds no such object, for example no certificate in this slot (6A 82)"},
		{PIV, Command{INS: GeneralAuthenticate}, NotAuthorized, "this key asks for the PIN first, and some for the PIN before each use (69 82)"},
		{PIV, Command{INS: GeneralAuthenticate}, BadData, "the slot has no key, one of another algorithm, or the input is not of the key's length (6A 80)"},
		{PIV, Command{INS: GeneralAuthenticate}, 0x6F00, "the card failed and gives no reason (6F 00)"},
		{TCOS, Command{INS: PerformSecurity}, NotAuthorized, "this key asks for its PIN first (69 82)"},
		{TCOS, Command{INS: ManageSecurity}, NoReference, "the card has no such key here, or not for this use or algorithm (6A 88)"},
		{TCOS, Command{INS: PerformSecurity}, BadLc, "the input is not of a length that the key and its algorithm take (6A 87)"},
		{TCOS, Command{INS: PerformSecurity}, Unsatisfied, "no key was chosen for this use (69 85)"},
		{ISO, Command{INS: ReadBinary}, BadOffset, "the parameters P1 and P2 lie outside the file (6B 00)"},
	} {
		if got := c.family.Explain(c.command, c.status); got != c.want {
			t.Errorf("%s, %s: %s", c.family, c.command, got)
		}
	}
}

func TestErr(t *testing.T) {
	c := Command{INS: Verify, P2: 0x80, Data: []byte("123456")}
	if err := (Response{Status: OK}).Err(c, PIV); err != nil {
		t.Error(err)
	}
	err := fmt.Errorf("binding: %w", Response{Status: 0x63C1}.Err(c, PIV))
	var e *Error
	if !errors.As(err, &e) || e.Status != 0x63C1 || e.Command.P2 != 0x80 || e.Command.Data != nil {
		t.Fatalf("%+v", err)
	}
	if e.Error() != "VERIFY: the PIN is wrong; tries left: 1 (63 C1)" || strings.Contains(fmt.Sprintf("%+v", *e), "123456") {
		t.Errorf("%+v", *e)
	}
	if got := (&Error{Command: Command{INS: 0x5A}, Status: UnknownINS}).Error(); got != "INS 5A: the card does not know this instruction (6D 00)" {
		t.Error(got)
	}
}

// Every word has a sentence, and no family makes one empty.
func TestEveryStatusExplained(t *testing.T) {
	for s := 0; s <= 0xFFFF; s++ {
		if Status(s).sentence() == "" {
			t.Fatalf("%04X", s)
		}
	}
	for _, f := range []Family{ISO, TCOS, PIV} {
		for _, i := range instructions() {
			for _, w := range words() {
				if text := f.Explain(Command{INS: i.ins}, w.status); !strings.HasSuffix(text, fmt.Sprintf(" (%02X %02X)", byte(w.status>>8), byte(w.status))) {
					t.Errorf("%s, %s: %q", f, i.name, text)
				}
			}
		}
	}
}

// What a card refuses it refuses again; failures may pass.
func TestRefuses(t *testing.T) {
	for s, want := range map[Status]bool{OK: false, 0x6100: false, EndOfFile: false, 0x63C2: false, 0x6400: false, 0x6581: false, WrongLength: false,
		NotAuthorized: true, NotFound: true, BadOffset: true, 0x6C10: false, UnknownINS: true, UnknownCLA: true, 0x6F00: false} {
		if s.Refuses() != want {
			t.Errorf("%v: %v", s, !want)
		}
	}
}
