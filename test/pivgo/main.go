// Command pivgo lets github.com/go-piv/piv-go judge the PIV card in the first reader whose name it is given: it reads, presents the PIN,
// and uses each key. It prints what it did, and fails where anything is wrong.
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/go-piv/piv-go/v2/piv"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pivgo READER PIN")
		os.Exit(2)
	}
	if err := judge(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pivgo:", err)
		os.Exit(1)
	}
}

func judge(reader, pin string) error {
	card, err := piv.Open(reader)
	if err != nil {
		return err
	}
	defer card.Close()
	serial, err := card.Serial()
	if err != nil {
		return fmt.Errorf("serial: %w", err)
	}
	left, err := card.Retries() // it asks before the PIN was presented, since the card says "presented" afterwards
	if err != nil {
		return err
	}
	fmt.Println("serial", serial, "version", card.Version(), "tries", left)
	if err := card.VerifyPIN(pin); err != nil {
		return err
	}
	for _, slot := range []piv.Slot{piv.SlotAuthentication, piv.SlotSignature, piv.SlotCardAuthentication, piv.SlotKeyManagement} {
		if err := use(card, slot, pin); err != nil {
			return fmt.Errorf("slot %s: %w", slot, err)
		}
		fmt.Println("slot", slot, "works")
	}
	var refused piv.AuthErr
	if err := card.VerifyPIN("99999999"); !errors.As(err, &refused) || refused.Retries != 2 {
		return fmt.Errorf("a wrong PIN: %w", err)
	}
	return card.VerifyPIN(pin)
}

// use signs with the key of a slot, deciphers or agrees, and holds the result against the certificate.
func use(card *piv.YubiKey, slot piv.Slot, pin string) error {
	cert, err := card.Certificate(slot)
	if err != nil {
		return err
	}
	info, err := card.KeyInfo(slot)
	if err != nil {
		return err
	}
	if public, ok := info.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
		return errors.New("the metadata tell of another key")
	}
	key, err := card.PrivateKey(slot, cert.PublicKey, piv.KeyAuth{PIN: pin, PINPolicy: info.PINPolicy})
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("judged"))
	switch public := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if slot == piv.SlotKeyManagement {
			return decipher(key, public)
		}
		out, err := key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			return err
		}
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], out)
	case *ecdsa.PublicKey:
		if slot == piv.SlotKeyManagement {
			return agree(key, public)
		}
		out, err := key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			return err
		}
		if !ecdsa.VerifyASN1(public, sum[:], out) {
			return errors.New("the signature is wrong")
		}
	}
	return nil
}

func decipher(key crypto.PrivateKey, public *rsa.PublicKey) error {
	secret, err := rsa.EncryptPKCS1v15(rand.Reader, public, []byte("judged"))
	if err != nil {
		return err
	}
	out, err := key.(crypto.Decrypter).Decrypt(rand.Reader, secret, nil)
	if err == nil && string(out) != "judged" {
		err = errors.New("deciphered to something else")
	}
	return err
}

func agree(key crypto.PrivateKey, public *ecdsa.PublicKey) error {
	theirs, err := public.ECDH()
	if err != nil {
		return err
	}
	mine, err := theirs.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	want, err := mine.ECDH(theirs)
	if err != nil {
		return err
	}
	got, err := key.(interface {
		ECDH(*ecdh.PublicKey) ([]byte, error)
	}).ECDH(mine.PublicKey())
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("agreed on something else")
	}
	return err
}
