package smartcard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// A card that hangs keeps nobody from another, and is not asked again where it is known to be another.
func TestHungCard(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := newPIV(t, cardtest.PIVOptions{Serial: 1}), newPIV(t, cardtest.PIVOptions{Serial: 2})
		d := newDesk(t, a, b)
		hung := make(chan struct{})
		defer close(hung)
		a.Fault(1000, nil, cardtest.Slow(hung))
		began := time.Now()
		s, err := d.card(smartcard.Selection{Serial: "2"}).State(t.Context())
		if err != nil || s.Reader != "right" || time.Since(began) > 2*time.Second {
			t.Error(s.Reader, err, time.Since(began))
		}
		_, err = d.card(smartcard.Selection{Serial: "1"}).State(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !smartcard.Temporary(err) || !strings.Contains(err.Error(), `"left"`) || !strings.Contains(err.Error(), "piv 2") {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err = d.card(smartcard.Selection{Serial: "1"}).State(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A card that is known to be another is left alone, until its reader changes.
func TestOthersLeftAlone(t *testing.T) {
	a, b := newPIV(t, cardtest.PIVOptions{Serial: 1}), newPIV(t, cardtest.PIVOptions{Serial: 2})
	d := newDesk(t, a, b)
	state := func() error {
		_, err := d.card(smartcard.Selection{Serial: "2"}).State(t.Context())
		return err
	}
	if err := state(); err != nil {
		t.Fatal(err)
	}
	before := a.Counts().Commands
	d.rack.Reset("right")
	if err := state(); err != nil {
		t.Error(err)
	}
	if n := a.Counts().Commands - before; n != 0 {
		t.Errorf("the other card was asked %d times", n)
	}
	// It is found also where the other one was.
	for _, step := range []error{d.rack.Pull("left"), d.rack.Insert("left", b), d.rack.Insert("right", a)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if s, err := d.card(smartcard.Selection{Serial: "2"}).State(t.Context()); err != nil || s.Reader != "left" {
		t.Error(s.Reader, err)
	}
}

// What is wrong says which card is wanted and what is there, and whether it may pass.
func TestAbsent(t *testing.T) {
	a := newPIV(t, cardtest.PIVOptions{Serial: 1})
	for _, c := range []struct {
		name      string
		want      smartcard.Selection
		do        func(*desk)
		is        error
		temporary bool
		says      []string
	}{
		{"pulled", smartcard.Selection{Serial: "1"}, func(d *desk) { d.rack.Pull("left") }, smartcard.ErrNoCard, true, []string{"card 1", `"left"`, `"right"`}},
		{"another", smartcard.Selection{Serial: "7"}, nil, smartcard.ErrNotHere, true, []string{"card 7", `piv 1 in reader "left"`}},
		{"no such reader", smartcard.Selection{Serial: "7", Reader: "up*"}, nil, smartcard.ErrNoReader, true, []string{"card 7", `"up*"`, `reader "left"`}},
		{"unknown", smartcard.Selection{Serial: "7"}, func(d *desk) { d.rack.Insert("left", &stranger{}) }, smartcard.ErrUnknownCard, true, []string{"card 7", "3B021450"}},
		{"unknown, none named", smartcard.Selection{}, func(d *desk) { d.rack.Insert("left", &stranger{}) }, smartcard.ErrUnknownCard, false, []string{`"left"`, "3B021450"}},
		{"another and an unknown", smartcard.Selection{Serial: "7"}, func(d *desk) { d.rack.Insert("right", &stranger{}) }, smartcard.ErrNotHere, true, []string{"card 7", "piv 1", "3B021450"}},
		{"garbled", smartcard.Selection{Serial: "1"}, func(*desk) { a.Fault(1, nil, cardtest.Garbage(1)) }, apdu.ErrAnswer, true, []string{"card 1", `"left"`}},
		{"two", smartcard.Selection{}, func(d *desk) { d.rack.Insert("right", newPIV(t, cardtest.PIVOptions{Serial: 2})) }, smartcard.ErrAmbiguous, false, []string{"piv 1", "piv 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, a)
			if c.do != nil {
				c.do(d)
			}
			_, err := d.card(c.want).State(t.Context())
			if !errors.Is(err, c.is) || smartcard.Temporary(err) != c.temporary {
				t.Errorf("%v, temporary %v", err, smartcard.Temporary(err))
			}
			for _, text := range c.says {
				if !strings.Contains(fmt.Sprint(err), text) {
					t.Errorf("%v does not say %s", err, text)
				}
			}
			a.Heal()
		})
	}
}

// What was found is said within bounds.
func TestAbsentBounded(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("reader %d %s", i, strings.Repeat("x", 1000)))
	}
	d := &desk{t: t, rack: cardtest.NewRack(names...), memory: smartcard.ForThisRun()}
	d.restart()
	defer d.wallet.Close()
	_, err := d.card(smartcard.Selection{Serial: strings.Repeat("1", 1000)}).State(t.Context())
	if !errors.Is(err, smartcard.ErrNoCard) || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "92 more") {
		t.Error(len(fmt.Sprint(err)), err)
	}
}

// Close waits for the operation that runs, in its turn, and tells those who wait, however many they are.
func TestCloseInTurn(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{})
		d := newDesk(t, c)
		k := d.key(c, cardtest.SlotAuthentication)
		release := make(chan struct{})
		c.Fault(1, cardtest.Using, cardtest.Slow(release))
		results := make(chan error, 300)
		for range 300 { // more than may wait
			go func() { results <- sign(k) }()
			synctest.Wait()
		}
		closed := make(chan struct{})
		go func() { d.wallet.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed while a key was used")
		default:
		}
		close(release)
		<-closed
		signed, busy := 0, 0
		for range 300 {
			switch err := <-results; {
			case err == nil:
				signed++
			case errors.Is(err, smartcard.ErrBusy):
				busy++
			case smartcard.Temporary(err):
				t.Error(err)
			}
		}
		if signed != 1 || busy != 43 {
			t.Errorf("%d signed, %d busy", signed, busy)
		}
	})
}
