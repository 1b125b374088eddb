package inbox_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// What is signed arrives in the mailbox that is named for it, as what it is, and goes from the provider.
func TestIncoming(t *testing.T) {
	s := newStand(t)
	s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\nX-Siegel-DeMail: verified; level=high\r\nX-Siegel-Verdict: valid\r\n\r\nHiermit.\r\n")
	s.fetch()
	q := s.one("office@firma.example")
	if found := q.field("X-Siegel-DeMail"); !strings.HasPrefix(found, "verified; level=high; sender=amt@stadt.de-mail.de; authoritative=yes; integrity=trusted; type=\"normal\"; mailbox=post@firma.de-mail.de; account=telekom; fetched=2026-11-26T09:00:00Z; id=") {
		t.Errorf("%q", found)
	}
	if len(q.header.Values("X-Siegel-DeMail")) != 1 || q.field("X-Siegel-Verdict") != "" || q.field("X-de-mail-auth-level") != "high" {
		t.Errorf("%s", q.header.Bytes())
	}
	if q.Recipients[0].State != queue.Queued || !q.Envelope.From.IsNull() || !q.Envelope.Fetched || q.Envelope.Internal || s.lying() != 0 {
		t.Errorf("%+v, %d with the provider", q.Message, s.lying())
	}
}

// A confirmation that a provider has signed reaches who sent the message, in words and as it came, and counts.
func TestConfirmations(t *testing.T) {
	s := newStand(t)
	key := s.send("amt@stadt.de-mail.de", demail.Options{Dispatch: true, Receipt: true})
	s.fetch()
	for _, q := range s.queued("erika@firma.example") {
		if !strings.Contains(string(q.all), "Content-Type: message/rfc822\r\n") || q.field("In-Reply-To") != "<1@firma.de-mail.de>" {
			t.Errorf("%s", q.all)
		}
	}
	r, err := s.record.Record(t.Context(), key)
	must(t, err)
	if len(s.queued("erika@firma.example")) != 2 || len(r.Awaiting) != 0 || len(r.Evidence) != 2 || !r.Evidence[0].Counts {
		t.Errorf("%d letters; %v awaited; %+v", len(s.queued("erika@firma.example")), r.Awaiting, r.Evidence)
	}
}
