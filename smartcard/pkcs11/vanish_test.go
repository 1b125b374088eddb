//go:build cgo && unix

package pkcs11_test

import (
	"os"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// SoftHSM's token is taken away and put back, again and again: what needs it may wait, and it signs again by itself, with its PIN. Another one
// under its name is not it, since it has another serial number.
func TestTokenComesBack(t *testing.T) {
	h := newHSM(t)
	h.init("gw")
	cert := h.pair("gw", "a1", getKeys(t).p256, 0)
	d := newDesk(t)
	s, err := d.token(pkcs11.Selection{Token: "gw"}).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, err := d.token(pkcs11.Selection{Token: "gw", Serial: s.Identity.Serial}).Key(t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := sign(k); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(h.tokens(), h.tokens()+".away"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(h.tokens(), 0o700); err != nil {
			t.Fatal(err)
		}
		d.later += time.Minute
		if err := sign(k); err == nil || !smartcard.Temporary(err) {
			t.Fatal(err)
		}
		h.init("gw")
		d.later += time.Minute
		if err := sign(k); err == nil || !smartcard.Temporary(err) {
			t.Fatal(err)
		}
		if err := os.RemoveAll(h.tokens()); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(h.tokens()+".away", h.tokens()); err != nil {
			t.Fatal(err)
		}
		d.later += time.Minute
	}
	if err := sign(k); err != nil {
		t.Error(err)
	}
}
