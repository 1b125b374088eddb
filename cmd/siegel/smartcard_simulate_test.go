//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// simulating runs the command and returns what waits for a line with the text, and what ends it.
func simulating(t *testing.T, c smartcardSimulateCmd) (await func(string) string, enter, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	hand, keys := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := c.simulate(ctx, hand, w)
		w.Close()
		done <- err
	}()
	in := bufio.NewScanner(r)
	await = func(want string) string {
		t.Helper()
		var seen []string
		for in.Scan() {
			if seen = append(seen, in.Text()); strings.Contains(in.Text(), want) {
				return strings.Join(seen, "\n")
			}
		}
		t.Fatalf("%q never came:\n%s", want, strings.Join(seen, "\n"))
		return ""
	}
	enter = func() {
		t.Helper()
		if _, err := io.WriteString(keys, "\n"); err != nil {
			t.Fatal(err)
		}
	}
	stop = func() {
		t.Helper()
		cancel()
		keys.Close()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(cancel)
	return await, enter, stop
}

// The card waits for its reader, is what OpenSC takes it for, and comes back after the daemon does.
func TestSmartcardSimulate(t *testing.T) {
	d := pcscdtest.Start(t)
	for family, name := range map[string]string{"tcos": "TCOS", "piv": "Personal Identity Verification Card"} {
		t.Run(family, func(t *testing.T) {
			d.Stop()
			await, enter, stop := simulating(t, smartcardSimulateCmd{Family: family, VPCD: d.Address(0), PIN: "123456", PUK: "12345678"})
			head := await("No virtual reader at " + d.Address(0))
			for _, want := range []string{"SIMULATED CARD", "simulated; ATR 3B", "PIN 123456, PUK 12345678", "Simulated card: authentication"} {
				if !strings.Contains(head, want) {
					t.Errorf("%q is missing:\n%s", want, head)
				}
			}
			for range 2 {
				d.Restart(t)
				await("The card is in the reader.")
				d.AwaitCard(t, 0)
				if out := d.Run(t, "opensc-tool", "-r", d.Reader(0), "-n"); !strings.Contains(out, name) {
					t.Error(out)
				}
				d.Stop()
				await("has gone")
			}
			d.Restart(t)
			await("The card is in the reader.")
			enter()
			await("The card is pulled. Enter puts it back.")
			enter()
			await("The card is in the reader.")
			d.AwaitCard(t, 0)
			stop()
		})
	}
}

// A card that is kept is the same one at the next start; the file is its owner's, says what it is, and is not written over.
func TestSmartcardSimulateKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "card.pem")
	begin := func(c smartcardSimulateCmd) string {
		c.VPCD, c.PIN, c.PUK, c.Keep = "127.0.0.1:1", "123456", "12345678", file
		await, _, stop := simulating(t, c)
		defer stop()
		head := await("No virtual reader")
		return head[strings.Index(head, "\nKEY"):]
	}
	first := begin(smartcardSimulateCmd{Family: "piv", Serial: "77"})
	if second := begin(smartcardSimulateCmd{Family: "piv"}); second != first {
		t.Errorf("another card:\n%s%s", first, second)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "SIMULATED CARD.") || !strings.Contains(string(text), "Simulated-Card: piv 77") {
		t.Errorf("%v:\n%s", err, text)
	}
	for name, c := range map[string]smartcardSimulateCmd{"family": {Family: "tcos"}, "number": {Family: "piv", Serial: "78"}} {
		c.PIN, c.PUK, c.Keep = "123456", "12345678", file
		if _, err := c.make(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(file, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := smartcardSimulateCmd{Family: "piv", Keep: file}
	if _, err := broken.make(); err == nil || !strings.Contains(err.Error(), "remove it for a new card") {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a letter" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestSmartcardSimulateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no family":      {nil, "missing flags: --family=STRING"},
		"unknown family": {[]string{"--family", "sim"}, "tcos"},
		"PIN":            {[]string{"--family", "piv", "--pin", "12"}, "6 to 8 digits"},
		"PUK":            {[]string{"--family", "tcos", "--puk", "12"}, "8 to 16 digits"},
		"number":         {[]string{"--family", "piv", "--serial", "x"}, "up to nine digits"},
		"long number":    {[]string{"--family", "tcos", "--serial", "12"}, "twenty digits"},
		"null PIN":       {[]string{"--family", "piv", "--nullpin"}, "a PIV card is never without a PIN"},
	} {
		var out, err strings.Builder
		if code := run(append([]string{"smartcard", "simulate"}, c.args...), &out, &err); code == exitDone || !strings.Contains(err.String(), c.want) {
			t.Errorf("%s: %d, %s", name, code, err.String())
		}
	}
}
