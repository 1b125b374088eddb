package delivery

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// refusing is a hop that takes reports and puts everything else off.
func refusing(_ context.Context, a Attempt) []Result {
	if a.Envelope.From.IsNull() {
		return []Result{taken}
	}
	results := make([]Result, len(a.Envelope.Recipients))
	for i := range results {
		results[i] = later
	}
	return results
}

// A route may have its own waits, its own end and its own time at which the sender is told of a delay.
func TestRouteTerms(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		o.DelayAfter = 4 * time.Hour
		b.route = Route{Retry: Retry{Steps: []time.Duration{20 * time.Minute}}, Lifetime: 2 * time.Hour, DelayAfter: 30 * time.Minute}
	}, func(b *bench) {
		b.hop(refusing)
		b.letter(nil, "bob@x.example")
		time.Sleep(35 * time.Minute)
		synctest.Wait()
		b.want("attempts", b.tried, "bob@x.example @ 0", "bob@x.example @ 20")
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if r := b.reports(); len(r) != 1 || !strings.Contains(r[0], "Action: delayed") {
			t.Errorf("reports after 55 minutes: %q", r)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if r := b.reports(); len(r) != 2 || !strings.Contains(r[1], "Action: failed") || b.count(queue.Failed) != 1 {
			t.Errorf("reports at the end: %q", r)
		}
		// The last attempt is at the end itself: 0, 20, 40, 60, 80, 100 and 120 minutes, and two reports.
		if n := len(b.tried()); n != 9 {
			t.Errorf("%d attempts", n)
		}
		// A report stays as long as the route of its recipient has it.
		for _, m := range b.messages[1:] {
			if life := m.Expires.Sub(m.Envelope.Received); life != 2*time.Hour {
				t.Errorf("a report expires after %v", life)
			}
		}
	})
}

// A route that lasts longer than the message, or has no end, leaves the message its own.
func TestTerms(t *testing.T) {
	o := Options{PerDestination: 20, Retry: DefaultRetry(), DelayAfter: 4 * time.Hour}
	plain := o.terms(Route{})
	if plain.concurrency != 20 || len(plain.retry.Steps) != len(o.Retry.Steps) || plain.delayAfter != 4*time.Hour || plain.lifetime != 0 {
		t.Errorf("%+v", plain)
	}
	if own := o.terms(Route{Concurrency: 3, DelayAfter: -1, Retry: Retry{Steps: []time.Duration{time.Hour}}}); own.concurrency != 3 || own.delayAfter != 0 || len(own.retry.Steps) != 1 {
		t.Errorf("%+v", own)
	}
	now := time.Unix(1e9, 0)
	m := &queue.Message{Expires: now.Add(time.Hour)}
	m.Envelope.Received = now
	for lifetime, want := range map[time.Duration]time.Duration{0: time.Hour, time.Minute: time.Minute, 2 * time.Hour: time.Hour} {
		if got := (terms{lifetime: lifetime}).ends(m).Sub(now); got != want {
			t.Errorf("lifetime %v: ends after %v", lifetime, got)
		}
	}
	m.Expires = time.Time{}
	if got := (terms{}).ends(m); !got.IsZero() {
		t.Errorf("ends %v", got)
	}
}

// strangers is the routing of a bench with every domain but the company's as a destination per domain.
type strangers struct{ *bench }

// Route implements Router.
func (s strangers) Route(a mail.Address) (Route, error) {
	r, err := s.bench.Route(a)
	r.PerDomain = a.Domain != "firma.example"
	return r, err
}

// Domains of strangers that hold on to every connection leave room for the company's own mail.
func TestStrangersLeaveRoom(t *testing.T) {
	run(t, func(b *bench, o *Options) { o.Router, o.Concurrency = strangers{b}, 8 }, func(b *bench) {
		b.hop(func(ctx context.Context, a Attempt) []Result {
			if a.Envelope.Recipients[0].Address.Domain == "firma.example" {
				return []Result{taken}
			}
			<-ctx.Done()
			return []Result{nowhere}
		})
		for i := range 30 {
			b.fill(3, fmt.Sprintf("tarpit%d.example", i))
		}
		synctest.Wait()
		if b.most() != 6 {
			t.Errorf("strangers have %d of 8 attempts at once", b.most())
		}
		b.fill(20, "firma.example")
		synctest.Wait()
		if n := b.count(queue.Delivered); n != 20 {
			t.Errorf("%d of 20 delivered to the company", n)
		}
	})
}
