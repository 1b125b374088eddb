package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// watching runs siegel smartcard watch and returns what reads its next line, and what ends it.
func watching(t *testing.T, c smartcardWatchCmd, r *cardtest.Rack) (next func() string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- c.watch(ctx, out, r.Transport())
		out.Close()
	}()
	lines := bufio.NewScanner(in)
	next = func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no more lines")
		}
		return lines.Text()
	}
	stop = func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(cancel)
	return next, stop
}

func TestSmartcardWatch(t *testing.T) {
	card := simulatedPIV(t, cardtest.PIVOptions{})
	r := rackOf(t, card)
	next, stop := watching(t, smartcardWatchCmd{}, r)
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, "  left: card piv 12345678 (PIV card of Yubico's kind), 3 certificates; the PIN: 3 tries left"},
		{func() error { return nil }, "  right: no card"},
		{func() error { return r.Pull("left") }, "  left: the card was pulled"},
		{func() error { return r.Insert("right", odd{"\x3B\x00", "\x6A\x82"}) }, "  right: an unknown card, ATR 3B00"},
		{func() error { r.Stop(); return nil }, "  service: the service for smart cards (pcscd) does not run; start it"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if line := next(); !strings.HasPrefix(line[8:], step.want) {
			t.Errorf("%s; want %s", line, step.want)
		}
	}
	stop()
	if n := card.Counts().Presented; n > 0 {
		t.Errorf("%d PINs presented", n)
	}
}

func TestSmartcardWatchJSON(t *testing.T) {
	next, stop := watching(t, smartcardWatchCmd{JSON: true, Reader: "ri*"}, rackOf(t))
	var got struct{ Reader, State, Text string }
	if line := next(); json.Unmarshal([]byte(line), &got) != nil || got.Reader != "right" || got.State != "empty" || got.Text != "no card" {
		t.Error(line)
	}
	stop()
}

// torn is output that nobody reads.
type torn struct{}

func (torn) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestSmartcardWatchEndsUnread(t *testing.T) {
	if err := (&smartcardWatchCmd{}).watch(t.Context(), torn{}, rackOf(t).Transport()); err == nil || err.Error() != "broken pipe" {
		t.Error(err)
	}
	refused(t, rackOf(t), exitUsage, "--reader is no name of a reader", "watch", "--reader", `x\`)
}
