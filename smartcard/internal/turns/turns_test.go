package turns

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Who comes first goes first, who gives up is passed over, and no more wait than may.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{Most: 3}
		if err := q.Enter(t.Context(), House, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		var order []int // one after the other: each waits for the one before
		for i, c := range []context.Context{t.Context(), ctx, t.Context()} {
			go func() {
				if err := q.Enter(c, House, gone); err != nil {
					order = append(order, -i)
					return
				}
				order = append(order, i)
				q.Leave()
			}()
			synctest.Wait()
		}
		if err := q.Enter(t.Context(), House, nil); !errors.Is(err, ErrFull) || q.Length() != 3 {
			t.Error(err, q.Length())
		}
		cancel()
		synctest.Wait()
		q.Leave()
		synctest.Wait()
		if !slices.Equal(order, []int{-1, 0, 2}) || q.held {
			t.Error(order, q.held)
		}
		if err := q.Enter(ctx, House, nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// Where what is waited for is gone, nobody waits any more; who closes waits for the one that has it.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{Most: 1}
		q.EnterLast()
		gone, closed := make(chan struct{}), make(chan struct{})
		var err error
		go func() { err = q.Enter(t.Context(), Strangers, gone) }()
		go func() {
			q.EnterLast()
			close(closed)
		}()
		synctest.Wait()
		close(gone)
		synctest.Wait()
		if !errors.Is(err, ErrGone) || q.Length() != 1 {
			t.Error(err, q.Length())
		}
		q.Leave()
		<-closed
		q.Leave()
		if q.held {
			t.Error("nobody has it, and it is held")
		}
	})
}

// Strangers who ask for more than there is leave the house every second turn, and are not kept out for ever by it.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const turn = 300 * time.Millisecond
		q := Queue{Most: 256}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var served atomic.Int32
		var strangers sync.WaitGroup
		for range 100 { // each asks again as soon as it was served
			strangers.Go(func() {
				for ctx.Err() == nil {
					if q.Enter(ctx, Strangers, nil) == nil {
						time.Sleep(turn)
						served.Add(1)
						q.Leave()
					} else {
						time.Sleep(turn)
					}
				}
			})
		}
		synctest.Wait()
		for range 20 {
			began := time.Now()
			if err := q.Enter(ctx, House, nil); err != nil {
				t.Fatal(err)
			}
			if wait := time.Since(began); wait > 2*turn {
				t.Errorf("the house waited %v for strangers", wait)
			}
			time.Sleep(turn)
			q.Leave()
		}
		if n := served.Load(); n < 15 {
			t.Errorf("%d of strangers were served beside 20 of the house", n)
		}
		cancel()
		strangers.Wait()
	})
}

// More is asked for than a card can do, by people who do not wait for ever: the card still does all that it can, and none of it in vain.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const turn, patience, seconds = 300 * time.Millisecond, 30 * time.Second, 300
		q := Queue{Most: 256}
		var done, cut, busy atomic.Int32
		for range 10 * seconds {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if q.Enter(ctx, House, nil) != nil {
					busy.Add(1)
					return
				}
				select {
				case <-time.After(turn):
					done.Add(1)
				case <-ctx.Done():
					cut.Add(1)
				}
				q.Leave()
			}()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(patience)
		if most := int32(seconds * time.Second / turn); done.Load() < most*9/10 || cut.Load() > 10 {
			t.Errorf("%d turns of at least %d were of use, and %d were cut off; %d were sent away", done.Load(), most*9/10, cut.Load(), busy.Load())
		}
	})
}

// One turn that hung keeps nobody out afterwards.
func TestHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{Most: 8}
		q.EnterLast()
		time.Sleep(time.Hour)
		q.Leave()
		q.EnterLast()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		entered := make(chan error)
		go func() { entered <- q.Enter(ctx, House, nil) }()
		synctest.Wait()
		q.Leave()
		if err := <-entered; err != nil {
			t.Error(err)
		}
		q.Leave()
	})
}
