package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// fill puts n messages for a destination.
func (b *bench) fill(n int, domain string) {
	entries := make([]queue.New, n)
	for i := range entries {
		entries[i] = letter(b, time.Now(), fmt.Sprintf("u%d@%s", i, domain))
	}
	b.put(entries...)
}

// count counts recipients in a state.
func (b *bench) count(state queue.State) (n int) {
	messages, _ := b.List(b.Context(), queue.Filter{})
	for _, m := range messages {
		for _, r := range m.Recipients {
			if r.State == state {
				n++
			}
		}
	}
	return n
}

// Attempts at once begin few for a destination, grow with success and keep both limits.
func TestConcurrency(t *testing.T) {
	cases := map[string]struct {
		per, all, route int
		domains         []string
		want            int
	}{
		"per destination": {8, 100, 0, []string{"x.example"}, 8},
		"global":          {8, 5, 0, []string{"x.example", "y.example"}, 5},
		"two":             {8, 100, 0, []string{"x.example", "y.example"}, 16},
		"of the route":    {8, 100, 2, []string{"x.example"}, 2},
		"many":            {50, 100, 0, []string{"x.example"}, 50},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bench, o *Options) {
				o.PerDestination, o.Concurrency, b.route.Concurrency = c.per, c.all, c.route
			}, func(b *bench) {
				b.hop(always(taken, time.Second))
				for _, d := range c.domains {
					b.fill(400, d)
				}
				synctest.Wait()
				if b.most() > firstWindow*len(c.domains) {
					t.Errorf("%d attempts at once at the start", b.most())
				}
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				if b.most() != c.want || b.count(queue.Delivered) != 400*len(c.domains) {
					t.Errorf("%d attempts at once, want %d; %d delivered", b.most(), c.want, b.count(queue.Delivered))
				}
			})
		})
	}
}

// A destination that nobody answers at is left alone: its messages wait without attempts, until one gets through.
func TestDown(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(always(nowhere, time.Second))
		b.fill(300, "x.example")
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if n := len(b.tried()); n > firstWindow+downAfter {
			t.Errorf("%d attempts at a destination that is down", n)
		}
		if b.count(queue.Queued) != 300 {
			t.Errorf("%d queued", b.count(queue.Queued))
		}
		messages, _ := b.List(t.Context(), queue.Filter{})
		for _, m := range messages {
			if m.Recipients[0].Attempts != 1 || m.Recipients[0].LastReply != nowhere.Reply() {
				t.Fatalf("recipient %+v", m.Recipients[0])
			}
		}
		// New mail does not wake it.
		before := len(b.tried())
		b.letter(nil, "new@x.example")
		b.letter(nil, "other@y.example")
		b.hop(always(taken, 0))
		synctest.Wait()
		if n := len(b.tried()); n > before+1 {
			t.Errorf("%d attempts at a destination that is down", n-before)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := b.count(queue.Queued); n != 0 {
			t.Errorf("%d still queued after it is up again", n)
		}
	})
}

// An operator who knows better than the memory of troubles is obeyed at once.
func TestTryAgain(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(always(nowhere, time.Second))
		b.fill(10, "x.example")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		b.hop(always(taken, time.Second))
		if err := b.Put(t.Context(), []queue.New{letter(b, time.Now(), "new@x.example")}); err != nil {
			t.Fatal(err)
		}
		b.TryAgain("x.example", "never.heard.of")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := b.count(queue.Delivered); n != 1 {
			t.Errorf("%d delivered", n)
		}
	})
}

// Down for days: every message expires and is reported, with few attempts.
func TestDownForDays(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			return []Result{nowhere}
		})
		b.fill(50, "x.example")
		time.Sleep(5*24*time.Hour + time.Minute)
		synctest.Wait()
		if b.count(queue.Failed) != 50 || b.count(queue.Delivered) != 50 {
			t.Errorf("%d failed, %d reports delivered", b.count(queue.Failed), b.count(queue.Delivered))
		}
		if n := len(b.tried()) - 50; n > 50*(5*24+5)/2 {
			t.Errorf("%d attempts", n)
		}
	})
}

// An attempt may take longer than the lease: it is renewed.
func TestRenews(t *testing.T) {
	run(t, func(_ *bench, o *Options) { o.Concurrency = 1 }, func(b *bench) {
		b.hop(always(taken, 50*time.Minute))
		b.letter(nil, "bob@x.example")
		b.letter(nil, "carl@x.example") // waits for the one slot, and keeps its lease too
		time.Sleep(101 * time.Minute)
		if tried := b.tried(); len(tried) != 2 || !strings.HasSuffix(tried[0], " @ 0") || !strings.HasSuffix(tried[1], " @ 50") {
			t.Errorf("attempts %q", tried)
		}
		b.want("states", b.states, "bob@x.example delivered 1", "carl@x.example delivered 1")
	})
}

// An attempt that takes too long is cut, and counts.
func TestLongest(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(always(taken, 2*time.Hour))
		b.letter(nil, "bob@x.example")
		time.Sleep(time.Hour + time.Second)
		b.want("states", b.states, "bob@x.example queued 1")
		messages, _ := b.List(t.Context(), queue.Filter{})
		if r := messages[0].Recipients[0]; r.LastReply != errLongest.Error() {
			t.Errorf("last reply %q", r.LastReply)
		}
	})
}

