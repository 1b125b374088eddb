package postfix_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/smtpclient"
	"github.com/siegel-mail/siegel/test/postfix"
)

// A Postfix that takes bare line feeds for line ends, as it did before SMTP smuggling was known, gets from our client
// one message for each that was sent, and never what is in one.
func TestNothingIsSmuggledOut(t *testing.T) {
	s := start(t, postfix.Options{
		Hostname: "mail.partner.example", Mailboxes: []string{"bob@partner.example", "victim@partner.example"},
		Settings: map[string]string{"smtpd_forbid_bare_newline": "no"},
	})
	client, err := smtpclient.Dial(t.Context(), s.Addr(), smtpclient.Options{Hello: "gw.firma.example", TLS: smtpclient.TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { client.Close() }()
	inside := "MAIL FROM:<ceo@partner.example>\r\nRCPT TO:<victim@partner.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
	sent := map[string]bool{}
	for i, end := range []string{
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\n", "\r.\r", "\r\n.\r", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\r\n.\r\n", "\r\n..\r\n", "\r\n.\r\n.\r\n", "\r\n. \r\n",
	} {
		subject := fmt.Sprintf("Subject: case %d\n", i)
		body := strings.ReplaceAll(subject, "\n", "\r\n") + "\r\nbefore" + end + inside
		result, err := client.Send(t.Context(), smtpclient.Message{
			From: "alice@firma.example", Recipients: []smtpclient.Recipient{{Address: "bob@partner.example"}}, Body: strings.NewReader(body),
		})
		if err == nil && result.Data.Positive() {
			sent[subject] = true
			continue
		}
		client.Close() // a message that was given up has no other end
		if client, err = smtpclient.Dial(t.Context(), s.Addr(), smtpclient.Options{Hello: "gw.firma.example", TLS: smtpclient.TLSNone}); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) != 4 {
		t.Errorf("%d messages went out, want the four that are well-formed", len(sent))
	}
	for range len(sent) {
		m := next(t, s, "bob@partner.example")
		for subject := range sent {
			if strings.Contains(m, "\n"+subject) {
				if !strings.Contains(m, "RCPT TO:<victim@partner.example>") || !strings.Contains(m, "smuggled") {
					t.Errorf("%safter the dot there is nothing:\n%s", subject, m)
				}
				delete(sent, subject)
			}
		}
	}
	if len(sent) != 0 {
		t.Errorf("not arrived: %v", sent)
	}
	if waiting, err := s.Waiting(); err != nil || waiting != 0 || strings.Contains(s.Log(), "victim@partner.example") {
		t.Errorf("%d wait, %v; or the log names who was not written to", waiting, err)
	}
}
