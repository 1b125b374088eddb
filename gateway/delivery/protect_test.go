package delivery

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// waiting makes a letter wait for its protection in the line of a source.
func waiting(source string) func(*queue.New) {
	return func(e *queue.New) {
		e.Pending, e.Note = []byte("x"), "held for protection: the key is not available"
		for i := range e.Destinations {
			e.Destinations[i] = queue.ProtectPrefix + source
		}
	}
}

// variant is what a simulated protection makes of a claim.
func variant(c queue.Claim) queue.New {
	n := queue.New{
		Envelope: c.Message.Envelope, Content: report.Content("protected"), Origin: c.Message.Origin,
		Due: time.Now(), Expires: time.Now().Add(time.Hour),
	}
	n.Envelope.ID, n.Envelope.Recipients = mail.NewID(time.Now()), nil
	for _, i := range c.Due {
		r := c.Message.Recipients[i].Recipient
		n.Envelope.Recipients = append(n.Envelope.Recipients, r)
		n.Destinations = append(n.Destinations, r.Address.Domain)
	}
	return n
}

var errCard = &Wait{Line: "card", Err: errors.New("card is not available: no card in 10.9.8.7")}

// A message that waits for its protection is given to no transport, whatever its destination is, also one that an
// operator chose, and neither with a fault in the protection nor without any.
func TestPendingNeverLeaves(t *testing.T) {
	protections := map[string]Protect{
		"none":  nil,
		"away":  func(context.Context, queue.Claim) ([]queue.New, func(), error) { return nil, nil, errCard },
		"fault": func(context.Context, queue.Claim) ([]queue.New, func(), error) { return nil, nil, errors.New("fault") },
		"panic": func(context.Context, queue.Claim) ([]queue.New, func(), error) { panic("planted") },
		"refused": func(context.Context, queue.Claim) ([]queue.New, func(), error) {
			return nil, nil, &Refusal{Enhanced: "5.7.1", Text: "no"}
		},
	}
	for name, p := range protections {
		for _, destination := range []string{"protect:card", "x.example", "mx:x.example", "nowhere"} {
			for _, rerouted := range []bool{false, true} {
				run(t, func(b *bench, o *Options) {
					o.Protect = p
					o.Chosen = func(string, mail.Envelope, mail.Address) (Route, error) { return b.Route(address(t, "bob@x.example")) }
				}, func(b *bench) {
					b.hop(always(taken, 0))
					b.letter(func(e *queue.New) {
						waiting("card")(e)
						e.Destinations[0], e.Expires = destination, e.Due.Add(3*time.Hour)
					}, "bob@x.example")
					unlock, _ := b.lock()
					b.messages[0].Recipients[0].Rerouted = rerouted
					unlock()
					time.Sleep(4 * time.Hour)
					synctest.Wait()
					for _, a := range b.tried() {
						if !strings.HasPrefix(a, "alice@") { // the report
							t.Errorf("%s, %s, rerouted %v: attempt %q", name, destination, rerouted, a)
						}
					}
				})
			}
		}
	}
}

// What was protected takes the place of what waited, in one commit, and goes on at once.
func TestPendingIsProtected(t *testing.T) {
	var back atomic.Bool
	var released atomic.Int32
	var entered []mail.ID
	run(t, func(_ *bench, o *Options) {
		o.Protect = func(_ context.Context, c queue.Claim) ([]queue.New, func(), error) {
			if !back.Load() {
				return nil, nil, errCard
			}
			return []queue.New{variant(c)}, func() { released.Add(1) }, nil
		}
		o.Entered = func(n queue.New) { entered = append(entered, n.Envelope.ID) }
	}, func(b *bench) {
		b.hop(always(taken, 0))
		b.letter(waiting("card"), "bob@x.example")
		time.Sleep(time.Minute)
		synctest.Wait()
		states := b.states()
		if n := b.messages[0].Recipients[0].Attempts; n < 3 || !strings.Contains(states[0], "queued") {
			t.Errorf("after a minute: %q", states)
		}
		back.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.want("attempts", b.tried, b.tried()...)
		last := b.messages[len(b.messages)-1]
		if len(b.messages) != 2 || last.Recipients[0].State != queue.Delivered || string(last.content) != "protected" || last.IsPending() {
			t.Errorf("%+v", last.Message)
		}
		if released.Load() != 1 || len(entered) != 1 || entered[0] != last.Envelope.ID {
			t.Errorf("released %d times, entered %v", released.Load(), entered)
		}
		for _, e := range b.events {
			if e.Kind == track.Delivered && e.ID == b.messages[0].Envelope.ID {
				t.Errorf("what waited counts as delivered: %+v", e)
			}
		}
	})
}

