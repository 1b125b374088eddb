package apdu

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of answers that no card gives which keeps to the standard.
var (
	ErrAnswer    = errors.New("apdu: the card's answer makes no sense")
	ErrUnbounded = errors.New("apdu: the card's answer has no end")
)

// Response is what a card answered.
type Response struct {
	Data   []byte
	Status Status
}

// ParseResponse reads an answer; the data are a part of b. ErrAnswer where it has no status word that ISO 7816-4, 5.1.3 knows.
func ParseResponse(b []byte) (Response, error) {
	if len(b) < 2 {
		return Response{}, fmt.Errorf("%w: %d octets, and a status word takes two", ErrAnswer, len(b))
	}
	if len(b) > MaxAnswer+2 {
		return Response{}, fmt.Errorf("%w: %d octets, and no command can ask for so many", ErrAnswer, len(b))
	}
	r := Response{Data: b[:len(b)-2], Status: Status(binary.BigEndian.Uint16(b[len(b)-2:]))}
	if sw1 := r.Status >> 8; sw1>>4 != 6 && sw1>>4 != 9 || sw1 == 0x60 {
		return Response{}, fmt.Errorf("%w: it ends in %02X %02X, which is no status word", ErrAnswer, byte(sw1), byte(r.Status))
	}
	return r, nil
}

// Options says how a card is spoken to; the zero value suits every card that takes chained commands.
type Options struct {
	// Extended sends what does not fit into a short command in one extended one; else it goes in chained parts.
	Extended bool
	// MaxAnswer bounds the data of an answer with all its pieces; 0 means 65536.
	MaxAnswer int
}

// DefaultMaxAnswer bounds an answer where Options says nothing.
const DefaultMaxAnswer = MaxAnswer

// maxPieces bounds how often a card may say that more is waiting: an answer of 65536 octets takes 256.
const maxPieces = 300

// Exchange sends a command and returns the whole answer: it sends the parts of a long command, fetches what is waiting (61 xx) and
// repeats once a command whose Le was wrong (6C xx), unless it presents a PIN or PUK. A status word that tells of failure is not an
// error here; see Response.Err. transmit gets one command and returns the answer to it; the octets of the command are wiped afterwards,
// so it keeps no reference to them. Its errors are returned as they are.
func Exchange(transmit func([]byte) ([]byte, error), c Command, o Options) (Response, error) {
	parts := []Command{c}
	if !o.Extended {
		var err error
		if parts, err = c.Chain(); err != nil {
			return Response{}, err
		}
	}
	x := exchange{transmit: transmit, limit: o.MaxAnswer}
	if x.limit <= 0 {
		x.limit = DefaultMaxAnswer
	}
	last := len(parts) - 1
	for _, part := range parts[:last] {
		r, err := x.send(part)
		if err != nil || r.Status != OK {
			return Response{Status: r.Status}, err
		}
	}
	return x.run(parts[last])
}

// exchange is one answer that is being put together.
type exchange struct {
	transmit func([]byte) ([]byte, error)
	limit    int
	data     []byte
}

func (x *exchange) run(c Command) (Response, error) {
	r, err := x.collect(c)
	for pieces := 0; err == nil && r.Status>>8 == 0x61; pieces++ {
		if pieces == maxPieces {
			return Response{}, fmt.Errorf("%w: after %d pieces more is waiting", ErrUnbounded, pieces)
		}
		before := len(x.data)
		// ISO 7816-4, 5.1.1: on the channel of the command, and never a part of a chain.
		r, err = x.collect(Command{CLA: c.CLA &^ chaining, INS: GetResponse, Ne: expected(int(r.Status&0xFF), MaxShortAnswer)})
		if err == nil && r.Status>>8 == 0x61 && len(x.data) == before {
			return Response{}, fmt.Errorf("%w: it says that more is waiting, and hands out nothing", ErrUnbounded)
		}
	}
	if err != nil {
		return Response{}, err
	}
	return Response{Data: x.data, Status: r.Status}, nil
}

// collect sends a command, a second time with the right Le where the card names that, and keeps the data.
func (x *exchange) collect(c Command) (Response, error) {
	r, err := x.send(c)
	// A card that says 6C xx has not carried out the command (ISO 7816-4, 5.1.3).
	if err == nil && r.Status>>8 == 0x6C && c.Ne > 0 && !c.PresentsSecret() {
		c.Ne = expected(int(r.Status&0xFF), MaxShortAnswer)
		r, err = x.send(c)
	}
	if err != nil {
		return Response{}, err
	}
	if len(x.data)+len(r.Data) > x.limit {
		return Response{}, fmt.Errorf("%w: more than %d octets", ErrUnbounded, x.limit)
	}
	x.data = append(x.data, r.Data...)
	return r, nil
}

// send sends one command as it is, and wipes its octets: they may hold a PIN.
func (x *exchange) send(c Command) (Response, error) {
	raw, err := c.Encode()
	if err != nil {
		return Response{}, err
	}
	defer clear(raw)
	b, err := x.transmit(raw)
	if err != nil {
		return Response{}, err
	}
	return ParseResponse(b)
}
