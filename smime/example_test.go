package smime_test

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/siegel-mail/siegel/smime"
)

// A message is signed by alice and encrypted for bob, whose gateway opens it.
func Example() {
	w := theWorld() // a root, and the certificates and keys of alice and bob
	letter := text("From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: hello\r\n\r\nHello Bob\r\n")

	var wire bytes.Buffer
	err := smime.Protect(&wire, letter, smime.ProtectOptions{
		Signers:   []smime.Signer{{Certificate: w.alice.cert, Key: w.alice.key}},
		EncryptTo: to(w.bob),
		Time:      now,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}

	opened, err := smime.Open(context.Background(), text(wire.String()), smime.OpenOptions{
		Keys: keys(w.bob), Judge: w.judge, Scratch: scratch, Now: now,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer opened.Close()
	fmt.Println(opened.Verdict)
	for _, l := range opened.Layers {
		fmt.Printf("%s %s%s\n", l.Type, l.Algorithm, l.Verdict)
	}
	// Output:
	// valid
	// enveloped aes256-cbc
	// signed valid
}
