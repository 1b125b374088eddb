//go:build unix && cgo

package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// atService runs siegel smartcard with the readers of the system.
func atService(args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = run(append([]string{"smartcard"}, args...), &out, &err)
	return code, out.String(), err.String()
}

// Through the real service: two cards are listed, one is bound, probed beside another program that signs, blocked and unblocked, and no PIN is
// refused but the one that is wrong.
func TestSmartcardRealService(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	tcos, piv := simulatedTCOS(t, cardtest.TCOSOptions{}), simulatedPIV(t, cardtest.PIVOptions{})
	d.Plug(t, 0, tcos)
	pull := d.Plug(t, 1, piv)
	code, stdout, stderr := atService("list")
	if code != exitDone || strings.Count(stdout, "SHA-256") != 6 || !strings.HasPrefix(stdout, d.Reader(0)+"\n") {
		t.Fatal(stdout, stderr)
	}
	file, _ := cardConfig(t)
	if code, _, stderr = atService("bind", "demail", "-w", file, "--serial", "89490176940000000001"); code != exitDone {
		t.Fatal(stderr)
	}
	if code, stdout, stderr = atService("probe", "demail", "-c", file); code != exitDone || strings.Count(stdout, "good") != 6 {
		t.Error(stdout, stderr)
	}
	if code, stdout, stderr = atService("export-cert", "--serial", "12345678", "--cert", shaOf(piv.Certificate(cardtest.SlotSignature))); code != exitDone {
		t.Error(stdout, stderr)
	}
	atService("unlock", "demail", "-c", file, "-y", "--pin-file", pinFile(t, "654321"))
	if code, _, stderr = atService("unlock", "demail", "-c", file, "-y", "--pin-file", pinFile(t, "123456")); code != exitDone {
		t.Error(stderr)
	}
	if n := tcos.Counts(); n.Refused != 1 || piv.Counts().Presented != 0 {
		t.Errorf("%+v, %+v", n, piv.Counts())
	}
	pull()
	if code, stdout, _ = atService("list", "--reader", d.Reader(1)); code != exitDone || stdout != d.Reader(1)+"\n  no card\n" {
		t.Error(stdout)
	}
	d.Stop()
	if code, _, stderr = atService("list"); code != exitFailed || !strings.Contains(stderr, "pcscd) does not run") {
		t.Error(stderr)
	}
}

// Two commands probe one card at once: each waits for the other's transactions, and neither fails.
func TestSmartcardProbeShares(t *testing.T) {
	d := pcscdtest.Start(t)
	d.Setenv(t)
	card := simulatedTCOS(t, cardtest.TCOSOptions{})
	d.Plug(t, 0, card)
	pin := pinFile(t, "123456")
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if code, stdout, stderr := atService("probe", "--pin-file", pin); code != exitDone || strings.Count(stdout, "good") != 6 {
				t.Error(stdout, stderr)
			}
		})
	}
	wait.Wait()
	if n := card.Counts(); n.Refused > 0 || n.Signatures+n.Deciphered != 3*6*3 {
		t.Errorf("%+v", n)
	}
}
