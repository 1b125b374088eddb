//go:build cgo || windows

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// grace is how long what must be given back is waited for; where the service hangs it is given back later.
const grace = 2 * time.Second

// calls lets who calls the service go away while it hangs: a call cannot be ended, so it is left alone, and what it gives is given back.
// While calls of a name are left alone nobody begins another: they do not pile up.
type calls struct {
	mu   sync.Mutex
	left map[string]chan struct{} // by name: the last one, closed when it has returned
}

// within calls f and waits no longer than ctx lasts. What f gives to nobody goes to undo.
func within[T any](ctx context.Context, c *calls, name string, f func() (T, error), undo func(T)) (T, error) {
	var none T
	if err := c.await(ctx, name); err != nil {
		return none, err
	}
	var out T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = f()
	}()
	select {
	case <-done:
		return out, translate(err)
	case <-ctx.Done():
	}
	returned := make(chan struct{})
	c.mu.Lock()
	if c.left == nil {
		c.left = map[string]chan struct{}{}
	}
	c.left[name] = returned
	c.mu.Unlock()
	go func() {
		<-done
		if err == nil {
			undo(out)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.left[name] == returned {
			delete(c.left, name)
		}
		close(returned)
	}()
	return none, hangs(ctx)
}

// await waits until no call of the name is left alone.
func (c *calls) await(ctx context.Context, name string) error {
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.mu.Lock()
		returned := c.left[name]
		c.mu.Unlock()
		if returned == nil {
			return nil
		}
		select {
		case <-returned:
		case <-ctx.Done():
			return hangs(ctx)
		}
	}
}

// hangs is the error of a context that has ended before the service has answered.
func hangs(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("pcsc: the service for smart cards has not answered in time; where it never does, start pcscd anew: %w", ctx.Err())
	}
	return ctx.Err()
}

// late is the error of a context that has ended before a card has.
func late(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("pcsc: the card has not answered in time: another program keeps it to itself, or it or the service for smart cards (pcscd) hangs: %w", ctx.Err())
	}
	return ctx.Err()
}

// giveBack calls f and waits for it a while.
func giveBack(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}
