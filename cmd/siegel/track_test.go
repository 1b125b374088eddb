package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// lives are the events of two messages.
func lives() []track.Event {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms int, e track.Event) track.Event {
		e.Time, e.Origin = noon.Add(time.Duration(ms)*time.Millisecond), "0one"
		return e
	}
	both := []string{"bob@partner.example", "carol@other.example"}
	client := mail.Client{Listener: "in", Addr: netip.MustParseAddr("192.0.2.7"), Helo: "mx.firma.example", User: "alice", TLS: "TLS1.3 X"}
	alice := "alice@firma.example"
	two := track.Event{Time: noon.Add(time.Minute), ID: "0two", Origin: "0two", To: []string{alice}}
	accepted, opened, held := two, two, two
	accepted.Kind = track.Accepted
	opened.Kind, opened.Verdict, opened.Layers, opened.SignedBy = track.Opened, "valid", []string{"enveloped", "signed"}, "bob"
	held.Kind, held.Reply = track.Held, "doubtful \x1b[2J"
	return []track.Event{
		at(0, track.Event{Kind: track.Decided, ID: "0one", From: alice, To: both[:1], Rule: "encrypt=true by bank", Flags: "encrypt", Known: "bob (serial 1)"}),
		at(1, track.Event{Kind: track.Protected, ID: "0onev", SignedBy: "alice (serial 2)", EncryptedTo: []string{"bob (serial 1)"}, Algorithms: "aes256-cbc"}),
		at(2, track.Event{Kind: track.Queued, ID: "0onev", From: alice, To: both, Destination: "relay", Size: 9000, MessageID: "<1@firma.example>", Subject: "grün \u202e"}),
		at(3, track.Event{Kind: track.Accepted, ID: "0one", From: alice, To: both, Client: client, Size: 4711, MessageID: "<1@firma.example>", Reply: "250 queued"}),
		at(900, track.Event{Kind: track.Delivered, ID: "0onev", From: alice, To: both[:1], Destination: "relay", Host: "mx.partner.example:25", TLS: "TLS1.2 Y verified",
			Reply: "250 2.0.0 Ok", Attempt: 1, Elapsed: 120 * time.Millisecond}),
		at(950, track.Event{Kind: track.Deferred, ID: "0onev", From: alice, To: both[1:], Destination: "relay", Host: "mx.other.example:25",
			Reply: "451 4.7.1 grey", Attempt: 1, Next: noon.Add(time.Minute)}),
		accepted, opened, held,
	}
}

// writeRecord makes a record of lives in a state folder.
func writeRecord(state string, key atrest.Key) (*sqltrack.Store, error) {
	s, err := sqltrack.Open(sqltrack.Options{Dir: filepath.Join(state, "track"), Key: key, Retention: 100 * 365 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	for _, e := range lives() {
		s.Record(e)
	}
	return s, s.Flush(context.Background())
}

// The commands that search the record, as scripts: first over its files, then by a running gateway.
func TestTrackCommands(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		testscript.Run(t, testscript.Params{Dir: "testdata/track", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
			state, key, err := writeState(e.WorkDir)
			if err != nil {
				return err
			}
			e.Setenv("SIEGEL_SOCKET", filepath.Join(e.WorkDir, "none.sock"))
			s, err := writeRecord(state, key)
			if err != nil {
				return err
			}
			return s.Close()
		}})
	})
	t.Run("gateway", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "sgl")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		s, err := writeRecord(dir, atrest.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() }) // the scripts run in parallel, and so after this function
		path := filepath.Join(dir, "r", "c.sock")
		t.Cleanup(serveTrack(t, path, s))
		testscript.Run(t, testscript.Params{Dir: "testdata/track", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
			e.Setenv("SIEGEL_SOCKET", path)
			return nil
		}})
	})
}

func serveTrack(t *testing.T, path string, record admin.Track) (stop func()) {
	t.Helper()
	return control(t, admin.ControlOptions{Path: path, Store: listStore{}, Track: record})
}

// Where there is neither a gateway nor a record, what to do is said.
func TestTrackNothingThere(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := writeState(dir); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{"siegel.yaml": "there is no record in", "none.yaml": "no gateway listens on"} {
		var out strings.Builder
		code := run([]string{"track", "find", "--socket", filepath.Join(dir, "no.sock"), "--config", filepath.Join(dir, config)}, &out, &out)
		if code != exitFailed || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit %d, %s", config, code, out.String())
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"2026-03-01":                time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local),
		"2026-03-01 14:30":          time.Date(2026, 3, 1, 14, 30, 0, 0, time.Local),
		"2026-03-01T14:30":          time.Date(2026, 3, 1, 14, 30, 0, 0, time.Local),
		"2026-03-01 14:30:15":       time.Date(2026, 3, 1, 14, 30, 15, 0, time.Local),
		"2026-03-01T14:30:00+01:00": time.Date(2026, 3, 1, 13, 30, 0, 0, time.UTC),
	} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := parseTime("01.03.2026"); err == nil {
		t.Error("an odd time is taken")
	}
}
