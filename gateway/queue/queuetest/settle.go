package queuetest

import (
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

func settleFinal(b *bench) {
	n := b.entry(start, "a", "b", "b")
	id := n.Envelope.ID
	c := b.claimOne("b", start)
	b.settle(c, queue.Outcome{Index: 1, State: queue.Delivered, Reply: "250 ok", Tried: start.Add(time.Second)},
		queue.Outcome{Index: 2, State: queue.Failed, Reply: "550 no", Tried: start.Add(2 * time.Second)})
	m := b.message(id)
	b.wantEqual("first", m.Recipients[0].State, queue.Queued)
	b.wantEqual("second", m.Recipients[1], queue.Recipient{Recipient: n.Envelope.Recipients[1], Destination: "b",
		State: queue.Delivered, Attempts: 1, LastReply: "250 ok", LastTried: start.Add(time.Second)})
	b.wantEqual("third", m.Recipients[2], queue.Recipient{Recipient: n.Envelope.Recipients[2], Destination: "b",
		State: queue.Failed, Attempts: 1, LastReply: "550 no", LastTried: start.Add(2 * time.Second)})
	if _, err := b.content(id); err != nil {
		b.Errorf("content while a recipient waits: %v", err)
	}
	c = b.claimOne("a", start)
	b.wantEqual("the other states are in the claim", c.Message.Recipients[2].State, queue.Failed)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Dropped})
	b.wantGone(id)
}

func settleRetry(b *bench) {
	n := b.entry(start, "d")
	for i := range 3 {
		at := start.Add(time.Duration(i) * time.Hour)
		b.clock.set(at)
		c := b.claimOne("d", at)
		b.wantEqual("attempts before", c.Message.Recipients[0].Attempts, i)
		b.settle(c, queue.Outcome{Index: 0, State: queue.Queued, Reply: strings.Repeat("4", 500+10*i), Next: at.Add(time.Hour)})
		b.wantIDs("before the next time", ids(b.claim("d", at.Add(time.Hour-time.Millisecond), 1)), nil)
		r := b.message(n.Envelope.ID).Recipients[0]
		b.wantEqual("row", r, queue.Recipient{Recipient: n.Envelope.Recipients[0], Destination: "d", State: queue.Queued,
			Attempts: i + 1, Next: at.Add(time.Hour), LastReply: strings.Repeat("4", min(500+10*i, 512)), LastTried: at})
	}
}

func settlePart(b *bench) {
	n := b.entry(start, "d", "d", "d")
	c := b.claimOne("d", start)
	b.settle(c, queue.Outcome{Index: 1, State: queue.Delivered})
	m := b.message(n.Envelope.ID)
	for _, i := range []int{0, 2} {
		b.wantEqual("without an outcome", m.Recipients[i], queue.Recipient{Recipient: n.Envelope.Recipients[i], Destination: "d", State: queue.Queued, Next: start})
	}
	c = b.claimOne("d", start)
	b.wantEqual("due again", c.Due, []int{0, 2})
	b.settle(c) // gives all back
	c = b.claimOne("d", start)
	b.wantEqual("due once more", c.Due, []int{0, 2})
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
	b.wantGone(n.Envelope.ID)
}

func settleHeld(b *bench) {
	n := b.entry(start, "d")
	c := b.claimOne("d", start)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Held, Reply: "the card is not in its reader", Tried: start})
	b.wantIDs("held", ids(b.claim("d", start.Add(1000*time.Hour), 1)), nil)
	r := b.message(n.Envelope.ID).Recipients[0]
	b.wantEqual("row", r, queue.Recipient{Recipient: n.Envelope.Recipients[0], Destination: "d", State: queue.Held,
		Attempts: 1, LastReply: "the card is not in its reader", LastTried: start})
	if err := b.Retry(b.Context(), n.Envelope.ID, start.Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	c = b.claimOne("d", start.Add(time.Hour))
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
	b.wantGone(n.Envelope.ID)
}

func settleReports(b *bench) {
	n := b.entry(start, "d")
	c := b.claimOne("d", start)
	outcome := queue.Outcome{Index: 0, State: queue.Failed, Reply: "550"}
	taken := Entry(start, Bytes("x"), "d")
	taken.Envelope.ID = n.Envelope.ID
	report := Entry(start, Bytes(strings.Repeat("report ", 40000)), "sender")
	b.wantErr("a report that cannot be put", b.Settle(b.Context(), c, []queue.Outcome{{Index: 0, State: queue.Held}}, []queue.New{report, taken}), queue.ErrExists)
	b.wantGone(report.Envelope.ID)
	b.wantEqual("recorded without its report", b.message(n.Envelope.ID).Recipients[0].State, queue.Queued)
	if err := b.Settle(b.Context(), c, []queue.Outcome{outcome}, []queue.New{report}); err != nil {
		b.Fatalf("the lease is lost with a report that could not be put: %v", err)
	}
	b.wantGone(n.Envelope.ID)
	got, err := b.content(report.Envelope.ID)
	if err != nil || int64(len(got)) != report.Content.Size() {
		b.Errorf("report: %d bytes, %v", len(got), err)
	}
	b.claimOne("sender", start)
}

func settleBad(b *bench) {
	n := b.entry(start, "d", "e")
	c := b.claimOne("d", start)
	for name, outcomes := range map[string][]queue.Outcome{
		"not a state":       {{Index: 0, State: "lost"}},
		"no state":          {{Index: 0}},
		"not of the claim":  {{Index: 1, State: queue.Delivered}},
		"no such recipient": {{Index: 2, State: queue.Delivered}},
		"negative":          {{Index: -1, State: queue.Delivered}},
		"twice":             {{Index: 0, State: queue.Delivered}, {Index: 0, State: queue.Failed}},
	} {
		if err := b.Settle(b.Context(), c, outcomes, nil); err == nil {
			b.Errorf("%s: taken", name)
		}
	}
	forged := c
	forged.Due = []int{0, 1}
	b.wantErr("a claim with another's recipient", b.Settle(b.Context(), forged, each(forged, queue.Outcome{State: queue.Delivered}), nil), queue.ErrLeaseLost)
	b.wantEqual("recorded", b.message(n.Envelope.ID).Recipients[1].State, queue.Queued)
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
}

func settleTwice(b *bench) {
	b.entry(start, "d", "e")
	c := b.claimOne("d", start)
	delivered := each(c, queue.Outcome{State: queue.Delivered})
	b.settle(c, delivered...)
	b.wantErr("second settle", b.Settle(b.Context(), c, delivered, nil), queue.ErrLeaseLost)
	c = b.claimOne("e", start)
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
	b.wantErr("settle of a message that is gone", b.Settle(b.Context(), c, delivered[:0], nil), queue.ErrLeaseLost)
}
