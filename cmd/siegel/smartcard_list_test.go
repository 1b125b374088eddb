package main

import (
	"crypto"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// odd is a card that answers everything alike.
type odd struct{ atr, answer string }

// ATR is cardtest.Card.
func (o odd) ATR() []byte { return []byte(o.atr) }

// Reset is cardtest.Card.
func (odd) Reset() {}

// Transmit is cardtest.Card.
func (o odd) Transmit([]byte) []byte { return []byte(o.answer) }

func TestSmartcardList(t *testing.T) {
	piv, tcos := simulatedPIV(t, cardtest.PIVOptions{}), simulatedTCOS(t, cardtest.TCOSOptions{})
	for name, r := range map[string]*cardtest.Rack{
		"list-two": rackOf(t, piv, tcos), "list-unknown": rackOf(t, odd{"\x3B\x85\x80\x01HELLO", "\x6A\x82"}), "list-none": cardtest.NewRack(),
		"list-null": rackOf(t, simulatedTCOS(t, cardtest.TCOSOptions{NullPIN: true})),
	} {
		code, stdout, stderr := atCards(r, "list")
		if code != exitDone || stderr != "" {
			t.Errorf("%s: %d, %s", name, code, stderr)
		}
		golden(t, name, stdout)
	}
	if _, stdout, _ := atCards(rackOf(t, odd{"\x3B\x00", "\x90"}), "list"); !strings.Contains(stdout, "makes no sense") || !strings.Contains(stdout, "\n  to do: ask again") {
		t.Error(stdout)
	}
	if n := piv.Counts().Presented + tcos.Counts().Presented; n > 0 {
		t.Errorf("%d PINs presented", n)
	}
}

func TestSmartcardListJSON(t *testing.T) {
	code, stdout, _ := atCards(rackOf(t, simulatedPIV(t, cardtest.PIVOptions{}), odd{"\x3B\x00", "\x6A\x82"}), "list", "--json")
	var got struct {
		Readers []struct {
			Reader, State string
			Card          *struct {
				Serial       string
				Certificates []struct {
					Usages []string
					SHA256 string
				}
			}
			Unknown *struct{ Tried []any }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitDone {
		t.Fatal(code, err, stdout)
	}
	if len(got.Readers) != 2 || got.Readers[0].Card.Serial != "12345678" || len(got.Readers[0].Card.Certificates[0].SHA256) != 64 || got.Readers[1].State != "unknown" || len(got.Readers[1].Unknown.Tried) == 0 {
		t.Errorf("%s", stdout)
	}
}

func TestSmartcardListSelects(t *testing.T) {
	r := rackOf(t, simulatedPIV(t, cardtest.PIVOptions{}))
	if _, stdout, _ := atCards(r, "list", "--reader", "ri*"); stdout != "right\n  no card\n" {
		t.Error(stdout)
	}
	if _, stdout, _ := atCards(r, "list", "--serial", "1234 5678"); !strings.HasPrefix(stdout, "left\n") || strings.Contains(stdout, "right") {
		t.Error(stdout)
	}
	if code, stdout, _ := atCards(r, "list", "--serial", "1"); code != exitDone || !strings.Contains(stdout, "Leave --reader and --serial out") {
		t.Error(stdout)
	}
	refused(t, r, exitUsage, "--reader is no name of a reader", "list", "--reader", `a\`)
	r.Stop()
	refused(t, r, exitFailed, "pcscd) does not run; start it", "list")
}

// The certificate that is written is that of the card.
func TestSmartcardExport(t *testing.T) {
	card := simulatedPIV(t, cardtest.PIVOptions{})
	r := rackOf(t, card)
	der := card.Certificate(cardtest.SlotSignature)
	code, stdout, stderr := atCards(r, "export-cert", "--cert", strings.ToUpper(shaOf(der))[:10])
	block, rest := pem.Decode([]byte(stdout))
	if code != exitDone || block == nil || string(block.Bytes) != string(der) || len(rest) > 0 {
		t.Errorf("%d, %s%s", code, stdout, stderr)
	}
	if _, stdout, _ := atCards(r, "export-cert", "--cert", shaOf(der), "--form", "der"); stdout != string(der) {
		t.Error("not the certificate")
	}
	file := filepath.Join(t.TempDir(), "card.pem")
	if _, stdout, stderr := atCards(r, "export-cert", "--cert", shaOf(der), "-o", file); !strings.Contains(stdout, "card.pem: CN=Simulated card: signature, until ") {
		t.Error(stdout, stderr)
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != string(pem.EncodeToMemory(block)) {
		t.Error(err)
	}
	refused(t, r, exitFailed, "is there already", "export-cert", "--cert", shaOf(der), "-o", file)
	refused(t, r, exitUsage, "first 8 or more", "export-cert", "--cert", "12345")
	refused(t, r, exitUsage, "hexadecimal digits", "export-cert", "--cert", "1234567x")
	refused(t, r, exitFailed, "no card holds a certificate 00000000…; those that are there:\n  reader left, card piv 12345678, authentication (9A)", "export-cert", "--cert", "0000000000")
	refused(t, r, exitFailed, "name one by --cert", "export-cert")
	refused(t, rackOf(t), exitFailed, "no card that could be used:\n  reader left: no card", "export-cert")
	twin := rackOf(t, card, simulatedPIV(t, cardtest.PIVOptions{Serial: 2, Issue: func(cardtest.Use, crypto.PublicKey) ([]byte, error) { return der, nil }}))
	refused(t, twin, exitFailed, "more than one certificate begins so", "export-cert", "--cert", shaOf(der))
	if code, _, stderr := atCards(twin, "export-cert", "--cert", shaOf(der), "--serial", "12345678"); code != exitDone {
		t.Error(stderr)
	}
}

// Where a card holds one certificate it need not be named.
func TestSmartcardExportOnly(t *testing.T) {
	k, err := cardKey()
	if err != nil {
		t.Fatal(err)
	}
	card, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotAuthentication: k}})
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := atCards(rackOf(t, card), "export-cert"); code != exitDone || !strings.HasPrefix(stdout, "-----BEGIN CERTIFICATE-----") {
		t.Error(stdout, stderr)
	}
}

// A key of the configuration names its card and certificate.
func TestSmartcardExportNamed(t *testing.T) {
	file, _ := cardConfig(t)
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	r := rackOf(t, card, simulatedPIV(t, cardtest.PIVOptions{}))
	if code, _, stderr := atCards(r, "bind", "demail", "--serial", "89490176940000000001", "--write", file); code != exitDone {
		t.Fatal(stderr)
	}
	code, stdout, stderr := atCards(r, "export-cert", "card:demail", "--config", file, "--form", "der")
	if code != exitDone || stdout != string(card.Certificate(cardtest.KeyAuthentication)) {
		t.Errorf("%d, %s", code, stderr)
	}
	refused(t, r, exitUsage, "no smart card named", "export-cert", "other", "--config", file)
	refused(t, r, exitUsage, "leave the other flags out", "export-cert", "demail", "--config", file, "--serial", "1")
	refused(t, r, exitFailed, "the configuration cannot be used", "export-cert", "demail", "--config", file+"x")
}
