package inbox_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/inbox/anchors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// What is signed arrives in the mailbox that is named for it, as what it is, and goes from the provider. What the sender wrote in the gateway's name is gone.
func TestIncoming(t *testing.T) {
	s := newStand(t)
	s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\nX-Siegel-DeMail: verified; level=high\r\nX-Siegel-Verdict: valid\r\n"+
		"Authentication-Results: "+host+"; dkim=pass\r\n\r\nHiermit.\r\n")
	s.fetch()
	q := s.one("office@firma.example")
	want := "verified; level=high; sender=amt@stadt.de-mail.de; authoritative=yes; integrity=trusted; type=\"normal\"; mailbox=post@firma.de-mail.de; account=telekom; fetched=2026-11-26T09:00:00Z; id=" + string(q.Envelope.ID)
	if found := q.field("X-Siegel-DeMail"); found != want {
		t.Errorf("%q", found)
	}
	if len(q.header.Values("X-Siegel-DeMail")) != 1 || q.field("X-Siegel-Verdict")+q.field("Authentication-Results") != "" || q.field("X-de-mail-auth-level") != "high" {
		t.Errorf("%s", q.header.Bytes())
	}
	if q.Recipients[0].State != queue.Queued || !q.Envelope.From.IsNull() || !q.Envelope.Fetched || q.Envelope.Internal || s.lying() != 0 {
		t.Errorf("%+v, %d with the provider", q.Message, s.lying())
	}
	if len(s.queued("")) != 1 || len(s.alarms) != 0 {
		t.Errorf("%d in the queue, alarms %v", len(s.queued("")), s.alarms)
	}
	arrivals := s.arrivals()
	if len(arrivals) != 1 || arrivals[0].Queue != q.Envelope.ID || !arrivals[0].Verdict.Proven || !arrivals[0].Fetched.Equal(s.now()) || arrivals[0].To[0] != address(t, "office@firma.example") {
		t.Errorf("%+v", arrivals)
	}
	if len(s.events) != 1 || s.events[0].Kind != track.Fetched || s.events[0].Verdict != "trusted" {
		t.Errorf("%+v", s.events)
	}
}

// Only what a provider that is believed has signed is green; what it is not stands there, and the fields of De-Mail stay where nothing speaks against them.
func TestVerdicts(t *testing.T) {
	strange, err := dmda.NewAuthority(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))
	must(t, err)
	for name, c := range map[string]struct {
		options demail.Options
		trusts  *dmda.Authority
		change  func(string) string
		says    string
		fields  bool
	}{
		"signed":             {options: demail.Options{Authoritative: true}, says: "verified; level=high", fields: true},
		"a digest only":      {says: "intact; level=high; sender=amt@stadt.de-mail.de; integrity=hashed;", fields: true},
		"a digest, From":     {change: another, says: `unverified; reason="From is not the sender, amt@stadt.de-mail.de"; integrity=hashed;`, fields: true},
		"an unknown issuer":  {options: demail.Options{Authoritative: true}, trusts: strange, says: "unverified; reason=\"the certificate of CN=SIMULATED provider", fields: false},
		"a byte of the body": {options: demail.Options{Authoritative: true}, change: replace("Hiermit", "Hiermis"), says: "unverified; reason=\"the body is not the one that was hashed\"; integrity=broken", fields: false},
		"a byte of a field":  {options: demail.Options{Authoritative: true}, change: replace("Bescheid", "Beschein"), says: "integrity=broken", fields: false},
		"no integrity":       {change: replace("x-de-mail-integrity", "x-de-mail-integriti"), says: "unverified; reason=\"there is no X-de-mail-integrity\"; integrity=missing", fields: false},
		"a level of its own": {change: replace("x-de-mail-auth-level: high", "x-de-mail-auth-level: highest"), says: "integrity=broken", fields: false},
		"another From":       {options: demail.Options{Authoritative: true}, change: replace("From: amt@", "From: bmt@"), says: "unverified;", fields: false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.arrive("post@firma.de-mail.de", c.options, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
			l, err := s.login(s.a, "post@firma.de-mail.de").Get(s.login(s.a, "post@firma.de-mail.de").List()[0].ID)
			must(t, err)
			text := string(l.Content)
			if c.change != nil {
				text = c.change(text)
			}
			if c.trusts != nil {
				s.o.Verifier.Trust = anchors.New([]*x509.Certificate{c.trusts.Certificate}, nil)
			}
			provider := lay(text)
			s.o.Provider = provider
			s.fetch()
			q := s.one("office@firma.example")
			found := q.field("X-Siegel-DeMail")
			if !strings.Contains(found, c.says) || strings.Contains(found, "level=") == strings.HasPrefix(found, "unverified") {
				t.Errorf("%q", found)
			}
			if (q.field("X-de-mail-sender") != "") != c.fields {
				t.Errorf("the fields of De-Mail:\n%s", q.header.Bytes())
			}
			if len(provider.ids) != 0 {
				t.Error("it stayed with the provider")
			}
		})
	}
}

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// another gives a message another From, and a digest that fits it.
func another(s string) string {
	in := bufio.NewReader(strings.NewReader(strings.Replace(s, "From: amt@", "From: bmt@", 1)))
	h, err := demail.ReadHeader(in)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return err.Error()
	}
	var fields []demail.Field
	for _, f := range h.Fields() {
		if !strings.EqualFold(f.Name, demail.FieldIntegrity) {
			fields = append(fields, f)
		}
	}
	h, err = demail.Sealer{}.Seal(demail.NewHeader(fields...), bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	return string(h.Bytes()) + "\r\n" + string(body)
}

