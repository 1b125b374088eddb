package inbox_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway/inbox/anchors"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/track"
)

// of is the submission of a key.
func (s *stand) of(key string) proof.Record {
	s.Helper()
	r, err := s.record.Record(s.Context(), key)
	must(s, err)
	return r
}

// A confirmation that a provider has signed reaches who sent the message, in words and byte for byte, and counts.
func TestConfirmations(t *testing.T) {
	s := newStand(t)
	key := s.send("amt@stadt.de-mail.de", demail.Options{Dispatch: true, Receipt: true})
	var came [][]byte
	session := s.login(s.a, "post@firma.de-mail.de")
	for _, w := range session.List() {
		l, err := session.Get(w.ID)
		must(t, err)
		came = append(came, l.Content)
	}
	s.fetch()
	letters := s.queued("erika@firma.example")
	if len(letters) != 2 || len(came) != 2 {
		t.Fatalf("%d letters, %d confirmations", len(letters), len(came))
	}
	for _, q := range letters {
		kind, content := attached(t, q)
		if kind != "message/rfc822" || !bytes.Equal(content, came[0]) && !bytes.Equal(content, came[1]) {
			t.Errorf("%s: not as it came", kind)
		}
		if q.field("In-Reply-To") != "<1@firma.de-mail.de>" || q.field("Auto-Submitted") != "auto-generated" || !q.Envelope.Internal {
			t.Errorf("%s", q.header.Bytes())
		}
		text := decoded(t, q)
		for _, want := range []string{"Antrag auf Verlängerung", "amt@stadt.de-mail.de", "Das bestätigt", "Geprüft", "(Deutscher Text weiter unten.)", "confirms this", "Checked", "Hiermit wird bestätigt"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	r := s.of(key)
	if len(r.Awaiting) != 0 || len(r.Evidence) != 2 || !r.Evidence[0].Counts || !r.Evidence[1].Counts || len(r.Evidence[0].Verdict().Certificates) != 2 {
		t.Errorf("%v awaited; %+v", r.Awaiting, r.Evidence)
	}
	if e := s.events[len(s.events)-1]; e.Kind != track.Confirmed || e.ID != r.ID || strings.Contains(e.Verdict, "not") {
		t.Errorf("%+v", e)
	}
	if len(s.alarms) != 0 {
		t.Errorf("%v", s.alarms)
	}
}

// confirmations are those that lie with the provider for a message that was just sent.
func (s *stand) confirmations(o demail.Options) (key string, texts []string) {
	s.Helper()
	return s.send("amt@stadt.de-mail.de", o), s.texts()
}

// texts are what lies with the provider.
func (s *stand) texts() (texts []string) {
	s.Helper()
	session := s.login(s.a, "post@firma.de-mail.de")
	for _, w := range session.List() {
		l, err := session.Get(w.ID)
		must(s, err)
		texts = append(texts, string(l.Content))
	}
	return texts
}

// What is not proven never counts, and its reader is told that it is not, and why.
func TestForgedConfirmations(t *testing.T) {
	strange, err := dmda.NewAuthority(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))
	must(t, err)
	for name, c := range map[string]struct {
		trusts *dmda.Authority
		change func(string) string
		why    string
	}{
		"an unknown issuer": {trusts: strange, why: "no path to a trusted certificate"},
		"a byte of the XML": {change: func(s string) string {
			i := strings.Index(s, "\r\n\r\nPD94")
			return s[:i+200] + flip(s[i+200:])
		}, why: "body"},
		"another type": {change: replace("message-type: confirmation of dispatch", "message-type: confirmation of receipt"), why: "what is signed"},
		"no signature": {change: func(s string) string { return strings.Replace(s, "x-de-mail-integrity", "x-nothing", 1) }, why: "no X-de-mail-integrity"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			key, texts := s.confirmations(demail.Options{Dispatch: true})
			if c.trusts != nil {
				s.o.Verifier.Trust = anchors.New([]*x509.Certificate{c.trusts.Certificate}, nil)
			}
			text := texts[0]
			if c.change != nil {
				text = c.change(text)
			}
			s.o.Provider = lay(text)
			s.fetch()
			q := s.one("erika@firma.example")
			said := decoded(t, q)
			if !strings.Contains(said, "NICHT BEWIESEN") || !strings.Contains(said, "NOT PROVEN") || !strings.Contains(said, c.why) || strings.Contains(said, "Hiermit wird") || strings.Contains(said, "Geprüft") {
				t.Errorf("%s", said)
			}
			if !strings.Contains(q.field("Subject"), "NICHT_BEWIESEN") && !strings.Contains(q.field("Subject"), "NICHT BEWIESEN") {
				t.Errorf("subject %q", q.field("Subject"))
			}
			if _, content := attached(t, q); string(content) != text {
				t.Error("it is not attached as it came")
			}
			if r := s.of(key); len(r.Awaiting) != 1 || len(r.Evidence) != 1 || r.Evidence[0].Counts {
				t.Errorf("%v awaited; %+v", r.Awaiting, r.Evidence)
			}
			s.has(1, "not proven")
		})
	}
}

