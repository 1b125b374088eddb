package smartcard_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// thePIN is that of the keys of the card in the left reader.
func (d *desk) thePIN(name string) (*smartcard.Card, smartcard.PIN) {
	d.t.Helper()
	c := d.card(smartcard.Selection{Reader: "left"})
	s, err := c.State(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for p := range s.PINs {
		if p.Name == name {
			return c, p
		}
	}
	d.t.Fatalf("no %s in %v", name, s.PINs)
	return nil, smartcard.PIN{}
}

// bothCards are a card of each family, with the name of the PIN that opens a key.
func bothCards(t *testing.T, tries int) map[string]struct {
	card simulated
	key  byte
} {
	return map[string]struct {
		card simulated
		key  byte
	}{
		"the PIN":        {newPIV(t, cardtest.PIVOptions{Tries: tries}), cardtest.SlotAuthentication},
		"the global PIN": {newTCOS(t, cardtest.TCOSOptions{Tries: tries}), cardtest.KeyAuthentication},
	}
}

// A human may present a PIN where the gateway would not, and the gateway goes on from there, also another process of it.
func TestUnlock(t *testing.T) {
	for name, c := range bothCards(t, 3) {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, c.card)
			card, p := d.thePIN(name)
			unlock := func(pin string) error { return card.Unlock(t.Context(), p, secret.New(pin)) }
			pinError(t, unlock(""), smartcard.PINMissing, 3)
			pinError(t, unlock("1234"), smartcard.PINForm, 3)
			d.pin = "654321"
			k := d.key(c.card, c.key)
			pinError(t, sign(k), smartcard.PINRefused, 2)
			pinError(t, unlock("654321"), smartcard.PINRefused, 1)
			d.pin = rightPIN
			pinError(t, sign(k), smartcard.PINFewTries, 1)
			if err := unlock(rightPIN); err != nil {
				t.Fatal(err)
			}
			d.rack.Reset("left")
			d.restart()
			if err := sign(d.key(c.card, c.key)); err != nil {
				t.Error(err)
			}
			d.pin = "654321" // the wrong one stays what it is
			d.rack.Reset("left")
			pinError(t, sign(d.key(c.card, c.key)), smartcard.PINRefusedOnce, 3)
		})
	}
}

