//go:build cgo && unix

package pcsc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
)

// In eight readers cards are put in and pulled two hundred times, now and then while they sign: each comes back each time, nothing is left
// behind in this process or in the service, and no card refuses a PIN.
func TestManyCycles(t *testing.T) {
	const readers, rounds = 8, 25
	d := pcscdtest.StartPairs(t, readers/2)
	var cards []*cardtest.PIV
	var bindings []smartcard.Binding
	for i := range readers {
		c := quick(t, uint32(1+i))
		cards = append(cards, c)
		bindings = append(bindings, bind(fmt.Sprint(i), c, smartcard.Selection{Serial: fmt.Sprint(1 + i), Reader: d.Reader(i)}))
	}
	cycle := func(rounds int) {
		s := newStand(t, d, bindings...)
		defer s.end()
		var all sync.WaitGroup
		for i, c := range cards {
			all.Go(func() {
				for round := range rounds {
					s.cycle(i, c, bindings[i], round%5 == 4)
				}
			})
		}
		all.Wait()
	}
	cycle(1) // what is begun once is there
	settled := func(what string, count func() int, most int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s, which were %d before", what, most), func() (int, bool) { n := count(); return n, n <= most })
	}
	ours, theirs := func() int { return handles(t) }, func() int { return d.Handles(t) }
	goroutines, here, there, memory := runtime.NumGoroutine(), ours(), theirs(), heap()
	cycle(rounds)
	settled("goroutines", runtime.NumGoroutine, goroutines)
	settled("files of this process", ours, here)
	settled("files of the service", theirs, there)
	if now := heap(); now > memory+4<<20 {
		t.Errorf("%d octets in use, after %d", now, memory)
	}
	for i, c := range cards {
		innocent(t, c)
		if n := c.Counts().Signatures; n < rounds {
			t.Errorf("card %d: %d signatures", i, n)
		}
	}
}

// cycle puts a card in, signs, and pulls it; in the midst of a second signature where it says so.
func (s *stand) cycle(i int, c *cardtest.PIV, b smartcard.Binding, busy bool) {
	ctx, pull := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- cardtest.ServeVPCD(ctx, s.Address(i), c) }()
	s.await(b.Name, smartcard.Ready)
	if err := s.sign(b); err != nil {
		s.t.Errorf("card %d: %v", i, err)
	}
	if busy {
		c.Fault(1, cardtest.Using, cardtest.Meanwhile(pull))
		if err := s.sign(b); err != nil && !smartcard.Temporary(err) {
			s.t.Errorf("card %d, pulled: %v", i, err)
		}
	}
	pull()
	if err := <-done; err != nil && !errors.Is(err, cardtest.ErrEjected) {
		s.t.Errorf("card %d: %v", i, err)
	}
	s.await(b.Name, smartcard.NoCard)
}

// heap is how much memory is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
