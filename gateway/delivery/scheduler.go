package delivery

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/semaphore"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

const (
	// storeTimeout bounds one call of the store.
	storeTimeout = 30 * time.Second
	// storePause is how long the store is left alone after it failed.
	storePause = 5 * time.Second
	// lookPause is the least time between two looks at what the store has.
	lookPause = time.Second
	// healthMemory is how long the trouble of a destination is remembered after it was to be tried again.
	healthMemory = 6 * time.Hour
)

// errStopping is why attempts are cut when the grace of a stop is over.
var errStopping = errors.New("delivery: stopping")

// Scheduler moves messages from the queue to the next hops: a lane for each destination with work.
type Scheduler struct {
	o       Options
	slots   *semaphore.Weighted // attempts at once
	workers *semaphore.Weighted // messages being protected at once
	domains *semaphore.Weighted // of the slots, those for destinations per domain
	leases  leases
	clock   clock
	kick    chan struct{} // the due list changed
	wg      sync.WaitGroup

	mu     sync.Mutex
	due    due
	lanes  map[string]*lane
	crowd  crowd
	health map[string]health // destinations in trouble
	listed map[string]bool   // by the store at the last look, which tells the earliest work of each alone
	look   bool              // such a destination has done its work: the store knows what is next
}

// New makes a Scheduler; Store, Router and Hostname must be given.
func New(o Options) (*Scheduler, error) {
	if o.Store == nil || o.Router == nil || o.Hostname == "" {
		return nil, errors.New("delivery: Store, Router and Hostname are needed")
	}
	o = o.withDefaults()
	s := &Scheduler{
		o: o, slots: semaphore.NewWeighted(int64(o.Concurrency)), workers: semaphore.NewWeighted(int64(o.Protecting)),
		domains: semaphore.NewWeighted(max(int64(o.Concurrency)*3/4, 1)),
		kick:    make(chan struct{}, 1), lanes: map[string]*lane{}, health: map[string]health{}, listed: map[string]bool{},
	}
	s.clock.now = s.o.Now
	s.leases = leases{o: &s.o, held: map[*hold]struct{}{}}
	return s, nil
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&o.Lifetime, 5*24*time.Hour)
	set(&o.Lease, 5*time.Minute)
	set(&o.Longest, time.Hour)
	set(&o.Refresh, time.Minute)
	set(&o.Grace, 5*time.Second)
	if o.PerDestination <= 0 {
		o.PerDestination = 20
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 200
	}
	if o.Lanes <= 0 {
		o.Lanes = 4 * o.Concurrency
	}
	if o.Protecting <= 0 {
		o.Protecting = 16
	}
	if o.PerProtection <= 0 {
		o.PerProtection = 4
	}
	if len(o.ProtectRetry.Steps) == 0 {
		o.ProtectRetry = protectRetry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Recorder == nil {
		o.Recorder = track.Multi(nil)
	}
	if o.Log == nil {
		log := logrus.New()
		log.SetOutput(io.Discard)
		o.Log = log
	}
	if o.Prepare == nil {
		o.Prepare = storedContent(o.Store)
	}
	return o
}

// Run delivers until ctx ends. Then it starts nothing more, hands back what was claimed and not begun,
// gives attempts in flight Options.Grace and cuts them. It returns after the last goroutine has.
func (s *Scheduler) Run(ctx context.Context) error {
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errStopping)
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() { s.leases.keep(keeping) })
	s.schedule(ctx, work)
	grace := time.AfterFunc(s.o.Grace, func() { cut(errStopping) })
	s.wg.Wait()
	grace.Stop()
	stopKeeping()
	keeper.Wait()
	return nil
}

// schedule starts or wakes the lanes of destinations that are due, until ctx ends.
func (s *Scheduler) schedule(ctx, work context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var refreshed time.Time
	for ctx.Err() == nil {
		now, back := s.clock.look(), s.clock.wentBack()
		if now.Sub(refreshed) >= s.pause() || now.Before(refreshed) || back {
			refreshed = now
			if err := s.refresh(ctx, back); err != nil && ctx.Err() == nil {
				s.o.Log.WithError(err).Error("The queue cannot be read; trying again soon.")
				refreshed = now.Add(storePause - s.o.Refresh)
			}
		}
		wake := s.startDue(ctx, work, refreshed.Add(s.pause()))
		timer.Reset(wake)
		select {
		case <-ctx.Done():
		case <-s.kick:
		case <-timer.C:
		}
	}
}

// pause is how long the store is not looked at again.
func (s *Scheduler) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look {
		return min(lookPause, s.o.Refresh)
	}
	return s.o.Refresh
}

