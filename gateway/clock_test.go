package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/track"
)

// The time of day is set by days, forth and back, while mail waits for a next hop that is down: nothing is
// lost, nothing is returned to its sender before it had its time, and what waits is tried soon after the hop is up,
// each message once.
func TestClockIsSet(t *testing.T) {
	const days = 3 * 24 * time.Hour
	for name, jumps := range map[string][]time.Duration{
		"forward": {days}, "back": {-days}, "forward and back": {days, -days}, "back and forward": {-days, days},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t)
			var by atomic.Int64
			s.options.Now = func() time.Time { return time.Now().Add(time.Duration(by.Load())) }
			s.options.Settings.Expire = 24 * time.Hour
			s.options.Settings.Retry = delivery.Retry{Steps: []time.Duration{time.Second}}
			up := s.options.Settings.Routes[0].SMTP.Hosts
			s.options.Settings.Routes[0].SMTP.Hosts = []string{"127.0.0.1:1"} // refuses: nobody listens at a port that low
			g, _ := s.start(t)
			for range 3 {
				if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
					t.Fatal(r)
				}
				for _, jump := range jumps {
					s.waitFor(t, track.Deferred)
					by.Add(int64(jump))
				}
			}
			settings := s.options.Settings
			settings.Routes = append(settings.Routes[:0:0], settings.Routes...)
			settings.Routes[0].SMTP.Hosts = up
			if err := g.Reload(settings); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if m := s.hop.wait(t); strings.Contains(m, "multipart/report") {
					t.Errorf("a message was returned:\n%s", m)
				}
			}
			s.waitUntil(t, track.Delivered, 3) // so is said a moment after the hop has it
			if n := len(s.hop.got); n > 0 {
				t.Errorf("%d more than were sent, the first is\n%s\nafter the events %+v", n, s.hop.wait(t), s.events.Events())
			}
		})
	}
}

// waitFor waits until a further event of a kind is recorded.
func (s *setting) waitFor(t *testing.T, kind track.Kind) {
	t.Helper()
	s.waitUntil(t, kind, s.count(kind)+1)
}

// count is how many events of a kind are recorded so far.
func (s *setting) count(kind track.Kind) (n int) {
	for _, e := range s.events.Events() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// waitUntil waits until so many events of a kind are recorded, or more.
func (s *setting) waitUntil(t *testing.T, kind track.Kind, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(2 * patience)
	for s.count(kind) < n {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("no event %q; there are %+v", kind, s.events.Events())
		}
	}
}
