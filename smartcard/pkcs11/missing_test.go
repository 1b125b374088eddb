//go:build !cgo

package pkcs11_test

import (
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// A program that cannot load modules says so.
func TestMissing(t *testing.T) {
	w, err := pkcs11.New(pkcs11.Options{Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	token, err := w.Token(pkcs11.Selection{Module: "/usr/lib/softhsm/libsofthsm2.so", Token: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.State(t.Context()); !errors.Is(err, pkcs11.ErrMissing) || smartcard.Temporary(err) || pkcs11.Available {
		t.Error(err)
	}
}
