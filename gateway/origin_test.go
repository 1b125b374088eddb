package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// judging is a setting whose external listener judges by a name server of its own.
func judging(t *testing.T, policy mailauth.Policy) (*setting, *dnstest.Server) {
	t.Helper()
	s := newSetting(t)
	server := dnstest.Start(t, `
_dmarc.bank.example.    TXT "v=DMARC1; p=reject"
_dmarc.shop.example.    TXT "v=DMARC1; p=quarantine"
partner.example.        TXT "v=spf1 ip4:127.0.0.0/8 -all"
_dmarc.partner.example. TXT "v=DMARC1; p=reject"
`)
	s.options.Settings.Origin = origin.Options{
		Resolver: server.Resolver(t, dns.Options{Attempts: 1, CacheSize: -1}).Net(), Policy: policy, OwnDomains: mailauth.Mark,
	}
	s.options.Settings.Marks.Doubtful = "[doubtful]"
	return s, server
}

// What the author's domain wants refused is refused at DATA, and only what was judged well goes on, with the results
// on top; ours alone.
func TestOriginRefused(t *testing.T) {
	s, _ := judging(t, mailauth.DefaultPolicy())
	g, stop := s.start(t)
	if r := send(t, g, "ex", "x@bank.example", "alice@firma.example", letter("x@bank.example", "alice@firma.example")); r.Code != 550 || !strings.HasPrefix(r.String(), "550 5.7.26 ") {
		t.Errorf("reply %s", r)
	}
	forged := "Authentication-Results: gateway.firma.example; dmarc=pass\r\nX-Siegel-Origin: confirmed\r\n"
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", letter("bob@partner.example", "alice@firma.example", forged)); r.Code != 250 {
		t.Errorf("reply %s", r)
	}
	got := s.hop.wait(t)
	if n := strings.Count(got, "Authentication-Results: gateway.firma.example"); n != 1 || !strings.Contains(got, "dmarc=pass") || !strings.Contains(got, "spf=pass") {
		t.Errorf("results %d times:\n%s", n, got)
	}
	if strings.Count(got, "X-Siegel-Origin: confirmed; domain=partner.example\r\n") != 1 || strings.Count(got, "X-Siegel-Origin") != 1 {
		t.Errorf("origin:\n%s", got)
	}
	stop()
	if len(s.hop.got) > 0 {
		t.Error("the refused message was delivered too")
	}
}

// What is quarantined is taken and held with the reason until an operator releases it; then its subject says so.
func TestOriginQuarantined(t *testing.T) {
	s, _ := judging(t, mailauth.DefaultPolicy())
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.options.Socket = filepath.Join(dir, "control.sock")
	g, _ := s.start(t)
	if r := send(t, g, "ex", "x@shop.example", "alice@firma.example", letter("x@shop.example", "alice@firma.example")); r.Code != 250 {
		t.Fatalf("reply %s", r)
	}
	client := admin.NewClient(s.options.Socket)
	list, err := client.Queue(t.Context(), queue.Filter{State: queue.Held})
	held := list.Messages
	if err != nil || len(held) != 1 || !strings.HasPrefix(held[0].Recipients[0].LastReply, "quarantine: neither SPF nor DKIM confirms") {
		t.Fatalf("%+v, %v", held, err)
	}
	if len(s.hop.got) > 0 {
		t.Error("it was delivered")
	}
	done, err := client.Act(t.Context(), "release", admin.Order{IDs: []mail.ID{held[0].ID}})
	if err != nil || len(done.Changed) != 1 || len(done.Changed[0].Done) > 0 || !strings.Contains(done.Changed[0].Refused[0].Reason, "siegel quarantine") {
		t.Fatalf("released as other mail that is held: %+v, %v", done, err)
	}
	if _, err := client.Decide(t.Context(), "release", admin.Order{IDs: []mail.ID{held[0].ID}}); err != nil {
		t.Fatal(err)
	}
	got := s.hop.wait(t)
	if !strings.Contains(got, "Subject: [doubtful] planted subject\r\n") || !strings.Contains(got, "X-Siegel-Origin: doubtful; by=dmarc; action=quarantine;") {
		t.Errorf("%s", got)
	}
}