// flip changes the first character of base64.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// A confirmation of somebody else's message, and one that is for the recipient, is mail like any other: nobody is told that it confirms his.
func TestConfirmationsOfOthers(t *testing.T) {
	s := newStand(t)
	s.arrive("post@firma.de-mail.de", demail.Options{Receipt: true}, "Subject: Bescheid\r\n\r\nx\r\n") // both sides get the receipt
	s.fetch()
	all := s.queued("office@firma.example")
	if len(all) != 2 || len(s.queued("erika@firma.example")) != 0 {
		t.Fatalf("%d", len(all))
	}
	found := 0
	for _, q := range all {
		if strings.Contains(q.field("X-Siegel-DeMail"), `type="confirmation of receipt"`) && strings.HasPrefix(q.field("X-Siegel-DeMail"), "verified; sender=eingangsbestaetigung@") {
			found++
		}
	}
	if found != 1 || len(s.alarms) != 0 {
		t.Errorf("%d; %v", found, s.alarms)
	}
}

// What does not reach its recipient, its sender learns in plain words.
func TestNotifications(t *testing.T) {
	for to, want := range map[string][]string{
		"niemand@stadt.de-mail.de": {"Die Adresse eines Empfängers gibt es nicht", "the address of a recipient does not exist"},
		"zu@stadt.de-mail.de":      {"Konto eines Empfängers ist geschlossen", "account of a recipient is closed"},
	} {
		s := newStand(t)
		key := s.send(to, demail.Options{})
		s.fetch()
		text := decoded(t, s.one("erika@firma.example"))
		for _, w := range append(want, to, "Der Anbieter schreibt:", "wurde nicht zugestellt", "nicht unterschrieben") {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", to, w, text)
			}
		}
		if r := s.of(key); len(r.Evidence) != 1 || r.Evidence[0].Kind != demail.TypeNotification {
			t.Errorf("%+v", r.Evidence)
		}
		if kind, _ := attached(t, s.one("erika@firma.example")); kind != "message/rfc822" {
			t.Error(kind)
		}
	}
}

// A notification whose integrity is broken, or missing, is told as what it is, and nothing of its text is passed off as the provider's.
func TestForgedNotifications(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"no integrity": func(s string) string { return strings.Replace(s, "x-de-mail-integrity", "x-nothing", 1) },
		"a byte": func(s string) string {
			i := strings.LastIndex(s, "\r\n\r\n") - 40
			return s[:i] + flip(s[i:])
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.send("niemand@stadt.de-mail.de", demail.Options{})
			texts := s.texts()
			if len(texts) != 1 {
				t.Fatalf("%d messages", len(texts))
			}
			s.o.Provider = lay(change(texts[0]))
			s.fetch()
			q := s.one("erika@firma.example")
			said := decoded(t, q)
			if !strings.Contains(said, "NICHT BEWIESEN") || !strings.Contains(said, "NOT PROVEN") || strings.Contains(said, "Der Anbieter schreibt") || strings.Contains(said, "wurde nicht zugestellt") {
				t.Errorf("%s", said)
			}
			if subject := strings.ReplaceAll(q.field("Subject"), "_", " "); !strings.Contains(subject, "NICHT BEWIESEN") {
				t.Errorf("subject %q", subject)
			}
		})
	}
}