// Nobody presents a PIN that is blocked; the PUK gives it a new value and all tries.
func TestUnblock(t *testing.T) {
	for name, c := range bothCards(t, 3) {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, c.card)
			card, p := d.thePIN(name)
			if err := sign(d.key(c.card, c.key)); err != nil {
				t.Fatal(err)
			}
			d.rack.Reset("left")
			for tries := 2; tries >= 0; tries-- {
				pinError(t, card.Unlock(t.Context(), p, secret.New("654321")), smartcard.PINRefused, tries)
			}
			before := c.card.Counts().Presented
			pinError(t, card.Unlock(t.Context(), p, secret.New(rightPIN)), smartcard.PINBlocked, 0)
			pinError(t, card.ChangePIN(t.Context(), p, secret.New(rightPIN), secret.New("222222")), smartcard.PINBlocked, 0)
			if n := c.card.Counts().Presented; n != before {
				t.Errorf("%d presented", n-before)
			}
			unblock := func(puk, pin string) error {
				return card.Unblock(t.Context(), p, secret.New(puk), secret.New(pin))
			}
			for want, err := range map[smartcard.Reason]error{smartcard.PINNewForm: unblock("12345678", "1"), smartcard.PINForm: unblock("1", "222222"), smartcard.PINMissing: unblock("", "222222")} {
				if e, ok := errors.AsType[*smartcard.PINError](err); !ok || e.Reason != want {
					t.Errorf("%v: %v", want, err)
				}
			}
			pinError(t, unblock("87654321", "222222"), smartcard.PUKRefused, 2)
			if err := unblock("12345678", "222222"); err != nil {
				t.Fatal(err)
			}
			pinError(t, sign(d.key(c.card, c.key)), smartcard.PINRefusedOnce, 3) // the old value, which was superseded
			d.pin = "222222"
			if err := sign(d.key(c.card, c.key)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A PUK without tries is not presented where the card tells, and said to be blocked where it does not.
func TestPUKBlocked(t *testing.T) {
	for name, c := range bothCards(t, 3) {
		d := newDesk(t, c.card)
		card, p := d.thePIN(name)
		for range 3 {
			card.Unblock(t.Context(), p, secret.New("87654321"), secret.New("222222"))
		}
		before := c.card.Counts().Presented
		err := card.Unblock(t.Context(), p, secret.New("12345678"), secret.New("222222"))
		if e, ok := errors.AsType[*smartcard.PINError](err); !ok || e.Reason != smartcard.PUKBlocked {
			t.Errorf("%s: %v", name, err)
		}
		if n := c.card.Counts().Presented - before; name == "the global PIN" && n != 0 {
			t.Errorf("%d presented", n)
		}
	}
}

// A PIN gets another value, from its first one too, and the gateway does not present the old one any more.
func TestChangePIN(t *testing.T) {
	for name, c := range bothCards(t, 3) {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, c.card)
			card, p := d.thePIN(name)
			change := func(old, value string) error {
				return card.ChangePIN(t.Context(), p, secret.New(old), secret.New(value))
			}
			if err := sign(d.key(c.card, c.key)); err != nil {
				t.Fatal(err)
			}
			d.rack.Reset("left")
			pinError(t, change("", "222222"), smartcard.PINMissing, 3)
			pinError(t, change(rightPIN, "22"), smartcard.PINNewForm, 3)
			pinError(t, change("654321", "222222"), smartcard.PINRefused, 2)
			if err := change(rightPIN, "222222"); err != nil {
				t.Fatal(err)
			}
			d.rack.Reset("left")
			before := c.card.Counts().Presented
			pinError(t, sign(d.key(c.card, c.key)), smartcard.PINRefusedOnce, 3)
			if n := c.card.Counts().Presented; n != before {
				t.Error("the old one was presented")
			}
			d.pin = "222222"
			if err := sign(d.key(c.card, c.key)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where none has been set the holder sets the first one, of each PIN of the card by itself.
func TestNullPIN(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{NullPIN: true})
	d := newDesk(t, c)
	for _, name := range []string{"PIN 1", "PIN 2", "the global PIN"} {
		card, p := d.thePIN(name)
		pinError(t, card.Unlock(t.Context(), p, secret.New(rightPIN)), smartcard.PINNull, -1)
		if err := card.ChangePIN(t.Context(), p, secret.String{}, secret.New(rightPIN)); err != nil {
			t.Error(name, err)
		}
		if err := card.Unlock(t.Context(), p, secret.New(rightPIN)); err != nil {
			t.Error(name, err)
		}
	}
	d.rack.Reset("left")
	if err := sign(d.key(c, cardtest.KeyAuthentication)); err != nil {
		t.Error(err)
	}
}

// What a human does is done once, whatever becomes of the link and of who waits.
func TestActOnce(t *testing.T) {
	for name, effect := range map[string]cardtest.Effect{"pulled": cardtest.RemovedAfter(), "garbled": cardtest.Garbage(0x6F, 0), "not seen": cardtest.Removed()} {
		c := newPIV(t, cardtest.PIVOptions{Tries: 5})
		d := newDesk(t, c)
		card, p := d.thePIN("the PIN")
		for what, act := range map[string]func() error{
			"unlock":  func() error { return card.Unlock(t.Context(), p, secret.New("654321")) },
			"change":  func() error { return card.ChangePIN(t.Context(), p, secret.New("654321"), secret.New("111111")) },
			"unblock": func() error { return card.Unblock(t.Context(), p, secret.New("87654321"), secret.New("111111")) },
		} {
			d.rack.Insert("left", c)
			before := c.Counts().Presented
			c.Fault(1, cardtest.Presenting, effect)
			if err := act(); err == nil {
				t.Errorf("%s, %s: no error", name, what)
			}
			if n := c.Counts().Presented - before; n > 1 {
				t.Errorf("%s, %s: %d presented", name, what, n)
			}
		}
		d.rack.Insert("left", c)
		d.pin = "654321"
		before := c.Counts().Presented
		if err := sign(d.key(c, cardtest.SlotAuthentication)); err == nil || c.Counts().Presented != before {
			t.Errorf("%s: presented by itself: %v", name, err)
		}
	}
}

// Who goes away while a PIN is presented does not keep its answer from being noted.
func TestAnswerIsWaitedFor(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{Tries: 5})
	d := newDesk(t, c)
	d.pin = "654321"
	k := d.key(c, cardtest.SlotAuthentication)
	ctx, cancel := context.WithCancel(t.Context())
	c.Fault(1, cardtest.Presenting, cardtest.Meanwhile(cancel))
	pinError(t, sign(k.WithContext(ctx)), smartcard.PINRefused, 4)
	pinError(t, sign(k), smartcard.PINRefusedOnce, 4)
}

// A card that does not like the new value has not refused the old one.
func TestNewValueRefused(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	d := newDesk(t, c)
	card, p := d.thePIN("the PIN")
	if err := sign(d.key(c, cardtest.SlotAuthentication)); err != nil {
		t.Fatal(err)
	}
	d.rack.Reset("left")
	c.Fault(1, cardtest.Instruction(apdu.ChangeReference), cardtest.Fails(apdu.BadData))
	err := card.ChangePIN(t.Context(), p, secret.New(rightPIN), secret.New("111111"))
	pinError(t, err, smartcard.PINNewForm, 3)
	if !strings.Contains(err.Error(), "6A 80") {
		t.Error(err)
	}
	if err := sign(d.key(c, cardtest.SlotAuthentication)); err != nil {
		t.Error(err)
	}
}

// A key may be opened by another PIN than the card names.
func TestWantPIN(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{PIN2: "222222"})
	d := newDesk(t, c)
	ref := cardtest.TCOSPIN2
	k, err := d.card(smartcard.Selection{}).Key(t.Context(), smartcard.Want{Fingerprint: fingerprint(c.Certificate(cardtest.KeyAuthentication)), PINRef: &ref})
	if err != nil || k.Info().PIN.Ref != ref || k.Info().PIN.Application != "NetKey" {
		t.Fatal(k, err)
	}
	d.pin = "222222"
	if err := sign(k); err != nil {
		t.Error(err)
	}
	if n := c.Counts(); n.Refused != 0 || n.Presented != 1 {
		t.Errorf("%+v", n)
	}
}
