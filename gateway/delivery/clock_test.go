package delivery

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// setClock is a time of day that somebody sets while the time goes by.
type setClock struct{ offset atomic.Int64 }

func (c *setClock) Now() time.Time       { return time.Now().Round(0).Add(time.Duration(c.offset.Load())) }
func (c *setClock) set(by time.Duration) { c.offset.Add(int64(by)) }

const day = 24 * time.Hour

// The clock is set forward by days: nothing is returned before it had its full time, and what was delivered is.
func TestClockForward(t *testing.T) {
	var wall setClock
	run(t, func(_ *bench, o *Options) { o.Now = wall.Now }, func(b *bench) {
		b.hop(refusing)
		b.letter(nil, "bob@x.example")
		time.Sleep(10 * time.Minute)
		wall.set(10 * day)
		time.Sleep(4*day + 23*time.Hour)
		synctest.Wait()
		if b.count(queue.Failed) != 0 || b.count(queue.Queued) != 1 {
			t.Fatalf("%q after the clock was set forward", b.states())
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if b.count(queue.Failed) != 1 {
			t.Errorf("%q when the time is really over", b.states())
		}
	})
}

// Set forward and back again, as by a wrong time server: as if nothing had been.
func TestClockForthAndBack(t *testing.T) {
	var wall setClock
	run(t, func(_ *bench, o *Options) { o.Now = wall.Now }, func(b *bench) {
		b.hop(refusing)
		b.letter(nil, "bob@x.example")
		time.Sleep(2 * time.Hour)
		wall.set(30 * day)
		time.Sleep(5 * time.Hour)
		wall.set(-30 * day)
		time.Sleep(4*day + 16*time.Hour)
		synctest.Wait()
		if b.count(queue.Failed) != 0 {
			t.Errorf("%q before the time is over", b.states())
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if b.count(queue.Failed) != 1 {
			t.Errorf("%q when the time is over", b.states())
		}
	})
}

// The clock is set back by days: what waits is tried soon, also for a destination that was down.
func TestClockBack(t *testing.T) {
	for name, before := range map[string]Result{"put off": later, "down": nowhere} {
		t.Run(name, func(t *testing.T) {
			var wall setClock
			run(t, func(_ *bench, o *Options) { o.Now = wall.Now }, func(b *bench) {
				b.hop(always(before, 0))
				b.fill(5, "x.example")
				time.Sleep(20 * time.Minute)
				b.hop(always(taken, 0))
				wall.set(-3 * day)
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				if n := b.count(queue.Delivered); n != 5 {
					t.Errorf("%d of 5 delivered three minutes after the clock was set back", n)
				}
			})
		})
	}
}

// The clock is set back in the moment in which a destination is found down: until a time that lies days ahead now.
func TestClockBackWhileFoundDown(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.remember("x.example", health{failures: downAfter, downs: 1, until: time.Now().Add(3 * day), last: nowhere})
		b.letter(nil, "bob@x.example")
		time.Sleep(time.Minute)
		b.want("states", b.states, "bob@x.example delivered 1")
	})
}

// What a former process put off for days, before the clock was set back, does not wait for days.
func TestClockBackBeforeStart(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		e := letter(t, time.Now(), "bob@x.example")
		e.Due = time.Now().Add(3 * day)
		b.Put(t.Context(), []queue.New{e})
	}, func(b *bench) {
		time.Sleep(2 * time.Minute)
		b.want("states", b.states, "bob@x.example delivered 1")
	})
}

// A step of the clock while a message is under way does not cost the attempt.
func TestClockDuringAttempt(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": 10 * day, "back": -10 * day} {
		t.Run(name, func(t *testing.T) {
			var wall setClock
			run(t, func(_ *bench, o *Options) { o.Now = wall.Now }, func(b *bench) {
				b.hop(always(taken, 3*time.Minute))
				b.letter(nil, "bob@x.example")
				time.Sleep(time.Minute)
				wall.set(by)
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				if n := len(b.tried()); b.count(queue.Delivered) != 1 || n != 1 {
					t.Errorf("%q after %d attempts", b.states(), n)
				}
			})
		})
	}
}

// What is under way when the clock is set forward is not given out once more for that, whatever else is sent there meanwhile: it arrives once.
func TestClockForwardDeliversOnce(t *testing.T) {
	var wall setClock
	run(t, func(_ *bench, o *Options) { o.Now = wall.Now }, func(b *bench) {
		b.route.Concurrency = 5
		b.hop(always(taken, 4*time.Minute))
		b.letter(nil, "bob@x.example")
		time.Sleep(time.Minute)
		wall.set(10 * day)
		b.letter(nil, "carl@x.example")
		time.Sleep(30 * time.Minute)
		b.want("attempts", b.tried, "bob@x.example @ 0", "carl@x.example @ 1")
		if b.count(queue.Delivered) != 2 {
			t.Errorf("%q", b.states())
		}
	})
}

