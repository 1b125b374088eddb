package report

import (
	"github.com/siegel-mail/siegel/gateway/texts"
	"io"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// A request says who wrote to whom and what to do, is answered by no machine, and returns to nobody.
func TestRequest(t *testing.T) {
	address := func(s string) mail.Address {
		a, err := mail.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, c := range []struct {
		to   string
		utf8 bool
	}{{"bob@partner.example", false}, {"jörg@partner.example", true}} {
		env, content := Request(nil, now, "gw.firma.example", address("certificates@firma.example"), address(c.to), address("alice@firma.example"))
		if !env.From.IsNull() || !env.Internal || len(env.Recipients) != 1 || env.Recipients[0].Address.String() != c.to || env.SMTPUTF8 != c.utf8 {
			t.Errorf("%+v", env)
		}
		m, err := netmail.ReadMessage(strings.NewReader(string(content)))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"From": "<certificates@firma.example>", "To": "<" + c.to + ">", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All",
		} {
			if got := m.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"alice@firma.example has written", "alice@firma.example hat Ihnen", "sign your reply", "signieren Sie Ihre Antwort", c.to, "gateway of firma.example"} {
			if !strings.Contains(string(body), want) {
				t.Errorf("it lacks %q:\n%s", want, body)
			}
		}
	}
}

// Who must not be sent to over a connection that is not secure enough is said in both languages, with the reason.
func TestInsecure(t *testing.T) {
	for _, action := range []Action{Failed, Delayed} {
		r := to(t, "bob@partner.example", action)
		r.Status, r.Insecure, r.Diagnostic = "4.7.5", true, "4.7.5 mx.partner.example:25 must give TLS"
		_, c := New(nil, now, "gw.firma.example", original(t), []Recipient{r})
		p := parse(t, c)
		for _, want := range []string{"is not as secure as it must be", "ist nicht so sicher", "mx.partner.example:25 must give TLS"} {
			if !strings.Contains(p.text, want) {
				t.Errorf("%s: it lacks %q:\n%s", action, want, p.text)
			}
		}
		if strings.Contains(p.text, "certificate of this recipient") || strings.Contains(p.text, "signature or encryption") {
			t.Errorf("%s:\n%s", action, p.text)
		}
	}
}

// The sender of a message that waits is told what it waits for, and not that it was not sent.
func TestAwaiting(t *testing.T) {
	o := original(t)
	r := to(t, "bob@partner.example", Delayed)
	r.Status, r.RetryUntil, r.Said = "4.7.5", now.AddDate(0, 0, 5), []texts.Said{{ID: texts.WhyAwaiting}}
	_, c := New(nil, now, "gw.firma.example", o, []Recipient{r})
	p := parse(t, c)
	for _, want := range []string{"no certificate of this recipient is known", "was asked to send a signed message", "kein Zertifikat dieses Empfängers bekannt", "wurde gebeten"} {
		if !strings.Contains(p.text, want) {
			t.Errorf("it lacks %q:\n%s", want, p.text)
		}
	}
	r.Said = nil // as where a connection lacks a key: nobody was asked for anything
	if _, c := New(nil, now, "gw.firma.example", o, []Recipient{r}); strings.Contains(parse(t, c).text, "was asked") {
		t.Errorf("it claims that somebody was asked:\n%s", parse(t, c).text)
	}
	if strings.Contains(p.text, "It was not sent") || p.recipients[0].Get("Status") != "4.7.5" || p.recipients[0].Get("Action") != "delayed" {
		t.Errorf("%v\n%s", p.recipients[0], p.text)
	}
}