// A sender to whom nothing leads at present does not keep the others from being told.
func TestOverdueOfOneWithoutWay(t *testing.T) {
	s := newStand(t)
	s.confirmations(demail.Options{Dispatch: true})
	s.author = "nobody@firma.example"
	s.confirmations(demail.Options{Dispatch: true})
	s.author = ""
	s.confirmations(demail.Options{Dispatch: true})
	s.o.Provider = lay()
	s.lost = "nobody@firma.example"
	s.pass(61 * time.Minute)
	for range 2 {
		s.fetch()
	}
	if n := len(s.queued("erika@firma.example")); n != 2 {
		t.Errorf("%d letters", n)
	}
	s.has(2, "overdue")
	s.lost = ""
	s.fetch()
	s.one("nobody@firma.example")
	s.has(3, "overdue")
}

// A notification that was changed on its way is no provider's word: its text is not shown, and what it claims is not said.
func TestForgedNotification(t *testing.T) {
	s := newStand(t)
	s.send("niemand@stadt.de-mail.de", demail.Options{})
	session := s.login(s.a, "post@firma.de-mail.de")
	l, err := session.Get(session.List()[0].ID)
	must(t, err)
	changed := strings.Replace(string(l.Content), "unknown-recipient", "closed-account", 1) // of which the digest says nothing
	s.o.Provider = lay(changed + "--\r\n")                                                  // of which it does
	s.fetch()
	text := decoded(t, s.one("erika@firma.example"))
	if !strings.Contains(text, "NICHT BEWIESEN") || strings.Contains(text, "geschlossen") || strings.Contains(text, "Der Anbieter schreibt") {
		t.Errorf("%s", text)
	}
	s.has(1, "not proven")
}

// Malware that a provider found is told as what it is.
func TestMalware(t *testing.T) {
	s := newStand(t)
	key := s.sendText("amt@stadt.de-mail.de", demail.Options{Dispatch: true}, "EICAR-STANDARD-"+"ANTIVIRUS-TEST-FILE")
	s.fetch()
	q := s.one("erika@firma.example")
	if text := decoded(t, q); !strings.Contains(text, "Schadsoftware gefunden") || !strings.Contains(text, "Malware was found") {
		t.Errorf("%s", text)
	}
	if r := s.of(key); len(r.Evidence) != 1 || r.Evidence[0].Kind != demail.TypeMalwareNotification || len(r.Awaiting) != 1 {
		t.Errorf("%+v", r)
	}
}

// away is a Trust that cannot tell, until it can.
type away struct {
	demail.Trust
	until func() bool
}

func (a away) Judge(ctx context.Context, c demail.Claim) demail.Verdict {
	v := a.Trust.Judge(ctx, c)
	if !a.until() {
		v.Standing, v.Reason = demail.StandingUndecided, "the responder does not answer"
	}
	return v
}

