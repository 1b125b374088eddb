package delivery

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

const (
	// firstWindow is how many attempts a lane begins with; each success permits one more.
	firstWindow = 5
	// downAfter is after how many attempts in a row that reached nobody a destination counts as down.
	downAfter = 3
	// longestDown bounds how long a destination is left alone.
	longestDown = 15 * time.Minute
	// settlers bounds how many claims of a lane are being settled at once, beyond those being delivered.
	settlers = 32
)

// health is the trouble of a destination: since it could not be reached, its messages wait for one of
// them to get through. Each wait is longer than the one before.
type health struct {
	failures int       // attempts in a row that reached nobody
	downs    int       // how often it was found down
	until    time.Time // when to try again; zero where it is not down
	last     Result
}

// down reports whether the destination is left alone at a time of day. A time that lies further ahead than any wait is of a clock that has since been
// set back, and does not count.
func (h health) down(now time.Time) bool {
	return h.until.After(now) && !h.until.After(now.Add(longestDown))
}

// lane is the work for one destination. Its fields belong to the goroutine of run; what goes on elsewhere
// reports through channels.
type lane struct {
	s    *Scheduler
	name string
	work context.Context // of attempts: outlives a stop by Options.Grace
	wake chan struct{}
	// pardoned is set where the destination's trouble is to be forgotten before anything else is begun.
	pardoned atomic.Bool
	// news counts how often that was said. What began before the last time knows nothing of it, and is tried again.
	news atomic.Int64

	claimed   chan []queue.Claim
	hastened  chan bool    // whether more may wait than was made due
	delivered chan contact // has no room: who comes to settled was heard here before
	settled   chan time.Time

	ready    []*hold // claimed, not begun
	more     bool    // the store may have more
	claiming bool
	hurried  bool // the destination was down and answers again: what waits for it is to be tried
	inflight int  // being delivered
	settling int
	window   int // attempts at once, for the time being
	terms    terms
	health   health
	stopping bool
}

// contact is what an attempt taught about the destination; the zero contact is nothing, as where the
// attempt was cut or the message could not be prepared.
type contact struct {
	reached bool
	failed  *Result // where it was not reached
	news    int64   // how many there were when the attempt began
}

func newLane(s *Scheduler, name string, work context.Context) *lane {
	return &lane{
		s: s, name: name, work: work, wake: make(chan struct{}, 1),
		claimed: make(chan []queue.Claim), hastened: make(chan bool), delivered: make(chan contact), settled: make(chan time.Time, 1),
		more: true, window: firstWindow, terms: s.o.terms(Route{}),
		health: s.health[name],
	}
}

// poke tells the lane to look into the store.
func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run works until there is nothing left to do, or ctx ends and everything is handed back.
func (l *lane) run(ctx context.Context) {
	stop := ctx.Done()
	for {
		l.begin(ctx)
		if l.inflight+l.settling+len(l.ready) == 0 && !l.claiming && (!l.more || l.stopping) {
			if l.s.retire(l) {
				return
			}
		}
		select {
		case <-stop:
			l.stopping, stop = true, nil
		case <-l.wake:
			l.more = true
		case claims := <-l.claimed:
			l.take(claims)
		case more := <-l.hastened:
			l.claiming = false
			l.hurried = l.hurried || more && l.health == health{} // it may have failed meanwhile
		case c := <-l.delivered:
			l.inflight--
			l.settling++
			l.learn(c)
		case next := <-l.settled:
			l.settling--
			if !next.IsZero() {
				l.s.expect(l.name, next)
			}
		}
	}
}

// begin starts what may be started.
func (l *lane) begin(ctx context.Context) {
	news := l.news.Load()
	if l.pardoned.Swap(false) {
		l.health = health{}
		l.s.remember(l.name, health{}) // what was learnt just when it was pardoned
	}
	if batch := 2*max(l.window, 8) - len(l.ready); l.more && !l.claiming && !l.stopping && batch > max(l.window, 8) {
		l.more, l.claiming = false, true
		go func() { l.claimed <- l.claim(batch) }()
	}
	if !l.more && !l.claiming && !l.stopping && len(l.ready) == 0 && l.hurried {
		l.claiming, l.hurried = true, false
		go func() { l.hastened <- l.hurry() }()
	}
	for len(l.ready) > 0 && l.settling < settlers {
		h := l.ready[0]
		switch down := l.health.down(l.s.o.Now()); {
		case l.stopping:
			l.settling++
			go func() { l.settled <- l.s.settleNothing(h) }()
		case down && !l.s.isLast(h, l.termsOf(h)):
			l.settling++
			last, terms := l.health.last, l.termsOf(h)
			go func() { l.settled <- l.again(h, news, l.s.postpone(h, last, terms)) }()
		case l.inflight < min(l.window, l.terms.concurrency):
			l.inflight++
			go l.attempt(ctx, h, l.termsOf(h))
		default:
			return
		}
		l.ready = l.ready[1:]
	}
}

