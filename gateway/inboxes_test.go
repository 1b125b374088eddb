package gateway_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// town is a simulated provider with a town hall and the company of a setting.
type town struct {
	t         *testing.T
	provider  *dmda.Simulated
	authority *dmda.Authority
	sent      int
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t}
	var err error
	w.authority, err = dmda.NewAuthority(time.Now())
	seal, e := w.authority.Sealer("dmda.example", time.Now())
	if err := errors.Join(err, e); err != nil {
		t.Fatal(err)
	}
	if w.provider, err = dmda.NewNetwork(time.Now).Add("dmda.example", seal); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"amt@stadt.de-mail.de", "post@firma.de-mail.de"} {
		if err := w.provider.Open(dmda.Account{Holder: a, Addresses: []demail.Address{deMail(t, a)}, Highest: demail.LevelHigh}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func deMail(t *testing.T, s string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *town) login(a string) *dmda.Session {
	w.t.Helper()
	s, err := w.provider.Login(deMail(w.t, a), demail.LevelHigh, "card")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

type bytesContent []byte

func (c bytesContent) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }
func (c bytesContent) Size() int64                  { return int64(len(c)) }

// writes has the town hall write to the company.
func (w *town) writes(message []byte) {
	w.t.Helper()
	w.sent++
	_, err := w.login("amt@stadt.de-mail.de").Submit(connectors.Message{
		Key: "k" + strings.Repeat("x", w.sent), Sender: deMail(w.t, "amt@stadt.de-mail.de"), Options: demail.Options{Authoritative: true},
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: deMail(w.t, "post@firma.de-mail.de")}}}, Content: bytesContent(message),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// settings are those of De-Mail that goes to somebody inside.
func (w *town) settings(t *testing.T, to string) *gateway.DeMail {
	t.Helper()
	a, err := mail.ParseAddress(to)
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.DeMail{
		Accounts: []gateway.DeMailAccount{{Name: "telekom", Provider: dmda.Connector{Session: w.login("post@firma.de-mail.de")}, Fetch: gateway.DeMailFetch{
			Every: 50 * time.Millisecond, Service: inbox.Service{Every: true}}}},
		Incoming: gateway.DeMailIncoming{Anchors: []*x509.Certificate{w.authority.Certificate}, Fallback: a},
	}
}

const deMailHead = "From: amt@stadt.de-mail.de\r\nTo: post@firma.de-mail.de\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@stadt.de-mail.de>\r\nSubject: Bescheid\r\n"

// De-Mail is fetched while the gateway runs, is decrypted as other mail that comes in, and reaches its mailbox as what it is; over reloads, too.
func TestDeMailIsFetched(t *testing.T) {
	w, s := newTown(t), newSetting(t)
	var encrypted bytes.Buffer
	if err := smime.Protect(&encrypted, bytesContent(deMailHead+"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHiermit.\r\n"), smime.ProtectOptions{
		EncryptTo: []cms.Recipient{{Certificate: s.identity["alice@firma.example"].Certificate}}, Time: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Marks = protect.Marks{DeMail: "[De-Mail]"}
	s.options.Settings.DeMail = w.settings(t, "alice@firma.example")
	w.writes(encrypted.Bytes())
	g, _ := s.start(t)
	got := s.hop.waitFor(t, "Hiermit.")
	for _, want := range []string{"X-Siegel-DeMail: verified; level=high; sender=amt@stadt.de-mail.de;", "X-Siegel-Verdict: unsigned", "decrypted", "Subject: [De-Mail] Bescheid\r\n", "x-de-mail-auth-level: high\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for range 3 {
		next := s.options.Settings
		next.DeMail = w.settings(t, "carol@firma.example")
		if err := g.Reload(next); err != nil {
			t.Fatal(err)
		}
	}
	w.writes([]byte(deMailHead + "\r\nNoch einmal.\r\n"))
	s.hop.waitFor(t, "Noch einmal.")
	outside := s.options.Settings
	outside.DeMail = w.settings(t, "mallory@partner.example")
	if err := g.Reload(outside); err == nil || !strings.Contains(err.Error(), "mallory@partner.example") {
		t.Errorf("De-Mail may leave the company: %v", err)
	}
	w.emptied(t)
}

// emptied waits until nothing of the company lies with the provider, which is told a moment after the queue has it.
func (w *town) emptied(t *testing.T) {
	t.Helper()
	eventually(t, "something lies with the provider", func() bool { return len(w.login("post@firma.de-mail.de").List()) == 0 })
}

// waitFor waits for a message that holds a text; others may come before.
func (h *hop) waitFor(t *testing.T, text string) string {
	t.Helper()
	for {
		if got := h.wait(t); strings.Contains(got, text) {
			return got
		}
	}
}

// De-Mail that the company's own server refuses is held, and the administrators are told; nobody outside is.
func TestDeMailIsHeldInside(t *testing.T) {
	w, s := newTown(t), newSetting(t)
	s.options.Settings.DeMail = w.settings(t, "nobody@firma.example")
	admin, err := mail.ParseAddress("admin@firma.example")
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.MailTo = []mail.Address{admin}
	w.writes([]byte(deMailHead + "\r\nHiermit.\r\n"))
	s.start(t)
	got := s.hop.waitFor(t, "Siegel_holds_De-Mail")
	if !strings.Contains(got, "nobody@firma.example") || !strings.Contains(got, "550 5.1.1 no such user") || !strings.Contains(got, "siegel queue release") {
		t.Errorf("%s", got)
	}
	w.emptied(t)
}