// A field that is there twice counts as its topmost does, and the other one is shown to nobody.
func TestSettled(t *testing.T) {
	s := newStand(t)
	s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
	l, err := s.login(s.a, "post@firma.de-mail.de").Get(s.login(s.a, "post@firma.de-mail.de").List()[0].ID)
	must(t, err)
	s.o.Provider = lay(strings.Replace(string(l.Content), "\r\n\r\n", "\r\nSubject: another\r\nFrom: mallory@stadt.de-mail.de\r\nX-de-mail-auth-level: normal\r\n\r\n", 1))
	s.fetch()
	q := s.one("office@firma.example")
	if !strings.HasPrefix(q.field("X-Siegel-DeMail"), "verified") || bytes.Contains(q.all, []byte("another")) || bytes.Contains(q.all, []byte("mallory")) || len(q.header.Values("X-de-mail-auth-level")) != 1 {
		t.Errorf("%s", q.all)
	}
}

// What nobody is named for goes to the fallback, with an alarm once a day; without one it stays with the provider and holds up nothing.
func TestMailboxes(t *testing.T) {
	s := newStand(t)
	s.arrive("unknown@firma.de-mail.de", demail.Options{}, "Subject: 1\r\n\r\nx\r\n")
	s.arrive("unknown@firma.de-mail.de", demail.Options{}, "Subject: 2\r\n\r\nx\r\n")
	s.fetch()
	if n := len(s.queued("fallback@firma.example")); n != 2 {
		t.Errorf("%d for the fallback", n)
	}
	s.has(1, "nobody inside is named for")
	s.pass(25 * time.Hour)
	s.arrive("unknown@firma.de-mail.de", demail.Options{}, "Subject: 3\r\n\r\nx\r\n")
	s.fetch()
	s.has(2, "nobody inside is named for")

	s.o.Fallback, s.alarms = mail.Address{}, nil
	s.arrive("other@firma.de-mail.de", demail.Options{}, "Subject: 4\r\n\r\nx\r\n")
	s.arrive("post@firma.de-mail.de", demail.Options{}, "Subject: 5\r\n\r\nx\r\n")
	i := s.inbox()
	must(t, i.Fetch(t.Context()))
	if s.lying() != 1 || len(s.queued("office@firma.example")) != 1 || i.Check() == nil || i.Status().Left != 1 {
		t.Errorf("%d lie there, %v, %+v", s.lying(), i.Check(), i.Status())
	}
	s.has(1, "left a De-Mail with the provider")
	s.o.Fallback = address(t, "fallback@firma.example")
	s.fetch()
	if s.lying() != 0 {
		t.Error("it still lies there")
	}
}

// Where the provider does not say whose a message is, the envelope or the recipients do.
func TestMailboxOfOthers(t *testing.T) {
	for name, c := range map[string]struct{ fields, to string }{
		"envelope":    {"Envelope-to: post@firma.de-mail.de\r\nX-de-mail-actual-recipient: to=sales@firma.de-mail.de\r\n", "office"},
		"one of ours": {"X-de-mail-actual-recipient: to=other@stadt.de-mail.de, post@firma.de-mail.de\r\n", "office"},
		"two of ours": {"X-de-mail-actual-recipient: to=sales@firma.de-mail.de; cc=post@firma.de-mail.de\r\n", "office,sales"},
		"nobody":      {"X-de-mail-actual-recipient: to=other@stadt.de-mail.de\r\n", "fallback"},
		"not a list":  {"X-de-mail-actual-recipient: ;;;\r\n", "fallback"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.o.Mailboxes[deMail(t, "sales@firma.de-mail.de")] = address(t, "sales@firma.example")
			s.o.Provider = lay(c.fields + "From: amt@stadt.de-mail.de\r\nSubject: x\r\n\r\nx\r\n")
			s.fetch()
			var to []string
			for _, who := range []string{"fallback", "office", "sales"} {
				if len(s.queued(who+"@firma.example")) > 0 {
					to = append(to, who)
				}
			}
			if strings.Join(to, ",") != c.to {
				t.Errorf("for %v, want %s", to, c.to)
			}
		})
	}
}

