package apdu

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What fits into the forms of a command (ISO 7816-4, 5.1).
const (
	MaxShortData   = 255   // octets of data in a short command
	MaxShortAnswer = 256   // octets that a short command can ask for
	MaxData        = 65535 // octets of data in an extended command
	MaxAnswer      = 65536 // octets that an extended command can ask for
	chaining       = 0x10  // in CLA: more parts follow (ISO 7816-4, 5.1.1.1)
	maxParts       = 64    // of a chained command
	extendedLength = 3     // octets that mark and hold an extended length
)

// Instructions that are named more than once (ISO 7816-4, 5.4.2 and NIST SP 800-73-4, part 2).
const (
	Verify              byte = 0x20
	ManageSecurity      byte = 0x22
	ChangeReference     byte = 0x24
	PerformSecurity     byte = 0x2A
	ResetRetryCounter   byte = 0x2C
	GeneralAuthenticate byte = 0x87
	Select              byte = 0xA4
	ReadBinary          byte = 0xB0
	ReadRecord          byte = 0xB2
	GetResponse         byte = 0xC0
	GetData             byte = 0xCB
)

// Errors of commands that cannot be sent, and of octets that are no command.
var (
	ErrCommand = errors.New("apdu: not a command")
	ErrTooLong = errors.New("apdu: the command is too long")
)

// Command is what a card is told to do.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	// Ne is how many octets of answer are expected at most: 0 for none, 256 for all that a short command can get, up to 65536.
	Ne int
}

// String names the command without its data, which may hold a PIN.
func (c Command) String() string {
	return fmt.Sprintf("%s (%02X %02X %02X %02X, %d octets of data)", Instruction(c.INS), c.CLA, c.INS, c.P1, c.P2, len(c.Data))
}

// PresentsSecret tells whether the command carries a PIN or PUK, of which a card counts the tries. Such a command is never repeated.
func (c Command) PresentsSecret() bool {
	return len(c.Data) > 0 && (c.INS == Verify || c.INS == ChangeReference || c.INS == ResetRetryCounter)
}

// Short tells whether the command fits into the short form.
func (c Command) Short() bool { return len(c.Data) <= MaxShortData && c.Ne <= MaxShortAnswer }

func (c Command) check() error {
	if len(c.Data) > MaxData || c.Ne > MaxAnswer {
		return fmt.Errorf("%w: %s asks for %d octets", ErrTooLong, c, c.Ne)
	}
	if c.Ne < 0 {
		return fmt.Errorf("%w: %s asks for %d octets", ErrCommand, c, c.Ne)
	}
	return nil
}

// Encode is the command as it goes to the card, in the short form where that holds it, else in the extended one.
// ErrTooLong and ErrCommand tell what no card takes.
func (c Command) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Short() {
		return c.short(), nil
	}
	return c.extended(), nil
}

func (c Command) short() []byte {
	b := append(make([]byte, 0, 6+len(c.Data)), c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(append(b, byte(len(c.Data))), c.Data...)
	}
	if c.Ne > 0 {
		b = append(b, byte(c.Ne)) // 256 is written as 00
	}
	return b
}

func (c Command) extended() []byte {
	b := append(make([]byte, 0, 9+len(c.Data)), c.CLA, c.INS, c.P1, c.P2, 0)
	if len(c.Data) > 0 {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(c.Data))), c.Data...)
	}
	if c.Ne > 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(c.Ne)) // 65536 is written as 00 00
	}
	return b
}

// Chain is the command in short parts for a card that takes no extended ones (ISO 7816-4, 5.1.1.1): all but the last carry the bit of
// chaining in CLA and ask for nothing. What fits into one short command is one part. Of an answer longer than 256 octets the card
// says that more is waiting.
func (c Command) Chain() ([]Command, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(c.Data) > maxParts*MaxShortData {
		return nil, fmt.Errorf("%w: %s does not fit into %d parts", ErrTooLong, c, maxParts)
	}
	if len(c.Data) > MaxShortData && c.CLA == 0xFF {
		return nil, fmt.Errorf("%w: %s is for the reader, which takes no parts", ErrTooLong, c)
	}
	var parts []Command
	for len(c.Data) > MaxShortData {
		part := c
		part.CLA, part.Data, part.Ne = c.CLA|chaining, c.Data[:MaxShortData], 0
		parts = append(parts, part)
		c.Data = c.Data[MaxShortData:]
	}
	c.Ne = min(c.Ne, MaxShortAnswer)
	return append(parts, c), nil
}

// Parse reads a command as a card does; the data are a part of b. What is not in one of the seven forms of ISO 7816-3, 12.1.3 is ErrCommand.
func Parse(b []byte) (Command, error) {
	if len(b) < 4 {
		return Command{}, fmt.Errorf("%w: %d octets", ErrCommand, len(b))
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	body := b[4:]
	switch {
	case len(body) == 0:
		return c, nil
	case len(body) == 1:
		c.Ne = expected(int(body[0]), MaxShortAnswer)
		return c, nil
	case body[0] != 0:
		return c.parseShort(int(body[0]), body[1:])
	case len(body) < extendedLength:
		return Command{}, fmt.Errorf("%w: a length without end", ErrCommand)
	}
	n := int(binary.BigEndian.Uint16(body[1:]))
	if len(body) == extendedLength {
		c.Ne = expected(n, MaxAnswer)
		return c, nil
	}
	return c.parseExtended(n, body[extendedLength:])
}

func (c Command) parseShort(n int, rest []byte) (Command, error) {
	switch len(rest) - n {
	case 0:
	case 1:
		c.Ne = expected(int(rest[n]), MaxShortAnswer)
	default:
		return Command{}, fmt.Errorf("%w: %d octets follow a length of %d", ErrCommand, len(rest), n)
	}
	c.Data = rest[:n]
	return c, nil
}

func (c Command) parseExtended(n int, rest []byte) (Command, error) {
	switch {
	case n > 0 && len(rest) == n:
	case n > 0 && len(rest) == n+2:
		c.Ne = expected(int(binary.BigEndian.Uint16(rest[n:])), MaxAnswer)
	default:
		return Command{}, fmt.Errorf("%w: %d octets follow an extended length of %d", ErrCommand, len(rest), n)
	}
	c.Data = rest[:n]
	return c, nil
}

// expected is a length field of the answer, where 0 stands for the most.
func expected(n, most int) int {
	if n == 0 {
		return most
	}
	return n
}
