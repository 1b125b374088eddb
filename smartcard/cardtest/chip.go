package cardtest

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Card is a simulated card, as a reader sees it. Its methods may be called at once.
type Card interface {
	// ATR is the answer to reset.
	ATR() []byte
	// Transmit carries out one command and returns the answer with its status word; nil says that the card was pulled meanwhile.
	Transmit(command []byte) []byte
	// Reset takes the power away and gives it back: PINs presented and files chosen are forgotten, counters of tries are not.
	Reset()
}

// Counts is what was done with a card since it was made; a reset does not change it.
type Counts struct {
	Commands   int // of any kind
	Resets     int
	Presented  int // VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER with a PIN or PUK
	Refused    int // of those
	Signatures int // with a key, answered with 90 00; an agreement of keys is a decipherment
	Deciphered int
}

// maxChain bounds the data of a command in parts.
const maxChain = 4096

// chip is what all cards have in common: the forms of commands, parts of long ones and of long answers, faults and counts.
type chip struct {
	atr    []byte
	chains bool                                     // takes commands in parts
	loose  bool                                     // answers with data though none were asked for
	run    func(apdu.Command) ([]byte, apdu.Status) // carries out a whole command; called with mu held
	forget func()                                   // what a reset does; called with mu held

	mu     sync.Mutex
	head   [4]byte // of the command whose parts are coming in
	parts  []byte
	rest   []byte // of an answer that is fetched in pieces
	faults []*fault
	counts Counts
}

// ATR is the answer to reset.
func (c *chip) ATR() []byte { return bytes.Clone(c.atr) }

// Counts is what was done with the card until now.
func (c *chip) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Reset forgets what a card without power forgets.
func (c *chip) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Resets++
	c.parts, c.rest = nil, nil
	c.forget()
}

// Transmit carries out one command. The lock is not held while a fault waits.
func (c *chip) Transmit(raw []byte) []byte {
	command, err := apdu.Parse(raw)
	effect := c.faultFor(command)
	if effect.Before != nil {
		effect.Before()
	}
	var answer []byte
	switch {
	case effect.Instead != nil:
		answer = effect.Instead()
	case err != nil:
		answer = status(nil, apdu.WrongLength)
	default:
		answer = c.answer(command)
	}
	if effect.After != nil {
		answer = effect.After(answer)
	}
	return answer
}

// answer is that to a command of right form.
func (c *chip) answer(command apdu.Command) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Commands++
	if command.INS == apdu.GetResponse {
		if c.rest == nil {
			return status(nil, apdu.Unsatisfied)
		}
		return c.piece(c.rest, command.Ne)
	}
	c.rest = nil
	command, whole, sw := c.collect(command)
	if !whole {
		return status(nil, sw)
	}
	data, sw := c.run(command)
	if sw != apdu.OK && sw != apdu.EndOfFile {
		return status(nil, sw)
	}
	if sw == apdu.EndOfFile {
		return status(data, sw)
	}
	if command.Ne == 0 && c.loose {
		command.Ne = apdu.MaxShortAnswer
	}
	return c.piece(data, command.Ne)
}

// collect puts the parts of a command together; whole is false while some are missing, or where the card does not take them.
func (c *chip) collect(command apdu.Command) (apdu.Command, bool, apdu.Status) {
	const more = 0x10
	head := [4]byte{command.CLA &^ more, command.INS, command.P1, command.P2}
	if len(c.parts) > 0 && head != c.head { // another command ends the one that was coming in
		c.parts = nil
	}
	if command.CLA&more == 0 {
		if len(c.parts) > 0 {
			command.Data, c.parts = append(c.parts, command.Data...), nil
		}
		return command, true, apdu.OK
	}
	if !c.chains {
		return command, false, apdu.ChainUnsupported
	}
	if len(c.parts)+len(command.Data) > maxChain {
		c.parts = nil
		return command, false, apdu.WrongLength
	}
	c.head, c.parts = head, append(c.parts, command.Data...)
	return command, false, apdu.OK
}

// piece hands out what was asked for and keeps the rest.
func (c *chip) piece(data []byte, ne int) []byte {
	if len(data) <= ne {
		c.rest = nil
		return status(data, apdu.OK)
	}
	c.rest = data[ne:]
	left := len(c.rest)
	if left >= apdu.MaxShortAnswer {
		left = 0
	}
	return status(data[:ne], 0x6100|apdu.Status(left))
}

func status(data []byte, sw apdu.Status) []byte {
	return binary.BigEndian.AppendUint16(bytes.Clone(data), uint16(sw))
}
