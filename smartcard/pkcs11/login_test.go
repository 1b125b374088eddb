//go:build cgo && unix

package pkcs11_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// A key that asks for its PIN each time gets it each time.
func TestAlwaysAuthenticate(t *testing.T) {
	f := newFaulty(t)
	der, err := x509.MarshalPKCS8PrivateKey(getKeys(t).rsa[0])
	if err != nil {
		t.Fatal(err)
	}
	f.run("pkcs11-tool", "--module", softhsm, "--token-label", "gw", "--login", "--pin", "123456", "--write-object", f.write("key.der", "", der),
		"--type", "privkey", "--id", "a1", "--always-auth", "--usage-sign", "--usage-decrypt")
	cert := certify(t, "always", getKeys(t).rsa[0], 0)
	f.certificate("gw", "a1", cert)
	d := newDesk(t)
	k := f.use(d, cert)
	for range 2 {
		if err := sign(k); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.logins(); !slices.Equal(got, []string{"user 1, PIN: 0x0", "user 2, PIN: 0x0", "user 2, PIN: 0x0"}) {
		t.Errorf("%q", got)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	secret, err := rsa.EncryptPKCS1v15(rand.Reader, k.Public().(*rsa.PublicKey), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	if _, err := k.Decrypt(nil, secret, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32}); err != nil || len(f.logins()) != 4 {
		t.Error(err)
	}
	f.fault("C_GetTokenInfo", "flags 0x10000")
	if err := sign(k); !isPIN(err, smartcard.PINFewTries) || len(f.logins()) != 4 {
		t.Errorf("%v, %q", err, f.logins())
	}
	f.heal("C_GetTokenInfo")
	if err := sign(k); err != nil {
		t.Error(err)
	}
}

func isPIN(err error, r smartcard.Reason) bool {
	e, ok := errors.AsType[*smartcard.PINError](err)
	return ok && e.Reason == r
}

// A token with a PIN pad is sent no PIN; one that was refused there is not asked for again until a human says so.
func TestPINPad(t *testing.T) {
	f := newFaulty(t)
	cert := f.pair("gw", "a1", getKeys(t).p256, 0)
	f.fault("C_GetTokenInfo", "flags 0x100")
	d := newDesk(t)
	k := f.use(d, cert)
	f.fault("C_Login", "return 0x50") // cancelled
	for range 2 {
		if err := sign(k); err == nil || smartcard.Temporary(err) {
			t.Error(err)
		}
	}
	f.fault("C_Login", "pad 123456")
	token := d.token(pkcs11.Selection{Module: f.module, Token: "gw"})
	if err := token.Unlock(t.Context(), secret.String{}); err != nil {
		t.Error(err)
	}
	if err := sign(k); err != nil {
		t.Error(err)
	}
	d.restart()
	if err := sign(f.use(d, cert)); err != nil {
		t.Error(err)
	}
	if got := f.logins(); !slices.Equal(got, []string{"user 1, no PIN: 0x50", "user 1, no PIN: 0x0", "user 1, no PIN: 0x0"}) {
		t.Errorf("%q", got)
	}
}
