package smartcard_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// rightPIN is that of all simulated cards.
const rightPIN = "123456"

// pinError tests that an error is of a reason, holds no PIN, and says whether it is temporary.
func pinError(t *testing.T, err error, want smartcard.Reason, tries int) {
	t.Helper()
	e, ok := errors.AsType[*smartcard.PINError](err)
	switch {
	case !ok || e.Reason != want || e.Tries != tries:
		t.Errorf("%v; reason %d with %d tries is wanted", err, want, tries)
	case strings.Contains(err.Error(), "65432") || strings.Contains(strings.ReplaceAll(err.Error(), "12345678", "serial"), rightPIN):
		t.Errorf("the PIN is in the error: %v", err)
	case smartcard.Temporary(err) != (want == smartcard.PINUnsettled || want == smartcard.PINMemory || want == smartcard.PINUnreadable):
		t.Errorf("temporary: %v", err)
	}
}

// A refused PIN is presented once, by any number of callers, cards and processes, until a human says that it is right.
func TestRefusedOnce(t *testing.T) {
	for name, c := range map[string]simulated{"piv": newPIV(t, cardtest.PIVOptions{Tries: 5}), "tcos": newTCOS(t, cardtest.TCOSOptions{Tries: 5})} {
		t.Run(name, func(t *testing.T) {
			ref := map[string]byte{"piv": cardtest.SlotAuthentication, "tcos": cardtest.KeyAuthentication}[name]
			d := newDesk(t, c)
			d.pin = "654321"
			pinError(t, sign(d.key(c, ref)), smartcard.PINRefused, 4)
			pinError(t, sign(d.key(c, ref)), smartcard.PINRefusedOnce, 4)
			d.restart()
			k := d.key(c, ref)
			pinError(t, sign(k), smartcard.PINRefusedOnce, 4)
			if err := d.card(smartcard.Selection{Reader: "left"}).Forgive(t.Context(), *k.Info().PIN); err != nil {
				t.Fatal(err)
			}
			pinError(t, sign(k), smartcard.PINRefused, 3)
			d.pin = "654322"
			pinError(t, sign(k), smartcard.PINRefused, 2)
			d.pin = rightPIN
			pinError(t, sign(k), smartcard.PINFewTries, 2)
			if n := c.Counts().Presented; n != 3 {
				t.Errorf("%d presented", n)
			}
		})
	}
}

// Each reason not to present a PIN is told, and none is presented.
func TestNotPresented(t *testing.T) {
	for name, c := range map[string]struct {
		tcos   cardtest.TCOSOptions
		pin    string
		effect cardtest.Effect
		want   smartcard.Reason
		tries  int
	}{
		"none":           {pin: "", want: smartcard.PINMissing, tries: 3},
		"transport PIN":  {pin: "12345", want: smartcard.PINForm, tries: 3},
		"letters":        {pin: "12345a", want: smartcard.PINForm, tries: 3},
		"too long":       {pin: "12345678901234567", want: smartcard.PINForm, tries: 3},
		"NullPIN":        {tcos: cardtest.TCOSOptions{NullPIN: true}, pin: rightPIN, want: smartcard.PINNull, tries: -1},
		"few tries":      {tcos: cardtest.TCOSOptions{Tries: 2}, pin: rightPIN, want: smartcard.PINFewTries, tries: 2},
		"blocked":        {pin: rightPIN, effect: cardtest.Fails(apdu.Blocked), want: smartcard.PINBlocked, tries: 0},
		"zero tries":     {pin: rightPIN, effect: cardtest.Fails(0x63C0), want: smartcard.PINBlocked, tries: 0},
		"no such PIN":    {pin: rightPIN, effect: cardtest.Fails(apdu.NoReference), want: smartcard.PINNotHere, tries: -1},
		"not usable":     {pin: rightPIN, effect: cardtest.Fails(apdu.Unusable), want: smartcard.PINTransport, tries: -1},
		"unknown answer": {pin: rightPIN, effect: cardtest.Fails(0x6F00), want: smartcard.PINNoCounter, tries: -1},
		"warning":        {pin: rightPIN, effect: cardtest.Fails(0x6300), want: smartcard.PINNoCounter, tries: -1},
		"with data":      {pin: rightPIN, effect: cardtest.Garbage(1, 0x63, 0xC3), want: smartcard.PINNoCounter, tries: -1},
	} {
		t.Run(name, func(t *testing.T) {
			card := newTCOS(t, c.tcos)
			d := newDesk(t, card)
			d.pin = c.pin
			k := d.key(card, cardtest.KeyAuthentication)
			if c.effect.Instead != nil || c.effect.After != nil {
				card.Fault(1, cardtest.Instruction(apdu.Verify), c.effect)
			}
			pinError(t, sign(k), c.want, c.tries)
			if n := card.Counts().Presented; n != 0 {
				t.Errorf("%d presented", n)
			}
		})
	}
}

