package track_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

// everything is an event with every field set.
func everything() track.Event {
	return track.Event{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Kind: track.Delivered, ID: "0abc", Origin: "0abd",
		Direction: mail.Outgoing, From: "alice@firma.example", To: []string{"bob@partner.example", "carol@partner.example"},
		Client: mail.Client{Listener: "internal", Addr: netip.MustParseAddr("192.0.2.7"), Helo: "mail.firma.example", User: "alice", TLS: "TLS1.3 X"},
		Size:   4711, MessageID: "<1@firma.example>", Subject: "planted subject", Flags: "encrypt", Known: "Bob 02", Rule: "partner", SignedBy: "CN=Alice 01", EncryptedTo: []string{"CN=Bob", "CN=Carol"},
		DKIM:           "s1._domainkey.firma.example",
		Authentication: track.Authentication{SPF: "fail", DKIM: "none", DMARC: "fail", Action: "mark", By: "dmarc"},
		Algorithms:     "aes256-cbc, rsa", Verdict: "valid", Layers: []string{"enveloped", "signed; valid"}, Destination: "partner", Host: "mx.partner.example:25",
		TLS: "TLS1.2 Y verified", Reply: "250 2.0.0 Ok", Attempt: 2,
		Next: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC), Elapsed: 1500 * time.Millisecond, By: "root",
	}
}

func logger(f logrus.Formatter) (*logrus.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	l := logrus.New()
	l.SetOutput(&out)
	l.SetFormatter(f)
	return l, &out
}

// The names of the fields are an interface: dashboards and alerts are written against them.
func TestLogFields(t *testing.T) {
	l, out := logger(&logrus.JSONFormatter{})
	track.NewLog(l).Record(everything())
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"time": "2026-03-01T12:00:00Z", "level": "info", "msg": "delivered", "id": "0abc", "origin": "0abd",
		"direction": "outgoing", "from": "alice@firma.example", "to": "bob@partner.example, carol@partner.example",
		"listener": "internal", "client": "192.0.2.7", "helo": "mail.firma.example", "user": "alice", "client_tls": "TLS1.3 X",
		"size": 4711.0, "message_id": "<1@firma.example>", "flags": "encrypt", "known": "Bob 02", "layers": "enveloped, signed; valid", "by": "root", "rule": "partner", "signed_by": "CN=Alice 01", "dkim": "s1._domainkey.firma.example",
		"authentication": "spf=fail dkim=none dmarc=fail action=mark by=dmarc", "encrypted_to": "CN=Bob, CN=Carol",
		"algorithms": "aes256-cbc, rsa", "verdict": "valid", "destination": "partner", "host": "mx.partner.example:25",
		"tls": "TLS1.2 Y verified", "reply": "250 2.0.0 Ok", "attempt": 2.0, "next": "2026-03-01T13:00:00Z", "elapsed": "1.5s",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %v, want %v", name, got[name], value)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("fields that are not documented: %v", got)
	}
}

func TestLogLevels(t *testing.T) {
	for kind, level := range map[track.Kind]string{
		track.Accepted: "info", track.Judged: "info", track.Decided: "info", track.Protected: "info", track.Opened: "info", track.Queued: "info",
		track.Delivered: "info", track.Reported: "info", track.Asked: "info", track.Dropped: "info", track.Released: "info", track.Rerouted: "info", track.Returned: "info",
		track.Refused: "warning", track.Deferred: "warning", track.Failed: "warning", track.Held: "warning", track.Quarantined: "warning",
	} {
		l, out := logger(&logrus.JSONFormatter{})
		track.NewLog(l).Record(track.Event{Kind: kind})
		if !strings.Contains(out.String(), `"level":"`+level+`"`) {
			t.Errorf("%s: %s", kind, out)
		}
	}
}

func TestLogLeavesOutWhatIsEmpty(t *testing.T) {
	l, out := logger(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
	track.NewLog(l).Record(track.Event{Kind: track.Decided, ID: "0abc", Rule: "partner"})
	if got, want := out.String(), "level=info msg=decided id=0abc rule=partner\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	out.Reset()
	track.NewLog(l).Record(track.Event{Kind: track.Accepted, ID: "0abc"})
	if !strings.Contains(out.String(), `from="<>"`) {
		t.Errorf("the null reverse-path is not shown: %s", out)
	}
}

// A peer's text stays on its line, shows no control character and has an end, in every format.
func TestLogHostileText(t *testing.T) {
	hostile := "550 no\r\ntime=now level=info msg=delivered id=forged\x1b[2J\u009b1m\u202e\xff" + strings.Repeat("x", 10_000)
	e := everything()
	e.From, e.Reply, e.Host, e.Client.Helo, e.Client.User, e.Client.TLS = hostile, hostile, hostile, hostile, hostile, hostile
	e.SignedBy, e.Rule, e.Verdict, e.Kind, e.ID = hostile, hostile, hostile, track.Kind(hostile), mail.ID(hostile)
	e.To, e.EncryptedTo = []string{hostile, hostile}, []string{hostile}
	e.Client.Addr = netip.MustParseAddr("fe80::1").WithZone(hostile)
	for name, f := range map[string]logrus.Formatter{
		"text":   &logrus.TextFormatter{DisableColors: true},
		"colour": &logrus.TextFormatter{ForceColors: true, DisableTimestamp: true},
		"json":   &logrus.JSONFormatter{},
	} {
		t.Run(name, func(t *testing.T) {
			l, out := logger(f)
			track.NewLog(l).Record(e)
			text := strings.TrimSuffix(out.String(), "\n")
			if name == "colour" {
				text = strings.ReplaceAll(strings.ReplaceAll(text, "\x1b[36m", ""), "\x1b[0m", "")
			}
			if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\uFFFD' }); i >= 0 {
				t.Errorf("unsafe character: %q", text[max(i-10, 0):i+10])
			}
			if len(text) > 16<<10 {
				t.Errorf("a line of %d bytes", len(text))
			}
		})
	}
}

func TestLogLongLists(t *testing.T) {
	e := track.Event{Kind: track.Queued}
	for i := range 1000 {
		e.To = append(e.To, fmt.Sprintf("u%d@x.example", i))
	}
	l, out := logger(&logrus.JSONFormatter{})
	track.NewLog(l).Record(e)
	if !strings.Contains(out.String(), `u19@x.example and 980 more"`) {
		t.Errorf("%s", out)
	}
}

func ExampleNewLog() {
	l := logrus.New()
	l.SetOutput(os.Stdout)
	l.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true})
	track.NewLog(l).Record(track.Event{Kind: track.Deferred, ID: "0rv3k1", Host: "mx.partner.example:25", Reply: "451 4.3.0 later", Attempt: 3})
	// Output: level=warning msg=deferred attempt=3 host="mx.partner.example:25" id=0rv3k1 reply="451 4.3.0 later"
}
