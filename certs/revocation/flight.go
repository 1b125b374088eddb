package revocation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	errSlow    = errors.New("it has not answered yet")
	errBusy    = errors.New("too much is being asked for at present")
	errTooSlow = errors.New("it answers too slowly while others wait")
	errClosed  = errors.New("the gateway stops")
	errOnly    = errors.New("nobody is asked over the network")
	errOlder   = errors.New("what it gives is older than what it gave before")
)

// flight is a look-up under way, for all who want the same.
type flight struct {
	done  chan struct{} // kept or err is there
	saved chan struct{} // and what came is in the cache
	kept  *kept
	err   error
}

func (f *flight) end(k *kept, err error) {
	select {
	case <-f.done:
	default:
		f.kept, f.err = k, err
		close(f.done)
	}
}

// get gives what a job learns: at once where it is known under its key, else as soon as it is or ctx ends. The fetch goes on then, so that
// who asks later is told.
func (c *Checker) get(ctx context.Context, s *inForce, key string, make func() (job, error)) (*kept, error) {
	now := c.o.Now()
	k := c.memory.get(key, now)
	if k != nil && now.Before(k.until) {
		c.counts.cached.Add(1)
		if !now.Before(k.refresh) {
			c.start(s, k.again(s), now)
		}
		return k, nil
	}
	j, err := make()
	if err != nil {
		return nil, err
	}
	f, err := c.start(s, j, now)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f.kept, f.err
	case <-ctx.Done():
		c.counts.late.Add(1)
		return nil, errSlow
	}
}

// start begins a flight, or joins the one under way. One that failed is not begun again for a while.
func (c *Checker) start(s *inForce, j job, now time.Time) (*flight, error) {
	if err := c.sources.failing(j.key, now); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[j.key]; f != nil {
		return f, nil
	}
	switch {
	case c.closed:
		return nil, errClosed
	case len(c.flights) >= maxFlights:
		return nil, errBusy
	}
	f := &flight{done: make(chan struct{}), saved: make(chan struct{})}
	c.flights[j.key] = f
	c.running.Go(func() {
		k, err := c.fly(s, j, f)
		c.mu.Lock()
		delete(c.flights, j.key)
		c.mu.Unlock()
		f.end(k, err)
		close(f.saved)
	})
	return f, nil
}

// settle waits until what a flight has told is in the cache too, or ctx ends. It does not wait for one that is still asking.
func (c *Checker) settle(ctx context.Context, key string) {
	c.mu.Lock()
	f := c.flights[key]
	c.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case <-f.done:
	default:
		return
	}
	select {
	case <-f.saved:
	case <-ctx.Done():
	}
}

// fly looks into the cache, and asks the source.
func (c *Checker) fly(s *inForce, j job, f *flight) (*kept, error) {
	now := c.o.Now()
	known, _ := c.memory.peek(j.key)
	if known != nil && now.Before(known.until) && now.Before(known.refresh) {
		return known, nil // a flight that ended since somebody looked has fetched it
	}
	if known == nil {
		if known = c.load(j, now); known != nil && now.Before(known.until) {
			c.memory.put(known)
			return known, nil
		}
	}
	if s.Offline {
		return nil, errOnly
	}
	if err := c.sources.failing(j.source, now); err != nil {
		c.sources.waits(j.key, j.source, err)
		return nil, err
	}
	p, ok := c.slot(j.source)
	if !ok {
		return nil, errClosed
	}
	defer p.leave()
	if err := c.sources.failing(j.source, c.o.Now()); err != nil { // it failed meanwhile
		c.sources.waits(j.key, j.source, err)
		return nil, err
	}
	ctx, giveUp := context.WithCancelCause(c.life)
	defer giveUp(nil)
	ctx, cancel := context.WithTimeout(ctx, j.within)
	defer cancel()
	go c.makeWay(ctx, p, giveUp)
	var fresh *kept
	err := j.get(ctx, func(data []byte) (err error) {
		fresh, err = c.accept(j, data, known)
		if err == nil {
			f.end(fresh, nil)
			c.save(j, data, fresh)
		}
		return err
	})
	if c.life.Err() != nil && fresh == nil {
		return nil, errClosed
	}
	if err != nil && errors.Is(context.Cause(ctx), errTooSlow) {
		err = errTooSlow
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it did not answer within %v", j.within)
	}
	c.sources.ended(j, s, err, c.o.Now())
	c.counts.fetched(err)
	return fresh, err
}

