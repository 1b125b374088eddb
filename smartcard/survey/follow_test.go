package survey_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// Each change is told once: cards that are pulled and put in, readers, and the service.
func TestFollow(t *testing.T) {
	p, n := newPIV(t), newTCOS(t, cardtest.TCOSOptions{})
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, p, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var told []string
		done := make(chan error)
		go func() {
			done <- survey.Follow(ctx, d.o, func(e survey.Event) {
				if !e.At.Equal(now) {
					t.Errorf("at %v", e.At)
				}
				told = append(told, strings.TrimSpace(e.Reader+" "+e.Text))
			})
		}()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.EqualFunc(told, want, strings.HasPrefix) {
				t.Errorf("told:\n%s", strings.Join(told, "\n"))
			}
			told = nil
		}
		expect("a card piv 12345678 (PIV card of Yubico's kind), 3 certificates; the PIN: 3 tries left", "b no card")
		if err := d.rack.Insert("b", n); err != nil {
			t.Fatal(err)
		}
		expect("b card tcos 89490176940000000001 (NetKey (TCOS 3)), 3 certificates")
		if err := d.rack.Pull("a"); err != nil {
			t.Fatal(err)
		}
		expect("a the card was pulled")
		d.rack.Stop()
		expect("the service for smart cards (pcscd) does not run; start it")
		d.rack.Start()
		synctest.Wait()
		<-time.After(2 * time.Second)
		expect("the service for smart cards is back", "a no card", "b card tcos")
		if err := d.rack.Insert("a", stranger{[]byte("\x3B\x00"), []byte{0x6A, 0x82}}); err != nil {
			t.Fatal(err)
		}
		expect("a an unknown card, ATR 3B00")
		d.rack.Detach("b")
		expect("b the reader has gone; look at its cable")
		d.rack.Attach("b")
		synctest.Wait()
		if err := d.rack.Misplace("a"); err != nil {
			t.Fatal(err)
		}
		expect("b ", "a a card is in the reader, and does not answer; turn it over")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// stubborn is readers that fail in a way that does not pass.
type stubborn struct{ smartcard.Transport }

func (stubborn) Readers(context.Context) ([]smartcard.ReaderState, error) {
	return nil, errors.New("built without")
}

func TestFollowFails(t *testing.T) {
	d := newDesk(t)
	d.o.Transport = stubborn{d.o.Transport}
	if err := survey.Follow(t.Context(), d.o, func(survey.Event) {}); err == nil || err.Error() != "built without" {
		t.Error(err)
	}
}

// Other readers than those that are followed are not told of, and that there is none is.
func TestFollowOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for reader, want := range map[string]string{"b": "b no card", "c": "", "": "a no card, b no card"} {
			d := newDesk(t, nil, nil)
			d.o.Only.Reader = reader
			if got := followed(t, d); got != want {
				t.Errorf("%q: %s", reader, got)
			}
		}
		if got := followed(t, newDesk(t)); got != "no reader is there" {
			t.Error(got)
		}
	})
}

// followed is what is told at once.
func followed(t *testing.T, d *desk) string {
	ctx, cancel := context.WithCancel(t.Context())
	var told []string
	done := make(chan error)
	go func() {
		done <- survey.Follow(ctx, d.o, func(e survey.Event) { told = append(told, strings.TrimSpace(e.Reader+" "+e.Text)) })
	}()
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return strings.Join(told, ", ")
}
