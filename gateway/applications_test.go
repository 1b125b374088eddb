package gateway_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/pickup"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal(what)
		case <-ticker.C:
		}
	}
}

// A file in the folder is protected as mail over SMTP is, or set aside with the sentence that a sender gets.
func TestPickup(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "partner", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	dir := t.TempDir()
	s.options.Pickup = &pickup.Options{
		Dir: dir, Owners: []uint32{uint32(os.Geteuid())}, Senders: s.options.Settings.Local,
		Interval: 10 * time.Millisecond, Settle: 10 * time.Millisecond,
	}
	s.start(t)
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path+".tmp", []byte(text), 0o600), os.Rename(path+".tmp", path+".eml")); err != nil {
			t.Fatal(err)
		}
	}
	put("invoice", "From: alice@firma.example\nTo: bob@partner.example\nSubject: invoice\n\nplanted body\n")
	wire := s.hop.wait(t)
	if o := openAs(t, s.identity["bob@partner.example"], wire); o.Verdict != smime.Valid || len(o.Layers) != 2 || strings.Contains(wire, "planted body") {
		t.Errorf("bob finds %s, %+v", o.Verdict, o.Layers)
	}
	put("nokey", "From: alice@firma.example\nTo: dora@partner.example\n\nplanted body\n")
	var reasons []string
	eventually(t, "nothing was set aside", func() bool {
		reasons, _ = filepath.Glob(filepath.Join(dir, "bad", "*-nokey.txt"))
		return len(reasons) > 0
	})
	eventually(t, "the message stays", func() bool {
		left, _ := filepath.Glob(filepath.Join(dir, "*", "*-nokey.eml"))
		return len(left) == 1 && filepath.Base(filepath.Dir(left[0])) == "bad"
	})
	if text, err := os.ReadFile(reasons[0]); err != nil || !strings.Contains(string(text), "dora@partner.example") {
		t.Errorf("the reason is %q, %v", text, err)
	}
	if len(s.hop.got) != 0 {
		t.Error("something left")
	}
	s.options.Pickup.Dir = filepath.Join(dir, "none")
	s.options.State = t.TempDir()
	if g, err := gateway.New(s.options); !errors.Is(err, pickup.ErrFolder) {
		t.Errorf("a folder that is none: %v, %v", g, err)
	}
}
