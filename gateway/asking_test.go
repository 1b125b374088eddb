package gateway_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

const dora = "dora@partner.example"

// latecomers are certificates that turn up while the gateway runs.
type latecomers struct {
	certs.Finder
	mu    sync.Mutex
	found map[string]*x509.Certificate
}

func (l *latecomers) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.found[address]; c != nil {
		return c, nil
	}
	return l.Finder.Recipient(ctx, address, now)
}

func (l *latecomers) add(address string, c *x509.Certificate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found[address] = c
}

// newAskSetting is a setting whose rule demands encryption for the partner and asks for what is missing.
func newAskSetting(t *testing.T) (*setting, *latecomers) {
	t.Helper()
	s := newSetting(t, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Ask}}})
	l := &latecomers{Finder: s.options.Settings.Certs, found: map[string]*x509.Certificate{}}
	s.options.Settings.Certs = l
	s.options.Settings.Ask = gateway.Ask{From: parse(t, "certificates@firma.example"), Except: patterns(t, "nobody@partner.example")}
	return s, l
}

func parse(t *testing.T, text string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sendTo sends a message of alice that must be encrypted.
func sendTo(t *testing.T, g *gateway.Gateway, to string, fields ...string) {
	t.Helper()
	if r := send(t, g, "in", "alice@firma.example", to, letter("alice@firma.example", to, fields...)); r.Code != 250 {
		t.Fatalf("the reply is %s", r)
	}
}

// unfolded is a message without the soft line ends of quoted-printable.
func unfolded(wire string) string { return strings.ReplaceAll(wire, "=\r\n", "") }

// gets waits for so many messages and returns them, the one to dora first, then those to others by their text.
func (s *setting) gets(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		all = append(all, unfolded(s.hop.wait(t)))
	}
	slices.SortFunc(all, func(a, b string) int {
		toDora := func(m string) int {
			if strings.Contains(m, "To: <"+dora+">") {
				return 0
			}
			return 1
		}
		return toDora(a) - toDora(b)
	})
	return all
}

// wantWaiting holds that dora was asked, alice was told, and neither learns what waits.
func (s *setting) wantWaiting(t *testing.T) {
	t.Helper()
	all := s.gets(t, 2)
	for i, wants := range [][]string{
		{"To: <" + dora + ">", "From: <certificates@firma.example>", "Auto-Submitted: auto-generated", "alice@firma.example has written", "signieren Sie"},
		{"To: <alice@firma.example>", "Action: delayed", "Status: 4.7.5", "Final-Recipient: rfc822; " + dora, "was asked to send", "Will-Retry-Until"},
	} {
		for _, want := range wants {
			if !strings.Contains(all[i], want) {
				t.Errorf("it lacks %q:\n%s", want, all[i])
			}
		}
		if strings.Contains(all[i], "planted") {
			t.Errorf("it holds content:\n%s", all[i])
		}
	}
}

// Who has no certificate is asked, once; the sender is told; what waits leaves encrypted when the certificate is there, at once.
func TestAsked(t *testing.T) {
	s, late := newAskSetting(t)
	g, stop := s.start(t)
	sendTo(t, g, dora)
	s.wantWaiting(t)
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held })
	if e.Destination != "protect:asked:partner.example" || e.Reply != "held for protection: no certificate of "+dora+" is known" || e.Subject != "" {
		t.Errorf("%+v", e)
	}
	asked := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Asked })
	if asked.Origin != e.Origin || asked.ID == e.ID || asked.To[0] != dora {
		t.Errorf("%+v", asked)
	}
	noPlaintext(t, s.options.State, s.options.Key)
	sendTo(t, g, dora)
	if notice := unfolded(s.hop.wait(t)); !strings.Contains(notice, "Action: delayed") {
		t.Errorf("the second message: %s", notice)
	}
	stop()
	g, _ = s.start(t)
	bob := s.identity["bob@partner.example"]
	late.add(dora, bob.Certificate)
	g.Arrived(t.Context(), parse(t, dora))
	for range 2 {
		if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
			t.Errorf("openssl reads %q", got)
		}
	}
	count := 0
	for _, e := range s.events.Events() {
		if e.Kind == track.Asked {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d requests", count)
	}
	if strings.Contains(s.log.String(), "planted") {
		t.Errorf("the log holds content:\n%s", s.log)
	}
}

