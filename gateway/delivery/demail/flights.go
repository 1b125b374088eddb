package demail

import (
	"context"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// Flights are what a process knows of an account's submissions beyond the record. The zero value is ready; it is safe for concurrent use and is
// not copied.
type Flights struct {
	mu    sync.Mutex
	under map[mail.ID]*flight     // messages that an attempt is at, also one whose lease has passed to another
	fates map[string]proof.Result // by key: what became of a submission, where the record could not be written
	since map[string]time.Time    // by key: since when this process knows that it is in doubt
	told  map[string]bool         // by key: somebody was told that it is held
	began time.Time               // when this process began with the account
}

// start keeps when the process began with the account: the first time counts.
func (f *Flights) start(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began.IsZero() {
		f.began = now
	}
}

// before reports whether something was before this process began with the account.
func (f *Flights) before(at time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return at.Before(f.began)
}

// flight is work at a message.
type flight struct {
	asking bool          // the provider is only asked for it, which is soon over
	done   chan struct{} // closed when it ends
}

// enter begins an attempt at a message; false where there is one that does not end before ctx. leave ends it.
func (f *Flights) enter(ctx context.Context, id mail.ID) (leave func(), ok bool) {
	for {
		leave, busy := f.begin(id, false)
		if busy == nil {
			return leave, true
		}
		if !busy.asking {
			return nil, false
		}
		select {
		case <-busy.done:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// begin begins work at a message, unless other work is under way.
func (f *Flights) begin(id mail.ID, asking bool) (leave func(), busy *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if busy := f.under[id]; busy != nil {
		return nil, busy
	}
	if f.under == nil {
		f.under = map[mail.ID]*flight{}
	}
	mine := &flight{asking, make(chan struct{})}
	f.under[id] = mine
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.under, id)
		close(mine.done)
	}, nil
}

// remember keeps what became of a submission until the record can be written.
func (f *Flights) remember(key string, r proof.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fates == nil {
		f.fates = map[string]proof.Result{}
	}
	f.fates[key] = r
}

// remembered is what remember kept.
func (f *Flights) remembered(key string) (r proof.Result, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok = f.fates[key]
	return r, ok
}

// doubted is since when a submission is in doubt: from the first call on. It goes by the time that this process has seen go by, since
// somebody may set the clock.
func (f *Flights) doubted(key string, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since == nil {
		f.since = map[string]time.Time{}
	}
	if _, ok := f.since[key]; !ok {
		f.since[key] = now
	}
	return f.since[key]
}

// tell reports, once, that somebody is to be told of a submission.
func (f *Flights) tell(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[key] {
		return false
	}
	if f.told == nil {
		f.told = map[string]bool{}
	}
	f.told[key] = true
	return true
}

// forget ends what is kept of a submission.
func (f *Flights) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.fates, key)
	delete(f.since, key)
	delete(f.told, key)
}
