package smartcard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"pgregory.net/rapid"
)

// Whatever readers, cards, other programs, administrators and power supplies do: the gateway presents no PIN while fewer than three tries
// are left, and none that the card has refused, but in the one case of the package comment, once.
func TestPINPolicyUnderFaults(t *testing.T) {
	getKeys(t)
	rapid.Check(t, func(rt *rapid.T) {
		s := newSiege(t, rt)
		defer s.desk.wallet.Close()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			s.step(rt)
		}
	})
}

// siege is a gateway under faults, with what the card knows.
type siege struct {
	desk  *desk
	disk  *smartcard.Brittle
	card  simulated
	piv   bool
	refs  []byte // of keys
	pins  map[byte]string
	human bool // who presents

	tries map[string]*history // by reference and value
	wrong []string            // what the gateway did that it must not
}

// history is what the card has done with one value of a PIN.
type history struct {
	accepted bool // at some time, before the refusal
	refused  int  // by the card, presented by the gateway or a human, since a human was accepted
	heard    bool // whether the last refusal has reached the gateway
	raised   bool // whether another program has presented the right one since
}

func newSiege(t *testing.T, rt *rapid.T) *siege {
	tries := rapid.IntRange(1, 15).Draw(rt, "tries")
	if rapid.Bool().Draw(rt, "three") {
		tries = 3
	}
	s := &siege{disk: smartcard.NewBrittle(), piv: rapid.Bool().Draw(rt, "piv"), tries: map[string]*history{}}
	if s.piv {
		s.card = newPIV(t, cardtest.PIVOptions{Tries: tries})
		s.refs = []byte{cardtest.SlotAuthentication, cardtest.SlotSignature}
		s.pins = map[byte]string{cardtest.PIVPIN: rightPIN}
	} else {
		s.card = newTCOS(t, cardtest.TCOSOptions{Tries: tries, PINPerUse: rapid.Bool().Draw(rt, "per use")})
		s.refs = []byte{cardtest.KeyAuthentication, cardtest.KeySignature}
		s.pins = map[byte]string{cardtest.TCOSGlobal: rightPIN}
	}
	s.desk = &desk{t: t, rack: cardtest.NewRack("left", "right"), pin: rightPIN}
	s.desk.rack.Insert("left", s)
	s.restart()
	return s
}

// restart is another process with the same disk.
func (s *siege) restart() {
	m, err := smartcard.OpenMemoryIn(s.disk, memoryKey)
	if err != nil {
		s.wrong = append(s.wrong, err.Error())
		return
	}
	s.desk.memory = m
	s.desk.restart()
}

func (s *siege) ref() byte {
	for r := range s.pins {
		return r
	}
	return 0
}

func (s *siege) ATR() []byte { return s.card.ATR() }
func (s *siege) Reset()      { s.card.Reset() }

// Transmit carries out what the gateway or a human sends, and watches what the card counts.
func (s *siege) Transmit(command []byte) []byte {
	c, err := apdu.Parse(slices.Clone(command))
	before, left := s.card.Counts(), s.card.Tries(s.ref())
	answer := s.card.Transmit(command)
	after := s.card.Counts()
	if err != nil || after.Presented == before.Presented {
		return answer
	}
	value := string(c.Data)
	if c.INS != apdu.Verify {
		return answer // only humans do that, as the Channel sees to
	}
	if s.piv {
		value = value[:len(value)-2] // FF FF
	}
	h := s.tried(value)
	if !s.human {
		s.judge(h, value, left)
	}
	if after.Refused > before.Refused {
		_, counted := statusOf(answer).Tries()
		h.refused++
		h.heard, h.raised = counted || statusOf(answer) == apdu.Blocked, false
	} else {
		*h = history{accepted: true}
	}
	return answer
}

func (s *siege) tried(value string) *history {
	id := fmt.Sprintf("%02X %s", s.ref(), value)
	if s.tries[id] == nil {
		s.tries[id] = &history{}
	}
	return s.tries[id]
}

// judge is called when the gateway presents a PIN by itself.
func (s *siege) judge(h *history, value string, left int) {
	if left < 3 {
		s.wrong = append(s.wrong, fmt.Sprintf("%s was presented with %d tries left", value, left))
	}
	if h.refused > 0 && (h.refused > 1 || h.heard || !h.accepted || !h.raised) {
		s.wrong = append(s.wrong, fmt.Sprintf("%s was presented again: %+v", value, *h))
	}
}