// Whoever has a certificate need not wait for the others.
func TestAskedDoNotKeepOthersWaiting(t *testing.T) {
	s, late := newAskSetting(t)
	g, _ := s.start(t)
	both := []string{"bob@partner.example", dora}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sendAll(ctx, g, both, letter("alice@firma.example", strings.Join(both, ", "))); err != nil {
		t.Fatal(err)
	}
	encrypted, others := 0, 0
	for range 3 {
		if wire := s.hop.wait(t); strings.Contains(wire, "application/pkcs7-mime") {
			encrypted++
			if got := opensslDecrypt(t, s, wire); !strings.Contains(got, "planted body") {
				t.Errorf("openssl reads %q", got)
			}
		} else {
			others++
		}
	}
	if encrypted != 1 || others != 2 {
		t.Errorf("%d encrypted, %d others", encrypted, others)
	}
	late.add(dora, s.identity["bob@partner.example"].Certificate)
	g.Arrived(t.Context())
	if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
		t.Errorf("openssl reads %q", got)
	}
}

// At the deadline it returns to its sender, and never leaves.
func TestAskedInVain(t *testing.T) {
	s, _ := newAskSetting(t)
	s.options.Settings.Ask.Within = 200 * time.Millisecond
	g, _ := s.start(t)
	sendTo(t, g, dora, "Message-ID: <1@firma.example>\r\n")
	var returned string
	for range 3 {
		m := unfolded(s.hop.wait(t))
		if strings.Contains(m, "planted") {
			t.Fatalf("it left, or what of it:\n%s", m)
		}
		if strings.Contains(m, "Action: failed") {
			returned = m
		}
	}
	for _, want := range []string{"Status: 5.7.5", "no certificate of " + dora + " is known", "To: <alice@firma.example>", "Message-ID: <1@firma.example>"} {
		if !strings.Contains(returned, want) {
			t.Errorf("the report lacks %q:\n%s", want, returned)
		}
	}
}

// Lists, machines, exceptions and those whom nobody may ask are refused, as without asking.
func TestNotAsked(t *testing.T) {
	for name, c := range map[string]struct {
		to     string
		fields string
		change func(*gateway.Settings)
	}{
		"a list":         {"users-request@partner.example", "", nil},
		"its owner":      {"owner-users@partner.example", "", nil},
		"a machine":      {"NoReply@partner.example", "", nil},
		"an exception":   {"nobody@partner.example", "", nil},
		"for a machine":  {dora, "Auto-Submitted: auto-replied\r\n", nil},
		"nobody may ask": {dora, "", func(s *gateway.Settings) { s.Ask.From = mail.Address{} }},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newAskSetting(t)
			if c.change != nil {
				c.change(&s.options.Settings)
			}
			g, _ := s.start(t)
			r := send(t, g, "in", "alice@firma.example", c.to, letter("alice@firma.example", c.to, c.fields))
			if r.Code != 550 || !strings.Contains(r.String(), "send you a signed message") {
				t.Errorf("the reply is %s", r)
			}
		})
	}
}

// A thousand recipients are not a thousand requests at once.
func TestAskedBounds(t *testing.T) {
	s, _ := newAskSetting(t)
	s.options.Settings.Ask.PerDomain = 3
	g, _ := s.start(t)
	for i := range 8 {
		sendTo(t, g, fmt.Sprintf("user%d@partner.example", i))
		s.hop.wait(t) // what alice is told, or a request
	}
	for range 3 {
		s.hop.wait(t)
	}
	for _, e := range s.events.Events() {
		if e.Kind == track.Refused || e.Kind == track.Failed {
			t.Errorf("%+v", e)
		}
	}
	select {
	case m := <-s.hop.got:
		t.Errorf("one more:\n%s", m)
	default:
	}
}

// sendAll hands over one message of alice for several recipients.
func sendAll(ctx context.Context, g *gateway.Gateway, to []string, message string) error {
	c, err := smtpclient.Dial(ctx, g.Addr("in").String(), smtpclient.Options{Hello: "client.example", TLS: smtpclient.TLSNone})
	if err != nil {
		return err
	}
	defer c.Close()
	m := smtpclient.Message{From: "alice@firma.example", Body: strings.NewReader(message), Size: int64(len(message))}
	for _, a := range to {
		m.Recipients = append(m.Recipients, smtpclient.Recipient{Address: a})
	}
	r, err := c.Send(ctx, m)
	if err == nil && !r.Recipients[0].Positive() {
		err = fmt.Errorf("%s", r.Recipients[0])
	}
	return err
}
