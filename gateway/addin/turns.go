package addin

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// errNoTurn is the error of a token that was not looked at, since there were too many others.
var errNoTurn = errors.New("addin: others are looked at first")

// turns bound how many tokens are worked on at one time: one of an address, and altogether as many as leave half of the processors to mail. Who comes waits for the others of
// the same address, and then for one of each of the other addresses: however many a stranger sends, somebody elsewhere waits for one of them.
type turns struct {
	all chan struct{} // filled by those who have one

	mu sync.Mutex
	of map[string]*turnsOf
}

// turnsOf are those of one address.
type turnsOf struct {
	one   chan struct{}
	there int // who has it or waits for it
}

// newTurns returns turns, at most so many at one time.
func newTurns(atOnce int) *turns {
	return &turns{all: make(chan struct{}, atOnce), of: map[string]*turnsOf{}}
}

// halfOfAll is how many turns leave half of the processors, and at least one.
func halfOfAll() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// take waits for a turn of an address, as long as ctx lasts. Whoever has one calls done once.
func (t *turns) take(ctx context.Context, address string) (done func(), err error) {
	of := t.come(address)
	if !fill(ctx, of.one) {
		t.leave(address, of)
		return nil, errNoTurn
	}
	if !fill(ctx, t.all) {
		<-of.one
		t.leave(address, of)
		return nil, errNoTurn
	}
	return func() {
		<-t.all
		<-of.one
		t.leave(address, of)
	}, nil
}

// fill puts something into a channel, unless ctx ends before there is room.
func fill(ctx context.Context, c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *turns) come(address string) *turnsOf {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of[address]
	if of == nil {
		of = &turnsOf{one: make(chan struct{}, 1)}
		t.of[address] = of
	}
	of.there++
	return of
}

func (t *turns) leave(address string, of *turnsOf) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of.there--; of.there == 0 {
		delete(t.of, address)
	}
}
