package delivery

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// deMail makes a letter one that goes by an account, for an hour.
func deMail(account string) func(*queue.New) {
	return func(e *queue.New) {
		e.Envelope.DeMail = &mail.DeMail{Account: account}
		e.Expires = e.Due.Add(time.Hour)
		for i := range e.Destinations {
			e.Destinations[i] = queue.DeMailPrefix + account
		}
	}
}

// provider does the same with every De-Mail, and takes what else there is, such as reports.
func provider(r Result, tried *atomic.Int32) func(context.Context, Attempt) []Result {
	return func(_ context.Context, a Attempt) []Result {
		if a.Envelope.DeMail == nil {
			return repeat(taken, len(a.Envelope.Recipients))
		}
		tried.Add(1)
		return repeat(r, len(a.Envelope.Recipients))
	}
}

// De-Mail goes by its account, whatever routes lead to its recipients, whoever put it where.
func TestDeMailGoesByItsAccount(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		o.Chosen = func(string, mail.Envelope, mail.Address) (Route, error) {
			t.Error("an operator's choice counts for De-Mail")
			return Route{}, ErrNoRoute
		}
	}, func(b *bench) {
		var mu sync.Mutex
		var seen []Attempt
		b.hop(func(_ context.Context, a Attempt) []Result {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a)
			return repeat(later, len(a.Envelope.Recipients))
		})
		id := b.letter(func(e *queue.New) {
			deMail("main")(e)
			e.Due = e.Due.Add(time.Minute) // an operator is quicker
		}, "bob@x.example", "carl@y.example")
		b.reroute(id, 1, "y.example")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(seen); n < 2 || n != b.messages[0].Recipients[0].Attempts+b.messages[0].Recipients[1].Attempts {
			t.Fatalf("%d attempts, of %q", n, b.states())
		}
		for _, a := range seen {
			if a.Destination != "demail:main" || a.Origin != id || a.Envelope.DeMail.Account != "main" {
				t.Errorf("attempt %+v", a)
			}
		}
	})
}

// What a provider may have is held when its time is over. Its sender is told that it is in doubt, once, and never that it failed.
func TestDoubtNeverFails(t *testing.T) {
	for name, r := range map[string]Result{
		"tried again":       {Status: Deferred, Text: "its answer was lost", Doubt: true},
		"held":              {Status: Held, Text: "held, since its answer was lost", Doubt: true},
		"a refusal, by bug": {Status: Refused, Code: 554, Text: "no", Doubt: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(b *bench) {
				var tried atomic.Int32
				b.hop(provider(r, &tried))
				id := b.letter(deMail("main"), "bob@x.example")
				time.Sleep(2 * time.Hour)
				b.want("states", b.states, "bob@x.example held "+map[bool]string{true: "1", false: "4"}[r.Status != Deferred], "alice@firma.example delivered 1")
				if reply := b.messages[0].Recipients[0].LastReply; !strings.HasPrefix(reply, heldInDoubt) || !strings.Contains(reply, r.Text) {
					t.Errorf("last reply %q", reply)
				}
				reports := b.reports()
				if len(reports) != 1 || !strings.Contains(reports[0], "Action: delayed") || !strings.Contains(reports[0], "do not send it again") || strings.Contains(reports[0], "will not be tried again") {
					t.Fatalf("reports %q", reports)
				}
				b.Change(t.Context(), id, queue.Order{Only: []int{0}, State: queue.Queued, Due: time.Now()})
				b.TryAgain("demail:main")
				time.Sleep(time.Minute)
				if n := len(b.reports()); n != 1 {
					t.Errorf("%d reports after it was asked for again", n)
				}
			})
		})
	}
}

// That the provider has not taken it is said by its transport alone. What comes between never is the end of a De-Mail.
func TestOnlyItsTransportSaysThatDeMailFailed(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.letter(deMail("none"), "bob@x.example")
		time.Sleep(2 * time.Hour)
		b.want("without a way", b.states, "bob@x.example held 4", "alice@firma.example delivered 1")
		if reply := b.messages[0].Recipients[0].LastReply; !strings.Contains(reply, "siegel demail show") || !strings.Contains(reply, ErrNoRoute.Error()) {
			t.Errorf("last reply %q", reply)
		}
	})
	run(t, func(_ *bench, o *Options) {
		o.Prepare = Whole(func(context.Context, queue.Claim) (mail.Content, func(), error) {
			return nil, nil, &Refusal{Text: "no"}
		})
	}, func(b *bench) {
		b.letter(deMail("main"), "bob@x.example")
		synctest.Wait()
		b.want("unprepared", b.states, "bob@x.example held 1", "alice@firma.example failed 1")
	})
}

// A provider that is away for too long: everybody is told, each after an attempt of their own, in words of De-Mail.
func TestDeMailExpires(t *testing.T) {
	run(t, nil, func(b *bench) {
		var tried atomic.Int32
		b.hop(provider(Result{Status: Deferred, Enhanced: "4.4.1", Text: "the provider is not available", Unreachable: true}, &tried))
		for range 10 {
			b.letter(deMail("main"), "bob@x.example")
		}
		time.Sleep(59 * time.Minute)
		if n := tried.Load(); n >= 20 {
			t.Errorf("%d attempts at an account that is down", n)
		}
		before := tried.Load()
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		if n := b.count(queue.Failed); n != 10 || tried.Load() < before+10 {
			t.Errorf("%d failed, after %d attempts and %d", n, before, tried.Load()-before)
		}
		for _, r := range b.reports() {
			if !strings.Contains(r, "Your De-Mail provider did not take the message within the time allowed.") || strings.Contains(r, "mail server") {
				t.Fatalf("report\n%s", r)
			}
		}
	})
}

// What one message taught of an account says nothing of whether the provider has another.
func TestPostponedIsNotInDoubt(t *testing.T) {
	run(t, nil, func(b *bench) {
		var tried atomic.Int32
		b.hop(provider(Result{Status: Deferred, Text: "no answer", Unreachable: true, Doubt: true}, &tried))
		for range 30 {
			b.letter(deMail("main"), "bob@x.example")
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		doubt := 0
		for _, m := range b.messages {
			if strings.HasPrefix(m.Recipients[0].LastReply, InDoubt) {
				doubt++
			}
		}
		if tried := int(tried.Load()); doubt != tried || doubt == 30 {
			t.Errorf("%d in doubt after %d attempts", doubt, tried)
		}
	})
}

// A transport may say how long to wait.
func TestPause(t *testing.T) {
	run(t, nil, func(b *bench) {
		var tried atomic.Int32
		b.hop(provider(Result{Status: Deferred, Text: "no more today", Pause: 10 * time.Minute}, &tried))
		b.letter(deMail("main"), "bob@x.example")
		time.Sleep(9 * time.Minute)
		if n := tried.Load(); n != 1 {
			t.Errorf("%d attempts", n)
		}
		time.Sleep(2 * time.Minute)
		if n := tried.Load(); n != 2 {
			t.Errorf("%d attempts", n)
		}
	})
}
