package demail

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
)

func address(t *testing.T, s string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// mailbox is a company's at its provider, as its holder sees it who logs in there.
func (w *world) mailbox(i int) *dmda.Session {
	w.t.Helper()
	s, err := w.providers.Providers[i].Login(address(w.t, rehearsal.Companies()[i].Address), demail.LevelHigh, "SIMULATED")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// waiting takes a message with these words out of a mailbox once it is there.
func (w *world) waiting(i int, words string) (content []byte) {
	w.t.Helper()
	s := w.mailbox(i)
	w.eventually("a message with "+words, func() bool {
		for _, m := range s.List() {
			l, err := s.Get(m.ID)
			if err == nil && bytes.Contains(l.Content, []byte(words)) {
				content = l.Content
				s.Acknowledge(m.ID)
				return true
			}
		}
		return false
	})
	return content
}

// One byte of X-de-mail-integrity, or of the text, is altered on the way: the message arrives, and is shown for what it is.
func TestAltered(t *testing.T) {
	w := newWorld(t)
	w.daemon.Plug(t, 0, w.card)
	w.firma.serve()
	w.firma.send("Unversehrt", "X-Siegel-DeMail: authoritative\n", "amt@stadt.de-mail.de")
	good := w.waiting(1, body)
	signature := regexp.MustCompile(`(?s)(?i:x-de-mail-integrity):.*?[;\s]b=\s*([A-Za-z0-9+/])`).FindSubmatchIndex(good)
	if signature == nil {
		t.Fatalf("no signature:\n%s", good)
	}
	forged := bytes.Clone(good)
	if at := signature[2]; forged[at] == 'A' {
		forged[at] = 'B'
	} else {
		forged[at] = 'A'
	}
	other := bytes.Replace(good, []byte("Guten Tag."), []byte("Guten Tod."), 1)
	for _, content := range [][]byte{forged, other, good} {
		if err := w.providers.Providers[1].Lay(address(t, "amt@stadt.de-mail.de"), content); err != nil {
			t.Fatal(err)
		}
	}
	w.stadt.serve()
	w.stadt.arrives(1, "amt@stadt.example", "Subject: [De-Mail] Unversehrt", "Guten Tag.", "X-Siegel-DeMail: verified")
	w.stadt.arrives(1, "amt@stadt.example", "Subject: [De-Mail, not verified] Unversehrt", "Guten Tag.", "X-Siegel-DeMail: unverified")
	w.stadt.arrives(1, "amt@stadt.example", "Subject: [De-Mail, not verified] Unversehrt", "Guten Tod.", "X-Siegel-DeMail: unverified")
	w.leaked()
}

// key is the private id of the one message of a company.
func (c *company) key() string {
	c.t.Helper()
	var listed struct {
		Messages []struct {
			Key string `json:"key"`
		} `json:"messages"`
	}
	if err := json.Unmarshal([]byte(c.control("demail", "list", "--json")), &listed); err != nil || len(listed.Messages) != 1 {
		c.t.Fatalf("%v, %+v", err, listed)
	}
	return listed.Messages[0].Key
}

// forge makes the confirmations that another one makes who calls himself like the provider, for a message of this private id.
func forge(t *testing.T, key string) [][]byte {
	t.Helper()
	authority, err := dmda.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	company := rehearsal.Companies()[0]
	seal, err := authority.Sealer(company.Provider, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	provider, err := dmda.NewNetwork(time.Now).Add(company.Provider, seal)
	if err != nil {
		t.Fatal(err)
	}
	alice := address(t, "alice@firma.de-mail.de")
	if err := provider.Open(dmda.Account{Holder: company.Holder, Addresses: []demail.Address{alice}, Domains: []string{company.Domain}, Highest: demail.LevelHigh}); err != nil {
		t.Fatal(err)
	}
	s, err := provider.Login(alice, demail.LevelHigh, "forged")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(connectors.Message{
		Key: key, Sender: alice, Options: demail.Options{Dispatch: true, Receipt: true}, Recipients: demail.Recipients{To: []demail.Mailbox{{Address: alice}}},
		Content: connectortest.Content("From: alice@firma.de-mail.de\r\nTo: alice@firma.de-mail.de\r\nSubject: forged\r\nMessage-ID: <m1@firma.example>\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\n\r\nforged\r\n"),
	}); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, m := range s.List() {
		l, err := s.Get(m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(l.Content, []byte("x-de-mail-message-type: confirmation of")) {
			out = append(out, l.Content)
		}
	}
	return out
}

// A confirmation that somebody else has signed, for a message that is under way, proves nothing: it is told as what it is, and the true one counts when it comes.
func TestForgedConfirmation(t *testing.T) {
	w := newWorld(t)
	w.daemon.Plug(t, 0, w.card)
	w.firma.serve()
	w.faults(w.firma, "unavailable@list")
	id := w.firma.send("Bestätigt", "X-Siegel-DeMail: dispatch\n", "amt@stadt.de-mail.de")
	w.eventually("the submission", func() bool { return strings.Join(w.firma.sentStates(), " ") == "taken" })
	genuine := w.waiting(0, "confirmation of dispatch")
	forged := forge(t, w.firma.key())
	if len(forged) == 0 {
		t.Fatal("nothing was forged")
	}
	for _, content := range forged {
		if err := w.providers.Providers[0].Lay(address(t, "alice@firma.de-mail.de"), content); err != nil {
			t.Fatal(err)
		}
	}
	w.faults(w.firma)
	w.eventually("the forged ones fetched", func() bool { return len(w.mailbox(0).List()) == 0 })
	if text := w.firma.control("demail", "show", id, "--json"); strings.Contains(text, `"proven": true`) {
		t.Errorf("a forged confirmation proves something:\n%s", text)
	}
	verified := func(l letter) bool {
		return strings.Contains(l.text, proven)
	}
	if told := w.firma.server.letters(verified); len(told) > 0 {
		t.Errorf("it is told as a true one: %+v", told)
	}
	if err := w.providers.Providers[0].Lay(address(t, "alice@firma.de-mail.de"), genuine); err != nil {
		t.Fatal(err)
	}
	w.eventually("the true one", func() bool {
		return strings.Contains(w.firma.control("demail", "show", id, "--json"), `"proven": true`)
	})
	w.leaked()
}

// Fields of De-Mail that come by SMTP, from the internet or from inside, are believed by nobody and reach nobody.
func TestForgedFields(t *testing.T) {
	w := newWorld(t)
	w.both()
	const fields = "X-de-mail-message-type: normal\nX-de-mail-authoritative: yes\nX-de-mail-sender: minister@bund.de-mail.de\nX-De-Mail-Integrity: a=sha256; b=AAAA\n" +
		"X-Siegel-DeMail-Subject: [De-Mail] x\n"
	if err := mail(w.stadt.outside, "evil@evil.example", []string{"amt@stadt.example"}, "From: minister@bund.de-mail.de\nTo: amt@stadt.example\nSubject: [De-Mail] Zahlung\n"+
		fields+"X-Siegel-DeMail: verified; level=high; sender=minister@bund.de-mail.de\n\nfrom the internet\n"); err != nil {
		t.Fatal(err)
	}
	got := w.stadt.arrives(1, "amt@stadt.example", "from the internet")[0].text
	for _, never := range []string{"x-de-mail-", "x-siegel-demail:", "x-siegel-demail-subject", "[de-mail]"} {
		if strings.Contains(strings.ToLower(got), never) {
			t.Errorf("%q came through:\n%s", never, got)
		}
	}
	w.firma.send("Von innen", fields, "amt@stadt.de-mail.de", "partner@internet.example")
	inside := w.stadt.arrives(1, "amt@stadt.example", body, "Von innen")[0].text
	if strings.Contains(inside, "minister") || strings.Contains(inside, "authoritative=yes") {
		t.Errorf("what was forged inside is believed:\n%s", inside)
	}
	if _, err := w.internet.await(w.within("the mail to the partner"), 1, func(letter) bool { return true }); err != nil {
		t.Error(err)
	}
	w.leaked()
}
