package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// pinFile is a file with a PIN.
func pinFile(t *testing.T, pin string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The authentication key of each card is tried by all algorithms; cards are told of that cannot be.
func TestSmartcardProbe(t *testing.T) {
	t.Setenv("CARD_PIN", "123456")
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	code, stdout, stderr := atCards(rackOf(t, card), "probe", "--pin-env", "CARD_PIN", "--count", "2")
	if code != exitDone || stderr != "" {
		t.Error(code, stderr)
	}
	golden(t, "probe", strings.ReplaceAll(stdout, "under 1 ms", "0 ms"))
	if n := card.Counts(); n.Signatures+n.Deciphered != 12 || n.Refused != 0 || n.Presented != 1 {
		t.Errorf("%+v", n)
	}
	if code, stdout, _ = atCards(rackOf(t, card, odd{"\x3B\x00", "\x90"}), "probe", "--pin-env", "CARD_PIN"); code != exitFailed || !strings.Contains(stdout, "makes no sense") {
		t.Error(code, stdout)
	}
	if code, stdout, stderr = atCards(rackOf(t, card, odd{"\x3B\x00", "\x6A\x82"}), "probe", "--pin-env", "CARD_PIN"); code != exitDone || strings.Count(stdout, "good") != 6 {
		t.Error(code, stdout, stderr)
	}
}

// Keys that bind are used where they were named for it, keys without PIN need none, and TLS 1.3 is spoken of.
func TestSmartcardProbeOtherKeys(t *testing.T) {
	piv, tcos := simulatedPIV(t, cardtest.PIVOptions{}), simulatedTCOS(t, cardtest.TCOSOptions{})
	pin := pinFile(t, "123456")
	code, stdout, _ := atCards(rackOf(t, piv), "probe", "--all", "--pin-file", pin)
	if code != exitDone || !strings.Contains(stdout, "not needed") || strings.Contains(stdout, "Simulated card: signature") {
		t.Error(stdout)
	}
	binds := shaOf(tcos.Certificate(cardtest.KeySignature))
	code, stdout, _ = atCards(rackOf(t, tcos), "probe", "--cert", binds, "--pin-file", pin)
	if code != exitFailed || !strings.Contains(stdout, "non-repudiation") || tcos.Counts().Signatures > 0 {
		t.Error(stdout)
	}
	code, stdout, _ = atCards(rackOf(t, tcos), "probe", "--cert", binds, "--pin-file", pin, "--non-repudiation")
	if code != exitDone || !strings.Contains(stdout, "PKCS #1 v1.5 alone, which TLS 1.3 does not take") || tcos.Counts().Signatures == 0 {
		t.Error(stdout)
	}
	code, stdout, _ = atCards(rackOf(t, tcos), "probe", "--json", "--cert", shaOf(tcos.Certificate(cardtest.KeyAuthentication)), "--pin-file", pin)
	var got struct {
		Keys []struct {
			PIN    string
			Trials []struct{ Good bool }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitDone || len(got.Keys) != 1 || len(got.Keys[0].Trials) != 6 || got.Keys[0].PIN == "" {
		t.Error(err, stdout)
	}
}

// A wrong PIN is presented once, and not again while fewer than three tries are left; no PIN is asked for that would not be presented.
func TestSmartcardProbeWrongPIN(t *testing.T) {
	card := simulatedPIV(t, cardtest.PIVOptions{})
	wrong := pinFile(t, "654321")
	code, stdout, _ := atCards(rackOf(t, card), "probe", "--pin-file", wrong)
	if code != exitFailed || !strings.Contains(stdout, "REFUSED") || !strings.Contains(stdout, "tries left: 2") || strings.Contains(stdout, "654321") {
		t.Error(stdout)
	}
	code, stdout, _ = atCards(rackOf(t, card), "probe", "--pin-file", wrong)
	if code != exitFailed || !strings.Contains(stdout, "not presented") || !strings.Contains(stdout, "siegel smartcard unlock") {
		t.Error(stdout)
	}
	if n := card.Counts(); n.Refused != 1 || card.Tries(cardtest.PIVPIN) != 2 {
		t.Errorf("%+v", n)
	}
	null := simulatedTCOS(t, cardtest.TCOSOptions{NullPIN: true})
	if code, stdout, _ = atCards(rackOf(t, null), "probe"); code != exitFailed || !strings.Contains(stdout, "NullPIN") || null.Counts().Presented > 0 {
		t.Error(stdout)
	}
}

func TestSmartcardProbeTrouble(t *testing.T) {
	card, other := simulatedPIV(t, cardtest.PIVOptions{}), simulatedTCOS(t, cardtest.TCOSOptions{})
	pin := pinFile(t, "123456")
	refused(t, rackOf(t, card, other), exitUsage, "name one card by --serial or --reader", "probe", "--pin-file", pin)
	refused(t, rackOf(t, card), exitUsage, "--pin-file or --pin-env", "probe", "--pin-file", pin, "--pin-env", "X")
	refused(t, rackOf(t, card), exitFailed, "no variable SIEGEL_NO_SUCH", "probe", "--pin-env", "SIEGEL_NO_SUCH")
	refused(t, rackOf(t, card), exitFailed, "is empty; the PIN belongs there", "probe", "--pin-file", pinFile(t, ""))
	refused(t, rackOf(t, card), exitUsage, "goes with --cert", "probe", "--non-repudiation")
	refused(t, rackOf(t, card), exitUsage, "1 to 100", "probe", "--count", "0")
	refused(t, rackOf(t, card), exitUsage, "leave --cert", "probe", "demail", "--all")
	refused(t, rackOf(t), exitFailed, "no card that could be used", "probe")
	refused(t, rackOf(t, card), exitFailed, "/no/such: no such file or directory; name it by --config", "probe", "--config", "/no/such")
	if n := card.Counts().Presented + other.Counts().Presented; n > 0 {
		t.Errorf("%d PINs presented", n)
	}
	code, stdout, _ := atCards(rackOf(t, card), "probe")
	if code != exitFailed || !strings.Contains(stdout, "name one by --pin-file or --pin-env") {
		t.Error(stdout)
	}
	card.Fault(1, cardtest.Using, cardtest.Fails(apdu.BadData))
	code, stdout, _ = atCards(rackOf(t, card), "probe", "--pin-file", pin)
	if code != exitFailed || strings.Count(stdout, "good") != 5 || !strings.Contains(stdout, "FAILED") || !strings.Contains(stdout, "6A 80") {
		t.Error(stdout)
	}
}

// What is bound is probed by its name, with the PIN of the configuration.
func TestSmartcardProbeByName(t *testing.T) {
	file, _ := cardConfig(t)
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	r := rackOf(t, card, simulatedPIV(t, cardtest.PIVOptions{}))
	if code, _, stderr := atCards(r, "bind", "demail", "-w", file, "--serial", "89490176940000000001"); code != exitDone {
		t.Fatal(stderr)
	}
	code, stdout, stderr := atCards(r, "probe", "demail", "-c", file)
	if code != exitDone || strings.Count(stdout, "good") != 6 || strings.Contains(stdout, "piv") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(r, "probe", "-c", file, "--reader", "left"); code != exitDone || strings.Count(stdout, "good") != 6 {
		t.Error(stdout)
	}
	refused(t, r, exitUsage, `has no smart card named "other"; it has: demail`, "probe", "other", "-c", file)
	if code, stdout, _ = atCards(rackOf(t), "probe", "demail", "-c", file); code != exitFailed || !strings.Contains(stdout, "card:demail: ") || !strings.Contains(stdout, "no card is in the reader") {
		t.Error(stdout)
	}
}