// Those who are responsible are told when something was fetched that may count as served, with its time and without its subject.
func TestServiceIsTold(t *testing.T) {
	s := newStand(t)
	s.arrive("post@firma.de-mail.de", demail.Options{Receipt: true, Authoritative: true}, "Subject: planted\r\n\r\nx\r\n")
	s.arrive("post@firma.de-mail.de", demail.Options{}, "Subject: no such\r\n\r\nx\r\n")
	s.fetch()
	text := decoded(t, s.one("legal@firma.example"))
	for _, want := range []string{"amt@stadt.de-mail.de", "post@firma.de-mail.de -> office@firma.example", "2026-11-26 10:00:00 +0100", "receipt, authoritative", "verified"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "planted") {
		t.Error("the subject is told")
	}
}

// An administrator's own words keep their paragraphs.
func TestOwnWords(t *testing.T) {
	s := newStand(t)
	own, err := texts.New(texts.Options{Overrides: []texts.Override{{ID: texts.InboxServed, Notice: texts.Pair{EN: "First " + strings.Repeat("word ", 20) + "end.\n\n- one\n- two", DE: "Erstens."}}}})
	must(t, err)
	s.o.Texts = func() *texts.Texts { return own }
	s.arrive("post@firma.de-mail.de", demail.Options{Receipt: true}, "Subject: x\r\n\r\nx\r\n")
	s.fetch()
	text := strings.ReplaceAll(written(t, s.one("legal@firma.example")), "\r\n", "\n")
	if !strings.Contains(text, "word\nword") || !strings.Contains(text, "end.\n\n- one\n- two\n") {
		t.Error(text)
	}
}

// Where nobody can tell what the sender asked for it is told, too: a time limit may have begun.
func TestServiceThatCannotBeTold(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"a field that cannot be read": {"X-de-mail-message-type: normal\r\nX-de-mail-confirmation-of-receipt: perhaps\r\n" + fine, 1},
		"no type":                     {"X-de-mail-confirmation-of-receipt: yes\r\n" + fine, 1},
		"no message":                  {"X-de-mail-confirmation-of-receipt: yes\r\n" + fine + "\n", 1},
		"nothing asked for":           {fine, 0},
		"a claimed confirmation":      {"X-de-mail-message-type: confirmation of receipt\r\nX-de-mail-confirmation-of-receipt: yes\r\n" + fine, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.o.Provider = lay(c.text)
			s.fetch()
			all := s.queued("legal@firma.example")
			if len(all) != c.want {
				t.Fatalf("%d notices", len(all))
			}
			if c.want > 0 && !strings.Contains(decoded(t, all[0]), "post@firma.de-mail.de ->") && name != "no message" {
				t.Errorf("%s", decoded(t, all[0]))
			}
		})
	}
	s := newStand(t)
	s.o.Service = inbox.Service{}
	s.o.Provider = lay("X-de-mail-message-type: none\r\n" + fine)
	s.fetch()
	if n := len(s.queued("legal@firma.example")); n != 0 {
		t.Errorf("%d notices, and nothing counts", n)
	}
}

// A message that comes again is recognised; another one that comes under its id is not lost.
func TestComesAgain(t *testing.T) {
	s := newStand(t)
	message := func(id, body string) string {
		return "From: amt@stadt.de-mail.de\r\nMessage-ID: <" + id + ">\r\nX-de-mail-message-id: " + id + "\r\nEnvelope-to: post@firma.de-mail.de\r\nSubject: x\r\n\r\n" + body + "\r\n"
	}
	for range 3 {
		s.o.Provider = lay(message("1", "x"))
		s.fetch()
	}
	s.o.Provider = lay("Received: by somebody at another time\r\n" + message("1", "x"))
	s.fetch()
	if n := len(s.queued("office@firma.example")); n != 1 {
		t.Errorf("%d, want 1", n)
	}
	for range 2 {
		s.o.Provider = lay(message("2", "another"))
		s.fetch()
	}
	if n := len(s.queued("office@firma.example")); n != 2 {
		t.Errorf("%d, want 2", n)
	}
}

// Nothing that was fetched may be configured to leave the company.
func TestNewRefuses(t *testing.T) {
	s := newStand(t)
	for name, change := range map[string]func(){
		"mailbox":  func() { s.o.Mailboxes[deMail(t, "a@firma.de-mail.de")] = address(t, "mallory@partner.example") },
		"fallback": func() { s.o.Fallback = address(t, "mallory@partner.example") },
		"told":     func() { s.o.Tell = []mail.Address{address(t, "mallory@partner.example")} },
		"provider": func() { s.o.Provider = nil },
		"alarm":    func() { s.o.Alarm = nil },
	} {
		s = newStand(t)
		change()
		if _, err := inbox.New(s.o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// large has more bytes than memory should.
func large(n int64) io.Reader {
	return io.MultiReader(strings.NewReader("Subject: x\r\n\r\n"), io.LimitReader(zeros{}, n))
}
