package smartcard_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
)

// A key on a simulated card signs; with package pcsc as the transport it is a real one.
func Example() {
	simulated, err := cardtest.NewPIV(cardtest.PIVOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rack := cardtest.NewRack("reader")
	rack.Insert("reader", simulated)
	wallet, err := smartcard.New(smartcard.Options{
		Transport: rack.Transport(), Families: []smartcard.Family{piv.New(piv.Options{})},
		Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32),
		PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New("123456"), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wallet.Close()
	card, _ := wallet.Card(smartcard.Selection{Serial: "12345678"})
	state, err := card.State(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := card.Key(context.Background(), smartcard.Want{Fingerprint: state.Keys[0].Fingerprint()})
	if err != nil {
		fmt.Println(err)
		return
	}
	digest := sha256.Sum256([]byte("a message"))
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	fmt.Println(key.Info().Name, len(signature), err)
	// Output: authentication (9A) 256 <nil>
}