// deaf is a memory that fails.
type deaf struct {
	smartcard.Memory
	recall, note error
}

func (d deaf) Recall(ctx context.Context, f smartcard.Fingerprint) (smartcard.Attempt, bool, error) {
	if d.recall != nil {
		return smartcard.Attempt{}, false, d.recall
	}
	return d.Memory.Recall(ctx, f)
}

func (d deaf) Note(ctx context.Context, f smartcard.Fingerprint, a smartcard.Attempt) error {
	if d.note != nil {
		return d.note
	}
	return d.Memory.Note(ctx, f, a)
}

// Without memory no PIN is presented.
func TestMemoryFails(t *testing.T) {
	broken := errors.New("broken")
	for name, m := range map[string]deaf{"recall": {recall: broken}, "note": {note: broken}} {
		t.Run(name, func(t *testing.T) {
			c := newPIV(t, cardtest.PIVOptions{})
			d := newDesk(t, c)
			m.Memory = d.memory
			d.memory = m
			d.restart()
			err := sign(d.key(c, cardtest.SlotAuthentication))
			pinError(t, err, smartcard.PINMemory, 3)
			if n := c.Counts().Presented; n != 0 || !errors.Is(err, broken) {
				t.Errorf("%d presented, %v", n, err)
			}
		})
	}
}

// Where the answer to a PIN is lost the counter tells what has become of it. One that the card had accepted before is presented again by
// itself, once, where the counter stands as it did; where it is lower it was refused, and where it is higher, or the PIN is new, it may
// have been.
func TestUnsettled(t *testing.T) {
	raised := func(c *cardtest.PIV) {
		c.Transmit(unhex("00A4040005A000000308"))
		c.Transmit(unhex("0020008008313131313131FFFF"))
	}
	for name, c := range map[string]struct {
		proven bool
		change string // by another program, before
		effect cardtest.Effect
		after  func(*cardtest.PIV)
		want   smartcard.Reason // -1 for a signature
		tries  int
	}{
		"proven, card did not see it":    {true, "", cardtest.Removed(), nil, -1, 0},
		"proven, answer lost":            {true, "", cardtest.RemovedAfter(), nil, -1, 0},
		"proven, garbled":                {true, "", cardtest.Garbage(0x6F, 0), nil, -1, 0},
		"new, card did not see it":       {false, "", cardtest.Removed(), nil, smartcard.PINDoubtful, 5},
		"new, garbled":                   {false, "", cardtest.Garbage(0x6F, 0), nil, -1, 0},
		"wrong, answer lost":             {false, "111111", cardtest.RemovedAfter(), nil, smartcard.PINRefusedOnce, 4},
		"wrong, garbled":                 {false, "111111", cardtest.Garbage(0x6F, 0), nil, smartcard.PINRefusedOnce, 4},
		"wrong, torn":                    {false, "111111", cardtest.Truncated(1), nil, smartcard.PINRefusedOnce, 4},
		"wrong, answer lost, raised":     {false, "111111", cardtest.RemovedAfter(), raised, smartcard.PINDoubtful, 5},
		"changed, answer lost":           {true, "111111", cardtest.RemovedAfter(), nil, smartcard.PINRefusedOnce, 4},
		"changed, garbled, then raised":  {true, "111111", cardtest.Garbage(0x6F, 0), raised, smartcard.PINRefusedOnce, 5},
		"changed, answer lost, put back": {true, "111111", cardtest.RemovedAfter(), func(c *cardtest.PIV) { setPIN(c, "111111", rightPIN) }, -1, 0},
		// The one way to a second refusal: the PIN was changed, the answer lost, and the new one presented by another before we look.
		"changed, answer lost, raised": {true, "111111", cardtest.RemovedAfter(), raised, smartcard.PINRefused, 4},
	} {
		t.Run(name, func(t *testing.T) {
			card := newPIV(t, cardtest.PIVOptions{Tries: 5})
			d := newDesk(t, card)
			k := d.key(card, cardtest.SlotAuthentication)
			if c.proven {
				if err := sign(k); err != nil {
					t.Fatal(err)
				}
			}
			if c.change != "" {
				setPIN(card, rightPIN, c.change)
			}
			d.rack.Reset("left")
			card.Fault(1, cardtest.Presenting, c.effect)
			err := sign(k)
			if e, ok := errors.AsType[*smartcard.PINError](err); err == nil && c.want != -1 || err != nil && !ok && e == nil && !smartcard.Temporary(err) {
				t.Error(err)
			}
			d.restart()
			d.rack.Insert("left", card)
			if c.after != nil {
				c.after(card)
				d.rack.Reset("left")
			}
			if err = sign(d.key(card, cardtest.SlotAuthentication)); c.want == -1 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			pinError(t, err, c.want, c.tries)
			if n := card.Counts().Refused; n > 1 && name != "changed, answer lost, raised" || n > 2 {
				t.Errorf("%d refused", n)
			}
			pinError(t, sign(d.key(card, cardtest.SlotAuthentication)), map[bool]smartcard.Reason{true: smartcard.PINRefusedOnce, false: c.want}[c.want == smartcard.PINRefused], c.tries)
			unlocks(t, d, card)
		})
	}
}

