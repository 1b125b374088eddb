package gateway_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// event waits for the first event of a kind.
func (s *setting) event(t *testing.T, kind track.Kind) track.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, err := s.events.Wait(ctx, func(e track.Event) bool { return e.Kind == kind })
	if err != nil {
		t.Fatalf("no event %s: %v", kind, err)
	}
	return e
}

// The record says the subject that the internet may see where that is switched on, and nowhere else; what an
// encrypted layer holds is never said.
func TestRecordSubjects(t *testing.T) {
	for name, on := range map[string]bool{"on": true, "off": false} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t)
			s.options.Record = &gateway.Record{Subjects: on}
			var sealed bytes.Buffer
			inner := letter("bob@partner.example", "alice@firma.example", "Message-ID: <inner@partner.example>\r\n")
			if err := smime.Protect(&sealed, text(inner), smime.ProtectOptions{
				EncryptTo: []cms.Recipient{{Certificate: s.identity["alice@firma.example"].Certificate}},
			}); err != nil {
				t.Fatal(err)
			}
			outer := bytes.Replace(sealed.Bytes(), []byte("planted subject"), []byte("=?utf-8?q?gr=C3=BCn?="), 1)
			g, stop := s.start(t)
			defer stop()
			if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", string(outer)); !r.Positive() {
				t.Fatal(r)
			}
			want := ""
			if on {
				want = "grün"
			}
			if e := s.event(t, track.Queued); e.Subject != want || e.MessageID != "<inner@partner.example>" {
				t.Errorf("subject %q, id %q", e.Subject, e.MessageID)
			}
			for _, e := range s.events.Events() {
				if e.Kind != track.Queued && e.Subject != "" {
					t.Errorf("%s says the subject", e.Kind)
				}
			}
			if e := s.event(t, track.Accepted); e.MessageID != "<inner@partner.example>" {
				t.Errorf("accepted: %q", e.MessageID)
			}
		})
	}
}

// A refusal is recorded with what it was decided by.
func TestRecordDecision(t *testing.T) {
	s := newSetting(t)
	g, stop := s.start(t)
	defer stop()
	m := letter("alice@firma.example", "carol@partner.example", "Message-ID: <1@firma.example>\r\nX-Siegel-Encrypt: yes\r\n")
	if r := send(t, g, "in", "alice@firma.example", "carol@partner.example", m); r.Code != 550 {
		t.Fatal(r)
	}
	if e := s.event(t, track.Decided); e.Flags != "encrypt (read: X-Siegel-Encrypt)" || e.Known == "" || len(e.Why) == 0 || e.Reply == "" || e.ID == "" {
		t.Errorf("%+v", e)
	}
	if e := s.event(t, track.Refused); e.MessageID != "<1@firma.example>" || e.ID == "" {
		t.Errorf("%+v", e)
	}
}