// queue is the fetches from one source.
type queue struct {
	slots chan struct{}
	users int
}

// slowAfter is how long a fetch may keep others from theirs.
const slowAfter = 10 * time.Second

// place is the room that a fetch takes up: one of those at one time, or, when it takes long, one of those that do.
type place struct {
	mu    sync.Mutex
	slots chan struct{} // nil: it has left
	rest  func()
}

// leave gives the room to others.
func (p *place) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slots != nil {
		<-p.slots
		p.slots = nil
		p.rest()
	}
}

// step takes room among others in place of what there was; false where there is none.
func (p *place) step(slots chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slots == nil {
		return true
	}
	select {
	case slots <- struct{}{}:
		<-p.slots
		p.slots = slots
		return true
	default:
		return false
	}
}

// makeWay has a fetch that takes long step aside, so that however many hosts are slow, who wants something of another soon has room. Where too many take
// long it is given up.
func (c *Checker) makeWay(ctx context.Context, p *place, giveUp context.CancelCauseFunc) {
	select {
	case <-c.after(slowAfter):
		if !p.step(c.slow) {
			giveUp(errTooSlow)
		}
	case <-ctx.Done():
	}
}

// slot waits until the source and all sources together have room for one more fetch; false where the Checker is closed first.
func (c *Checker) slot(source string) (p *place, ok bool) {
	c.mu.Lock()
	q := c.queues[source]
	if q == nil {
		q = &queue{slots: make(chan struct{}, maxPerSource)}
		c.queues[source] = q
	}
	q.users++
	c.mu.Unlock()
	leave := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if q.users--; q.users == 0 {
			delete(c.queues, source)
		}
	}
	select {
	case q.slots <- struct{}{}:
	case <-c.life.Done():
		leave()
		return nil, false
	}
	select {
	case c.slots <- struct{}{}:
		return &place{slots: c.slots, rest: func() { <-q.slots; leave() }}, true
	case <-c.life.Done():
		<-q.slots
		leave()
		return nil, false
	}
}

// accept reads and keeps what came. What is older than what is known is not taken: somebody plays an old answer again.
func (c *Checker) accept(j job, data []byte, known *kept) (*kept, error) {
	now := c.o.Now()
	k, err := j.read(data, now, now, false)
	if err != nil {
		return nil, err
	}
	if known != nil && k.this.Before(known.this) {
		return nil, fmt.Errorf("%w: it is of %s, the other of %s", errOlder, day(k.this), day(known.this))
	}
	k.key, k.again, k.used = j.key, j.again, now
	if _, used := c.memory.peek(j.key); !used.IsZero() {
		k.used = used // to fetch it anew is no use of it
	}
	c.memory.put(k)
	return k, nil
}

// load reads what was kept before a restart; nil where nothing genuine was. It may have ended.
func (c *Checker) load(j job, now time.Time) *kept {
	if c.o.Cache == nil {
		return nil
	}
	data, fetched, err := c.o.Cache.Load(c.life, j.key)
	if err != nil {
		c.sources.cacheFault(err)
		return nil
	}
	if data == nil || fetched.After(now) {
		return nil
	}
	k, err := j.read(data, fetched, now, true)
	if k == nil {
		return nil
	}
	if err != nil {
		k.until = time.Time{}
	}
	k.key, k.again, k.used = j.key, j.again, now
	return k
}

func (c *Checker) save(j job, data []byte, k *kept) {
	if c.o.Cache != nil {
		c.sources.cacheFault(c.o.Cache.Save(c.life, j.key, data, c.o.Now(), k.until))
	}
}

const (
	refreshEvery = 30 * time.Second
	refreshMost  = 200                // at one look
	unused       = 3 * 24 * time.Hour // what nobody asked for so long is not fetched anew
)

// Run fetches what is in use anew before it ends, until ctx ends. It returns nil. Without it, that is done when somebody asks.
func (c *Checker) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.refresh()
		}
	}
}

func (c *Checker) refresh() {
	now, s := c.o.Now(), c.settings.Load()
	c.sources.tidy(now)
	if s.Offline {
		return
	}
	for _, again := range c.memory.due(now, unused, refreshMost) {
		c.start(s, again(s), now)
	}
}
