package tcos_test

import (
	"context"
	"fmt"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// What a NetKey holds is listed without a PIN.
func ExampleNew() {
	simulated, err := cardtest.NewTCOS(cardtest.TCOSOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rack := cardtest.NewRack("reader")
	rack.Insert("reader", simulated)
	wallet, err := smartcard.New(smartcard.Options{Transport: rack.Transport(), Families: []smartcard.Family{tcos.New(tcos.Options{})},
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
	// tcos 89490176940000000001 NetKey (TCOS 3)
	// signature (NetKey, key 80) the global PIN (reference 00)
	// encryption (NetKey, key 81) the global PIN (reference 00)
	// authentication (NetKey, key 82) the global PIN (reference 00)
}