// claim asks the store for work. A full batch means that there may be more.
func (l *lane) claim(batch int) (claims []queue.Claim) {
	now := l.s.o.Now()
	err := l.s.store(func(ctx context.Context) (err error) {
		if err := l.s.leases.secure(ctx, l.name, now); err != nil {
			return err
		}
		claims, err = l.s.o.Store.Claim(ctx, l.name, now, l.s.o.Lease, batch)
		return err
	})
	if err != nil {
		l.s.o.Log.WithField("destination", l.name).WithError(err).Error("Due messages cannot be claimed; trying again soon.")
		l.s.expect(l.name, l.s.o.Now().Add(storePause))
	}
	if err == nil && len(claims) == batch {
		l.poke()
	}
	return claims
}

// take puts claims in line and looks up what the present configuration says about the destination.
func (l *lane) take(claims []queue.Claim) {
	l.claiming = false
	for _, c := range claims {
		l.ready = append(l.ready, l.s.leases.hold(l.work, c))
	}
	if len(claims) == 0 || len(claims[0].Due) == 0 {
		return
	}
	if l.protects() {
		l.terms = l.s.o.protectTerms()
		return
	}
	route, err := l.s.routeOf(&claims[0].Message, claims[0].Due[0])
	if err != nil {
		route = Route{}
	}
	l.terms = l.s.o.terms(route)
}

// protects reports whether the lane is one of messages that wait for their protection.
func (l *lane) protects() bool { return strings.HasPrefix(l.name, queue.ProtectPrefix) }

// termsOf are the terms of a claim: one that waits for its protection keeps those of its kind in every lane.
func (l *lane) termsOf(h *hold) terms {
	if h.claim.Message.IsPending() {
		return l.s.o.protectTerms()
	}
	return l.terms
}

// attempt tries one claim and settles it. The next attempt may begin when this one is delivered.
func (l *lane) attempt(ctx context.Context, h *hold, terms terms) {
	leave, err := l.s.enter(ctx, h.claim.Message.IsPending(), terms.perDomain)
	if err != nil {
		l.delivered <- contact{}
		l.settled <- l.s.settleNothing(h)
		return
	}
	start, news := l.s.o.Now(), l.news.Load()
	done := l.s.try(h.ctx, h.claim)
	leave()
	c := contact{} // where an operator rerouted it, what it waits for says nothing about this destination
	if l.protects() || !h.claim.Message.IsPending() {
		c = contactOf(h.ctx, done.results)
	}
	c.news = news
	l.delivered <- c
	l.settled <- l.again(h, news, l.s.settle(h, done, terms, start))
}

// contactOf is what results say about the destination.
func contactOf(ctx context.Context, results []Result) contact {
	var c contact
	for i := range results {
		switch r := &results[i]; {
		case r.Unreachable && ctx.Err() == nil:
			c.failed = r
		case r.Host != "" && !r.Unreachable, r.Status == protected:
			return contact{reached: true}
		}
	}
	return c
}

// learn widens the window when the destination answers, and narrows it when it does not. A failure from before the last news counts for nothing.
func (l *lane) learn(c contact) {
	switch {
	case c.reached:
		l.window = min(l.window+1, max(l.terms.concurrency, 1))
		if l.health != (health{}) {
			l.hurried = l.health.downs > 0
			l.health = health{}
			l.s.remember(l.name, health{})
		}
	case c.failed != nil && c.news == l.news.Load():
		l.hurried = false
		l.window = max(l.window/2, 1)
		l.health.failures++
		l.health.last = *c.failed
		now := l.s.o.Now()
		if l.health.failures >= downAfter && !l.health.down(now) {
			l.health.downs++
			l.health.until = now.Add(min(l.terms.retry.Wait(l.health.downs), longestDown))
			l.s.o.Log.WithField("destination", l.name).WithField("until", l.health.until).
				Warn("The destination cannot be reached; its messages wait: " + l.health.last.Reply())
		}
		l.s.remember(l.name, l.health)
	}
}

// remember keeps the trouble of a destination for its next lane.
func (s *Scheduler) remember(destination string, h health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == (health{}) {
		delete(s.health, destination)
		return
	}
	s.health[destination] = h
}
