package smartcard_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// What a card holds is told without a PIN.
func TestState(t *testing.T) {
	for _, c := range []struct {
		card   simulated
		serial string
		keys   int
		pins   int
	}{{newPIV(t, cardtest.PIVOptions{}), "12345678", 5, 1}, {newTCOS(t, cardtest.TCOSOptions{}), "89490176940000000001", 3, 3},
		{newTCOS(t, cardtest.TCOSOptions{Bare: true}), "89490176940000000001", 3, 3}} {
		d := newDesk(t, c.card)
		s, err := d.card(smartcard.Selection{}).State(t.Context())
		if err != nil || s.Identity.Serial != c.serial || len(s.Keys) != c.keys || len(s.PINs) != c.pins || s.Reader != "left" {
			t.Errorf("%+v, %v", s, err)
		}
		for _, p := range s.PINs {
			if !p.Known || p.Tries != 3 {
				t.Errorf("%+v", p)
			}
		}
		if n := c.card.Counts().Presented; n != 0 {
			t.Errorf("%d PINs presented", n)
		}
	}
}

// A card is found by its serial number in whichever reader it is, and never taken for another.
func TestSelection(t *testing.T) {
	a, b := newPIV(t, cardtest.PIVOptions{Serial: 1}), newPIV(t, cardtest.PIVOptions{Serial: 2})
	d := newDesk(t, a, b)
	for _, c := range []struct {
		want   smartcard.Selection
		reader string
		err    error
	}{
		{smartcard.Selection{Serial: "2"}, "right", nil},
		{smartcard.Selection{Serial: "1", Reader: "l*"}, "left", nil},
		{smartcard.Selection{Reader: "righ?"}, "right", nil},
		{smartcard.Selection{Serial: "1", Reader: "right"}, "", smartcard.ErrNotHere},
		{smartcard.Selection{Serial: "3"}, "", smartcard.ErrNotHere},
		{smartcard.Selection{}, "", smartcard.ErrAmbiguous},
		{smartcard.Selection{Reader: "up"}, "", smartcard.ErrNoReader},
	} {
		s, err := d.card(c.want).State(t.Context())
		if s.Reader != c.reader || !errors.Is(err, c.err) {
			t.Errorf("%+v: %q, %v", c.want, s.Reader, err)
		}
	}
	if _, err := d.wallet.Card(smartcard.Selection{Reader: `a\`}); err == nil {
		t.Error("a pattern without end")
	}
}

// Whatever happens to readers, cards and the service, a key works again as soon as its card is there.
func TestComesBack(t *testing.T) {
	c, other := newTCOS(t, cardtest.TCOSOptions{}), newPIV(t, cardtest.PIVOptions{})
	d := newDesk(t, c)
	k, err := d.card(smartcard.Selection{Serial: "89490176940000000001"}).Key(t.Context(), smartcard.Want{Fingerprint: fingerprint(c.Certificate(cardtest.KeyAuthentication))})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func() error
		want error
	}{
		{"used", func() error { return nil }, nil},
		{"reset", func() error { return d.rack.Reset("left") }, nil},
		{"pulled", func() error { return d.rack.Pull("left") }, smartcard.ErrNoCard},
		{"another card", func() error { return d.rack.Insert("left", other) }, smartcard.ErrNotHere},
		{"in the other reader", func() error { return d.rack.Insert("right", c) }, nil},
		{"pulled and put back", func() error { return errors.Join(d.rack.Pull("right"), d.rack.Insert("right", c)) }, nil},
		{"service stopped", func() error { d.rack.Stop(); return nil }, smartcard.ErrNoService},
		{"service started", func() error { d.rack.Start(); return nil }, nil},
		{"reset while it signs", func() error {
			c.Fault(1, cardtest.Using, cardtest.Meanwhile(func() { d.rack.Reset("right") }))
			return nil
		}, nil},
		{"pulled while it signs", func() error { c.Fault(1, cardtest.Using, cardtest.Removed()); return nil }, smartcard.ErrNotHere},
		{"put back", func() error { return d.rack.Insert("right", c) }, nil},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if err := sign(k); !errors.Is(err, step.want) || (err == nil) != (step.want == nil) || err != nil && !smartcard.Temporary(err) {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if n := c.Counts().Refused; n != 0 {
		t.Errorf("%d PINs refused", n)
	}
}

// Many use a card at once, each with its own context.
func TestManyAtOnce(t *testing.T) {
	c := newPIV(t, cardtest.PIVOptions{})
	d := newDesk(t, c)
	k := d.key(c, cardtest.SlotSignature)
	busy, release := make(chan struct{}), make(chan struct{})
	c.Fault(1, cardtest.Using, cardtest.Effect{Before: func() { close(busy); <-release }})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := sign(k); err != nil {
				t.Error(err)
			}
		})
	}
	<-busy
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sign(k.WithContext(ctx)); !errors.Is(err, context.Canceled) || !smartcard.Temporary(err) {
		t.Error(err)
	}
	close(release)
	wait.Wait()
	if n := c.Counts().Signatures; n != 8 || k.Signatures() != 8 {
		t.Errorf("%d signatures", n)
	}
	if err := d.wallet.Close(); err != nil {
		t.Error(err)
	}
	if err := sign(k); err == nil || smartcard.Temporary(err) {
		t.Error(err)
	}
}

// Mail that strangers send, however much it is, keeps no signature away: it waits for one of theirs at most.
func TestDecryptionLeavesRoom(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{})
		d := newDesk(t, c)
		card := d.card(smartcard.Selection{Reader: "left"})
		signing, opening := d.key(c, cardtest.SlotSignature), d.key(c, cardtest.SlotKeyManagement)
		var slots []byte // in the order in which the card used their keys
		c.Fault(1, func(cmd apdu.Command) bool {
			if cmd.INS == apdu.GeneralAuthenticate && cmd.CLA&0x10 == 0 {
				slots = append(slots, cmd.P2)
			}
			return false
		}, cardtest.Effect{})
		busy, release := make(chan struct{}), make(chan struct{})
		c.Fault(1, cardtest.Using, cardtest.Effect{Before: func() { close(busy); <-release }})
		var wait sync.WaitGroup
		wait.Go(func() { _ = sign(signing) })
		<-busy
		for range 20 {
			wait.Go(func() {
				//lint:ignore SA1019 it is what mail is encrypted by
				if _, err := opening.Decrypt(nil, make([]byte, 256), &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := card.Waiting(); n != 20 {
			t.Errorf("%d wait", n)
		}
		wait.Go(func() {
			if err := sign(signing); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(release)
		wait.Wait()
		if i := slices.Index(slots[1:], cardtest.SlotSignature); i > 1 || len(slots) != 22 {
			t.Errorf("signed after %d of %d", i, len(slots)-2)
		}
	})
}
