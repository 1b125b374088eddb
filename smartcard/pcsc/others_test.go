//go:build cgo && unix

package pcsc_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// OpenSC resets the card again and again, and reads it, while it signs: each signature is made, and no PIN is refused.
func TestOthersReset(t *testing.T) {
	d := pcscdtest.Start(t)
	c := quick(t, 1)
	b := bind("card", c, smartcard.Selection{Serial: "1"})
	s := newStand(t, d, b)
	d.Plug(t, 0, c)
	s.await("card", smartcard.Ready)
	over := make(chan struct{})
	var signing sync.WaitGroup
	signing.Go(func() {
		for {
			if err := s.sign(b); err != nil {
				t.Error(err)
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	for c.Counts().Signatures < 4 {
		d.Run(t, "opensc-tool", "--reader", d.Reader(0), "--reset")
		d.Run(t, "piv-tool", "--reader", d.Reader(0), "--name")
	}
	close(over)
	signing.Wait()
	if n := c.Counts(); n.Resets < 3 {
		t.Errorf("%+v", n)
	}
	innocent(t, c)
	s.await("card", smartcard.Ready)
}

// A program that holds the card for itself is a condition with a name, and the card works when it has ended.
func TestOthersHold(t *testing.T) {
	d := pcscdtest.Start(t)
	conf := filepath.Join(t.TempDir(), "opensc.conf")
	if err := os.WriteFile(conf, []byte("app default {\n reader_driver pcsc {\n  connect_exclusive = true;\n }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENSC_CONF", conf)
	c := quick(t, 1)
	b := bind("card", c, smartcard.Selection{Serial: "1"})
	d.Plug(t, 0, c)
	held, release := make(chan struct{}), make(chan struct{})
	c.Fault(1, cardtest.Instruction(apdu.Select), cardtest.Effect{Before: func() { close(held); <-release }})
	var other sync.WaitGroup
	other.Go(func() { d.Run(t, "piv-tool", "--reader", d.Reader(0), "--name") })
	<-held
	s := newStand(t, d, b)
	s.await("card", smartcard.Busy)
	if err := s.sign(b); !smartcard.Temporary(err) {
		t.Error(err)
	}
	close(release)
	other.Wait()
	s.await("card", smartcard.Ready)
	if err := s.sign(b); err != nil {
		t.Error(err)
	}
	innocent(t, c)
}
