package cardtest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// written is a card as a file keeps it.
func written(t testing.TB, k cardtest.Kept) string {
	t.Helper()
	var b bytes.Buffer
	if err := k.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A card that was kept has the keys, certificates and the number that it had.
func TestKept(t *testing.T) {
	for _, c := range []interface {
		cardtest.Card
		Kept() cardtest.Kept
	}{newPIV(t, cardtest.PIVOptions{Serial: 77}), newTCOS(t, cardtest.TCOSOptions{Serial: "89490176940000000077"})} {
		text := written(t, c.Kept())
		if !strings.HasPrefix(text, "SIMULATED CARD") || strings.Contains(text, "BEGIN PRIVATE KEY") {
			t.Error("it does not say what it is")
		}
		k, err := cardtest.ReadKept(strings.NewReader(text))
		if err != nil || !strings.HasSuffix(k.Serial, "77") || len(k.Keys) < 3 {
			t.Fatalf("%+v, %v", k, err)
		}
		var again cardtest.Kept
		if k.Family == "piv" {
			made, err := k.PIV(cardtest.PIVOptions{PIN: "654321"})
			if err != nil {
				t.Fatal(err)
			}
			again = made.Kept()
			talk(t, made, selectPIV+"=9000", "0020008008363534333231FFFF=9000")
			if _, err := k.TCOS(cardtest.TCOSOptions{}); err == nil {
				t.Error("a PIV card becomes a NetKey")
			}
		} else {
			made, err := k.TCOS(cardtest.TCOSOptions{})
			if err != nil {
				t.Fatal(err)
			}
			again = made.Kept()
			if _, err := k.PIV(cardtest.PIVOptions{}); err == nil {
				t.Error("a NetKey becomes a PIV card")
			}
		}
		if written(t, again) != text {
			t.Errorf("%s: it is another card", k.Family)
		}
	}
}

func TestReadKeptRefuses(t *testing.T) {
	k := newTCOS(t, cardtest.TCOSOptions{}).Kept()
	whole := written(t, k)
	other := k
	other.Serial = "89490176940000000002"
	for name, text := range map[string]string{
		"nothing":     "",
		"no PEM":      "a letter",
		"half":        whole[:strings.Index(whole, "-----BEGIN SIMULATED CARD CERT")],
		"another":     strings.ReplaceAll(whole, "SIMULATED CARD PRIVATE", "PRIVATE"),
		"two cards":   whole + written(t, other),
		"twice":       whole + whole,
		"no number":   strings.ReplaceAll(whole, "tcos 8949", "tcos-8949"),
		"no ref":      strings.ReplaceAll(whole, "Key: 80", "Key: ZZ"),
		"other order": strings.Replace(whole, "Key: 80", "Key: 81", 1),
		"endless":     whole + strings.Repeat("a", 256<<10),
	} {
		if _, err := cardtest.ReadKept(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What is read can be written, and is the same then; nothing panics.
func FuzzReadKept(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(written(f, newPIV(f, cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: key}}).Kept()))
	f.Fuzz(func(t *testing.T, text string) {
		k, err := cardtest.ReadKept(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := cardtest.ReadKept(strings.NewReader(written(t, k)))
		if err != nil || len(again.Keys) != len(k.Keys) || again.Serial != k.Serial {
			t.Errorf("%v", err)
		}
		for _, key := range k.Keys {
			if _, err := x509.ParseCertificate(key.Certificate); err != nil {
				t.Error(err)
			}
		}
		_, _ = k.PIV(cardtest.PIVOptions{}) // what makes no card is an error
		_, _ = k.TCOS(cardtest.TCOSOptions{})
	})
}