// A source that hangs holds up neither other sources nor delivery, and its own messages wait for one of them.
func TestPendingLinesAreApart(t *testing.T) {
	var mu sync.Mutex
	hanging, most := 0, 0
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		hanging += by
		most = max(most, hanging)
	}
	run(t, func(_ *bench, o *Options) {
		o.Protecting, o.PerProtection, o.Concurrency = 4, 2, 2
		o.Protect = func(ctx context.Context, c queue.Claim) ([]queue.New, func(), error) {
			if c.Destination != "protect:vault" {
				return []queue.New{variant(c)}, nil, nil
			}
			count(1)
			defer count(-1)
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			return nil, nil, &Wait{Line: "vault", Err: errors.New("vault is not available")}
		}
	}, func(b *bench) {
		b.hop(always(taken, 0))
		for range 20 {
			b.letter(waiting("vault"), "bob@x.example")
		}
		b.letter(waiting("card"), "carl@x.example")
		b.letter(nil, "dora@x.example")
		time.Sleep(10 * time.Second)
		states := strings.Join(b.states(), ", ")
		for _, want := range []string{"carl@x.example delivered 1", "dora@x.example delivered 1"} {
			if !strings.Contains(states, want) {
				t.Errorf("%s is not in %s", want, states)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		count(0)
		if most > 2 {
			t.Errorf("%d hang at once", most)
		}
	})
}

// Out of time it goes back with the reason that is made for the sender, and of its header what identifies it.
func TestPendingExpires(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.Protect = func(context.Context, queue.Claim) ([]queue.New, func(), error) { return nil, nil, errCard }
	}, func(b *bench) {
		b.hop(always(taken, 0))
		b.letter(func(e *queue.New) { waiting("card")(e); e.Expires = e.Due.Add(4 * time.Hour) }, "bob@x.example")
		time.Sleep(4*time.Hour + time.Second)
		synctest.Wait()
		reports := b.reports()
		if len(reports) != 1 {
			t.Fatalf("%d reports", len(reports))
		}
		for _, want := range []string{"Status: 5.7.5", "held for protection: the key is not available", "From: Alice"} {
			if !strings.Contains(reports[0], want) {
				t.Errorf("the report lacks %q:\n%s", want, reports[0])
			}
		}
		for _, secret := range []string{"Angebot", "Geheim", "10.9.8.7"} {
			if strings.Contains(reports[0], secret) {
				t.Errorf("the report holds %q:\n%s", secret, reports[0])
			}
		}
	})
}

// Where it is known what it waited for that is said in both languages, and no note of the queue beside it.
func TestPendingExpiresInWords(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.Protect = func(context.Context, queue.Claim) ([]queue.New, func(), error) { return nil, nil, errCard }
		o.Waits = func(m queue.Message) texts.Said {
			if string(m.Pending) != "x" {
				t.Errorf("asked of %q", m.Pending)
			}
			return texts.Said{ID: texts.WhyNotProtected, Values: texts.Values{Reason: texts.ReasonKeyAway, Detail: "alice@firma.example"}}
		}
	}, func(b *bench) {
		b.hop(always(taken, 0))
		b.letter(func(e *queue.New) { waiting("card")(e); e.Expires = e.Due.Add(4 * time.Hour) }, "bob@x.example")
		time.Sleep(4*time.Hour + time.Second)
		synctest.Wait()
		reports := b.reports()
		if len(reports) != 1 {
			t.Fatalf("%d reports", len(reports))
		}
		said := strings.ReplaceAll(reports[0], "=\r\n", "") // soft line ends
		for _, want := range []string{"Status: 5.7.5", "the signing key of alice@firma.example is not available", "der Signaturschl=C3=BCssel von alice@firma.example ist nicht verf=C3=BCgbar"} {
			if !strings.Contains(said, want) {
				t.Errorf("the report lacks %q:\n%s", want, said)
			}
		}
		if strings.Contains(said, "held for protection") || strings.Contains(said, "10.9.8.7") {
			t.Errorf("the report has a note for operators:\n%s", said)
		}
	})
}

