package smartcard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Binding is a card that a program is bound to.
type Binding struct {
	Name      string // of the configuration
	Selection Selection
	Want      Want // the key; without a fingerprint every card of the selection is ready
}

// Watching says what a Monitor watches.
type Watching struct {
	Bindings []Binding
	// Changed is told each change of a condition once, those of one card in their order, one call at a time. It must return soon: no change of
	// any card is seen meanwhile. Operations with cards do not wait for it.
	Changed func(before, now Status)
	Soon    time.Duration // before a certificate expires, when that becomes the condition; 30 days
}

// Bounds of what a monitor does by itself. What is waited for grows from the first to the second, and begins anew at each change.
const (
	serviceFirst, serviceMost = 500 * time.Millisecond, 15 * time.Second // until a service that has ended is asked again
	lookFirst, lookMost       = 2 * time.Second, 5 * time.Minute         // until a card in trouble is looked at again
	lookTimeout               = 15 * time.Second                         // of one look at most
	settle                    = 50 * time.Millisecond                    // between two changes of readers: they come in bursts
	dateMost                  = 24 * time.Hour                           // until the clock is looked at again: it may be set
)

// Monitor knows how each bound card is. Readers tell it what changes, so that a card that works is left alone; operations tell it how they
// ended. A card in trouble is looked at again from time to time, since a human may have mended it by another program. It presents no PIN. Its
// looks take their turns as signatures do and read what those need, so that they delay none for longer than that.
type Monitor struct {
	o     Options
	told  func(before, now Status)
	soon  time.Duration
	bound []*bound
	retry chan struct{} // holds one token: the service may be back

	telling sync.Mutex // held while told is called

	mu      sync.Mutex
	seen    bool // readers and err are from the service
	readers []ReaderState
	err     error
}

// bound is a binding with what is known of its card.
type bound struct {
	Binding
	m      *Monitor
	card   *Card
	usable atomic.Bool
	poke   chan struct{} // holds one token: an operation has ended in a way that says something new
	change chan struct{} // holds one token: the readers have changed
	again  backoff

	mu     sync.Mutex
	status Status
}

// Monitor makes a monitor; Run starts it. Names of bindings are different.
func (w *Wallet) Monitor(o Watching) (*Monitor, error) {
	m := &Monitor{o: w.o, told: o.Changed, soon: cmp.Or(o.Soon, 30*24*time.Hour), retry: make(chan struct{}, 1)}
	for _, b := range o.Bindings {
		if slices.ContainsFunc(m.bound, func(o *bound) bool { return o.Name == b.Name }) {
			return nil, fmt.Errorf("smartcard: two cards have the name %q", b.Name)
		}
		c, err := w.Card(b.Selection)
		if err != nil {
			return nil, err
		}
		m.bound = append(m.bound, &bound{Binding: b, m: m, card: c, poke: make(chan struct{}, 1), change: make(chan struct{}, 1),
			again:  backoff{first: lookFirst, most: lookMost},
			status: Status{Name: b.Name, Condition: Asking, Since: w.o.Now(), Text: "the card has not been looked at yet"}})
	}
	return m, nil
}

// Run watches until ctx ends, and returns its error when nothing of it runs any more.
func (m *Monitor) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, b := range m.bound {
		stop := b.card.observe(b.heard)
		all.Go(func() {
			defer stop()
			b.run(ctx)
		})
	}
	m.watch(ctx)
	all.Wait()
	return ctx.Err()
}

// All is how the cards are, in the order of their bindings. It asks no card.
func (m *Monitor) All() []Status {
	var all []Status
	for _, b := range m.bound {
		all = append(all, b.current())
	}
	return all
}

// Status is how one card is; ok is false where no binding has this name. It asks no card.
func (m *Monitor) Status(name string) (s Status, ok bool) {
	for _, b := range m.bound {
		if b.Name == name {
			return b.current(), true
		}
	}
	return Status{}, false
}

// Look has all cards looked at now: what they need, as a PIN, may have been put right.
func (m *Monitor) Look() {
	for _, b := range m.bound {
		token(b.change)
	}
}

// watch lets the readers tell what changes, and asks again and again for a service that is away.
func (m *Monitor) watch(ctx context.Context) {
	again := backoff{first: serviceFirst, most: serviceMost}
	var known []ReaderState
	for asked := false; ctx.Err() == nil; {
		began := m.o.Now()
		now, err := m.ask(ctx, asked, known)
		if ctx.Err() != nil {
			return
		}
		m.see(now, err)
		if asked && err == nil || m.o.Now().Sub(began) >= serviceMost { // it has worked for a while
			again.reset()
		}
		pause, retry := settle, (<-chan struct{})(nil)
		if err != nil {
			pause, retry = again.next(), m.retry
		}
		asked, known = err == nil, now
		if over := rest(ctx, pause, retry); over {
			again.reset()
		}
	}
}

func (m *Monitor) ask(ctx context.Context, asked bool, known []ReaderState) ([]ReaderState, error) {
	if asked {
		return m.o.Transport.Watch(ctx, known)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout) // a service that hangs does not work
	defer cancel()
	return m.o.Transport.Readers(ctx)
}

// see notes what the service says, and tells all cards.
func (m *Monitor) see(now []ReaderState, err error) {
	m.mu.Lock()
	m.seen, m.readers, m.err = true, now, err
	m.mu.Unlock()
	for _, b := range m.bound {
		token(b.change)
	}
}

// token puts one in, where none is.
func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// rest waits; over tells that something came in before the time was over.
func rest(ctx context.Context, d time.Duration, c <-chan struct{}) (over bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-c:
		return true
	}
	return false
}

// current is the status with what is counted elsewhere.
func (b *bound) current() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.Signatures, s.Waiting = b.card.Signatures(), b.card.Waiting()
	return s
}

// heard is told how operations with the card have ended.
func (b *bound) heard(err error) {
	usable := b.usable.Load()
	if err == nil && usable || err != nil && (!usable || !telling(err)) {
		return
	}
	token(b.poke)
	if err == nil {
		token(b.m.retry)
	}
}

// telling tells errors that say something of the card.
func telling(err error) bool {
	return !unheard(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, errClosed) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrDecryption)
}
