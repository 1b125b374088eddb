package addin

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// One of an address has a turn, and so many altogether; others wait for them, address by address.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		in := make(chan string, 100)
		leave := map[string]chan struct{}{}
		for _, who := range []string{"a", "b", "c"} {
			leave[who] = make(chan struct{})
		}
		come := func(who string) {
			go func() {
				done, err := turns.take(t.Context(), who)
				if err != nil {
					t.Error(err)
					return
				}
				in <- who
				<-leave[who]
				done()
			}()
			synctest.Wait()
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for _, w := range want {
				select {
				case got := <-in:
					if got != w {
						t.Errorf("%s has a turn, and it is that of %s", got, w)
					}
				default:
					t.Errorf("%s has no turn", w)
				}
			}
			if len(in) > 0 {
				t.Errorf("%s has a turn too early", <-in)
			}
		}
		for range 50 {
			come("a")
		}
		expect("a")
		come("b")
		expect("b")
		come("c")
		expect()
		leave["a"] <- struct{}{} // and c, who waits for a place, is before the next of a
		expect("c")
		leave["b"] <- struct{}{}
		expect("a")
		leave["c"] <- struct{}{}
		expect() // the others of a still wait for the one
		for range 48 {
			leave["a"] <- struct{}{}
			expect("a")
		}
		leave["a"] <- struct{}{}
		synctest.Wait()
		if len(turns.of) != 0 || len(turns.all) != 0 {
			t.Errorf("%d addresses are kept, %d have a turn", len(turns.of), len(turns.all))
		}
	})
}

// Who waits too long has none, and leaves nothing.
func TestNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1)
		done, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var refused atomic.Int32
		for _, who := range []string{"a", "a", "b", "b"} { // for the one of the address, and for one of all
			go func() {
				if _, err := turns.take(ctx, who); errors.Is(err, errNoTurn) {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if n := refused.Load(); n != 4 || len(turns.of) != 1 {
			t.Errorf("%d are refused, %d addresses are kept", n, len(turns.of))
		}
		done()
		if done, err = turns.take(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		done()
		if len(turns.of) != 0 || len(turns.all) != 0 {
			t.Errorf("%d addresses are kept, %d have a turn", len(turns.of), len(turns.all))
		}
	})
}

// However many come at once, never more have a turn.
func TestTurnsAtOnce(t *testing.T) {
	const most = 3
	turns := newTurns(most)
	var all atomic.Int32
	var of [5]atomic.Int32
	var wait sync.WaitGroup
	for i := range 2000 {
		wait.Go(func() {
			n := i % len(of)
			done, err := turns.take(t.Context(), strconv.Itoa(n))
			if err != nil {
				t.Error(err)
				return
			}
			if now := all.Add(1); now > most {
				t.Errorf("%d at once", now)
			}
			if now := of[n].Add(1); now > 1 {
				t.Errorf("%d of one address", now)
			}
			of[n].Add(-1)
			all.Add(-1)
			done()
		})
	}
	wait.Wait()
	if n := halfOfAll(); n < 1 {
		t.Errorf("%d", n)
	}
}
