package gateway_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/throttle"
	"github.com/siegel-mail/siegel/gateway/track"
)

// A sender inside who mails too much is taken and held, for the outside alone; the administrator is told once, by
// mail and in the log, and a reload gives nothing back.
func TestThrottledSenderIsHeld(t *testing.T) {
	s := newSetting(t)
	s.options.Settings.Throttle = throttle.Options{Limits: throttle.Limits{MessagesPerHour: 2}}
	s.options.Settings.MailTo = []mail.Address{{Local: "postmaster", Domain: "firma.example"}}
	g, stop := s.start(t)
	to := func(recipient string) string {
		t.Helper()
		r := send(t, g, "in", "carol@firma.example", recipient, "From: carol@firma.example\r\nSubject: planted subject\r\n\r\nplanted body\r\n")
		if !r.Positive() {
			t.Fatal(r)
		}
		return r.String()
	}
	for range 2 {
		to("x@partner.example")
		s.hop.wait(t)
	}
	for range 3 {
		to("x@partner.example")
	}
	notice := s.hop.wait(t)
	for _, want := range []string{"To: <postmaster@firma.example>", "carol@firma.example", "2 messages in an hour", "siegel queue release", "Auto-Submitted: auto-generated"} {
		if !strings.Contains(strings.ReplaceAll(notice, "=\r\n", ""), want) {
			t.Errorf("the notice lacks %q:\n%s", want, notice)
		}
	}
	if strings.Contains(notice, "planted") {
		t.Errorf("the notice tells what is in a message:\n%s", notice)
	}
	to("alice@firma.example") // inside goes on
	if inside := s.hop.wait(t); !strings.Contains(inside, "planted body") {
		t.Errorf("inside:\n%s", inside)
	}
	if err := g.Reload(s.options.Settings); err != nil {
		t.Fatal(err)
	}
	to("x@partner.example")
	if r := send(t, g, "in", "dave@firma.example", "x@partner.example", "From: dave@firma.example\r\n\r\nother\r\n"); !r.Positive() {
		t.Fatal(r)
	}
	if other := s.hop.wait(t); !strings.Contains(other, "other") {
		t.Errorf("another sender:\n%s", other)
	}
	stop()
	held := 0
	for _, e := range s.events.Events() {
		if e.Kind == track.Held {
			held++
			if e.Reply != "throttled: <carol@firma.example> has sent more than 2 messages in an hour" {
				t.Errorf("%+v", e)
			}
		}
	}
	if held != 4 || len(s.hop.got) != 0 {
		t.Errorf("%d messages held, %d more were delivered", held, len(s.hop.got))
	}
	if n := strings.Count(s.log.String(), "Its mail to the outside is held"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
}

// Messages that end at the same moment, over as many connections, get through with no more than one after the other.
func TestThrottleCountsBeforeTheCommit(t *testing.T) {
	const limit, n = 2, 24
	s := newSetting(t)
	s.options.Settings.Throttle = throttle.Options{Limits: throttle.Limits{MessagesPerHour: limit}}
	g, stop := s.start(t)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if r := send(t, g, "in", "carol@firma.example", "x@partner.example", "From: carol@firma.example\r\n\r\nx\r\n"); !r.Positive() {
				t.Error(r)
			}
		})
	}
	all.Wait()
	stop()
	held := 0
	for _, e := range s.events.Events() {
		if e.Kind == track.Held {
			held++
		}
	}
	if held != n-limit {
		t.Errorf("%d of %d messages are held", held, n)
	}
}

// What comes from outside is not the throttle's, however much it is.
func TestThrottleLeavesIncomingAlone(t *testing.T) {
	s := newSetting(t)
	s.options.Settings.Throttle = throttle.Options{Limits: throttle.Limits{MessagesPerHour: 1, DistinctPerDay: 1}}
	g, _ := s.start(t)
	for i := range 3 {
		if r := send(t, g, "ex", "bob@partner.example", fmt.Sprintf("u%d@firma.example", i), letter("bob@partner.example", "alice@firma.example")); !r.Positive() {
			t.Fatal(r)
		}
		s.hop.wait(t)
	}
}
