package apdu_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// A card hands out an object of 300 octets in two pieces, and refuses a PIN.
func Example() {
	object := apdu.Encode(0x53, apdu.Encode(0x70, make([]byte, 292)))
	card := func(command []byte) ([]byte, error) {
		switch c, _ := apdu.Parse(command); c.INS {
		case apdu.GetData:
			return append(append([]byte(nil), object[:256]...), 0x61, byte(len(object)-256)), nil
		case apdu.GetResponse:
			return append(append([]byte(nil), object[256:]...), 0x90, 0x00), nil
		}
		return []byte{0x63, 0xC2}, nil
	}

	r, err := apdu.Exchange(card, apdu.Command{INS: apdu.GetData, P1: 0x3F, P2: 0xFF, Data: apdu.Encode(0x5C, []byte{0x5F, 0xC1, 0x05}), Ne: 256}, apdu.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	certificate, _, err := apdu.Find(r.Data, 0x53, 0x70)
	fmt.Println(len(certificate), r.Status, err)

	verify := apdu.Command{INS: apdu.Verify, P2: 0x80, Data: []byte("000000\xFF\xFF")}
	if r, err = apdu.Exchange(card, verify, apdu.Options{}); err == nil {
		fmt.Println(r.Err(verify, apdu.PIV))
	}
	// Output:
	// 292 done (90 00) <nil>
	// VERIFY: the PIN is wrong; tries left: 2 (63 C2)
}
