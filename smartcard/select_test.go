package smartcard_test

import (
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
)

// Names of readers are patterns, with their brackets and slashes, but for what can be no name.
func TestSelectionCheck(t *testing.T) {
	for pattern, ok := range map[string]bool{"": true, "Cherry *": true, "Virtual PCD [a] 00/01": true, `Cherry\`: false} {
		if err := (smartcard.Selection{Reader: pattern}).Check(); (err == nil) != ok {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// The PIN of a PIV card may be the global one, which has the number zero.
func TestPIVGlobalPIN(t *testing.T) {
	d := newDesk(t, newPIV(t, cardtest.PIVOptions{}))
	for want, o := range map[byte]piv.Options{0x80: {}, 0: {PINRef: new(byte)}} {
		w, err := smartcard.New(smartcard.Options{
			Transport: d.rack.Transport(), Families: []smartcard.Family{piv.New(o)}, Memory: d.memory, FingerprintKey: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := w.Card(smartcard.Selection{Reader: "left"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.State(t.Context())
		if err != nil || len(s.Keys) == 0 || len(s.PINs) == 0 {
			t.Fatal(s, err)
		}
		for _, k := range s.Keys {
			if k.PIN != nil && k.PIN.Ref != want {
				t.Errorf("the PIN %s, not %02X", k.PIN, want)
			}
		}
		w.Close()
	}
}
