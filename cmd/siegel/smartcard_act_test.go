package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// boundCard is a configuration whose card:demail is the authentication key of a card in the left reader.
func boundCard(t *testing.T, card *cardtest.TCOS) (file string, r *cardtest.Rack) {
	t.Helper()
	file, _ = cardConfig(t)
	r = rackOf(t, card)
	if code, _, stderr := atCards(r, "bind", "demail", "-w", file); code != exitDone {
		t.Fatal(stderr)
	}
	return file, r
}

// acts are those in the audit log of a configuration, as "what on subject: detail".
func acts(t *testing.T, file string) (all []string) {
	t.Helper()
	c, problems := configs.Load(file, configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	key, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Read(filepath.Join(c.State.String(), "audit"), key, audit.Expect{}, func(e audit.Entry) error {
		if strings.HasPrefix(e.What, "smartcard") {
			all = append(all, e.What+" on "+strings.Join(e.Subject, " ")+": "+e.Detail)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Below three tries the gateway's way presents nothing; a human's does, once, and is written down. What a refused PIN was is remembered, and
// a human can say that it is right after all.
func TestSmartcardUnlock(t *testing.T) {
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	file, r := boundCard(t, card)
	wrong, right := pinFile(t, "654321"), pinFile(t, "123456")
	code, stdout, stderr := atCards(r, "unlock", "demail", "-c", file, "--yes", "--pin-file", wrong)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "3 tries are left. A wrong PIN leaves 2") || !strings.Contains(stderr, "the card has refused it") || !strings.Contains(stderr, "tries left: 2") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(r, "probe", "demail", "-c", file); code != exitFailed || !strings.Contains(stdout, "fewer than three tries are left") {
		t.Error(stdout)
	}
	code, stdout, stderr = atCards(r, "unlock", "card:demail", "-c", file, "--yes", "--pin-file", right)
	if code != exitDone || !strings.Contains(stdout, "The card has accepted the PIN") || !strings.Contains(stderr, "2 tries are left. A wrong PIN leaves one") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(r, "probe", "demail", "-c", file); code != exitDone {
		t.Error(stdout)
	}
	code, stdout, _ = atCards(r, "probe", "-c", file, "--pin-file", wrong)
	if n := card.Counts(); n.Refused != 1 || card.Tries(cardtest.TCOSGlobal) != 3 {
		t.Errorf("a refused PIN was presented again: %+v, %d, %s", n, code, stdout)
	}
	want := []string{
		"smartcard-unlock on tcos 89490176940000000001: the global PIN (reference 00)",
		"smartcard-unlock-failed on tcos 89490176940000000001: the global PIN (reference 00); the card has refused it",
		"smartcard-unlock on tcos 89490176940000000001: the global PIN (reference 00)",
	}
	if got := acts(t, file); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A gateway that runs looks at its cards after each act, however it ended.
func TestSmartcardActTells(t *testing.T) {
	file, r := boundCard(t, simulatedTCOS(t, cardtest.TCOSOptions{}))
	cards := &someCards{}
	controlOf(t, cards, filepath.Join(filepath.Dir(file), "run", "control.sock"))
	for i, pin := range []string{"654321", "123456"} {
		atCards(r, "unlock", "demail", "-c", file, "-y", "--pin-file", pinFile(t, pin))
		if cards.looked != i+1 {
			t.Errorf("looked %d times", cards.looked)
		}
	}
}

// A PIN that is blocked is unblocked by the PUK, and gets a new value.
func TestSmartcardUnblock(t *testing.T) {
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	file, r := boundCard(t, card)
	for range 3 {
		atCards(r, "unlock", "demail", "-c", file, "-y", "--pin-file", pinFile(t, "654321"))
	}
	refused(t, r, exitFailed, "is blocked, so it was not presented; say --puk", "unlock", "demail", "-c", file, "-y", "--pin-file", pinFile(t, "123456"))
	refused(t, r, exitFailed, "siegel smartcard unlock --puk", "change-pin", "demail", "-c", file, "-y")
	if code, stdout, _ := atCards(r, "list"); code != exitDone || !strings.Contains(stdout, "BLOCKED") {
		t.Error(stdout)
	}
	if code, _, stderr := atCards(r, "unlock", "demail", "-c", file, "-y", "--puk", "--puk-file", pinFile(t, "00000000"), "--new-pin-file", pinFile(t, "222222")); code != exitFailed || !strings.Contains(stderr, "the card has refused its PUK") {
		t.Error(stderr)
	}
	code, stdout, stderr := atCards(r, "unlock", "demail", "-c", file, "-y", "--puk", "--puk-file", pinFile(t, "12345678"), "--new-pin-file", pinFile(t, "222222"))
	if code != exitDone || !strings.Contains(stdout, "siegel reload") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(r, "probe", "-c", file, "--pin-file", pinFile(t, "222222")); code != exitDone {
		t.Error(stdout)
	}
	got := acts(t, file)
	if len(got) != 9 || got[8] != "smartcard-unblock on tcos 89490176940000000001: the global PIN (reference 00); by the PUK" {
		t.Errorf("%q", got)
	}
}

// A PIN that was never set is set, and one that is known is changed; the configuration's is then another.
func TestSmartcardChangePIN(t *testing.T) {
	card := simulatedTCOS(t, cardtest.TCOSOptions{NullPIN: true})
	file, r := boundCard(t, card)
	refused(t, r, exitFailed, "none was set yet (NullPIN)", "unlock", "demail", "-c", file, "-y")
	code, stdout, stderr := atCards(r, "change-pin", "demail", "-c", file, "-y", "--new-pin-file", pinFile(t, "222222"))
	if code != exitDone || !strings.Contains(stderr, "has never been set (NullPIN), and is set now") || !strings.Contains(stdout, "The PIN has its new value") {
		t.Error(stdout, stderr)
	}
	code, stdout, stderr = atCards(r, "change-pin", "demail", "-c", file, "-y", "--pin-file", pinFile(t, "222222"), "--new-pin-file", pinFile(t, "123456"))
	if code != exitDone || strings.Contains(stdout+stderr, "222222") {
		t.Error(stdout, stderr)
	}
	if code, stdout, _ = atCards(r, "probe", "demail", "-c", file); code != exitDone {
		t.Error(stdout)
	}
	code, _, stderr = atCards(r, "change-pin", "demail", "-c", file, "-y", "--pin-file", pinFile(t, "123456"), "--new-pin-file", pinFile(t, "1"))
	if code != exitFailed || !strings.Contains(stderr, "nothing was presented") || card.Counts().Refused > 0 {
		t.Error(stderr)
	}
	if got := acts(t, file); len(got) != 4 || !strings.HasPrefix(got[3], "smartcard-change-pin-failed") {
		t.Errorf("%q", got)
	}
}

// Nobody who was not asked does anything, and what is not clear is not guessed.
func TestSmartcardActRefuses(t *testing.T) {
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	file, r := boundCard(t, card)
	two := rackOf(t, card, simulatedPIV(t, cardtest.PIVOptions{}))
	pin := pinFile(t, "123456")
	for _, c := range []struct {
		r    *cardtest.Rack
		code int
		want string
		args string
	}{
		{r, exitFailed, "standard input is no terminal", "unlock demail -c " + file},
		{r, exitUsage, "it has: demail", "unlock other -c " + file},
		{r, exitUsage, "leave --reader and --serial out", "unlock demail --serial 1 -c " + file},
		{r, exitFailed, "say --without-gateway", "unlock -c /no/such"},
		{r, exitUsage, "go with --puk", "unlock demail --puk-file x -c " + file},
		{r, exitUsage, "names are those of a configuration", "unlock demail --without-gateway"},
		{r, exitUsage, "two hexadecimal digits", "unlock --without-gateway --pin-ref xyz"},
		{r, exitFailed, "has no such PIN", "unlock --without-gateway --pin-ref 77 -y"},
		{two, exitFailed, "say which one by --serial or --reader", "unlock --without-gateway -y"},
		{rackOf(t), exitFailed, "no card is in the reader", "change-pin --without-gateway -y"},
	} {
		refused(t, c.r, c.code, c.want, strings.Fields(c.args)...)
	}
	if n := card.Counts().Presented; n > 0 {
		t.Errorf("%d PINs presented", n)
	}
	code, _, stderr := atCards(r, "unlock", "-y", "--pin-file", pinFile(t, ""), "--without-gateway")
	if code != exitFailed || !strings.Contains(stderr, "is empty; nothing was done") {
		t.Error(stderr)
	}
	if code, stdout, stderr := atCards(two, "unlock", "--without-gateway", "-y", "--serial", "12345678", "--pin-file", pin); code != exitDone {
		t.Error(stdout, stderr)
	}
	if got := acts(t, file); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
