package cardtest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// A card refuses a wrong PIN, counts it, and is pulled when it is asked again.
func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	card, err := cardtest.NewPIV(cardtest.PIVOptions{PIN: "424242", Keys: map[byte]crypto.Signer{cardtest.SlotSignature: key}})
	if err != nil {
		fmt.Println(err)
		return
	}
	card.Transmit([]byte{0x00, apdu.Select, 4, 0, 5, 0xA0, 0, 0, 3, 8})
	wrong := []byte("\x00\x20\x00\x80\x08000000\xFF\xFF")
	fmt.Printf("%X\n", card.Transmit(wrong))
	fmt.Println(card.Tries(cardtest.PIVPIN), card.Counts().Refused)

	card.Fault(1, cardtest.Presenting, cardtest.Removed())
	fmt.Println(card.Transmit(wrong) == nil, card.Tries(cardtest.PIVPIN))
	// Output:
	// 63C2
	// 2 1
	// true 2
}

// The readers of a rack are those of a program that uses cards; a hand pulls the card, and the program is told.
func ExampleRack_Transport() {
	card, err := cardtest.NewPIV(cardtest.PIVOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rack := cardtest.NewRack("reader")
	rack.Insert("reader", card)
	readers := rack.Transport()
	known, err := readers.Readers(context.Background())
	fmt.Println(known[0].Name, known[0].ATR != nil, err)
	rack.Pull("reader")
	now, err := readers.Watch(context.Background(), known)
	fmt.Println(now[0].Name, now[0].ATR != nil, err)
	// Output:
	// reader true <nil>
	// reader false <nil>
}
