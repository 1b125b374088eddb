package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// cardKey is made once for all tests: RSA takes long.
var cardKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func simulatedTCOS(t testing.TB, o cardtest.TCOSOptions) *cardtest.TCOS {
	t.Helper()
	k, err := cardKey()
	if err != nil {
		t.Fatal(err)
	}
	o.Keys = map[byte]*rsa.PrivateKey{cardtest.KeySignature: k, cardtest.KeyEncryption: k, cardtest.KeyAuthentication: k}
	c, err := cardtest.NewTCOS(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// simulatedPIV has RSA in 9A, P-256 in 9C and 9E.
func simulatedPIV(t testing.TB, o cardtest.PIVOptions) *cardtest.PIV {
	t.Helper()
	k, err := cardKey()
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o.Keys = map[byte]crypto.Signer{cardtest.SlotAuthentication: k, cardtest.SlotSignature: ec, cardtest.SlotCardAuthentication: ec}
	c, err := cardtest.NewPIV(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rackOf is readers "left" and "right" with cards in them; nil leaves one empty.
func rackOf(t testing.TB, cards ...cardtest.Card) *cardtest.Rack {
	t.Helper()
	names := []string{"left", "right"}
	r := cardtest.NewRack(names...)
	for i, c := range cards {
		if c == nil {
			continue
		}
		if err := r.Insert(names[i], c); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// atCards runs siegel smartcard with the readers of a rack.
func atCards(r *cardtest.Rack, args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = runAt(r.Transport(), append([]string{"smartcard"}, args...), &out, &err)
	return code, out.String(), err.String()
}

func shaOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// updateGolden writes the files of golden anew.
var updateGolden = flag.Bool("update", false, "write testdata/smartcard anew")

// What differs in each run of a test: digits of fingerprints, days and times.
var (
	runDigits = regexp.MustCompile(`[0-9a-f]{64}`)
	runDays   = regexp.MustCompile(`\d{4}-\d\d-\d\d( \(\d+ days\))?`)
	runTimes  = regexp.MustCompile(`\b\d+ ms\b`)
)

// golden compares output with the file testdata/smartcard/NAME, where what differs in each run is left out.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = runDigits.ReplaceAllString(got, "SHA-OF-CERTIFICATE")
	got = runDays.ReplaceAllString(got, "DAY")
	got = runTimes.ReplaceAllString(got, "N ms")
	file := filepath.Join("testdata", "smartcard", name)
	if *updateGolden {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (go test ./cmd/siegel -run TestSmartcard -update writes it anew):\n%s", file, got)
	}
}

// refused runs a command that must fail with an exit code and a text.
func refused(t *testing.T, r *cardtest.Rack, code int, want string, args ...string) {
	t.Helper()
	got, stdout, stderr := atCards(r, args...)
	if got != code || stdout != "" || !strings.Contains(stderr, want) {
		t.Errorf("siegel smartcard %s: %d, want %d and %q\n%s%s", strings.Join(args, " "), got, code, want, stdout, stderr)
	}
}
