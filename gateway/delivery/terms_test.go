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

// However many domains have mail that is due, few of them are worked on at once; the company's own does not wait for
// them, and in the end all have theirs.
func TestLanesAreBounded(t *testing.T) {
	const domains, most = 100, 7
	run(t, func(b *bench, o *Options) {
		o.Router, o.Concurrency, o.Lanes = strangers{b}, 8, most
		for i := range domains {
			name := fmt.Sprintf("d%d.example", i)
			b.routes[name] = "mx:" + name
		}
	}, func(b *bench) {
		b.hop(always(taken, time.Second))
		var all []queue.New
		for i := range domains {
			name := fmt.Sprintf("d%d.example", i)
			e := letter(t, time.Now(), "bob@"+name)
			e.Destinations[0] = "mx:" + name
			all = append(all, e)
		}
		b.put(all...)
		synctest.Wait()
		lanes := func() int {
			b.Scheduler.mu.Lock()
			defer b.Scheduler.mu.Unlock()
			return len(b.Scheduler.lanes)
		}
		if n := lanes(); n != most {
			t.Errorf("%d lanes, want %d", n, most)
		}
		b.letter(nil, "alice@firma.example")
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if !strings.Contains(strings.Join(b.states(), ", "), "alice@firma.example delivered") {
			t.Errorf("the company's own mail waits: %v", b.states())
		}
		if n := lanes(); n > most {
			t.Errorf("%d lanes, want no more than %d", n, most)
		}
		b.Wake(all[domains-1].Destinations...) // waits already
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := b.count(queue.Delivered); n != domains+1 {
			t.Errorf("%d of %d delivered", n, domains+1)
		}
		if n := lanes(); n != 0 || b.crowd.lanes != 0 || len(b.crowd.waiting) != 0 {
			t.Errorf("%d lanes, a crowd of %d, %d waiting", n, b.crowd.lanes, len(b.crowd.waiting))
		}
	})
}

// What was fetched from a provider of De-Mail, who has forgotten it, is never given up: what is refused, or not taken in time, is held, and
// nobody outside is told.
func TestFetchedIsHeld(t *testing.T) {
	for name, hop := range map[string]func(context.Context, Attempt) []Result{"refused": always(never, 0), "never taken": always(later, 0)} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(b *bench) {
				b.hop(hop)
				b.letter(func(e *queue.New) {
					outside(e)
					e.Envelope.From, e.Envelope.Fetched = mail.Address{}, true
				}, "bob@x.example")
				time.Sleep(6 * 24 * time.Hour)
				synctest.Wait()
				if b.count(queue.Held) != 1 || len(b.messages) != 1 {
					t.Errorf("%d held of %d messages", b.count(queue.Held), len(b.messages))
				}
			})
		})
	}
}

// What waited for a person, or for its protection, longer than mail is tried has its full time from then on: it is tried again as other mail is, and nobody is
// told of a delay that there was before.
func TestFullTimeAfterWaiting(t *testing.T) {
	const waited = 10 * 24 * time.Hour
	for name, change := range map[string]func(*queue.New){
		"released, from outside":                     func(e *queue.New) { outside(e); e.Quarantine = []string{"released"} },
		"released, from inside":                      func(e *queue.New) { e.Quarantine = []string{"released"} },
		"protected when it was released":             func(*queue.New) {},
		"its own end comes before that of the route": func(e *queue.New) { e.Expires = e.Due.Add(30 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bench, o *Options) {
				o.DelayAfter = 4 * time.Hour
				b.route = Route{Lifetime: 5 * 24 * time.Hour}
			}, func(b *bench) {
				n := 0
				b.hop(func(_ context.Context, a Attempt) []Result {
					if n++; n < 4 {
						return []Result{later}
					}
					return []Result{taken}
				})
				time.Sleep(waited)
				b.letter(func(e *queue.New) {
					e.Envelope.Received, e.Expires = e.Due.Add(-waited), e.Due.Add(5*24*time.Hour)
					if change(e); !strings.HasPrefix(name, "protected") {
						e.Envelope.ID = mail.IDOf(e.Envelope.Received, [7]byte{1})
					}
				}, "bob@x.example")
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				want := queue.Delivered
				if strings.HasPrefix(name, "its own end") {
					want = queue.Failed
				}
				if b.count(want) != 1 || want == queue.Delivered && len(b.reports()) != 0 {
					t.Errorf("%+v after %d attempts; reports %q", b.messages[0].Recipients[0], n, b.reports())
				}
			})
		})
	}
}
