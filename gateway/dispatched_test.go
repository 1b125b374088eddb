package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// account is a gateway's De-Mail with one account, which has no way to a provider.
func account(t *testing.T, budget dispatch.Budget) *gateway.DeMail {
	t.Helper()
	desk, err := dispatch.New(dispatch.Options{
		Accounts: []dispatch.Account{{Name: "telekom", Domains: []string{"firma.de-mail.de"}, Level: demail.LevelHigh, Entitled: demail.Options{Dispatch: true}}},
		Senders:  []dispatch.Sender{{From: patterns(t, "@firma.example"), Account: "telekom", Address: "{local}@firma.de-mail.de", May: demail.Options{Dispatch: true}}},
		Budget:   budget,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.DeMail{Desk: desk}
}

// damaged is a budget whose record cannot be read.
type damaged struct{}

func (damaged) Spend(context.Context, string, time.Time, int, int) (int, bool, error) {
	return 0, false, errors.New("planted: damaged")
}

func (damaged) Spent(context.Context, string, time.Time) (int, error) {
	return 0, errors.New("planted: damaged")
}

// At the door: De-Mail is queued for its account, or refused with the reason; where nothing can be counted it is put off.
func TestDeMailAtTheDoor(t *testing.T) {
	s := newSetting(t)
	s.options.Settings.Vocabulary.DeMail = policy.DefaultDeMail()
	s.options.Settings.DeMail = account(t, nil)
	g, _ := s.start(t)
	const amt = "amt@stadt.de-mail.de"
	if r := send(t, g, "in", "alice@firma.example", amt, letter("alice@firma.example", amt, "X-Siegel-DeMail: dispatch\r\n", "X-de-mail-private: yes\r\n")); !r.Positive() {
		t.Fatal(r)
	}
	list, err := g.Queue().List(t.Context(), queue.Filter{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	m := list[0]
	if d := m.Envelope.DeMail; d == nil || m.Recipients[0].Destination != "demail:telekom" || d.Sender.String() != "alice@firma.de-mail.de" || d.Options != (demail.Options{Dispatch: true}) {
		t.Errorf("%+v for %s", m.Envelope, m.Recipients[0].Destination)
	}
	for fields, want := range map[string]string{
		"X-Siegel-DeMail: receipt\r\n":   "550 5.7.1 The message to amt@stadt.de-mail.de was not sent: alice@firma.example may not ask for receipt.",
		"X-Siegel-DeMail: registered":    `550 5.7.1 The message to amt@stadt.de-mail.de was not sent: "registered" is no option of De-Mail.`,
		"Auto-Submitted: auto-replied":   "550 5.7.1 The message to amt@stadt.de-mail.de was not sent: reports, automatic answers and what else no person sent",
		"From: eve@firma.example":        "550 5.7.1 The message to amt@stadt.de-mail.de was not sent: it does not have exactly one sender (From)",
		"X-Siegel-DeMail: dispatch; x=1": `"x=1" is no option`,
	} {
		if r := send(t, g, "in", "alice@firma.example", amt, letter("alice@firma.example", amt, strings.TrimSuffix(fields, "\r\n")+"\r\n")); !strings.Contains(r.String(), want) {
			t.Errorf("%s: %s", fields, r)
		}
	}
	// What a provider reported stays De-Mail when the configuration is read again.
	s.options.Settings.DeMail.Desk.Report("telekom", []string{"partner.example", "firma.de-mail.de"})
	next := s.options.Settings
	next.DeMail = account(t, nil)
	if err := g.Reload(next); err != nil {
		t.Fatal(err)
	}
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	if list, err = g.Queue().List(t.Context(), queue.Filter{Destination: "demail:telekom"}); err != nil || len(list) != 2 {
		t.Errorf("%d messages for the account, %v", len(list), err)
	}
	next.DeMail = account(t, damaged{})
	if err := g.Reload(next); err != nil {
		t.Fatal(err)
	}
	if r := send(t, g, "in", "alice@firma.example", amt, letter("alice@firma.example", amt)); r.Code != 451 || strings.Contains(r.String(), "planted") {
		t.Errorf("with a damaged record: %s", r)
	}
	if r := send(t, g, "in", "alice@firma.example", "eve@firma.example", letter("alice@firma.example", "eve@firma.example")); !r.Positive() {
		t.Errorf("other mail meanwhile: %s", r)
	}
	s.hop.wait(t)
	if len(s.hop.got) > 0 {
		t.Error("De-Mail went by SMTP")
	}
}