// An attempt whose lease cannot be renewed is cut before it ends.
func TestCutBeforeLeaseEnds(t *testing.T) {
	run(t, nil, func(b *bench) {
		var cause error
		var after time.Duration
		b.hop(func(ctx context.Context, a Attempt) []Result {
			start := time.Now()
			<-ctx.Done()
			cause, after = context.Cause(ctx), time.Since(start)
			return []Result{{Status: Deferred, Text: "cut"}}
		})
		b.letter(nil, "bob@x.example")
		synctest.Wait()
		b.fail(errors.New("disk"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if !errors.Is(cause, errLease) || after >= 5*time.Minute || after < 3*time.Minute {
			t.Errorf("cut after %v by %v", after, cause)
		}
		b.fail(nil)
		b.hop(always(taken, 0))
		time.Sleep(time.Minute)
		b.want("states", b.states, "bob@x.example delivered 1")
	})
}

// While renewals fail, nobody gets the message before its attempt has been cut, neither this process nor another that
// asks for it all the time.
func TestNobodyElseBeforeTheCut(t *testing.T) {
	run(t, nil, func(b *bench) {
		var cut, next time.Time
		b.hop(func(ctx context.Context, a Attempt) []Result {
			if !cut.IsZero() {
				next = time.Now()
				return []Result{taken}
			}
			<-ctx.Done()
			cut = time.Now()
			return []Result{{Status: Deferred, Text: "cut"}}
		})
		b.memory.mu.Lock()
		b.memory.unrenewed = errors.New("disk")
		b.memory.mu.Unlock()
		b.letter(nil, "bob@x.example")
		synctest.Wait()
		start := time.Now()
		for next.IsZero() && time.Since(start) < time.Hour {
			claims, err := b.memory.Claim(t.Context(), "x.example", time.Now(), time.Minute, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range claims {
				next = time.Now()
				if err := b.memory.Settle(t.Context(), c, []queue.Outcome{{Index: 0, State: queue.Delivered}}, nil); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if cut.IsZero() || next.Before(cut) || cut.Sub(start) >= 5*time.Minute {
			t.Errorf("cut after %v, the next had it after %v", cut.Sub(start), next.Sub(start))
		}
	})
}

// An attempt whose lease passed to another is cut, and what it brought is not recorded.
func TestLeaseLost(t *testing.T) {
	run(t, nil, func(b *bench) {
		cut := false
		b.hop(func(ctx context.Context, a Attempt) []Result {
			<-ctx.Done()
			cut = true
			return []Result{taken}
		})
		b.letter(nil, "bob@x.example")
		synctest.Wait()
		b.memory.mu.Lock()
		b.messages[0].token[0], b.messages[0].until[0] = "another node's", time.Now().Add(time.Hour)
		b.memory.mu.Unlock()
		time.Sleep(5 * time.Minute)
		b.want("states", b.states, "bob@x.example queued 0")
		if !cut {
			t.Error("the attempt was not cut")
		}
		b.memory.mu.Lock()
		b.messages[0].token[0] = ""
		b.memory.mu.Unlock()
	})
}

// A stop waits for attempts that end within the grace, cuts the others, and hands back what was not begun.
func TestStop(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(ctx context.Context, a Attempt) []Result {
			if a.Envelope.Recipients[0].Address.Local == "u0" {
				return always(taken, 4*time.Second)(ctx, a)
			}
			return always(taken, time.Hour)(ctx, a)
		})
		b.fill(20, "x.example")
		synctest.Wait()
		if b.leased() <= firstWindow {
			t.Errorf("%d leased, want some that wait", b.leased())
		}
		start := time.Now()
		b.stop()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if b.count(queue.Delivered) != 1 || b.leased() != 0 {
			t.Errorf("%d delivered, %d leased", b.count(queue.Delivered), b.leased())
		}
		for _, m := range b.messages[1:] {
			if r := m.Recipients[0]; r.Attempts != 0 || r.Next.After(time.Now()) {
				t.Errorf("handed back changed: %+v", r)
			}
		}
		b.Wake("x.example") // harmless
	})
}

func TestStopIdle(t *testing.T) {
	run(t, nil, func(b *bench) {
		start := time.Now()
		b.stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("stopped after %v", took)
		}
	})
}

// While the store fails nothing is lost: what was delivered is recorded when it works again, once.
func TestStoreFails(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(always(taken, 10*time.Second))
		b.letter(nil, "bob@x.example")
		synctest.Wait()
		b.fail(queue.ErrUnavailable)
		time.Sleep(time.Minute)
		b.Wake("y.example") // cannot be claimed
		time.Sleep(time.Second)
		b.fail(nil)
		time.Sleep(time.Minute)
		b.want("states", b.states, "bob@x.example delivered 1")
		b.want("attempts", b.tried, "bob@x.example @ 0")
		b.letter(nil, "carl@y.example")
		time.Sleep(10 * time.Second)
		b.want("states", b.states, "bob@x.example delivered 1", "carl@y.example delivered 1")
	})
}

