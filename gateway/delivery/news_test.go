package delivery

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// Attempts that began before the news, and fail after it, say nothing of the destination: what waits is tried, not put off once more.
func TestFailuresFromBeforeTheNews(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.Retry = Retry{Steps: []time.Duration{20 * time.Hour}}
	}, func(b *bench) {
		var back atomic.Bool
		b.hop(func(ctx context.Context, a Attempt) []Result {
			what := nowhere
			if back.Load() {
				what = taken
			}
			return always(what, 10*time.Second)(ctx, a)
		})
		b.fill(firstWindow, "x.example")
		time.Sleep(5 * time.Second)
		back.Store(true)
		b.TryAgain("x.example")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := b.count(queue.Delivered); n != firstWindow {
			t.Errorf("%d delivered: %q", n, b.states())
		}
	})
}

// What is learnt of a failure in the moment of the news is forgotten with the rest, also for the next lane.
func TestPardonDuringFailure(t *testing.T) {
	run(t, nil, func(b *bench) {
		l := newLane(b.Scheduler, "x.example", b.Context())
		l.health.failures = downAfter - 1
		l.pardoned.Store(true)
		l.learn(contact{failed: &nowhere})
		l.more = false
		l.begin(b.Context())
		if next := newLane(b.Scheduler, "x.example", b.Context()); l.health != (health{}) || next.health != (health{}) {
			t.Errorf("now %+v, then %+v", l.health, next.health)
		}
	})
}

// slowly is a store that takes its time to make messages due.
type slowly struct {
	*memory
	times *atomic.Int32
}

// Hasten implements queue.Store.
func (s slowly) Hasten(ctx context.Context, destination string, later, now time.Time, limit int) (int, error) {
	n, err := s.memory.Hasten(ctx, destination, later, now, limit)
	s.times.Add(1)
	time.Sleep(5 * time.Second)
	return n, err
}

// A destination that goes down while what waits for it is made due has one portion moved, not one after the other.
func TestDownWhileHastened(t *testing.T) {
	var times atomic.Int32
	run(t, func(b *bench, o *Options) {
		o.Store = slowly{b.memory, &times}
		o.Retry = Retry{Steps: []time.Duration{time.Minute, 20 * time.Hour}}
	}, func(b *bench) {
		b.hop(always(nowhere, 0))
		b.fill(hastened+200, "x.example")
		time.Sleep(3*time.Minute + longestDown)
		synctest.Wait()
		var tries atomic.Int32
		b.hop(func(ctx context.Context, a Attempt) []Result {
			if tries.Add(1) == 1 {
				return always(taken, 0)(ctx, a)
			}
			return always(nowhere, time.Second)(ctx, a)
		})
		b.fill(firstWindow, "x.example")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := times.Load(); n != 1 {
			t.Errorf("%d portions were made due", n)
		}
	})
}

// renewing is a store whose first renewal takes its time, before it counts and after.
type renewing struct {
	*memory
	times *atomic.Int32
}

// Renew implements queue.Store.
func (s renewing) Renew(ctx context.Context, c queue.Claim, until time.Time) error {
	if s.times.Add(1) == 1 {
		time.Sleep(10 * time.Second)
		defer time.Sleep(10 * time.Second)
	}
	return s.memory.Renew(ctx, c, until)
}

// A renewal from before the clock was set forward does not end the lease that the one after it gave.
func TestRenewedInOrder(t *testing.T) {
	var wall setClock
	var times atomic.Int32
	run(t, func(b *bench, o *Options) { o.Now, o.Store = wall.Now, renewing{b.memory, &times} }, func(b *bench) {
		b.hop(always(taken, 4*time.Minute))
		b.letter(nil, "bob@x.example")
		for times.Load() == 0 {
			time.Sleep(time.Second)
		}
		wall.set(10 * day)
		b.letter(nil, "carl@x.example") // asks for what is due
		time.Sleep(15 * time.Second)
		b.letter(nil, "dora@x.example")
		time.Sleep(20 * time.Minute)
		b.want("attempts", func() (all []string) {
			for _, one := range b.tried() {
				to, _, _ := strings.Cut(one, " ")
				all = append(all, to)
			}
			slices.Sort(all)
			return all
		}, "bob@x.example", "carl@x.example", "dora@x.example")
	})
}
