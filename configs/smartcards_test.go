package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
)

const carded = `
smartcards:
  - {name: signature, serial: "8949", reader: "Cherry *", family: tcos, pin: {file: relay.password}, pin_reference: 81, certificate: "FP", chain: other.pem}
  - {name: token, non_repudiation: true, certificate: "FP", pkcs11: {module: good.key, token: gw, serial: "12"}}
`

// loadCarded loads a configuration with keys on cards, the first of which a route shows itself by.
func loadCarded(t *testing.T, change func(text string) string, o Options) (*Config, Problems) {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	leaf, err := os.ReadFile(filepath.Join(dir, "good.pem"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "other.pem"), []byte("the issuer\n"+string(leaf)+string(leaf)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, _ := Load(filepath.Join(dir, "none"), o)
	if c != nil {
		t.Fatal("a configuration of no file")
	}
	k := &checker{Config: &Config{}, options: o, report: newReport()}
	certificates := k.certificatesOf("", Path(filepath.Join(dir, "good.pem")))
	sum := sha256.Sum256(certificates[0].Raw)
	text := strings.ReplaceAll(small+carded, "FP", strings.ToUpper(hex.EncodeToString(sum[:])))
	file := filepath.Join(dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(change(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, o)
}

// What is said of a card is what the wallet is asked for.
func TestSmartcards(t *testing.T) {
	c, problems := loadCarded(t, func(text string) string { return text }, options())
	if c == nil {
		t.Fatal(problems)
	}
	s, ok := c.Smartcard("signature")
	if ref, given := s.Reference(); !ok || s.Selection() != (smartcard.Selection{Reader: "Cherry *", Serial: "8949"}) || !given || ref != 0x81 || len(s.Above()) != 2 {
		t.Errorf("%+v", s)
	}
	if w := s.Want(); w.Binding || len(w.Fingerprint) != 64 || w.Fingerprint != strings.ToLower(s.Certificate) {
		t.Errorf("%+v", w)
	}
	token, _ := c.Smartcard("token")
	if _, given := token.Reference(); given || !token.PKCS11.Given() || !token.Want().Binding || s.PKCS11.Given() {
		t.Errorf("%+v", token)
	}
	if _, ok := c.Smartcard(""); ok {
		t.Error("an entry without a name")
	}
	if files := c.Files(); slices.Contains(files, token.PKCS11.Module.String()) || !slices.Contains(files, string(s.Chain)) {
		t.Error(files)
	}
	for _, s := range c.Settings() {
		if strings.Contains(s.String(), "planted") {
			t.Error("a secret is shown: ", s)
		}
	}
}

// A program that reaches no card says so.
func TestSmartcardsWithoutPCSC(t *testing.T) {
	o := options()
	o.PCSC = func() bool { return false }
	c, problems := loadCarded(t, func(text string) string { return text }, o)
	if c != nil || !strings.Contains(problems.Err().Error(), "built without PC/SC") || problems.Errors()[0].Key != "smartcards" {
		t.Error(problems)
	}
}

// A route shows the certificate of the card, or the same one from a file with its chain.
func TestRouteCard(t *testing.T) {
	for _, with := range []string{"", ", client_certificate: other.pem"} {
		c, problems := loadCarded(t, func(text string) string {
			return text + "backup:\n  - {name: kept, domains: kept.example, host: mx.kept.example, tls: {mode: verified, client_key: \"card:signature\"" + with + "}}\n"
		}, options())
		if c == nil {
			t.Fatal(problems)
		}
		card, ok := c.Backup[0].Route().TLS.Card()
		if _, pair := c.Backup[0].TLS.Pair(); !ok || pair || card.Name != "signature" || (len(card.Chain) > 0) != (with != "") {
			t.Errorf("%q: %+v", with, card)
		}
		if slices.ContainsFunc(c.Files(), func(f string) bool { return strings.Contains(f, "card:") }) {
			t.Error(c.Files())
		}
	}
}

// The numbers of PINs are hexadecimal.
func TestParseReference(t *testing.T) {
	for s, want := range map[string]byte{"81": 0x81, "0": 0, "00": 0, "0x83": 0x83, "0XFF": 0xFF} {
		if n, ok := parseReference(s); !ok || n != want {
			t.Errorf("%q: %x %v", s, n, ok)
		}
	}
	for _, s := range []string{"", "x", "100", "00081", "-1", "8g"} {
		if n, ok := parseReference(s); ok {
			t.Errorf("%q: %x", s, n)
		}
	}
}
