package apdu

import "fmt"

// Status is the status word at the end of an answer, SW1 and SW2 (ISO 7816-4, 5.1.3).
type Status uint16

// Status words that decide what is done next.
const (
	OK               Status = 0x9000
	EndOfFile        Status = 0x6282 // fewer octets than were asked for
	WrongLength      Status = 0x6700
	ChainUnsupported Status = 0x6884
	NotAuthorized    Status = 0x6982 // a PIN is needed first
	Blocked          Status = 0x6983 // no try is left
	Unusable         Status = 0x6984
	Unsatisfied      Status = 0x6985
	BadData          Status = 0x6A80
	Unsupported      Status = 0x6A81
	NotFound         Status = 0x6A82 // a file or application
	NoRecord         Status = 0x6A83
	BadP1P2          Status = 0x6A86
	BadLc            Status = 0x6A87
	NoReference      Status = 0x6A88 // a key or PIN
	BadOffset        Status = 0x6B00
	UnknownINS       Status = 0x6D00
	UnknownCLA       Status = 0x6E00
)

// Tries is the count of tries left that a status word 63 Cx carries.
func (s Status) Tries() (n int, ok bool) { return int(s & 0x0F), s&0xFFF0 == 0x63C0 }

// Refuses tells whether the card clearly says that it cannot or may not do what it was told (69 to 6E, but for 6C), and says so again when it
// is asked again. Other words than 90 00 tell of failures that may pass.
func (s Status) Refuses() bool { return s>>8 >= 0x69 && s>>8 <= 0x6E && s>>8 != 0x6C }

// String is the sentence of ISO 7816-4 with the word itself: "the file or application is not on the card (6A 82)".
func (s Status) String() string {
	return fmt.Sprintf("%s (%02X %02X)", s.sentence(), byte(s>>8), byte(s))
}

// Family is a kind of card; what a status word means depends on it.
type Family int

// The families.
const (
	ISO  Family = iota // what ISO 7816-4 says
	TCOS               // T-Systems TCOS: NetKey, Signature Card, IDKey
	PIV                // NIST SP 800-73
)

// String is the name of the family.
func (f Family) String() string {
	switch f {
	case TCOS:
		return "TCOS"
	case PIV:
		return "PIV"
	}
	return "ISO 7816"
}

// Explain says what the word means as the answer to a command, on a card of the family.
func (f Family) Explain(c Command, s Status) string {
	text := ""
	switch c.INS {
	case Verify, ChangeReference, ResetRetryCounter:
		text = f.explainPIN(c, s)
	}
	if text == "" {
		text = f.explainOther(c, s)
	}
	if text == "" {
		return s.String()
	}
	return fmt.Sprintf("%s (%02X %02X)", text, byte(s>>8), byte(s))
}

// explainPIN is what the words mean where PINs are presented, asked for or changed.
func (f Family) explainPIN(c Command, s Status) string {
	if n, ok := s.Tries(); ok {
		switch {
		case len(c.Data) == 0:
			return fmt.Sprintf("the PIN has not been presented; tries left: %d", n)
		case c.INS == ResetRetryCounter:
			return fmt.Sprintf("the PUK is wrong; tries left: %d", n)
		}
		return fmt.Sprintf("the PIN is wrong; tries left: %d", n)
	}
	switch s {
	case Blocked:
		if c.INS == ResetRetryCounter {
			return "the PUK is blocked; only who issued the card can help, often by a new one"
		}
		return "the PIN is blocked; its holder unblocks it with the PUK"
	case NotAuthorized:
		return "the PIN is refused"
	case Unsatisfied:
		if f == TCOS { // GnuPG, app-nks: how TCOS says NullPIN
			return "no PIN has been set yet (NullPIN); the holder of the card sets it once before it can be used"
		}
	case NoReference:
		return "the card has no PIN of this number"
	case BadData:
		return "the card does not take a PIN of this length or of these characters"
	}
	return ""
}

// explainOther is what the words mean on files and keys, where the family says more than the standard.
func (f Family) explainOther(c Command, s Status) string {
	switch {
	case s == NotFound && c.INS == Select && c.P1 == 4:
		return "the card has no application of this name"
	case s == NotFound && f == PIV && c.INS == GetData:
		return "the card holds no such object, for example no certificate in this slot"
	case f == PIV && c.INS == GeneralAuthenticate:
		switch s {
		case NotAuthorized:
			return "this key asks for the PIN first, and some for the PIN before each use"
		case BadData, BadP1P2:
			return "the slot has no key, one of another algorithm, or the input is not of the key's length"
		}
	case f == TCOS && (c.INS == PerformSecurity || c.INS == ManageSecurity):
		switch s {
		case NotAuthorized:
			return "this key asks for its PIN first"
		case NoReference, Unsupported:
			return "the card has no such key here, or not for this use or algorithm"
		case BadLc, WrongLength, BadData:
			return "the input is not of a length that the key and its algorithm take"
		case Unsatisfied:
			return "no key was chosen for this use"
		}
	}
	return ""
}

// Error is a status word that tells of failure.
type Error struct {
	Command Command // without data
	Family  Family
	Status  Status
	text    string
}

// Error says which instruction failed, and what the card means.
func (e *Error) Error() string {
	text := e.text
	if text == "" {
		text = e.Family.Explain(e.Command, e.Status)
	}
	return Instruction(e.Command.INS) + ": " + text
}

// Err is nil for 90 00, else an *Error that explains the word for the command and the family. It keeps none of the command's data.
func (r Response) Err(c Command, f Family) error {
	if r.Status == OK {
		return nil
	}
	text := f.Explain(c, r.Status)
	c.Data = nil
	return &Error{Command: c, Family: f, Status: r.Status, text: text}
}

// Instruction is the name of an instruction byte: "VERIFY"; "INS 5A" for one that has none here.
func Instruction(ins byte) string {
	for _, i := range instructions() {
		if i.ins == ins {
			return i.name
		}
	}
	return fmt.Sprintf("INS %02X", ins)
}

type instruction struct {
	ins  byte
	name string
}

// instructions are those of ISO 7816-4, table 4, and 7816-8 that cards of our families know.
func instructions() []instruction {
	return []instruction{
		{Verify, "VERIFY"},
		{ManageSecurity, "MANAGE SECURITY ENVIRONMENT"},
		{ChangeReference, "CHANGE REFERENCE DATA"},
		{PerformSecurity, "PERFORM SECURITY OPERATION"},
		{ResetRetryCounter, "RESET RETRY COUNTER"},
		{0x46, "GENERATE KEY PAIR"},
		{0x82, "EXTERNAL AUTHENTICATE"},
		{0x84, "GET CHALLENGE"},
		{GeneralAuthenticate, "GENERAL AUTHENTICATE"},
		{0x88, "INTERNAL AUTHENTICATE"},
		{Select, "SELECT"},
		{ReadBinary, "READ BINARY"},
		{ReadRecord, "READ RECORD"},
		{GetResponse, "GET RESPONSE"},
		{0xCA, "GET DATA"},
		{GetData, "GET DATA"},
		{0xD6, "UPDATE BINARY"},
		{0xDB, "PUT DATA"},
		{0xDC, "UPDATE RECORD"},
	}
}
