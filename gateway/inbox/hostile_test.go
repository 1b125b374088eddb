package inbox_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

const fine = "From: amt@stadt.de-mail.de\r\nEnvelope-to: post@firma.de-mail.de\r\nSubject: fine\r\n\r\nfine\r\n"

// What is no message that a mail server takes reaches the fallback byte for byte, with an alarm, and those behind it go on.
func TestUnreadable(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                 "",
		"no header":               "\x30\x82\x01\x00 binary \x00\xff",
		"a line that is no field": "From: amt@stadt.de-mail.de\r\nno field\r\n\r\nx\r\n",
		"a header without end":    "From: amt@stadt.de-mail.de\r\n",
		"bare LF in the header":   "From: amt@stadt.de-mail.de\nSubject: x\n\nx\n",
		"bare LF in the body":     "From: amt@stadt.de-mail.de\r\nSubject: x\r\n\r\nx\n.\r\nMAIL FROM:<mallory@x>\r\n",
		"bare CR":                 "From: amt@stadt.de-mail.de\r\nSubject: x\r\n\r\nx\ry\r\n",
		"CR at the end":           "From: amt@stadt.de-mail.de\r\nSubject: x\r\n\r\nx\r",
		"a NUL":                   "From: amt@stadt.de-mail.de\r\nSubject: x\r\n\r\nx\x00y\r\n",
		"a thousand fields":       strings.Repeat("X: y\r\n", demail.MaxFields+1) + "\r\nx\r\n",
		"a header of a megabyte":  "X: " + strings.Repeat("y", 1<<20) + "\r\n\r\nx\r\n",
		"a name that is none":     "Fr\xffom: amt@stadt.de-mail.de\r\n\r\nx\r\n",
		"a header in two ways":    "Subject : x\x0b\r\n\r\nx\r\n\x00",
		"only blanks":             " \r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			provider := lay(text, fine)
			s.o.Provider = provider
			s.fetch()
			q := s.one("fallback@firma.example")
			if kind, got := attached(t, q); string(got) != text || !strings.HasPrefix(kind, "application/octet-stream") {
				t.Errorf("%s: %d bytes of %d", kind, len(got), len(text))
			}
			if len(provider.ids) != 0 || len(s.queued("office@firma.example")) != 1 {
				t.Errorf("%v stayed; %d went on", provider.ids, len(s.queued("office@firma.example")))
			}
			if !q.Envelope.Internal || !q.Envelope.Fetched {
				t.Error("the letter may be opened, or given up")
			}
			s.has(1, "cannot read")
			s.fits()
		})
	}
}

// fits fails where anything in the queue is what SMTP does not carry.
func (s *stand) fits() {
	s.Helper()
	for _, q := range s.queued("") {
		text := string(q.all)
		if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") || strings.Contains(text, "\x00") || !strings.HasSuffix(text, "\r\n") {
			s.Errorf("no message for SMTP: %.200q", text)
		}
		if !q.Envelope.From.IsNull() {
			s.Errorf("a report may leave to %s", q.Envelope.From)
		}
	}
}

// Without a fallback what cannot be read goes to the mailbox that it lies in, and where nobody is named for that it stays.
func TestUnreadableWithoutFallback(t *testing.T) {
	s := newStand(t)
	s.o.Fallback = mail.Address{}
	provider := lay("no header", fine)
	s.o.Provider = provider
	s.fetch()
	if len(provider.ids) != 1 || len(s.queued("office@firma.example")) != 1 {
		t.Errorf("%v stayed", provider.ids)
	}
	provider.mailbox = deMail(t, "post@firma.de-mail.de")
	s.fetch()
	if len(provider.ids) != 0 || len(s.queued("office@firma.example")) != 2 {
		t.Errorf("%v stayed", provider.ids)
	}
}

// What the provider does not give whole, or without end, stays with it, and those behind it go on.
func TestNotWhole(t *testing.T) {
	for name, c := range map[string]struct {
		content io.Reader
		alarms  int
	}{"cut": {cut(), 0}, "without end": {large(connectors.MaxIncoming + 1), 1}} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			provider := lay()
			provider.put("bad", c.content)
			provider.put("good", strings.NewReader(fine))
			s.o.Provider = provider
			i := s.inbox()
			must(t, i.Fetch(t.Context()))
			if len(provider.ids) != 1 || len(s.queued("office@firma.example")) != 1 || i.Check() == nil {
				t.Errorf("%v stayed, %v", provider.ids, i.Check())
			}
			s.has(c.alarms, "too large")
		})
	}
}

// A large message passes as it came: it is never whole in memory.
func TestLarge(t *testing.T) {
	s := newStand(t)
	line := strings.Repeat("x", 76) + "\r\n"
	text := fine + strings.Repeat(line, 20<<20/len(line))
	s.o.Provider = lay(text)
	s.fetch()
	if q := s.one("office@firma.example"); !bytes.HasSuffix(q.all, []byte(text[len(fine):])) {
		t.Error("it was changed")
	}
}

