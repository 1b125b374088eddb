//go:build unix && cgo

package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// deMailCard is a card with the key that the provider of a world knows the company by.
func deMailCard(t *testing.T, w *deMailWorld) *cardtest.TCOS {
	t.Helper()
	pair := w.Keys.Clients[w.company.Name]
	key, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		t.Fatalf("%T", pair.PrivateKey)
	}
	other, err := cardKey()
	if err != nil {
		t.Fatal(err)
	}
	issue, err := cardtest.SimulatedCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	card, err := cardtest.NewTCOS(cardtest.TCOSOptions{
		Keys: map[byte]*rsa.PrivateKey{cardtest.KeySignature: other, cardtest.KeyEncryption: other, cardtest.KeyAuthentication: key},
		Issue: func(use cardtest.Use, public crypto.PublicKey) ([]byte, error) {
			if key.PublicKey.Equal(public) {
				return pair.Certificate[0], nil
			}
			return issue(use, public)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// A card behind the real PC/SC service shows the company to a provider that has one suite and one curve. A PIN that is refused once is not presented
// again by looking.
func TestDeMailCheckCard(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	w := newDeMailWorld(t, "t-systems", rehearsal.TLS{}, true)
	card := deMailCard(t, w)
	pin := filepath.Join(w.dir, "card.pin")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(pin, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("123456")
	w.change(t, fmt.Sprintf("client_certificate: keys/%s, client_key: keys/%s", rehearsal.CertificateFile(w.company.Name), rehearsal.KeyFile(w.company.Name)), `client_key: "card:token"`)
	w.change(t, "\ndemail:", "smartcards: [{name: token, serial: \"89490176940000000001\", certificate: "+shaOf(w.Keys.Clients[w.company.Name].Certificate[0])+", pin: {file: card.pin}}]\ndemail:")

	code, verdicts, stdout, stderr := deMailCheck(t, w.file)
	if code != exitFailed || verdicts[stepCard] != stepBad || verdicts[stepTCP] != stepGood || verdicts[stepTLS] != stepNotDone || verdicts[stepLogin] != stepNotDone || !strings.Contains(stdout, "Put the card into the reader") {
		t.Errorf("without the card: %d\n%s%s", code, stdout, stderr)
	}
	pull := d.Plug(t, 0, card)
	code, verdicts, stdout, stderr = deMailCheck(t, w.file)
	if code != exitDone || !allGood(verdicts, stepReader, stepCard, stepPIN, stepTLS, stepShown, stepLogin, stepDomains) || !strings.Contains(stdout, d.Reader(0)) {
		t.Errorf("with it: %d\n%s%s", code, stdout, stderr)
	}
	if n := card.Counts(); n.Refused > 0 || n.Signatures+n.Deciphered == 0 {
		t.Errorf("%+v", n)
	}
	pull()

	wrong := deMailCard(t, w) // one that knows nothing of an accepted PIN
	d.Plug(t, 1, wrong)
	write("654321")
	for range 3 {
		code, verdicts, stdout, stderr = deMailCheck(t, w.file)
		if code != exitFailed || verdicts[stepLogin] == stepGood || strings.Contains(stdout+stderr, "654321") {
			t.Errorf("with a wrong PIN: %d\n%s%s", code, stdout, stderr)
		}
	}
	if verdicts[stepPIN] != stepBad || !strings.Contains(stdout, "siegel smartcard unlock") {
		t.Errorf("it is not said what is wrong:\n%s", stdout)
	}
	if n := wrong.Counts(); n.Refused != 1 {
		t.Errorf("the wrong PIN was presented %d times", n.Refused)
	}
	if bytes.Contains([]byte(stdout), []byte("123456")) {
		t.Error("a PIN is in the output")
	}
}
