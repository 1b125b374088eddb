package smtpin_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/roundtrip"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// spoken is a server whose users read German and whose strangers read English, with an administrator's text.
func spoken(t *testing.T, h *sink) *smtpin.Server {
	t.Helper()
	words, err := texts.New(texts.Options{
		Language: texts.German, Contact: texts.Pair{EN: "Hotline 4711"},
		Overrides: []texts.Override{{ID: texts.DoorUnknown, SMTP: texts.Pair{EN: "Nobody here is called {recipient}."}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	internal, external := listener(smtpin.Internal, nil), listener(smtpin.External, nil)
	internal.MaxSize, internal.MaxRecipients = 100, 1
	external.MaxSize, external.MaxRecipients = 100, 1
	o := options(t, h, internal, external, listener(smtpin.Submission, serverTLS()), tenantListener(t, smtpin.RoundTrip))
	o.Marks = roundtrip.New(atrest.NewKey())
	o.Texts, o.Recipients = words, directory{known: patterns("alice@firma.example")}
	return serve(t, o)
}

// Users inside are told in their language, others in theirs, with the same codes; what only programs meet is English for all.
func TestWords(t *testing.T) {
	h := &sink{}
	s := spoken(t, h)
	big := "DATA\r\n" + strings.Repeat("x", 200) + "\r\n."
	dial(t, s, "internal").say("", "220 ", "EHLO c", "250 ",
		"MAIL FROM:<eve@x.example>", "550 5.7.1 Sie duerfen nicht als eve@x.example senden. Senden Sie es von einer Ihrer eigenen Adressen. Hilfe: Hotline 4711.",
		"MAIL FROM:<alice@firma.example> SIZE=101", "552 5.3.4 Die Nachricht wurde nicht angenommen: Sie ist groesser, als dieser Server annimmt, naemlich 1 kB.",
		"MAIL FROM:<alice@firma.example>", "250 ", "RCPT TO:<b@x.example>", "250 ",
		"RCPT TO:<c@x.example>", "452 4.5.3 Die Nachricht hat mehr als 1 Empfaenger;", big, "354 ", "", "552 5.3.4 Die Nachricht wurde nicht angenommen",
		"RCPT", "502 5.5.1 Missing MAIL", "STARTTLS", "502 5.5.1 TLS is not offered here")
	dial(t, s, "external").say("", "220 ", "EHLO c", "250 ",
		"MAIL FROM:<eve@x.example> SIZE=101", "552 5.3.4 The message was not taken: it is larger than this server takes, which is 1 kB. Send less at a time.",
		"MAIL FROM:<eve@x.example>", "250 ",
		"RCPT TO:<b@x.example>", "550 5.7.1 Relaying denied: b@x.example is not a recipient here.",
		"RCPT TO:<nobody@firma.example>", "550 5.1.1 Nobody here is called nobody@firma.example.",
		"RCPT TO:<alice@firma.example>", "250 ", "RCPT TO:<alice@firma.example>", "452 4.5.3 The message has more than 1 recipients",
		big, "354 ", "", "552 5.3.4 The message was not taken")
	dial(t, s, "submission").say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<alice@firma.example>", "530 5.7.0 ")
	for _, e := range h.recorded(track.Refused) {
		if strings.Contains(e.Reply, "Hotline") && e.Client.Listener == "external" {
			t.Errorf("somebody outside was told whom users ask: %s", e.Reply)
		}
	}
}

// On a round trip the header tells who is told: the same fault in either language.
func TestWordsOfRoundTrip(t *testing.T) {
	s := spoken(t, &sink{})
	submit(t, s, "roundtrip", map[string]submission{
		"out": {"alice@firma.example", "bob@partner.example", ourTenant + loggedIn + "From: eve@x.example\r\n", "550 5.7.1 Von der Adresse in From nimmt dieser Eingang keine Mail an"},
		"in":  {"bob@partner.example", "carol@partner.example", ourTenant + anonymous + "From: bob@partner.example\r\n", "550 5.7.1 Relaying denied: the sender is not of this company"},
	})
}
