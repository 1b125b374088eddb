package piv_test

import (
	"context"
	"fmt"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
)

// What a PIV card holds is listed without a PIN.
func ExampleNew() {
	simulated, err := cardtest.NewPIV(cardtest.PIVOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rack := cardtest.NewRack("reader")
	rack.Insert("reader", simulated)
	wallet, err := smartcard.New(smartcard.Options{Transport: rack.Transport(), Families: []smartcard.Family{piv.New(piv.Options{})},
		Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wallet.Close()
	card, _ := wallet.Card(smartcard.Selection{})
	state, err := card.State(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(state.Identity, state.Identity.Label)
	for _, k := range state.Keys {
		fmt.Println(k.Name, k.PIN)
	}
	// Output:
	// piv 12345678 PIV card of Yubico's kind
	// authentication (9A) the PIN (reference 80)
	// signature (9C) the PIN (reference 80)
	// key management (9D) the PIN (reference 80)
	// card authentication (9E) <nil>
}
