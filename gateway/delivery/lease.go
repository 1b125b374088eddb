package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// renewers bounds how many leases are renewed at once; the store gathers them into few commits.
const renewers = 32

// errLease is why an attempt is cut.
var errLease = errors.New("delivery: the lease of the message ends")

// leases renews the leases of all claims that are held and cuts the attempts whose lease is about to end. How much is left of a lease goes by the
// time that passes for this process: where the time of day is set, the lease is renewed, and nothing is cut.
type leases struct {
	o       *Options
	mu      sync.Mutex
	held    map[*hold]struct{}
	running bool // a round of renewals
}

// hold is a claim that is held.
type hold struct {
	claim  queue.Claim
	ctx    context.Context // of its attempt
	cancel context.CancelCauseFunc
	one    chan struct{} // filled by a renewal: the clock may be set between two, and the store keeps the one that comes last
	until  time.Time     // by the time of day, which the store goes by; guarded by leases.mu
	given  time.Time     // the lease, as this process counts time; guarded by leases.mu
}

// hold begins to look after a claim.
func (k *leases) hold(ctx context.Context, c queue.Claim) *hold {
	h := &hold{claim: c, until: c.Until, given: time.Now(), one: make(chan struct{}, 1)}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	k.mu.Lock()
	k.held[h] = struct{}{}
	k.mu.Unlock()
	return h
}

// release ends that.
func (k *leases) release(h *hold) {
	k.mu.Lock()
	delete(k.held, h)
	k.mu.Unlock()
	h.cancel(nil)
}

// end is when the lease of h ends.
func (k *leases) end(h *hold) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return h.until
}

// keep looks after the leases until ctx ends.
func (k *leases) keep(ctx context.Context) {
	tick := time.NewTicker(k.o.Lease / 10)
	defer tick.Stop()
	var rounds sync.WaitGroup
	defer rounds.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if old := k.judge(k.o.Now(), time.Now()); len(old) > 0 {
			rounds.Go(func() { k.renew(ctx, old) })
		}
	}
}

// judge cuts what has less than a fifth of its lease left and returns what is to be renewed, which is
// nothing while a round of renewals is still going on. now is the time of day, seen the same moment as this process counts it.
func (k *leases) judge(now, seen time.Time) (old []*hold) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for h := range k.held {
		left := k.o.Lease - seen.Sub(h.given)
		if left < k.o.Lease/5 {
			h.cancel(errLease)
		}
		if min(left, h.until.Sub(now)) < k.o.Lease*2/3 && !k.running {
			old = append(old, h)
		}
	}
	k.running = k.running || len(old) > 0
	return old
}

// renew is one round of renewals.
func (k *leases) renew(ctx context.Context, old []*hold) {
	work := make(chan *hold)
	var wg sync.WaitGroup
	for range min(renewers, len(old)) {
		wg.Go(func() {
			for h := range work {
				k.renewOne(ctx, h)
			}
		})
	}
	for _, h := range old {
		work <- h
	}
	close(work)
	wg.Wait()
	k.mu.Lock()
	k.running = false
	k.mu.Unlock()
}

// renewOne renews a lease. It fails where the lease may go on in the store as it was.
func (k *leases) renewOne(ctx context.Context, h *hold) error {
	select {
	case h.one <- struct{}{}:
		defer func() { <-h.one }()
	case <-ctx.Done():
		return ctx.Err()
	}
	k.mu.Lock()
	_, held := k.held[h]
	k.mu.Unlock()
	if !held {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(storeTimeout, k.o.Lease/5))
	defer cancel()
	until, given := k.o.Now().Add(k.o.Lease), time.Now()
	err := k.o.Store.Renew(ctx, h.claim, until)
	switch {
	case err == nil:
		k.mu.Lock()
		h.until, h.given = until, given
		k.mu.Unlock()
	case errors.Is(err, queue.ErrLeaseLost):
		h.cancel(errLease)
		return nil
	case ctx.Err() == nil:
		k.o.Log.WithField("id", h.claim.Message.Envelope.ID).WithError(err).Warn("A lease could not be renewed.")
	}
	return err
}

// secure renews what is held of a destination and whose lease is over at now, a time of day, before the store is asked for what is due then: where
// the time of day was set forward, the store would give once more what is being delivered.
func (k *leases) secure(ctx context.Context, destination string, now time.Time) error {
	var over []*hold
	k.mu.Lock()
	for h := range k.held {
		if h.claim.Destination == destination && h.until.Before(now.Add(time.Second)) { // the store cuts off what is below a millisecond
			over = append(over, h)
		}
	}
	k.mu.Unlock()
	for _, h := range over {
		if err := k.renewOne(ctx, h); err != nil {
			return err
		}
	}
	return nil
}