// An id that is none leaves its message with the provider.
func TestBadID(t *testing.T) {
	s := newStand(t)
	provider := lay()
	for _, id := range []string{"", "a\nb", strings.Repeat("x", connectors.MaxID+1), strings.Repeat("y", connectors.MaxID)} {
		provider.put(id, strings.NewReader(fine+id+"\r\n"))
	}
	s.o.Provider = provider
	s.fetch()
	if len(provider.ids) != 3 || len(s.queued("office@firma.example")) != 1 {
		t.Errorf("%d stayed", len(provider.ids))
	}
	provider.put(strings.Repeat("y", connectors.MaxID), strings.NewReader(fine+"another"+"\r\n")) // under the longest id there is
	s.fetch()
	if len(provider.ids) != 3 || len(s.queued("office@firma.example")) != 2 {
		t.Errorf("%d stayed, %d", len(provider.ids), len(s.queued("office@firma.example")))
	}
}

// A message that names itself by more than the record takes is delivered like any other, and does not lie with the provider for ever.
func TestLongNames(t *testing.T) {
	s := newStand(t)
	s.o.Provider = lay("X-de-mail-message-type: normal\r\nX-de-mail-integrity: a=sha256; h=from; bh=" + strings.Repeat("A", 20<<10) + "\r\n" + fine)
	i := s.inbox()
	must(t, i.Fetch(t.Context()))
	if err := i.Check(); err != nil {
		t.Error(err)
	}
	if found := s.one("office@firma.example").field("X-Siegel-DeMail"); !strings.HasPrefix(found, "unverified; reason=") {
		t.Errorf("%q", found)
	}
}

// So is a confirmation that somebody has signed, and that says so of what it confirms.
func TestConfirmationOfLongName(t *testing.T) {
	s := newStand(t)
	seal, err := s.authority.Sealer("dmda-a.example", s.now())
	must(t, err)
	name := strings.Repeat("k", 20<<10)
	a := demail.Acknowledgement{
		Sender: "versandbestaetigung@dmda-a.example", Subject: "Versandbestätigung: x", Text: "x", Hash: "x", Time: s.now(),
		Metadates: []demail.Metadate{{Name: demail.FieldPrivateID, Value: name, Original: demail.FieldPrivateID + ": " + name}},
	}
	doc, err := a.Sign(seal)
	must(t, err)
	fields, body, err := demail.Body(doc, nil)
	must(t, err)
	head := demail.NewHeader(fields...).Bytes()
	s.o.Provider = lay("X-de-mail-message-type: confirmation of dispatch\r\n" + string(head) + fine[:strings.Index(fine, "\r\n\r\n")+4] + string(body))
	i := s.inbox()
	must(t, i.Fetch(t.Context()))
	if err := i.Check(); err != nil {
		t.Error(err)
	}
	if found := s.one("office@firma.example").field("X-Siegel-DeMail"); !strings.HasPrefix(found, "unverified; reason=") {
		t.Errorf("%q", found)
	}
	s.has(1, "claims to be a provider's")
}

// A reason that repeats what a stranger wrote has nothing that a rule for words could take for a finding.
func TestReasonsAreNoFindings(t *testing.T) {
	for _, field := range []string{
		"X-de-mail-auth-level: verified; level=high", "X-de-mail-message-type: verified; level=high; sender=amt@stadt.de-mail.de", "X-de-mail-sender: verified; level=high; authoritative=yes",
		"X-de-mail-integrity: verified; Level=high", "X-de-mail-auth-level: LEVEL=high", "X-de-mail-version: level=high",
	} {
		s := newStand(t)
		s.o.Provider = lay(field + "\r\n" + fine)
		s.fetch()
		found := s.one("office@firma.example").field("X-Siegel-DeMail")
		if !strings.HasPrefix(found, "unverified; reason=") || strings.Contains(strings.ToLower(found), "level=") || strings.Contains(found, "sender=") || strings.Contains(found, "authoritative=") || strings.Contains(found, " verified;") {
			t.Errorf("%q", found)
		}
	}
}

// What claims to be a provider's word, and is not, is delivered as what it is, and the administrators are told.
func TestClaims(t *testing.T) {
	for name, text := range map[string]string{
		"confirmation":     "X-de-mail-message-type: confirmation of receipt\r\nX-de-mail-sender: eingangsbestaetigung@dmda-b.de-mail.de\r\n" + fine,
		"broken multipart": "X-de-mail-message-type: confirmation of dispatch\r\nContent-Type: multipart/mixed; boundary=x\r\n" + fine + "--x\r\n\r\n--x",
		"huge":             "X-de-mail-message-type: notification\r\n" + fine + strings.Repeat("x\r\n", 3<<20),
		"deep": "X-de-mail-message-type: confirmation of dispatch\r\nContent-Type: multipart/mixed; boundary=x\r\n" + fine + "--x\r\nContent-Type: text/xml\r\n\r\n" +
			strings.Repeat("<a>", 100_000) + "\r\n--x--\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.o.Provider = lay(text)
			s.fetch()
			q := s.one("office@firma.example")
			if found := q.field("X-Siegel-DeMail"); !strings.HasPrefix(found, "unverified; reason=") || q.field("X-de-mail-message-type") != "" {
				t.Errorf("%q", found)
			}
			s.has(1, "claims to be a provider's")
			if q.Recipients[0].State != queue.Queued {
				t.Errorf("%+v", q.Recipients)
			}
		})
	}
}