// Mail from outside that waits for a key is put off, by its deadline at the latest, and nobody outside is told.
func TestIncomingWaits(t *testing.T) {
	var until time.Time
	run(t, func(b *bench, o *Options) {
		o.DelayAfter = time.Hour
		until = time.Now().Add(4 * time.Hour)
		o.Prepare = Whole(func(ctx context.Context, c queue.Claim) (mail.Content, func(), error) {
			if time.Now().Before(until) {
				return nil, nil, &Wait{Line: "card", Until: until, Err: errors.New("card is not available")}
			}
			return stored{ctx, b.memory, c.Message.Envelope.ID, c.Message.Size}, nil, nil
		})
	}, func(b *bench) {
		b.hop(always(taken, 0))
		b.letter(outside, "bob@x.example")
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if r := b.reports(); len(r) != 0 {
			t.Errorf("reports %q", r)
		}
		if states := b.states(); !strings.Contains(states[0], "delivered") {
			t.Errorf("at the deadline: %q", states)
		}
	})
}

// What somebody has news for is tried again at once, also where it was being tried just then, and could not be made due.
func TestNewsWhileBeingTried(t *testing.T) {
	var mu sync.Mutex
	arrived, tried := false, 0
	run(t, func(_ *bench, o *Options) {
		o.Protect = func(_ context.Context, c queue.Claim) ([]queue.New, func(), error) {
			mu.Lock()
			there := arrived
			tried++
			mu.Unlock()
			if there {
				return []queue.New{variant(c)}, nil, nil
			}
			time.Sleep(10 * time.Second) // it has looked, and is not done
			return nil, nil, &Wait{Line: "asked", Alone: true, Pause: time.Hour, Err: errors.New("nobody answered")}
		}
	}, func(b *bench) {
		b.hop(always(taken, 0))
		b.letter(waiting("asked"), "bob@x.example")
		time.Sleep(5 * time.Second)
		mu.Lock()
		arrived = true
		mu.Unlock()
		b.TryAgain("protect:asked")
		if n, err := b.Hasten(t.Context(), "protect:asked", time.Now(), time.Now(), 100); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if states := strings.Join(b.states(), ", "); !strings.Contains(states, "bob@x.example delivered") || tried != 2 {
			t.Errorf("tried %d times: %s", tried, states)
		}
	})
}

// What waits for its own recipient keeps nothing else in its line waiting, and is left alone until somebody makes it due.
func TestPendingAlone(t *testing.T) {
	var mu sync.Mutex
	tried := map[string]int{}
	run(t, func(_ *bench, o *Options) {
		o.Protect = func(_ context.Context, c queue.Claim) ([]queue.New, func(), error) {
			mu.Lock()
			defer mu.Unlock()
			who := c.Message.Recipients[0].Address.Local
			if tried[who]++; who == "carl" {
				return []queue.New{variant(c)}, nil, nil
			}
			return nil, nil, &Wait{Line: "asked", Alone: true, Pause: time.Hour, Err: errors.New("nobody answered")}
		}
	}, func(b *bench) {
		b.hop(always(taken, 0))
		for range 10 {
			b.letter(waiting("asked"), "bob@x.example")
		}
		b.letter(waiting("asked"), "carl@x.example")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if states := strings.Join(b.states(), ", "); !strings.Contains(states, "carl@x.example delivered") {
			t.Errorf("behind those who wait: %s", states)
		}
		mu.Lock()
		first := tried["bob"]
		mu.Unlock()
		time.Sleep(45 * time.Minute)
		synctest.Wait()
		mu.Lock()
		if first != 10 || tried["bob"] != 10 {
			t.Errorf("tried %d times, later %d times", first, tried["bob"])
		}
		mu.Unlock()
		if n, err := b.Hasten(t.Context(), "protect:asked", time.Now(), time.Now(), 100); n != 10 || err != nil {
			t.Fatal(n, err)
		}
		b.TryAgain("protect:asked")
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if tried["bob"] != 20 {
			t.Errorf("made due, %d times", tried["bob"])
		}
	})
}