// A destination that was down takes all that waits for it as soon as it answers, in portions.
func TestComesBack(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.Retry = Retry{Steps: []time.Duration{time.Minute, 20 * time.Hour}}
	}, func(b *bench) {
		b.hop(always(nowhere, 0))
		b.fill(hastened+200, "x.example")
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		b.hop(always(taken, 0))
		time.Sleep(longestDown)
		b.letter(nil, "new@x.example") // finds it up
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := b.count(queue.Delivered); n != hastened+201 {
			t.Errorf("%d of %d delivered", n, hastened+201)
		}
	})
}

// What an attempt taught is learnt before the lane that made it may end, however late it looks.
func TestLearnsBeforeItEnds(t *testing.T) {
	for range 20 {
		run(t, nil, func(b *bench) {
			s := b.Scheduler
			b.remember("x.example", health{failures: downAfter, downs: 1, until: time.Now()})
			l := newLane(s, "x.example", b.T.Context())
			l.more, l.inflight = false, 1
			s.mu.Lock()
			s.lanes[l.name] = l
			s.crowd.admit(l.name, s.o.Lanes)
			s.mu.Unlock()
			go func() {
				l.delivered <- contact{reached: true}
				l.settled <- time.Time{}
			}()
			synctest.Wait()
			l.run(b.T.Context())
			s.mu.Lock()
			defer s.mu.Unlock()
			if h, known := s.health["x.example"]; known || s.lanes[l.name] != nil {
				b.Errorf("it still counts as down: %+v", h)
			}
		})
	}
}

// A destination that is down again at once has not moved what waits for it more than once.
func TestFlaps(t *testing.T) {
	run(t, func(_ *bench, o *Options) {
		o.Retry = Retry{Steps: []time.Duration{time.Minute, 20 * time.Hour}}
	}, func(b *bench) {
		b.hop(always(nowhere, 0))
		b.fill(50, "x.example")
		time.Sleep(3 * time.Minute)
		once := atomic.Bool{}
		b.hop(func(ctx context.Context, a Attempt) []Result {
			if once.Swap(true) {
				return repeat(nowhere, len(a.Envelope.Recipients))
			}
			return repeat(taken, len(a.Envelope.Recipients))
		})
		time.Sleep(longestDown)
		b.letter(nil, "new@x.example")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(b.tried()); n > 3*50 {
			t.Errorf("%d attempts", n)
		}
		if n := b.count(queue.Delivered); n != 1 {
			t.Errorf("%d delivered", n)
		}
	})
}

func TestClockShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wall setClock
		c := clock{now: wall.Now}
		first := c.look()
		time.Sleep(time.Hour)
		wall.set(leap - time.Second) // too little to tell from one that is slow
		c.look()
		wall.set(-leap + time.Second)
		if c.look(); c.shift(first) != 0 || c.wentBack() {
			t.Errorf("a small step shifts by %v", c.shift(first))
		}
		before := c.look()
		wall.set(3 * day)
		after := c.look()
		if c.shift(before) != 3*day || c.shift(after) != 0 || c.wentBack() {
			t.Errorf("forward: %v before, %v after", c.shift(before), c.shift(after))
		}
		time.Sleep(time.Hour)
		wall.set(-2 * day)
		c.look()
		if c.shift(before) != day || c.shift(after) != 0 || !c.wentBack() || c.wentBack() {
			t.Errorf("back: %v before, %v after", c.shift(before), c.shift(after))
		}
		for range 3 * maxLeaps {
			wall.set(day)
			c.look()
		}
		if len(c.leaps) != maxLeaps {
			t.Errorf("%d are remembered", len(c.leaps))
		}
	})
}

// The clock is set back again and again: a message that came in between is not taken for one that came before the
// first time, though the calendar says so, and has its full time.
func TestClockBackAgainAndAgain(t *testing.T) {
	var wall setClock
	run(t, func(_ *bench, o *Options) { o.Now = wall.Now }, func(b *bench) {
		b.hop(refusing)
		for range 3 {
			b.letter(func(n *queue.New) {
				n.Envelope.Received, n.Due, n.Expires = wall.Now(), wall.Now(), wall.Now().Add(day)
			}, "bob@x.example")
			time.Sleep(2 * time.Minute)
			wall.set(-3 * day)
			time.Sleep(2 * time.Minute)
		}
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if n := b.count(queue.Failed); n != 0 {
			t.Errorf("%d are returned before their time", n)
		}
	})
}
