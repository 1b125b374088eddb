package queuetest

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// wantUsage checks what waits for a destination.
func (b *bench) wantUsage(what, destination string, messages, octets int64) {
	b.Helper()
	u, err := b.Usage(b.Context(), destination)
	if err != nil || u != (queue.Usage{Messages: messages, Bytes: octets}) {
		b.Errorf("%s: %+v, %v, want %d messages, %d bytes", what, u, err, messages, octets)
	}
}

func usage(b *bench) {
	b.wantUsage("nobody heard of it", "a", 0, 0)
	first := Entry(start, Bytes("12345"), "a", "b", "a")
	held := Entry(start, Bytes("123"), "a")
	held.Hold = "throttled"
	b.put(first, held, Entry(start, Bytes("1234567"), "b"))
	b.wantUsage("two recipients of one message count once, what is held counts", "a", 2, 8)
	b.wantUsage("another destination", "b", 2, 12)
	c := b.claimOne("a", start)
	b.wantUsage("under a lease", "a", 2, 8)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Delivered}, queue.Outcome{Index: 2, State: queue.Queued, Next: start.Add(time.Hour)})
	b.wantUsage("one of two delivered", "a", 2, 8)
	c = b.claimOne("a", start.Add(2*time.Hour))
	b.settle(c, queue.Outcome{Index: 2, State: queue.Failed})
	b.wantUsage("all of one message final, though b waits", "a", 1, 3)
	if err := b.Drop(b.Context(), held.Envelope.ID); err != nil {
		b.Fatal(err)
	}
	b.wantUsage("dropped", "a", 0, 0)
	b.wantUsage("the other destination as before", "b", 2, 12)
	if err := b.Close(); err != nil {
		b.Fatal(err)
	}
	b.Store = b.open(b.T, b.place, b.clock.Now)
	b.wantUsage("after a restart", "b", 2, 12)
}

func hasten(b *bench) {
	soon := b.entry(start.Add(time.Minute), "a").Envelope.ID
	var late []mail.ID
	for i := range 3 {
		late = append(late, b.entry(start.Add(time.Duration(10+i)*time.Hour), "a").Envelope.ID)
	}
	other := b.entry(start.Add(10*time.Hour), "b").Envelope.ID
	leased := b.entry(start, "a")
	c := b.claimOne("a", start)
	b.wantEqual("leased", c.Message.Envelope.ID, leased.Envelope.ID)
	held := Entry(start, Bytes("x"), "a")
	held.Hold = "throttled"
	b.put(held)

	for _, step := range []struct {
		destination string
		limit, want int
	}{{"nowhere", 10, 0}, {"a", 0, 0}, {"a", 2, 2}, {"a", 10, 1}, {"a", 10, 0}} {
		n, err := b.Hasten(b.Context(), step.destination, start.Add(time.Hour), start, step.limit)
		if err != nil || n != step.want {
			b.Errorf("Hasten %+v: %d, %v", step, n, err)
		}
	}
	for id, want := range map[mail.ID]time.Time{soon: start.Add(time.Minute), other: start.Add(10 * time.Hour), late[0]: start, late[1]: start, late[2]: start} {
		b.wantEqual("next attempt", b.message(id).Recipients[0].Next, want)
	}
	b.wantEqual("held", b.message(held.Envelope.ID).Recipients[0].State, queue.Held)
	b.wantEqual("claimed", len(b.claim("a", start, 10)), 3)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Delivered}) // the lease is as it was
	b.wantGone(leased.Envelope.ID)
}
