package report

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// deMail is a recipient of De-Mail.
func deMail(a Action, status string, doubt bool) Recipient {
	return Recipient{Recipient: mail.Recipient{Address: mail.Address{Local: "amt", Domain: "stadt.de-mail.de"}}, Action: a, Status: status, DeMail: true, Doubt: doubt}
}

// Of De-Mail the sender is told in words of De-Mail: it went to a provider, not to a mail server.
func TestDeMailWords(t *testing.T) {
	original := Original{Envelope: mail.Envelope{From: mail.Address{Local: "alice", Domain: "firma.example"}, Received: now}, Header: []byte("Subject: Antrag\r\n")}
	for name, c := range map[string]struct {
		r      Recipient
		en, de string
	}{
		"no such address": {deMail(Failed, "5.1.1", false), "The De-Mail address does not exist", "Die De-Mail-Adresse gibt es nicht"},
		"not entitled":    {deMail(Failed, "5.7.1", false), "account may not send this message", "darf diese Nachricht nicht senden"},
		"too large":       {deMail(Failed, "5.3.4", false), "larger than your De-Mail provider takes", "größer, als Ihr De-Mail-Anbieter annimmt"},
		"refused":         {deMail(Failed, "5.0.0", false), "Your De-Mail provider did not accept the message.", "Ihr De-Mail-Anbieter hat die Nachricht nicht angenommen."},
		"out of time":     {deMail(Failed, "4.4.7", false), "It was not sent.", "Sie wurde nicht versandt."},
		"delayed":         {deMail(Delayed, "4.3.0", false), "has not taken it yet", "hat sie noch nicht angenommen"},
		"out of reach":    {deMail(Delayed, "4.4.1", false), "Your De-Mail provider cannot be reached.", "Ihr De-Mail-Anbieter ist nicht zu erreichen."},
		"in doubt":        {deMail(Delayed, "", true), "Please do not send it again", "Bitte senden Sie sie nicht noch einmal"},
		"handed over":     {deMail(Relayed, "2.0.0", false), "was handed to your De-Mail provider", "wurde Ihrem De-Mail-Anbieter"},
	} {
		_, content := New(nil, now, "gw.firma.example", original, []Recipient{c.r})
		p := parse(t, content)
		if !strings.Contains(p.text, c.en) || !strings.Contains(p.text, c.de) {
			t.Errorf("%s: lacks %q or %q:\n%s", name, c.en, c.de, p.text)
		}
		if strings.Contains(p.text, "mail server") || strings.Contains(p.text, "Mailserver") {
			t.Errorf("%s: speaks of mail servers:\n%s", name, p.text)
		}
		if c.r.Doubt && (strings.Contains(p.text, "tried again") || strings.Contains(p.text, "not be delivered")) {
			t.Errorf("%s: says that it was not delivered:\n%s", name, p.text)
		}
	}
}

// Those who fared alike stand under one opening, in one notification.
func TestDoubtStandsApart(t *testing.T) {
	plain := deMail(Delayed, "4.3.0", false)
	_, content := New(nil, now, "gw.firma.example", Original{Envelope: mail.Envelope{Received: now}}, []Recipient{
		deMail(Delayed, "", true), plain, deMail(Delayed, "", true),
	})
	text := parse(t, content).text
	if strings.Count(text, "its answer was lost") != 1 || strings.Count(text, "could not yet be delivered") != 1 || strings.Count(text, "amt@stadt.de-mail.de") != 6 {
		t.Errorf("text:\n%s", text)
	}
}
