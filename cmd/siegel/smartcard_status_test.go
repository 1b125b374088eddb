package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/smartcard"
)

// someCards are cards as a gateway knows them.
type someCards struct {
	all    []smartcard.Status
	looked int
}

// Status is admin.Smartcards.
func (s *someCards) Status() []smartcard.Status { return s.all }

// Look is admin.Smartcards.
func (s *someCards) Look() { s.looked++ }

// controlOf is the control socket of a gateway with cards.
func controlOf(t *testing.T, cards admin.Smartcards, path string) {
	t.Helper()
	t.Cleanup(control(t, admin.ControlOptions{Path: path, Store: listStore{}, Smartcards: cards}))
}

func TestSmartcardStatus(t *testing.T) {
	since := time.Now().Add(-2*time.Minute - time.Second)
	ready := smartcard.Status{Name: "demail", Condition: smartcard.Ready, Since: since, Text: "it is in reader \x1b[2J", Reader: "left",
		Identity: smartcard.Identity{Family: "tcos", Serial: "8949", Label: "NetKey"}, PIN: smartcard.PINState{Known: true, Tries: 3}, Signatures: 1, Waiting: 2}
	away := smartcard.Status{Name: "berlin", Condition: smartcard.NoCard, Since: since, Text: "no card is in reader \"right\""}
	path := filepath.Join(t.TempDir(), "control", "s")
	cards := &someCards{all: []smartcard.Status{ready, away}}
	controlOf(t, cards, path)
	status := func(args ...string) (int, string, string) {
		return atCards(rackOf(t), append([]string{"status", "--socket", path}, args...)...)
	}
	code, stdout, stderr := status()
	if code != exitFailed || stderr != "" {
		t.Error(code, stderr)
	}
	golden(t, "status", stdout)
	if code, stdout, _ = status("card:demail"); code != exitDone || strings.Contains(stdout, "berlin") {
		t.Error(code, stdout)
	}
	if code, _, stderr = status("other"); code != exitFailed || !strings.Contains(stderr, `no smart card named "other"`) {
		t.Error(stderr)
	}
	code, stdout, _ = status("--json")
	var got struct {
		Smartcards []struct{ Name, Condition, Advice string }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitFailed || len(got.Smartcards) != 2 || got.Smartcards[1].Condition != "no-card" || got.Smartcards[1].Advice == "" {
		t.Error(err, stdout)
	}
	cards.all = nil
	if code, stdout, _ = status(); code != exitDone || !strings.Contains(stdout, "siegel smartcard bind writes one") {
		t.Error(code, stdout)
	}
	refused(t, rackOf(t), exitFailed, "no gateway listens on", "status", "--socket", path+".not")
}
