package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func reopen(b *bench) {
	b.put(odd())
	large := Entry(start, make(Bytes, 300<<10), "large")
	b.put(large)
	c := b.claimOne("large", start)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Queued, Reply: "451 later", Next: start.Add(time.Hour)})
	before, err := b.List(b.Context(), queue.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	statsBefore, err := b.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := b.Close(); err != nil {
		b.Fatal(err)
	}
	b.Store = b.open(b, b.place, b.clock.Now)
	after, err := b.List(b.Context(), queue.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	b.wantEqual("messages", after, before)
	statsAfter, err := b.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.wantEqual("stats", statsAfter, statsBefore)
	if got, err := b.content(large.Envelope.ID); err != nil || len(got) != 300<<10 {
		b.Errorf("content: %d bytes, %v", len(got), err)
	}
	b.entry(start, "mx:partner.example")
	b.wantEqual("claims", len(b.claim("mx:partner.example", start, 10)), 2)
}

func closed(b *bench) {
	id := b.entry(start, "d").Envelope.ID
	c := b.claimOne("d", start)
	if err := b.Close(); err != nil {
		b.Fatal(err)
	}
	if err := b.Close(); err != nil {
		b.Errorf("second Close: %v", err)
	}
	ctx := b.Context()
	_, claim := b.Claim(ctx, "d", start, time.Hour, 1)
	_, dests := b.Destinations(ctx)
	_, open := b.Open(ctx, id)
	_, list := b.List(ctx, queue.Filter{})
	_, stats := b.Stats(ctx)
	_, change := b.Change(ctx, id, queue.Order{State: queue.Held})
	_, usage := b.Usage(ctx, "d")
	_, hasten := b.Hasten(ctx, "d", start, start, 1)
	for name, err := range map[string]error{
		"Put": b.Put(ctx, []queue.New{Entry(start, Bytes("x"), "d")}), "Claim": claim, "Destinations": dests,
		"Renew": b.Renew(ctx, c, start), "Settle": b.Settle(ctx, c, nil, nil), "Open": open, "List": list,
		"Retry": b.Retry(ctx, id, start), "Drop": b.Drop(ctx, id), "Stats": stats, "Change": change,
		"Usage": usage, "Hasten": hasten,
	} {
		b.wantErr(name, err, queue.ErrClosed)
	}
}

func contextEnded(b *bench) {
	b.entry(start, "d")
	c := b.claimOne("d", start)
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	for _, size := range []int{1, 300 << 10} {
		n := Entry(start, make(Bytes, size), "d")
		b.wantErr("Put", b.Put(ctx, []queue.New{n}), context.Canceled)
		b.wantGone(n.Envelope.ID)
	}
	b.wantErr("Settle", b.Settle(ctx, c, each(c, queue.Outcome{State: queue.Delivered}), nil), context.Canceled)
	b.wantErr("Renew", b.Renew(ctx, c, start), context.Canceled)
	_, err := b.Claim(ctx, "d", start, time.Hour, 1)
	b.wantErr("Claim", err, context.Canceled)
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
}

// contextEndsUnderLoad cuts contexts at random instants: what Put said must be what is in the queue.
func contextEndsUnderLoad(b *bench) {
	var wait sync.WaitGroup
	var put, cut atomic.Int64
	for range 16 {
		wait.Go(func() {
			for range 25 {
				n := Entry(start, make(Bytes, rand.IntN(200<<10)), "d")
				ctx, cancel := context.WithTimeout(b.Context(), time.Duration(rand.IntN(3000))*time.Microsecond)
				err := b.Put(ctx, []queue.New{n})
				cancel()
				messages, lerr := b.List(b.Context(), queue.Filter{ID: n.Envelope.ID})
				switch {
				case lerr != nil:
					b.Error(lerr)
				case err == nil && len(messages) != 1, err != nil && len(messages) != 0:
					b.Errorf("Put said %v, %d messages in the queue", err, len(messages))
				case err != nil && !errors.Is(err, context.DeadlineExceeded):
					b.Errorf("Put: %v", err)
				case err == nil:
					put.Add(1)
				default:
					cut.Add(1)
				}
			}
		})
	}
	wait.Wait()
	b.Logf("%d put, %d cut", put.Load(), cut.Load())
}

// onceUnderLoad has many put and many deliver at once: each message goes out exactly once.
func onceUnderLoad(b *bench) {
	const writers, each = 8, 40
	var mu sync.Mutex
	left := make(map[mail.ID]int)
	var writing, delivering sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				size := 100
				if i%10 == 0 {
					size = 150 << 10
				}
				n := Entry(start, make(Bytes, size), fmt.Sprint("d", w%3), "d0")
				mu.Lock()
				left[n.Envelope.ID] = len(n.Destinations)
				mu.Unlock()
				if err := b.Put(b.Context(), []queue.New{n}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	for range 4 {
		delivering.Go(func() {
			for last := false; ; {
				if n := b.deliverAll(&mu, left); n == 0 && last {
					return
				}
				select {
				case <-done:
					last = true
				default:
				}
			}
		})
	}
	writing.Wait()
	close(done)
	delivering.Wait()
	if len(left) != 0 {
		b.Errorf("%d messages not delivered", len(left))
	}
	s, err := b.Stats(b.Context())
	if err != nil || s != (queue.Stats{}) {
		b.Errorf("left in the queue: %+v, %v", s, err)
	}
}

// deliverAll delivers what is due and takes it from left, where it must be.
func (b *bench) deliverAll(mu *sync.Mutex, left map[mail.ID]int) (count int) {
	dests, err := b.Destinations(b.Context())
	if err != nil {
		b.Error(err)
	}
	for _, d := range dests {
		claims, err := b.Claim(b.Context(), d.Destination, start, time.Hour, 5)
		if err != nil {
			b.Error(err)
		}
		for _, c := range claims {
			if _, err := b.content(c.Message.Envelope.ID); err != nil {
				b.Errorf("content: %v", err)
			}
			mu.Lock()
			left[c.Message.Envelope.ID] -= len(c.Due)
			if n := left[c.Message.Envelope.ID]; n < 0 {
				b.Errorf("%s delivered twice", c.Message.Envelope.ID)
			} else if n == 0 {
				delete(left, c.Message.Envelope.ID)
			}
			mu.Unlock()
			if err := b.Settle(b.Context(), c, each(c, queue.Outcome{State: queue.Delivered}), nil); err != nil {
				b.Errorf("Settle: %v", err)
			}
			count++
		}
	}
	return count
}