// A report made while the store fails waits for the header that it quotes.
func TestStoreFailsAtReport(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			b.fail(queue.ErrUnavailable)
			return []Result{never}
		})
		b.letter(nil, "bob@x.example")
		time.Sleep(7 * time.Second)
		b.want("reports", b.reports)
		b.fail(nil)
		time.Sleep(time.Minute)
		if r := b.reports(); len(r) != 1 || !strings.Contains(r[0], "Subject: Angebot") {
			t.Errorf("reports: %q", r)
		}
	})
}

func TestStoreFailsAtStart(t *testing.T) {
	run(t, func(b *bench, _ *Options) {
		b.Put(t.Context(), []queue.New{letter(t, time.Now(), "bob@x.example")})
		b.fail(errors.New("disk"))
	}, func(b *bench) {
		time.Sleep(7 * time.Second)
		b.fail(nil)
		time.Sleep(5 * time.Second)
		b.want("states", b.states, "bob@x.example delivered 1")
	})
}

// However messages, wakes and outcomes mix, each is delivered exactly once.
func TestNothingIsLost(t *testing.T) {
	run(t, func(_ *bench, o *Options) { o.Concurrency = 7 }, func(b *bench) {
		tries := map[mail.ID]int{}
		b.hop(func(ctx context.Context, a Attempt) []Result {
			b.mu.Lock()
			tries[a.Envelope.ID]++
			n := tries[a.Envelope.ID] + int(a.Envelope.ID[19])
			b.mu.Unlock()
			return always([]Result{taken, later, nowhere, taken}[n%4], time.Duration(n%5)*time.Second)(ctx, a)
		})
		for i := range 300 {
			b.letter(nil, fmt.Sprintf("u%d@d%d.example", i, i%9))
			time.Sleep(time.Duration(i%13) * 100 * time.Millisecond)
		}
		time.Sleep(5 * 24 * time.Hour)
		synctest.Wait()
		if n := b.count(queue.Delivered); n != 300 {
			t.Errorf("%d of 300 delivered", n)
		}
		if b.settled < 300 || b.leased() != 0 {
			t.Errorf("%d settled, %d leased", b.settled, b.leased())
		}
		if len(b.lanes) != 0 {
			t.Errorf("%d lanes left", len(b.lanes))
		}
	})
}

func TestRetryWait(t *testing.T) {
	r := DefaultRetry()
	var total time.Duration
	for n := range 50 {
		wait := r.Wait(n)
		base := r.Steps[min(max(n-1, 0), len(r.Steps)-1)]
		if wait < base*9/10 || wait > base*11/10 {
			t.Errorf("wait after %d attempts: %v, want about %v", n, wait, base)
		}
		total += wait
	}
	if total < 120*time.Hour {
		t.Errorf("50 attempts last %v", total)
	}
	if (Retry{}).Wait(1) == 0 {
		t.Error("the zero Retry does not wait")
	}
}

// due gives out destinations in the order of their earliest times.
func TestDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d due
		model := map[string][]time.Time{} // in order
		moment := func(t *rapid.T, label string) time.Time {
			return time.Unix(0, 0).Add(time.Duration(rapid.IntRange(0, 100).Draw(t, label)) * dueStep)
		}
		first := func() (earliest time.Time, ok bool) {
			for _, times := range model {
				if !ok || times[0].Before(earliest) {
					earliest, ok = times[0], true
				}
			}
			return earliest, ok
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "name")
				at := moment(t, "at")
				d.set(name, at)
				model[name] = append(model[name], at)
				slices.SortFunc(model[name], time.Time.Compare)
			},
			"pop": func(t *rapid.T) {
				now := moment(t, "now")
				name, ok := d.pop(now)
				earliest, any := first()
				if want := any && !earliest.After(now); ok != want || ok && !model[name][0].Equal(earliest) {
					t.Fatalf("pop(%v) gave %q %v from %v", now, name, ok, model)
				}
				model[name] = slices.DeleteFunc(model[name], func(at time.Time) bool { return !at.After(now) })
				if len(model[name]) == 0 {
					delete(model, name)
				}
			},
			"": func(t *rapid.T) {
				at, ok := d.next()
				if earliest, any := first(); ok != any || !at.Equal(earliest) || len(d.index) != len(model) {
					t.Fatalf("next %v %v of %v", at, ok, model)
				}
			},
		})
	})
}

// Each message of a destination is tried again when it is due, though others were due before it.
func TestEveryDueTimeIsKept(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.Refresh, o.Retry = 24*time.Hour, Retry{Steps: []time.Duration{time.Minute}, Jitter: 0.5}
	}, func(b *bench) {
		b.hop(always(later, 0))
		b.fill(20, "x.example")
		synctest.Wait()
		b.hop(always(taken, 0))
		b.letter(nil, "new@x.example")
		time.Sleep(90*time.Second + dueStep)
		synctest.Wait()
		if n := b.count(queue.Delivered); n != 21 {
			t.Errorf("%d of 21 delivered when all were due", n)
		}
	})
}
