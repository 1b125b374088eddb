package main

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// cardConfig is a folder with a configuration that can be used, with a comment, and the PIN of card:demail.
func cardConfig(t *testing.T) (file string, read func() string) {
	t.Helper()
	dir := t.TempDir()
	if _, _, err := writeState(dir); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "siegel.yaml")
	text, err := os.ReadFile(file)
	err = errors.Join(err, os.Chmod(file, 0o640), os.WriteFile(file, append([]byte("# ours\n"), text...), 0o640), os.WriteFile(filepath.Join(dir, "demail.pin"), []byte("123456\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return file, func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// The certificate for client authentication is proposed, the others named.
func TestSmartcardBindPrints(t *testing.T) {
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	code, stdout, stderr := atCards(rackOf(t, card), "bind", "demail")
	if code != exitDone {
		t.Fatal(stderr)
	}
	golden(t, "bind", stdout+"\n"+stderr)
	if !strings.Contains(stdout, shaOf(card.Certificate(cardtest.KeyAuthentication))) {
		t.Error(stdout)
	}
	code, stdout, stderr = atCards(rackOf(t, simulatedPIV(t, cardtest.PIVOptions{})), "bind", "free", "--reader", "le*", "--cert", "", "--pin-file", "/x/p")
	if code != exitDone || !strings.Contains(stdout, `reader: "le*"`) || !strings.Contains(stdout, `pin: {file: /x/p}`) {
		t.Error(stdout, stderr)
	}
}

// A key that asks for no PIN is bound without one.
func TestSmartcardBindWithoutPIN(t *testing.T) {
	card := simulatedPIV(t, cardtest.PIVOptions{})
	code, stdout, stderr := atCards(rackOf(t, card), "bind", "free", "--cert", shaOf(card.Certificate(cardtest.SlotCardAuthentication)))
	if code != exitDone || strings.Contains(stdout, "pin:") || !strings.Contains(stderr, "asks for no PIN") {
		t.Error(stdout, stderr)
	}
}

// What is written passes the check and is read as meant; the rest of the file, its comments and its mode stay. A renewed card changes its entry.
func TestSmartcardBindWrites(t *testing.T) {
	file, read := cardConfig(t)
	before := read()
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	code, stdout, stderr := atCards(rackOf(t, card), "bind", "demail", "--write", file)
	if code != exitDone || !strings.Contains(stdout, "passes siegel config check") || !strings.HasPrefix(read(), strings.TrimRight(before, "\n")) {
		t.Fatal(code, stdout, stderr, read())
	}
	entry := func(name string) configs.Smartcard {
		t.Helper()
		c, problems := configs.Load(file, configs.Options{Environ: []string{}})
		if c == nil {
			t.Fatal(problems)
		}
		s, ok := c.Smartcard(name)
		if !ok || s.PIN.Reveal() != "123456" {
			t.Fatalf("%+v", c.Smartcards)
		}
		return s
	}
	if s := entry("demail"); s.Serial != "89490176940000000001" || s.Certificate != shaOf(card.Certificate(cardtest.KeyAuthentication)) || s.NonRepudiation {
		t.Errorf("%+v", s)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Error(info.Mode(), err)
	}
	if _, stdout, _ := atCards(rackOf(t, card), "bind", "demail", "--write", file); !strings.Contains(stdout, "holds this already") {
		t.Error(stdout)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(read(), "  - name: demail\n", "  # the provider's\n  - name: demail # bound\n    chain: null\n", 1)), 0o640); err != nil {
		t.Fatal(err)
	}
	next := simulatedTCOS(t, cardtest.TCOSOptions{Serial: "89490176940000000002"})
	if code, _, stderr := atCards(rackOf(t, next), "bind", "demail", "-w", file); code != exitDone {
		t.Fatal(stderr)
	}
	if s := entry("demail"); s.Serial != "89490176940000000002" || s.Certificate != shaOf(next.Certificate(cardtest.KeyAuthentication)) ||
		!strings.Contains(read(), "  # the provider's\n  - name: demail # bound\n    chain: null\n") {
		t.Errorf("%+v\n%s", s, read())
	}
	if left, err := filepath.Glob(file + ".*"); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// A second key of a card shares the PIN that stands there already.
func TestSmartcardBindSecondKey(t *testing.T) {
	file, read := cardConfig(t)
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	for name, key := range map[string]byte{"demail": cardtest.KeyAuthentication} {
		if code, _, stderr := atCards(rackOf(t, card), "bind", name, "-w", file, "--cert", shaOf(card.Certificate(key))); code != exitDone {
			t.Fatal(stderr)
		}
	}
	if code, stdout, stderr := atCards(rackOf(t, card), "bind", "opens", "-w", file, "--cert", shaOf(card.Certificate(cardtest.KeyEncryption))); code != exitDone {
		t.Fatal(stdout, stderr)
	}
	if strings.Count(read(), "pin:") != 1 || strings.Count(read(), "- name: opens") != 1 {
		t.Error(read())
	}
}

// What is not clear, or would break the configuration, changes nothing and says what to do.
func TestSmartcardBindRefuses(t *testing.T) {
	file, read := cardConfig(t)
	before := read()
	card, other := simulatedTCOS(t, cardtest.TCOSOptions{}), simulatedPIV(t, cardtest.PIVOptions{})
	binding := shaOf(card.Certificate(cardtest.KeySignature))
	refused(t, rackOf(t, card, other), exitFailed, "say which one by --serial or --reader", "bind", "demail")
	refused(t, rackOf(t), exitFailed, "no card that could be used", "bind", "demail")
	refused(t, rackOf(t, card), exitFailed, "binds its holder by what it signs (non-repudiation)", "bind", "demail", "--cert", binding)
	refused(t, rackOf(t, card), exitFailed, "smartcards[a b].name", "bind", "a b")
	refused(t, rackOf(t, card), exitFailed, "cannot be read", "bind", "demail", "-w", file+".not")
	refused(t, rackOf(t, card), exitFailed, "fresh.pin is not there: write the PIN into it", "bind", "fresh", "-w", file)
	k, err := cardKey()
	if err != nil {
		t.Fatal(err)
	}
	bound, err := cardtest.NewPIV(cardtest.PIVOptions{Keys: map[byte]crypto.Signer{cardtest.SlotSignature: k}})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, rackOf(t, bound), exitFailed, "name one by --cert, if it is meant:\n  reader left", "bind", "demail")
	if code, stdout, stderr := atCards(rackOf(t, card), "bind", "demail", "--cert", binding, "--non-repudiation"); code != exitDone || !strings.Contains(stdout, "non_repudiation: true") {
		t.Error(stdout, stderr)
	}
	if read() != before {
		t.Error(read())
	}
	for text, want := range map[string]string{
		before + "nonsense: 1\n":                     "nonsense",
		before + "smartcards: [{name: old}]\n":       "is no list with a dash before each entry",
		before + "smartcards:\n  - {name: demail}\n": "is written in { }",
	} {
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		refused(t, rackOf(t, card), exitFailed, want, "bind", "demail", "-w", file)
		if read() != text {
			t.Error(read())
		}
	}
}

// A file that has changed meanwhile is left as it is.
func TestReplaceFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(file, []byte("another"), []byte("two")); err == nil || !strings.Contains(err.Error(), "has changed meanwhile") {
		t.Error(err)
	}
	if err := os.WriteFile(file+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(file, []byte("one"), []byte("two")); err == nil || !strings.Contains(err.Error(), "remove it then") {
		t.Error(err)
	}
	if err := errors.Join(os.Remove(file+".new"), replaceFile(file, []byte("one"), []byte("two"))); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "two" {
		t.Error(string(text), err)
	}
}

// A file of a PIN is for whom the configuration is for, and for nobody else.
func TestCreateLike(t *testing.T) {
	dir := t.TempDir()
	for mode, want := range map[os.FileMode]os.FileMode{0o644: 0o640, 0o600: 0o600, 0o660: 0o640} {
		like := filepath.Join(dir, "like"+mode.String())
		if err := errors.Join(os.WriteFile(like, nil, 0o600), os.Chmod(like, mode)); err != nil {
			t.Fatal(err)
		}
		if err := createLike(like+".pin", like, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(like + ".pin"); err != nil || info.Mode().Perm() != want {
			t.Error(mode, info.Mode(), err)
		}
		if err := createLike(like+".pin", like, []byte("y")); err == nil {
			t.Error("written over")
		}
	}
}
