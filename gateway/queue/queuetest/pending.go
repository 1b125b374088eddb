package queuetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// pendingComesBack: what a message needs that waits for its protection is kept, whole, and makes it pending.
func pendingComesBack(b *bench) {
	for _, what := range [][]byte{[]byte("{\"may_use\":[\"@firma.example\"]}\x00\xff"), bytes.Repeat([]byte("x"), 100_000), {}, nil} {
		n := Entry(start, Bytes("Subject: x\r\n\r\ny\r\n"), "protect:a", "protect:b")
		n.Pending = what
		b.put(n)
		m := b.message(n.Envelope.ID)
		b.wantEqual("pending", m.IsPending(), what != nil)
		b.wantEqual("what it needs", string(m.Pending), string(what))
		c := b.claimOne("protect:a", start)
		b.wantEqual("claimed", c.Message, m)
		b.settle(c, each(c, queue.Outcome{State: queue.Queued, Next: start.Add(time.Minute)})...)
		c = b.claimOne("protect:a", start.Add(time.Minute))
		b.wantEqual("pending after an attempt", c.Message.IsPending(), what != nil)
		if err := b.Drop(b.Context(), n.Envelope.ID); err != nil {
			b.Fatal(err)
		}
		b.settle(c, each(c, queue.Outcome{State: queue.Dropped})...)
		b.wantGone(n.Envelope.ID)
	}
}

// settleVariants: the protected variants take the place of a pending message in one commit, or not at all.
func settleVariants(b *bench) {
	n := Entry(start, Bytes("plain"), "protect:card", "protect:card")
	n.Pending = []byte("x")
	b.put(n)
	c := b.claimOne("protect:card", start)
	small, large := Entry(start, Bytes("protected"), "mx:a.example"), Entry(start, Bytes(strings.Repeat("protected ", 40_000)), "mx:b.example")
	small.Origin, large.Origin = n.Envelope.ID, n.Envelope.ID
	done := each(c, queue.Outcome{State: queue.Delivered, Reply: "protected"})
	taken := Entry(start, Bytes("x"), "mx:c.example")
	taken.Envelope.ID = small.Envelope.ID
	b.wantErr("a variant that cannot be put", b.Settle(b.Context(), c, done, []queue.New{small, taken}), queue.ErrExists)
	b.wantGone(small.Envelope.ID)
	b.wantEqual("still pending", b.message(n.Envelope.ID).IsPending(), true)
	if err := b.Settle(b.Context(), c, done, []queue.New{small, large}); err != nil {
		b.Fatal(err)
	}
	if _, err := b.content(n.Envelope.ID); err == nil {
		b.Error("the plain content can still be read")
	}
	list, err := b.List(b.Context(), queue.Filter{ID: n.Envelope.ID})
	if err != nil || len(list) != 2 || list[0].IsPending() || list[1].IsPending() {
		b.Fatalf("under the id it was accepted with: %+v, %v", list, err)
	}
	b.claimOne("mx:a.example", start)
	b.claimOne("mx:b.example", start)
}

func pendingStats(b *bench) {
	want := func(what string, want int64) {
		b.Helper()
		got, err := b.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.wantEqual(what, got.Pending, want)
	}
	b.entry(start, "d")
	var entries []queue.New
	for range 3 {
		n := Entry(start, Bytes("plain"), "protect:card", "protect:card")
		n.Pending = []byte("x")
		entries = append(entries, n)
	}
	b.put(entries...)
	want("three put", 3)
	for pending, n := range map[bool]int{false: 4, true: 3} {
		list, err := b.List(b.Context(), queue.Filter{Pending: pending})
		if err != nil || len(list) != n {
			b.Errorf("pending %v: %d messages, %v", pending, len(list), err)
		}
	}
	c := b.claimOne("d", start)
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
	want("another message settled", 3)
	if err := b.Drop(b.Context(), entries[0].Envelope.ID); err != nil {
		b.Fatal(err)
	}
	want("one dropped", 2)
	for left, c := range b.claim("protect:card", start, 10) {
		b.settle(c, each(c, queue.Outcome{State: queue.Failed})...)
		want("one settled", int64(1-left))
	}
}
