package queuetest

import (
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

func retryAndDrop(b *bench) {
	later := b.entry(start.Add(time.Hour), "d", "d").Envelope.ID
	if err := b.Retry(b.Context(), later, start); err != nil {
		b.Fatal(err)
	}
	c := b.claimOne("d", start)
	b.wantEqual("due at once", c.Due, []int{0, 1})
	b.settle(c, queue.Outcome{Index: 0, State: queue.Failed}, queue.Outcome{Index: 1, State: queue.Queued, Next: start})
	if err := b.Drop(b.Context(), later); err != nil {
		b.Fatal(err)
	}
	b.wantGone(later)
	large := Entry(start, make(Bytes, 300<<10), "d")
	b.put(large)
	if err := b.Drop(b.Context(), large.Envelope.ID); err != nil {
		b.Fatal(err)
	}
	b.wantGone(large.Envelope.ID)
	for _, id := range []mail.ID{later, "", "nosuch"} {
		b.wantErr("retry of "+string(id), b.Retry(b.Context(), id, start), queue.ErrNotFound)
		b.wantErr("drop of "+string(id), b.Drop(b.Context(), id), queue.ErrNotFound)
	}
}

func operatorsAndLeases(b *bench) {
	id := b.entry(start, "d", "e").Envelope.ID
	c := b.claimOne("d", start)
	if err := b.Drop(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	m := b.message(id)
	b.wantEqual("states", []queue.State{m.Recipients[0].State, m.Recipients[1].State}, []queue.State{queue.Queued, queue.Dropped})
	b.wantErr("drop of what is leased", b.Drop(b.Context(), id), queue.ErrLeased)
	b.wantErr("retry of what is leased", b.Retry(b.Context(), id, start), queue.ErrLeased)
	b.wantIDs("still leased", ids(b.claim("d", start.Add(time.Minute), 1)), nil)
	b.clock.set(start.Add(time.Hour)) // the lease passes
	if err := b.Retry(b.Context(), id, start.Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	b.wantErr("settle after an operator's retry", b.Settle(b.Context(), c, each(c, queue.Outcome{State: queue.Delivered}), nil), queue.ErrLeaseLost)
	b.claimOne("d", start.Add(time.Hour))
	b.clock.set(start.Add(3 * time.Hour))
	if err := b.Drop(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	b.wantGone(id)
}

func list(b *bench) {
	put := func(after time.Duration, from, to, destination string) mail.ID {
		n := Entry(start.Add(after), Bytes("x"), destination, "other")
		n.Envelope.From = mail.Address{Local: from, Domain: "Firma.example"}
		n.Envelope.Recipients[0].Address = mail.Address{Local: to, Domain: "partner.example"}
		b.put(n)
		return n.Envelope.ID
	}
	second := put(2*time.Second, "Alice", "bob", "d")
	first := put(time.Second, "carol", "Dave", "e")
	third := put(3*time.Second, "alice", "dave", "d")
	b.claimOne("e", start.Add(time.Minute))
	c := b.claim("d", start.Add(2*time.Second), 1)[0]
	b.settle(c, each(c, queue.Outcome{State: queue.Failed})...)
	for name, f := range map[string]struct {
		filter queue.Filter
		want   []mail.ID
	}{
		"all":                  {queue.Filter{}, []mail.ID{first, second, third}},
		"limit":                {queue.Filter{Limit: 2}, []mail.ID{first, second}},
		"after":                {queue.Filter{After: first, Limit: 1}, []mail.ID{second}},
		"after the last":       {queue.Filter{After: third}, nil},
		"id":                   {queue.Filter{ID: second}, []mail.ID{second}},
		"no such id":           {queue.Filter{ID: "x"}, nil},
		"sender":               {queue.Filter{Sender: "ALICE@firma"}, []mail.ID{second, third}},
		"sender, first one":    {queue.Filter{Sender: "alice", Limit: 1}, []mail.ID{second}},
		"recipient":            {queue.Filter{Recipient: "dave@"}, []mail.ID{first, third}},
		"destination":          {queue.Filter{Destination: "d"}, []mail.ID{second, third}},
		"no such destination":  {queue.Filter{Destination: "dd"}, nil},
		"state":                {queue.Filter{State: queue.Failed}, []mail.ID{second}},
		"a state nobody is in": {queue.Filter{State: queue.Dropped}, nil},
		"no state":             {queue.Filter{State: "nonsense"}, nil},
		"sender and recipient": {queue.Filter{Sender: "alice", Recipient: "bob@"}, []mail.ID{second}},
		"id and sender":        {queue.Filter{ID: second, Sender: "carol"}, nil},
		"before":               {queue.Filter{Before: start.Add(3 * time.Second)}, []mail.ID{first, second}},
		"before, by id":        {queue.Filter{ID: second, Before: start.Add(2 * time.Second)}, nil},
		"before all":           {queue.Filter{Before: start}, nil},
		"one recipient is all": {queue.Filter{Recipient: "dave@", Destination: "other"}, nil},
		"recipient and state":  {queue.Filter{Recipient: "BOB@", State: queue.Failed}, []mail.ID{second}},
	} {
		messages, err := b.List(b.Context(), f.filter)
		if err != nil {
			b.Errorf("%s: %v", name, err)
		}
		var got []mail.ID
		for _, m := range messages {
			got = append(got, m.Envelope.ID)
		}
		b.wantIDs(name, got, f.want)
	}
}

func listPages(b *bench) {
	var entries []queue.New
	for i := range 1000 {
		n := Entry(start.Add(time.Duration(i)*time.Millisecond), Bytes("x"), "d")
		n.Envelope.From.Local = fmt.Sprint("user", i%10)
		entries = append(entries, n)
	}
	b.put(entries...)
	for _, f := range []queue.Filter{{Limit: 300}, {Limit: 7, Sender: "user3"}, {}, {Limit: 1000}} {
		want := 1000
		if f.Sender != "" {
			want = 100
		}
		got := 0
		for {
			page, err := b.List(b.Context(), f)
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got += len(page)
			f.After = page[len(page)-1].Envelope.ID
		}
		b.wantEqual(fmt.Sprintf("%+v", f), got, want)
	}
}

func stats(b *bench) {
	want := func(what string, want queue.Stats) {
		b.Helper()
		got, err := b.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.wantEqual(what, got, want)
	}
	want("empty", queue.Stats{})
	first := Entry(start, make(Bytes, 1000), "d", "d")
	b.put(first)
	b.put(Entry(start.Add(time.Second), make(Bytes, 200<<10), "e"), Entry(start.Add(2*time.Second), Bytes(nil), "f"))
	want("put", queue.Stats{Messages: 3, Recipients: 4, Bytes: 1000 + 200<<10, Oldest: start})
	c := b.claimOne("d", start)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Held}, queue.Outcome{Index: 1, State: queue.Delivered})
	want("one held, one delivered", queue.Stats{Messages: 3, Recipients: 3, Held: 1, Bytes: 1000 + 200<<10, Oldest: start})
	e := b.claimOne("e", start.Add(time.Second))
	b.settle(e, each(e, queue.Outcome{State: queue.Delivered})...)
	want("large one gone", queue.Stats{Messages: 2, Recipients: 2, Held: 1, Bytes: 1000, Oldest: start})
	if err := b.Retry(b.Context(), first.Envelope.ID, start); err != nil {
		b.Fatal(err)
	}
	want("released", queue.Stats{Messages: 2, Recipients: 2, Bytes: 1000, Oldest: start})
	c = b.claimOne("d", start)
	b.settle(c, each(c, queue.Outcome{State: queue.Held})...)
	if err := b.Drop(b.Context(), first.Envelope.ID); err != nil {
		b.Fatal(err)
	}
	want("dropped", queue.Stats{Messages: 1, Recipients: 1, Oldest: start.Add(2 * time.Second)})
	f := b.claimOne("f", start.Add(2*time.Second))
	b.settle(f, each(f, queue.Outcome{State: queue.Failed})...)
	want("empty again", queue.Stats{})
}
