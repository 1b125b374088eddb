//go:build unix && cgo

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// What is asked at a terminal, with a card at the real service.
func TestSmartcardPrompts(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	d.Plug(t, 0, card)
	testscript.Run(t, testscript.Params{Dir: "testdata/smartcardtty", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
		e.Setenv("PCSCLITE_CSOCK_NAME", d.Socket())
		return nil
	}})
	t.Cleanup(func() {
		if n := card.Counts(); n.Refused > 0 {
			t.Errorf("%+v", n)
		}
	})
}
