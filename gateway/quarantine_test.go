package gateway_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// quarantining is a setting where strict@firma.example takes nothing that is not signed, and mail to the bank waits for a person.
func quarantining(t *testing.T) *setting {
	t.Helper()
	s := newSetting(t)
	pol, err := policy.New(policy.Config{
		Recipients: []policy.Entry{{For: patterns(t, "strict@firma.example"), Settings: policy.Settings{OnUnsigned: policy.Quarantine, Notify: []string{"recipient"}}}},
		Rules:      []policy.Rule{{Name: "bank", To: patterns(t, "bob@partner.example"), Settings: policy.Settings{Quarantine: "an offer", Encrypt: policy.Require}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Policy = pol
	s.options.Socket = shortSocket(t)
	return s
}

// sendOne sends one message to several recipients.
func sendOne(t *testing.T, g *gateway.Gateway, listener, from, message string, to ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := smtpclient.Dial(ctx, g.Addr(listener).String(), smtpclient.Options{Hello: "client.example", TLS: smtpclient.TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := smtpclient.Message{From: from, Body: strings.NewReader(message), Size: int64(len(message))}
	for _, a := range to {
		m.Recipients = append(m.Recipients, smtpclient.Recipient{Address: a})
	}
	r, err := c.Send(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range r.Recipients {
		if reply.Code != 250 {
			t.Fatalf("reply %s", reply)
		}
	}
}

// inQuarantine waits until n messages are in quarantine, and lists them.
func inQuarantine(t *testing.T, s *setting, n int) []admin.Message {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		list, err := admin.NewClient(s.options.Socket).Queue(t.Context(), queue.Filter{Destination: queue.Quarantine, State: queue.Held})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Messages) == n {
			return list.Messages
		}
		if time.Now().After(end) {
			t.Fatalf("%d messages in quarantine, want %d", len(list.Messages), n)
		}
		s.events.Events()
	}
}

// One message from outside, two decisions: one recipient has it at once, the other when a person says so, after a restart, once; nobody outside is told, and
// the recipient is, once.
func TestQuarantineFromOutside(t *testing.T) {
	s := quarantining(t)
	g, stop := s.start(t)
	sendOne(t, g, "ex", "bob@partner.example", letter("bob@partner.example", "alice@firma.example"), "alice@firma.example", "strict@firma.example")
	if got := s.hop.wait(t); !strings.Contains(got, "X-Siegel-Verdict: unsigned") {
		t.Errorf("%s", got)
	}
	s.waitUntil(t, track.Delivered, 1) // so is said a moment after the hop has it
	m := inQuarantine(t, s, 1)[0]
	if q := m.Recipients[1].Quarantine; q == nil || q.Cause != "unsigned" || q.Verdict != "unsigned" || m.Recipients[0].State != queue.Delivered || m.Recipients[1].Ends.IsZero() {
		t.Fatalf("%+v", m)
	}
	stop()
	g, _ = s.start(t)
	client := admin.NewClient(s.options.Socket)
	inQuarantine(t, s, 1)
	if err := g.LookAtQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if notice := s.hop.wait(t); !strings.Contains(notice, "To: <strict@firma.example>") || strings.Contains(notice, "planted") {
		t.Errorf("%s", notice)
	}
	if done, err := client.Decide(t.Context(), "return", admin.Order{IDs: []mail.ID{m.ID}}); err != nil || len(done.Changed[0].Done) != 0 {
		t.Errorf("returned to somebody outside: %+v, %v", done, err)
	}
	done, err := client.Decide(t.Context(), "release", admin.Order{IDs: []mail.ID{m.ID}, Only: []string{"Strict@firma.example"}})
	if err != nil || !slices.Equal(done.Changed[0].Done, []string{"strict@firma.example"}) {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "planted body") {
		t.Errorf("%s", got)
	}
	inQuarantine(t, s, 0)
	if err := g.LookAtQuarantine(t.Context()); err != nil || len(s.hop.got) > 0 {
		t.Errorf("%d messages more, %v", len(s.hop.got), err)
	}
	if acts := s.acts(t); !slices.Contains(acts, "quarantine-release") {
		t.Errorf("audit: %v", acts)
	}
}

// Mail from inside that a rule holds leaves encrypted when it is released, comes back when it is returned, and does neither when it is deleted.
func TestQuarantineToOutside(t *testing.T) {
	s := quarantining(t)
	g, _ := s.start(t)
	client := admin.NewClient(s.options.Socket)
	for act, want := range map[string]string{"release": "application/pkcs7-mime", "return": "multipart/report", "delete": ""} {
		sendOne(t, g, "in", "alice@firma.example", letter("alice@firma.example", "bob@partner.example"), "bob@partner.example")
		m := inQuarantine(t, s, 1)[0]
		if len(s.hop.got) > 0 || !m.Pending || m.Recipients[0].Quarantine.Why != "an offer" || m.Recipients[0].Quarantine.Sources[0].By != "rule bank" {
			t.Errorf("%+v", m)
		}
		if dry, err := client.Decide(t.Context(), act, admin.Order{IDs: []mail.ID{m.ID}, DryRun: true}); err != nil || len(dry.Changed[0].Done) != 1 {
			t.Errorf("%+v, %v", dry, err)
		}
		inQuarantine(t, s, 1)
		if done, err := client.Decide(t.Context(), act, admin.Order{IDs: []mail.ID{m.ID}}); err != nil || len(done.Changed[0].Done) != 1 {
			t.Fatalf("%s: %+v, %v", act, done, err)
		}
		inQuarantine(t, s, 0)
		if want == "" {
			continue
		}
		if got := s.hop.wait(t); !strings.Contains(got, want) || strings.Contains(got, "planted body") {
			t.Errorf("%s: %s", act, got)
		}
	}
	acts := s.acts(t)
	for _, want := range []string{"quarantine-release", "quarantine-return", "quarantine-delete"} {
		if !slices.Contains(acts, want) {
			t.Errorf("%s is not in the log: %v", want, acts)
		}
	}
}

// What nobody decides on in time goes back to its sender inside, and is removed where it came from outside, and that is written down. Where there is no room,
// mail stays with its sender.
func TestQuarantineEnds(t *testing.T) {
	s := quarantining(t)
	g, stop := s.start(t)
	sendOne(t, g, "ex", "bob@partner.example", letter("bob@partner.example", "strict@firma.example"), "strict@firma.example")
	inQuarantine(t, s, 1)
	sendOne(t, g, "in", "alice@firma.example", letter("alice@firma.example", "bob@partner.example"), "bob@partner.example")
	inQuarantine(t, s, 2)
	settings := s.options.Settings
	settings.Quarantine = gateway.Quarantine{MaxMessages: 2}
	if err := g.Reload(settings); err != nil {
		t.Fatal(err)
	}
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); r.Code != 451 || !strings.Contains(r.String(), "no room") {
		t.Errorf("reply %s", r)
	}
	stop()
	s.options.Settings.Quarantine = gateway.Quarantine{Keep: time.Nanosecond, Every: time.Hour}
	s.start(t)
	inQuarantine(t, s, 0)
	seen := map[string]bool{}
	for range 2 {
		got := s.hop.wait(t)
		seen["returned"] = seen["returned"] || strings.Contains(got, "multipart/report")
		seen["removed"] = seen["removed"] || strings.Contains(got, "To: <strict@firma.example>")
		if strings.Contains(got, "planted body") || strings.Contains(got, "To: <bob@") {
			t.Errorf("%s", got)
		}
	}
	if !seen["returned"] || !seen["removed"] || !slices.Contains(s.acts(t), "quarantine-expire") {
		t.Errorf("%v, %v", seen, s.acts(t))
	}
}

// Strangers who fill the quarantine leave room for mail from inside; theirs waits in the queue until there is some.
func TestQuarantineKeepsRoomForInside(t *testing.T) {
	s := quarantining(t)
	s.options.Settings.Quarantine = gateway.Quarantine{MaxMessages: 10}
	g, _ := s.start(t)
	for range 9 {
		sendOne(t, g, "ex", "bob@partner.example", letter("bob@partner.example", "strict@firma.example"), "strict@firma.example")
	}
	first := inQuarantine(t, s, 9)[0]
	sendOne(t, g, "ex", "bob@partner.example", letter("bob@partner.example", "strict@firma.example"), "strict@firma.example")
	client := admin.NewClient(s.options.Socket)
	for end := time.Now().Add(patience); ; s.events.Events() {
		list, err := client.Queue(t.Context(), queue.Filter{State: queue.Queued})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Messages) == 1 && strings.Contains(list.Messages[0].Recipients[0].LastReply, "full for mail from outside") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", list.Messages)
		}
	}
	sendOne(t, g, "in", "alice@firma.example", letter("alice@firma.example", "bob@partner.example"), "bob@partner.example")
	inQuarantine(t, s, 10)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); r.Code != 451 {
		t.Errorf("reply %s", r)
	}
	if done, err := client.Decide(t.Context(), "delete", admin.Order{IDs: []mail.ID{first.ID}}); err != nil || len(done.Changed[0].Done) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// What nobody decides on, and cannot go back since no way leads to its sender any more, is removed, and the administrators are told.
func TestQuarantineEndsWithoutAWayBack(t *testing.T) {
	s := quarantining(t)
	g, stop := s.start(t)
	sendOne(t, g, "in", "alice@firma.example", letter("alice@firma.example", "bob@partner.example"), "bob@partner.example")
	inQuarantine(t, s, 1)
	stop()
	s.options.Settings.Routes = slices.Clone(s.options.Settings.Routes)
	for i := range s.options.Settings.Routes {
		s.options.Settings.Routes[i].Domains = patterns(t, "@elsewhere.example")
	}
	s.options.Settings.Quarantine = gateway.Quarantine{Keep: time.Nanosecond, Every: time.Hour}
	s.options.Settings.MailTo = []mail.Address{one(t, "admin@elsewhere.example")}
	s.start(t)
	inQuarantine(t, s, 0)
	if got := s.hop.wait(t); !strings.Contains(got, "To: <admin@elsewhere.example>") || strings.Contains(got, "planted body") {
		t.Errorf("%s", got)
	}
}