// While DNS is down nothing is lost: by default the client is told to come again, and its message is taken when it
// does; by another policy it is taken at once. Mail that needs no DNS goes its way meanwhile.
func TestOriginWithoutDNS(t *testing.T) {
	s, server := judging(t, mailauth.DefaultPolicy())
	g, _ := s.start(t)
	message := letter("bob@partner.example", "alice@firma.example")
	server.Fail("_dmarc.partner.example.", dnstest.ServFail)
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", message); r.Code != 451 || !strings.HasPrefix(r.String(), "451 4.4.3 ") {
		t.Errorf("reply %s", r)
	}
	if r := send(t, g, "in", "alice@firma.example", "alice@firma.example", letter("alice@firma.example", "alice@firma.example")); r.Code != 250 {
		t.Errorf("reply %s", r)
	}
	s.hop.wait(t)
	server.Fail("_dmarc.partner.example.", dnstest.None)
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", message); r.Code != 250 {
		t.Errorf("reply %s", r)
	}
	s.hop.wait(t)

	lenient := s.options.Settings
	lenient.Origin.Policy.DMARCTempError = mailauth.Nothing
	if err := g.Reload(lenient); err != nil {
		t.Fatal(err)
	}
	server.Fail("_dmarc.partner.example.", dnstest.ServFail)
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", message); r.Code != 250 {
		t.Errorf("reply %s", r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "dmarc=temperror") {
		t.Errorf("%s", got)
	}
	var judged []string
	for _, e := range s.events.Events() {
		if e.Kind == track.Judged {
			judged = append(judged, e.Authentication.Action)
		}
	}
	if got := strings.Join(judged, " "); got != "temporary none none" {
		t.Errorf("judged: %s", got)
	}
}

// Where a question has the message and the server that sends it, its author is looked up as at the door, and nothing is recorded; else that is assumed, and said.
func TestOriginExplained(t *testing.T) {
	s, _ := judging(t, mailauth.DefaultPolicy())
	g, stop := s.start(t)
	defer stop()
	events := len(s.events.Events())
	for name, c := range map[string]struct {
		from, client, refused, holds string
		assumed                      int
	}{
		"confirmed":       {"bob@partner.example", "127.0.0.1", "", "", 0},
		"not by its SPF":  {"bob@partner.example", "192.0.2.9", "550 5.7.", "", 0},
		"refused":         {"x@bank.example", "127.0.0.1", "550 5.7.26 ", "", 0},
		"held":            {"x@shop.example", "127.0.0.1", "", "a person decides first: ", 0},
		"of nobody known": {"x@bank.example", "", "", "", 1},
	} {
		q := explain.Question{From: c.from, To: []string{"alice@firma.example"}, Client: c.client, Message: []byte(letter(c.from, "alice@firma.example"))}
		a, err := g.Explain(t.Context(), q)
		if err != nil || a.IsRefused() != (c.refused != "") || !strings.HasPrefix(a.Refused, c.refused) || len(a.Assumed) != c.assumed || len(a.Recipients) != 1 ||
			(a.Recipients[0].Holds != "") != (c.holds != "") || !strings.HasPrefix(a.Recipients[0].Holds, c.holds) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if q.Message = nil; c.client != "" {
			if a, err = g.Explain(t.Context(), q); err != nil || a.IsRefused() || len(a.Assumed) != 1 || !strings.Contains(a.Assumed[0], "--file") {
				t.Errorf("%s, without the message: %+v, %v", name, a, err)
			}
		}
	}
	if now := s.events.Events(); len(now) != events {
		t.Errorf("it was recorded: %+v", now[events:])
	}
}
