package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
)

// listStore is the part of a queue that operators use: three messages, of which 0busy is under delivery.
type listStore struct {
	queue.Store
	messages []queue.Message
}

func (s listStore) List(_ context.Context, f queue.Filter) ([]queue.Message, error) {
	var out []queue.Message
	for _, m := range s.messages {
		if (f.ID == "" || f.ID == m.Envelope.ID || f.ID == m.Origin) && strings.Contains(m.Envelope.From.String(), f.Sender) && len(out) < f.Limit &&
			(f.Before.IsZero() || m.Envelope.Received.Before(f.Before)) && slices.ContainsFunc(m.Recipients, f.Selects) {
			out = append(out, m)
		}
	}
	return out, nil
}

// Change changes nothing but says what it would.
func (s listStore) Change(_ context.Context, _ mail.ID, o queue.Order) ([]int, error) {
	return o.Only, nil
}

// openWays are ways to two routes; what is hostile is not returned.
type openWays struct{}

// MayReroute implements admin.Ways.
func (openWays) MayReroute(_ queue.Message, _ int, destination string) error {
	if destination != "exchange" && destination != "internet" {
		return errors.New("there is no such route: the routes are exchange, internet")
	}
	return nil
}

// MayReturn implements admin.Ways.
func (openWays) MayReturn(m queue.Message, i int) error {
	if m.Recipients[i].LastReply == hostile {
		return errors.New(hostile)
	}
	return nil
}

// Returned implements admin.Ways.
func (openWays) Returned(context.Context, queue.Message, []int) (queue.New, error) {
	return queue.New{Destinations: []string{"back"}, Content: report.Content("x")}, nil
}

func (s listStore) Stats(context.Context) (queue.Stats, error) { return queue.Stats{}, nil }

// hostile is what a bad peer answers and calls itself.
const hostile = "550 no\r\n\x1b[2J\u009b31m\u202e\x07 forged"

func messages(now time.Time) []queue.Message {
	rcpt := func(local string, state queue.State, reply string) queue.Recipient {
		return queue.Recipient{Recipient: mail.Recipient{Address: mail.Address{Local: local, Domain: "partner.example"}}, Destination: "mx:partner.example",
			State: state, Attempts: 2, Next: now.Add(90*time.Minute + 30*time.Second), LastTried: now.Add(-time.Minute), LastReply: reply}
	}
	message := func(id, origin, from string, rcpts ...queue.Recipient) queue.Message {
		m := queue.Message{Origin: mail.ID(origin), Note: "signed, encrypted", Size: 4711, Expires: now.Add(72 * time.Hour), Recipients: rcpts}
		m.Envelope.ID, m.Envelope.Received = mail.ID(id), now.Add(-2*time.Hour-5*time.Minute)
		m.Envelope.Client = mail.Client{Listener: "internal", Helo: hostile, User: "alice"}
		if from != "" {
			m.Envelope.From = mail.Address{Local: from, Domain: "firma.example"}
		}
		return m
	}
	busy := rcpt("erin", queue.Queued, "")
	busy.Busy = true
	waits := rcpt("fred", queue.Queued, "card is not available: no card in the reader")
	waits.Destination = "protect:card"
	pending := message("0wait", "0wait", "alice", waits)
	pending.Note, pending.Pending = "held for protection: the signing key of alice@firma.example is not available", []byte("x")
	return []queue.Message{
		message("0one", "0first", "alice", rcpt("bob", queue.Queued, "451 4.7.1 grey"), rcpt("carol", queue.Delivered, "250 2.0.0 Ok")),
		message("0two", "0first", "alice", rcpt("dave", queue.Held, hostile)),
		message("0busy", "0busy", "", busy), pending,
	}
}

// serveControl runs a control socket for one script.
func serveControl(t *testing.T, path string, reload func(context.Context) error) {
	t.Helper()
	t.Cleanup(control(t, admin.ControlOptions{Path: path, Store: listStore{messages: messages(time.Now())}, Ways: openWays{}, Reload: reload}))
}

// control runs a control socket until the function that it returns is called.
func control(t *testing.T, o admin.ControlOptions) (stop func()) {
	t.Helper()
	c, err := admin.NewControl(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// The commands against a running control socket, as scripts.
func TestControlCommands(t *testing.T) {
	dir, err := os.MkdirTemp("", "sgl") // short: a socket's name has room for 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	for path, reload := range map[string]func(context.Context) error{
		good: func(context.Context) error { return nil },
		bad: func(context.Context) error {
			return errors.New("siegel.yaml:3: listeners: none\nsiegel.yaml:9: rules: \x1b[2J")
		},
	} {
		serveControl(t, filepath.Join(path, "c.sock"), reload)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/control",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOOD", filepath.Join(good, "c.sock"))
			e.Setenv("BAD", filepath.Join(bad, "c.sock"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"siegel": scriptSiegel},
	})
}

// scriptSiegel runs a command line in this process; "! siegel" wants it to fail.
func scriptSiegel(ts *testscript.TestScript, neg bool, args []string) {
	socket := ts.Getenv("SIEGEL_SOCKET")
	if socket != "" {
		args = append(args, "--socket", socket)
	}
	code := run(args, ts.Stdout(), ts.Stderr())
	if (code != exitDone) != neg {
		ts.Fatalf("exit code %d", code)
	}
}

func TestDefaultSocket(t *testing.T) {
	field, _ := reflect.TypeFor[controlFlags]().FieldByName("Socket")
	if got := field.Tag.Get("default"); got != admin.DefaultSocket {
		t.Errorf("the default of --socket is %s, the gateway listens on %s", got, admin.DefaultSocket)
	}
}

// Nothing that a stranger wrote reaches a terminal as it is, in any form of output.
func TestQueueOutputSafe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r", "c.sock")
	serveControl(t, path, func(context.Context) error { return errors.New(hostile) })
	for _, line := range []string{"queue list", "queue list --json", "queue show 0two", "queue show 0two --json", "queue show \x1b[2J", "queue drop 0busy", "queue return 0two", "queue hold 0one --reason \x1b[2J", "queue reroute 0one --to \u202e", "queue drop \x1b[2J", "reload"} {
		var out strings.Builder
		run(append(strings.Split(line, " "), "--socket", path), &out, &out)
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) {
			t.Errorf("%q: %q", line, out.String())
		}
		if strings.Contains(line, "0two") && !strings.Contains(out.String(), "forged") {
			t.Errorf("%q: the text is gone: %q", line, out.String())
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 59*time.Second + 499*time.Millisecond: "59s", 59*time.Second + 500*time.Millisecond: "1m", time.Minute: "1m", 59*time.Minute + 29*time.Second: "59m", 59*time.Minute + 30*time.Second: "1h00m",
		time.Hour: "1h00m", 24*time.Hour - time.Second: "24h00m", 25*time.Hour + 7*time.Minute: "25h07m", 48*time.Hour - time.Second: "2d", 48 * time.Hour: "2d", 1000 * time.Hour: "42d",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 4711: "4.7 kB", 999_949: "999.9 kB", 999_999: "1.0 MB",
		50_000_000: "50.0 MB", 1 << 60: "1152921.5 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
