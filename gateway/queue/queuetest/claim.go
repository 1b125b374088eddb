package queuetest

import (
	"cmp"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

func claimOrder(b *bench) {
	third := b.entry(start.Add(3*time.Minute), "d").Envelope.ID
	first := b.entry(start.Add(time.Minute), "d").Envelope.ID
	second := b.entry(start.Add(2*time.Minute), "d").Envelope.ID
	b.entry(start, "other")
	b.wantIDs("before any is due", ids(b.claim("d", start, 10)), nil)
	b.wantIDs("no such destination", ids(b.claim("nowhere", start, 10)), nil)
	b.wantIDs("limit 0", ids(b.claim("d", start.Add(time.Hour), 0)), nil)
	b.wantIDs("one", ids(b.claim("d", start.Add(time.Hour), 1)), []mail.ID{first})
	b.wantIDs("those that are due", ids(b.claim("d", start.Add(2*time.Minute), 10)), []mail.ID{second})
	b.wantIDs("the rest", ids(b.claim("d", start.Add(3*time.Minute), 10)), []mail.ID{third})
	b.wantIDs("all are leased", ids(b.claim("d", start.Add(4*time.Minute), 10)), nil)
}

func claimGroups(b *bench) {
	n := b.entry(start, "a", "b", "a", "a")
	c := b.claimOne("a", start)
	b.wantEqual("due of a", c.Due, []int{0, 2, 3})
	b.wantEqual("recipients", len(c.Message.Recipients), 4)
	b.wantEqual("until", c.Until, start.Add(time.Hour))
	b.wantEqual("destination", c.Destination, "a")
	d := b.claimOne("b", start)
	b.wantEqual("due of b", d.Due, []int{1})
	if c.Token == d.Token {
		b.Error("two claims with one token")
	}
	b.settle(c, queue.Outcome{Index: 0, State: queue.Delivered}, queue.Outcome{Index: 2, State: queue.Queued, Next: start.Add(time.Hour)},
		queue.Outcome{Index: 3, State: queue.Queued, Next: start.Add(2 * time.Hour)})
	c = b.claimOne("a", start.Add(time.Hour))
	b.wantEqual("due of a an hour later", c.Due, []int{2})
	c = b.claimOne("a", start.Add(2*time.Hour)) // the lease on 2 has passed too
	b.wantEqual("due of a another hour later", c.Due, []int{2, 3})
	b.wantEqual("id", c.Message.Envelope.ID, n.Envelope.ID)
}

func leasePasses(b *bench) {
	b.entry(start, "d")
	first := b.claimOne("d", start)
	b.wantIDs("under the lease", ids(b.claim("d", start.Add(time.Hour-time.Millisecond), 1)), nil)
	second := b.claimOne("d", start.Add(time.Hour))
	if first.Token == second.Token {
		b.Error("two leases with one token")
	}
	delivered := each(first, queue.Outcome{State: queue.Delivered})
	b.wantErr("settle under the lost lease", b.Settle(b.Context(), first, delivered, nil), queue.ErrLeaseLost)
	b.wantErr("renew the lost lease", b.Renew(b.Context(), first, start.Add(9*time.Hour)), queue.ErrLeaseLost)
	report := Entry(start, Bytes("report"), "sender")
	b.wantErr("report under the lost lease", b.Settle(b.Context(), first, delivered, []queue.New{report}), queue.ErrLeaseLost)
	b.wantGone(report.Envelope.ID)
	b.wantEqual("recorded under the lost lease", b.message(first.Message.Envelope.ID).Recipients[0].Attempts, 0)
	// A lease that has passed but not to another still settles.
	b.settle(second, each(second, queue.Outcome{State: queue.Delivered})...)
	b.wantGone(first.Message.Envelope.ID)
}

func renew(b *bench) {
	b.entry(start, "d", "d")
	c := b.claimOne("d", start)
	for i := 1; i < 4; i++ {
		if err := b.Renew(b.Context(), c, start.Add(time.Duration(i+1)*time.Hour)); err != nil {
			b.Fatal(err)
		}
		b.wantIDs("under the renewed lease", ids(b.claim("d", start.Add(time.Duration(i)*time.Hour), 1)), nil)
	}
	b.settle(c, each(c, queue.Outcome{State: queue.Queued, Next: start.Add(time.Minute)})...)
	b.wantErr("renew a settled lease", b.Renew(b.Context(), c, start.Add(9*time.Hour)), queue.ErrLeaseLost)
	b.claimOne("d", start.Add(time.Minute))
}

func foreignToken(b *bench) {
	b.entry(start, "d")
	c := b.claimOne("d", start)
	for _, token := range []string{"", ".", "x", "1.", "1.1", c.Token + "0", "-1.-1", "9999999999999999999999.1"} {
		foreign := c
		foreign.Token = token
		b.wantErr("settle with "+token, b.Settle(b.Context(), foreign, each(c, queue.Outcome{State: queue.Delivered}), nil), queue.ErrLeaseLost)
		b.wantErr("renew with "+token, b.Renew(b.Context(), foreign, start), queue.ErrLeaseLost)
	}
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
}

func destinations(b *bench) {
	want := func(what string, want ...queue.Due) {
		b.Helper()
		got, err := b.Destinations(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		slices.SortFunc(got, func(x, y queue.Due) int { return cmp.Compare(x.Destination, y.Destination) })
		if len(got) != 0 || len(want) != 0 {
			b.wantEqual(what, got, want)
		}
	}
	want("empty")
	b.entry(start.Add(time.Minute), "a", "b")
	b.entry(start, "b", "b", "c")
	due := func(d string, after time.Duration) queue.Due { return queue.Due{Destination: d, At: start.Add(after)} }
	want("put", due("a", time.Minute), due("b", 0), due("c", 0))
	c := b.claimOne("c", start)
	bb := b.claimOne("b", start)
	want("under lease the end of the lease counts", due("a", time.Minute), due("b", time.Minute), due("c", time.Hour))
	if err := b.Renew(b.Context(), c, start.Add(2*time.Hour)); err != nil {
		b.Fatal(err)
	}
	want("renewed", due("a", time.Minute), due("b", time.Minute), due("c", 2*time.Hour))
	b.settle(c, each(c, queue.Outcome{State: queue.Held})...)
	want("held", due("a", time.Minute), due("b", time.Minute))
	b.settle(bb, queue.Outcome{Index: 0, State: queue.Delivered}, queue.Outcome{Index: 1, State: queue.Queued, Next: start.Add(time.Second)})
	want("settled", due("a", time.Minute), due("b", time.Second))
	if err := b.Drop(b.Context(), c.Message.Envelope.ID); err != nil {
		b.Fatal(err)
	}
	want("dropped", due("a", time.Minute), due("b", time.Minute))
}
