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

// leases renews the leases of all claims that are held and cuts the attempts whose lease is about to end.
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
	until  time.Time // guarded by leases.mu
}

// hold begins to look after a claim.
func (k *leases) hold(ctx context.Context, c queue.Claim) *hold {
	h := &hold{claim: c, until: c.Until}
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
		if old := k.judge(k.o.Now()); len(old) > 0 {
			rounds.Go(func() { k.renew(ctx, old) })
		}
	}
}

// judge cuts what has less than a fifth of its lease left and returns what is to be renewed, which is
// nothing while a round of renewals is still going on.
func (k *leases) judge(now time.Time) (old []*hold) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for h := range k.held {
		left := h.until.Sub(now)
		if left < k.o.Lease/5 {
			h.cancel(errLease)
		}
		if left < k.o.Lease*2/3 && !k.running {
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

func (k *leases) renewOne(ctx context.Context, h *hold) {
	k.mu.Lock()
	_, held := k.held[h]
	k.mu.Unlock()
	if !held {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(storeTimeout, k.o.Lease/5))
	defer cancel()
	until := k.o.Now().Add(k.o.Lease)
	err := k.o.Store.Renew(ctx, h.claim, until)
	switch {
	case err == nil:
		k.mu.Lock()
		h.until = until
		k.mu.Unlock()
	case errors.Is(err, queue.ErrLeaseLost):
		h.cancel(errLease)
	case ctx.Err() == nil:
		k.o.Log.WithField("id", h.claim.Message.Envelope.ID).WithError(err).Warn("A lease could not be renewed.")
	}
}