// refresh takes over what the store knows, and forgets old troubles. What is put off too far is tried: where the
// clock was just set back, all that waits.
func (s *Scheduler) refresh(ctx context.Context, back bool) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s.mu.Lock()
	s.look = false
	s.mu.Unlock()
	list, err := s.o.Store.Destinations(ctx)
	if err != nil {
		return err
	}
	s.catchUp(list, back)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.listed)
	for _, d := range list {
		s.due.set(d.Destination, d.At)
		s.listed[d.Destination] = true
	}
	for name, h := range s.health {
		if s.o.Now().Sub(h.until) > healthMemory {
			delete(s.health, name)
		}
	}
	return nil
}

// startDue starts what is due and returns the time until the next look.
func (s *Scheduler) startDue(ctx, work context.Context, look time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	for {
		name, ok := s.due.pop(now)
		if !ok {
			break
		}
		if l := s.lanes[name]; l != nil {
			l.poke()
			continue
		}
		if !s.crowd.admit(name, s.o.Lanes) {
			continue
		}
		l := newLane(s, name, work)
		s.lanes[name] = l
		s.wg.Go(func() { l.run(ctx) })
	}
	if at, ok := s.due.next(); ok && at.Before(look) {
		look = at
	}
	return max(look.Sub(now), 0)
}

// enter waits until an attempt may begin; leave ends it.
func (s *Scheduler) enter(ctx context.Context, pending, perDomain bool) (leave func(), err error) {
	all := []*semaphore.Weighted{s.slots}
	switch {
	case pending:
		all[0] = s.workers
	case perDomain:
		all = []*semaphore.Weighted{s.domains, s.slots} // who waits for the first one takes none of the others
	}
	for i, slots := range all {
		if err := slots.Acquire(ctx, 1); err != nil {
			for _, taken := range all[:i] {
				taken.Release(1)
			}
			return nil, err
		}
	}
	return func() {
		for _, slots := range all {
			slots.Release(1)
		}
	}, nil
}

// Wake tells that there is new work for destinations, as after Store.Put. It returns at once and may be
// called at any time, also before Run.
func (s *Scheduler) Wake(destinations ...string) {
	s.mu.Lock()
	changed := false
	for _, d := range destinations {
		if l := s.lanes[d]; l != nil {
			l.poke()
			continue
		}
		s.due.set(d, s.o.Now())
		changed = true
	}
	s.mu.Unlock()
	if changed {
		s.signal()
	}
}

// TryAgain is Wake for an operator who made messages due: what is remembered of trouble at the destinations
// is forgotten, so that they are tried, not only postponed. What is being tried meanwhile, which nobody can make due, is tried once more
// where it comes to nothing: who has something new to tell calls it before making the others due.
func (s *Scheduler) TryAgain(destinations ...string) {
	s.mu.Lock()
	for _, d := range destinations {
		delete(s.health, d)
		if l := s.lanes[d]; l != nil {
			l.pardoned.Store(true)
			l.news.Add(1)
		}
	}
	s.mu.Unlock()
	s.Wake(destinations...)
}

// expect notes work for a destination at a later time.
func (s *Scheduler) expect(destination string, at time.Time) {
	s.mu.Lock()
	s.due.set(destination, at)
	s.mu.Unlock()
	s.signal()
}

func (s *Scheduler) signal() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// retire takes a lane out unless there is news for it that it still heeds.
func (s *Scheduler) retire(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.wake) > 0 && !l.stopping {
		return false
	}
	delete(s.lanes, l.name)
	if next, ok := s.crowd.leave(l.name); ok {
		s.due.set(next, s.o.Now())
		s.signal()
	}
	if s.listed[l.name] && !s.look {
		s.look = true
		s.signal()
	}
	return true
}

// store calls the store under a deadline that a stop does not shorten.
func (s *Scheduler) store(call func(context.Context) error) error {
	return s.storeWithin(storeTimeout, call)
}

func (s *Scheduler) storeWithin(limit time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return call(ctx)
}

// giveBack ends the lease of a claim without a word about its recipients.
func (s *Scheduler) giveBack(c queue.Claim) {
	err := s.store(func(ctx context.Context) error { return s.o.Store.Settle(ctx, c, nil, nil) })
	if err != nil && !errors.Is(err, queue.ErrLeaseLost) && !errors.Is(err, queue.ErrNotFound) {
		s.o.Log.WithField("id", c.Message.Envelope.ID).WithError(err).
			Warn("A claimed message could not be handed back; it is tried again when its lease is over.")
	}
}
