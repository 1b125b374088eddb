package inbox_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// deliver takes everything out of the queue that is to be delivered, as the scheduler does with a server that takes it.
func (s *stand) deliver() (n int) {
	s.Helper()
	claims, err := s.queue.Claim(s.Context(), "exchange", s.now(), time.Minute, 100)
	must(s, err)
	for _, c := range claims {
		var outcomes []queue.Outcome
		for _, i := range c.Due {
			outcomes = append(outcomes, queue.Outcome{Index: i, State: queue.Delivered})
		}
		must(s, s.queue.Settle(s.Context(), c, outcomes, nil))
		n++
	}
	return n
}

// The gateway may end at every point, before or after what it has just asked for is done: nothing is lost, and nothing is delivered twice, also where what
// was taken in is delivered before the provider gives it again.
func TestEndsAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			done := false
			t.Run(fmt.Sprintf("call %d, after it %t", at, after), func(t *testing.T) {
				s := newStand(t)
				s.o.Fallback, s.o.Service.Receipt = address(t, "fallback@firma.example"), true
				s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
				key := s.send("amt@stadt.de-mail.de", demail.Options{Dispatch: true})
				s.o.Copies = s.copies
				whole := s.o
				b := &breaking{Queue: s.queue, Record: s.record, at: at, after: after}
				s.o.Queue, s.o.Record = b, records{s.record, b}
				err := s.inbox().Fetch(t.Context())
				if done = b.at > 0; done {
					must(t, err)
				} else if !errors.Is(err, errPlanted) {
					t.Fatal(err)
				}
				delivered := s.deliver()
				s.o = whole
				s.pass(time.Minute)
				s.fetch()
				delivered += s.deliver()
				s.fetch()
				delivered += s.deliver()
				if n := len(s.archived()); n != 2 {
					t.Errorf("%d copies for the archive, want 2", n)
				}
				if n := len(s.queued("")) - 2; delivered != 2 || n != 0 || s.lying() != 0 || len(s.of(key).Awaiting) != 0 {
					t.Errorf("%d delivered, want 2; %d in the queue, %d with the provider, %v awaited", delivered, n, s.lying(), s.of(key).Awaiting)
				}
			})
			if done || t.Failed() {
				if at < 8 {
					t.Errorf("only %d calls", at)
				}
				break
			}
		}
	}
}

// What is held for another reason is not released by what came again.
func TestHeldByOthersStays(t *testing.T) {
	s := newStand(t)
	s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
	l, err := s.login(s.a, "post@firma.de-mail.de").Get(s.login(s.a, "post@firma.de-mail.de").List()[0].ID)
	must(t, err)
	s.o.Provider = lay(string(l.Content))
	s.fetch()
	q := s.one("office@firma.example")
	_, err = s.queue.Change(t.Context(), q.Envelope.ID, queue.Order{State: queue.Held, Reply: "held by an operator"})
	must(t, err)
	s.o.Provider = lay(string(l.Content))
	s.fetch()
	if r := s.one("office@firma.example").Recipients[0]; r.State != queue.Held || r.LastReply != "held by an operator" {
		t.Errorf("%+v", r)
	}
}