// unlocks tests the remedy: a human presents the right PIN once, and the gateway goes on.
func unlocks(t *testing.T, d *desk, card *cardtest.PIV) {
	t.Helper()
	k := d.key(card, cardtest.SlotAuthentication)
	unlock := func(pin string) error {
		return d.card(smartcard.Selection{Reader: "left"}).Unlock(t.Context(), *k.Info().PIN, secret.New(pin))
	}
	d.pin = rightPIN
	if unlock(rightPIN) != nil {
		d.pin = "111111"
		if err := unlock(d.pin); err != nil {
			t.Fatal(err)
		}
	}
	if err := sign(k); err != nil {
		t.Error(err)
	}
}

// setPIN is what another program does.
func setPIN(c *cardtest.PIV, from, to string) {
	c.Transmit(unhex("00A4040005A000000308"))
	pad := func(s string) string { return hex.EncodeToString([]byte(s)) + "FFFF" }
	if a := c.Transmit(unhex("0024008010" + pad(from) + pad(to))); len(a) != 2 || a[0] != 0x90 {
		panic("the PIN was not changed")
	}
}

// An answer that is lost twice in a row is a matter for a human.
func TestDoubtTwice(t *testing.T) {
	card := newPIV(t, cardtest.PIVOptions{})
	d := newDesk(t, card)
	k := d.key(card, cardtest.SlotAuthentication)
	if err := sign(k); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.rack.Reset("left")
		card.Fault(1, cardtest.Presenting, cardtest.Removed())
		if err := sign(k); err == nil {
			t.Fatal("signed")
		}
		d.rack.Insert("left", card)
	}
	pinError(t, sign(k), smartcard.PINDoubtful, 3)
}

// An answer to VERIFY that holds data is to something else: a status word of success in it accepts no PIN, which would be presented again as
// for a key that asks for it each time.
func TestGarbledAcceptance(t *testing.T) {
	card := newPIV(t, cardtest.PIVOptions{Tries: 5})
	d := newDesk(t, card)
	d.setPIN("654321")
	k := d.key(card, cardtest.SlotAuthentication)
	card.Fault(1, cardtest.Presenting, cardtest.Garbage(1, 2, 3, 0x90, 0))
	for range 2 {
		if err := sign(k); err == nil {
			t.Error("signed with a wrong PIN")
		}
	}
	if n := card.Counts(); n.Presented != 1 || n.Refused != 1 {
		t.Errorf("%+v", n)
	}
}

// A key that asks for its PIN each time gets it each time, whether we know that beforehand or not.
func TestPINPerUse(t *testing.T) {
	n, p := newTCOS(t, cardtest.TCOSOptions{PINPerUse: true}), newPIV(t, cardtest.PIVOptions{})
	for name, k := range map[string]*smartcard.Key{"tcos": newDesk(t, n).key(n, cardtest.KeySignature), "piv": newDesk(t, p).key(p, cardtest.SlotSignature)} {
		for range 3 {
			if err := sign(k); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if a, b := n.Counts().Presented, p.Counts().Presented; a != 3 || b != 3 {
		t.Errorf("%d and %d presented", a, b)
	}
	// One that does not ask for it gets it once.
	k := newDesk(t, p).key(p, cardtest.SlotAuthentication)
	before := p.Counts().Presented
	for range 3 {
		if err := sign(k); err != nil {
			t.Error(err)
		}
	}
	if n := p.Counts().Presented - before; n > 1 {
		t.Errorf("%d presented", n)
	}
}