func (s *siege) step(rt *rapid.T) {
	d := s.desk
	some := []string{"", "12345", "654321", "111111", "222222", rightPIN}
	switch rapid.SampledFrom([]string{"restart", "power", "reset", "pull", "service", "configure", "change", "raise", "lower", "human", "look",
		"disk", "fault", "fault", "use", "use", "use", "use"}).Draw(rt, "what") {
	case "restart":
		s.restart()
	case "power":
		s.disk.PowerLoss(func() bool { return rapid.Bool().Draw(rt, "kept") })
		s.card.Reset()
		s.restart()
	case "reset":
		d.rack.Reset("left")
	case "pull":
		d.rack.Pull("left")
	case "service":
		d.rack.Stop()
		d.rack.Start()
	case "configure":
		d.pin = rapid.SampledFrom(some).Draw(rt, "pin")
	case "change":
		s.other(apdu.ChangeReference, s.pins[s.ref()], rapid.SampledFrom(some[2:]).Draw(rt, "new"))
	case "raise":
		s.other(apdu.Verify, s.pins[s.ref()], "")
	case "lower":
		if s.card.Tries(s.ref()) > 1 {
			s.other(apdu.Verify, "999999", "")
		}
	case "human":
		s.unlock(rapid.SampledFrom(some[2:]).Draw(rt, "pin"))
	case "look":
		s.back()
		d.card(smartcard.Selection{Reader: "left"}).State(context.Background())
	case "disk":
		left := rapid.IntRange(0, 12).Draw(rt, "calls")
		s.disk.Fail = func(call string) error {
			if left--; left < 0 {
				return errors.New("no " + call)
			}
			return nil
		}
		s.use(rt)
		s.disk.Fail = func(string) error { return nil }
	case "fault":
		s.fault(rt)
	default:
		s.use(rt)
	}
	if len(s.wrong) > 0 {
		rt.Fatal(s.wrong)
	}
}

// other is another program, which the faults do not meet.
func (s *siege) other(ins byte, old, value string) {
	s.card.Heal()
	if s.piv {
		s.card.Transmit(unhex("00A4040005A000000308"))
	}
	data := []byte(old + value)
	if s.piv {
		data = pivPadded(old)
		if value != "" {
			data = append(data, pivPadded(value)...)
		}
	}
	c := apdu.Command{INS: ins, P2: s.ref(), Data: data}
	raw, err := c.Encode()
	if err != nil {
		panic(err)
	}
	if statusOf(s.card.Transmit(raw)) != apdu.OK {
		return
	}
	for _, h := range s.tries {
		h.raised = true
	}
	if value != "" {
		s.pins[s.ref()] = value
	}
}

func pivPadded(pin string) []byte { return append([]byte(pin), 0xFF, 0xFF) }

// unlock is a human who believes that a PIN is right.
func (s *siege) unlock(pin string) {
	s.back()
	s.human = true
	defer func() { s.human = false }()
	c := s.desk.card(smartcard.Selection{Reader: "left"})
	state, err := c.State(context.Background())
	if err != nil {
		return
	}
	for p := range state.PINs {
		if p.Ref == s.ref() {
			c.Unlock(context.Background(), p, secret.New(pin))
		}
	}
}

func (s *siege) fault(rt *rapid.T) {
	effects := []cardtest.Effect{cardtest.Removed(), cardtest.RemovedAfter(), cardtest.Fails(0x6F00), cardtest.Fails(apdu.NotAuthorized), cardtest.Garbage(),
		cardtest.Garbage(0x90), cardtest.Garbage(0xFF, 0xFF), cardtest.Garbage(0x6F, 0x00), cardtest.Garbage(1, 2, 3, 0x90, 0), cardtest.Truncated(1),
		cardtest.Meanwhile(func() { s.desk.rack.Reset("left") })}
	matches := []func(apdu.Command) bool{nil, cardtest.Presenting, cardtest.Presenting, cardtest.Using, cardtest.Instruction(apdu.Verify), cardtest.Instruction(apdu.Select)}
	s.card.Fault(rapid.IntRange(1, 3).Draw(rt, "times"), rapid.SampledFrom(matches).Draw(rt, "command"), rapid.SampledFrom(effects).Draw(rt, "effect"))
}

// back puts the card into its reader.
func (s *siege) back() {
	if state, err := s.desk.rack.State(); err == nil && state[0].ATR == nil {
		s.desk.rack.Insert("left", s)
	}
}

// use signs.
func (s *siege) use(rt *rapid.T) {
	s.back()
	ref := rapid.SampledFrom(s.refs).Draw(rt, "key")
	before := s.card.Counts()
	k, err := s.desk.card(smartcard.Selection{Reader: "left"}).Key(context.Background(), smartcard.Want{Fingerprint: fingerprint(s.card.Certificate(ref)), Binding: true})
	if err == nil {
		err = sign(k)
	}
	after := s.card.Counts()
	if err == nil && after.Signatures == before.Signatures && after.Deciphered == before.Deciphered {
		rt.Fatal("signed by nobody")
	}
}