// What cannot be judged at present waits with the provider, an hour at most; then it is told as what it is.
func TestUndecided(t *testing.T) {
	for name, answers := range map[string]bool{"answers later": true, "never": false} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.record.SetTerms(proof.Terms{})
			known := false
			s.o.Verifier.Trust = away{s.o.Verifier.Trust, func() bool { return known }}
			key := s.send("amt@stadt.de-mail.de", demail.Options{Dispatch: true})
			i := s.inbox()
			must(t, i.Fetch(t.Context()))
			s.pass(30 * time.Minute)
			must(t, i.Fetch(t.Context()))
			if len(s.queued("")) != 0 || s.lying() != 1 || i.Check() == nil {
				t.Fatalf("%d in the queue, %d with the provider", len(s.queued("")), s.lying())
			}
			known = answers
			s.pass(31 * time.Minute)
			must(t, i.Fetch(t.Context()))
			text := decoded(t, s.one("erika@firma.example"))
			if strings.Contains(text, "NICHT BEWIESEN") == answers || len(s.of(key).Awaiting) == 1 == answers {
				t.Errorf("%s", text)
			}
			if s.lying() != 0 || i.Check() != nil {
				t.Errorf("%d with the provider, %v", s.lying(), i.Check())
			}
		})
	}
}

// What the record says of a message that was judged late is what its reader is told.
func TestDecidedLater(t *testing.T) {
	s := newStand(t)
	known := false
	s.o.Verifier.Trust = away{s.o.Verifier.Trust, func() bool { return known }}
	s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\n\r\nx\r\n")
	s.fetch()
	if a := s.arrivals(); len(a) != 1 || !a[0].Verdict.Undecided || len(s.queued("")) != 0 {
		t.Fatalf("%+v", a)
	}
	known = true
	s.pass(time.Minute)
	s.fetch()
	if q := s.one("office@firma.example"); !strings.HasPrefix(q.field("X-Siegel-DeMail"), "verified; ") {
		t.Errorf("%s", q.header.Bytes())
	}
	if a := s.arrivals(); len(a) != 1 || !a[0].Verdict.Proven || a[0].Verdict.Undecided || a[0].Delivered.IsZero() || len(a[0].Verdict.Certificates) == 0 {
		t.Errorf("%+v", a)
	}
}

// What is missed, sender and administrators are told of once; when it comes after all it is told as ever.
func TestOverdue(t *testing.T) {
	s := newStand(t)
	key, texts := s.confirmations(demail.Options{Dispatch: true, Receipt: true})
	provider := lay()
	s.o.Provider = provider
	s.fetch()
	if len(s.queued("")) != 0 {
		t.Fatal("told too early")
	}
	s.pass(61 * time.Minute)
	for range 3 {
		s.fetch()
	}
	q := s.one("erika@firma.example")
	text := decoded(t, q)
	if !strings.Contains(text, "was Sie verlangt haben: Versandbestätigung.") || !strings.Contains(text, "confirmation of dispatch") || q.field("In-Reply-To") != "<1@firma.de-mail.de>" {
		t.Errorf("%s", text)
	}
	s.has(1, "overdue")
	s.pass(24 * time.Hour)
	s.o.Account = "other" // another account's inbox says nothing
	s.fetch()
	s.o.Account = account
	s.fetch()
	if n := len(s.queued("erika@firma.example")); n != 2 {
		t.Errorf("%d letters", n)
	}
	for n, text := range texts {
		provider.put(string(rune('a'+n)), strings.NewReader(text))
	}
	s.fetch()
	if n := len(s.queued("erika@firma.example")); n != 4 || len(s.of(key).Awaiting) != 0 {
		t.Errorf("%d letters, %v awaited", n, s.of(key).Awaiting)
	}
}

// A sender who has left the company gets nothing; what confirms goes to the mailbox of the account.
func TestSenderHasLeft(t *testing.T) {
	s := newStand(t)
	s.inside = s.inside[:0]
	s.send("amt@stadt.de-mail.de", demail.Options{Dispatch: true})
	s.inside = append(s.inside, patterns(t, "office@firma.example", "fallback@firma.example", "legal@firma.example")...)
	s.fetch()
	if q := s.one("office@firma.example"); !strings.HasPrefix(q.field("X-Siegel-DeMail"), "verified; sender=versandbestaetigung@") {
		t.Errorf("%s", q.header.Bytes())
	}
}
