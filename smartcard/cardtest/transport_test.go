package cardtest_test

import (
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/transporttest"
)

// The readers in the process keep the contract of a transport.
func TestTransport(t *testing.T) {
	c := smallPIV(t)
	transporttest.Run(t, func(*testing.T) transporttest.Stand {
		r := cardtest.NewRack("left")
		return transporttest.Stand{Transport: r.Transport(), Reader: "left", ATR: c.ATR(),
			Plug:  func(t *testing.T) { insert(t, r, c) },
			Pull:  func(*testing.T) { r.Pull("left") },
			Stop:  func(*testing.T) { r.Stop() },
			Start: func(*testing.T) { r.Pull("left"); r.Start() },
		}
	})
}
