package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// A key in a token signs. The module of this example is not there, so that it says what is missing instead.
func Example() {
	wallet, err := pkcs11.New(pkcs11.Options{
		Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32),
		PINs: func(context.Context, pkcs11.Selection, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New("123456"), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wallet.Close()
	token, err := wallet.Token(pkcs11.Selection{Module: "/usr/lib/vendor/hsm.so", Token: "gateway"})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := token.Key(context.Background(), pkcs11.Want{Fingerprint: "9b2c..."})
	if err != nil {
		fmt.Println(token, "cannot be used")
		return
	}
	digest := sha256.Sum256([]byte("a message"))
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	fmt.Println(len(signature), err)
	// Output: token "gateway" cannot be used
}
