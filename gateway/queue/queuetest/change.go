package queuetest

import (
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// change does an order that must succeed.
func (b *bench) change(id mail.ID, o queue.Order, want ...int) {
	b.Helper()
	got, err := b.Change(b.Context(), id, o)
	if err != nil {
		b.Fatalf("Change: %v", err)
	}
	b.wantEqual("changed", got, want)
}

func (b *bench) states(id mail.ID) (list []queue.State) {
	b.Helper()
	for _, r := range b.message(id).Recipients {
		list = append(list, r.State)
	}
	return list
}

func changeHolds(b *bench) {
	id := b.entry(start, "d", "d", "e").Envelope.ID
	b.change(id, queue.Order{Only: []int{0, 2}, State: queue.Held, Reply: "held: looks odd"}, 0, 2)
	m := b.message(id)
	b.wantEqual("states", b.states(id), []queue.State{queue.Held, queue.Queued, queue.Held})
	b.wantEqual("reason", []string{m.Recipients[0].LastReply, m.Recipients[1].LastReply}, []string{"held: looks odd", ""})
	b.wantIDs("of e", ids(b.claim("e", start.Add(time.Hour), 1)), nil)
	c := b.claimOne("d", start)
	b.wantEqual("due", c.Due, []int{1})
	b.wantEqual("busy", []bool{b.message(id).Recipients[0].Busy, b.message(id).Recipients[1].Busy, c.Message.Recipients[1].Busy}, []bool{false, true, false})
	// Held ones alone are released, whatever is leased or queued.
	b.change(id, queue.Order{From: []queue.State{queue.Held}, State: queue.Queued, Due: start.Add(time.Minute)}, 0, 2)
	b.wantEqual("the reason stays", b.message(id).Recipients[0].LastReply, "held: looks odd")
	s, err := b.Stats(b.Context())
	if err != nil || s.Held != 0 || s.Recipients != 3 {
		b.Errorf("%+v, %v", s, err)
	}
	_, err = b.Change(b.Context(), id, queue.Order{From: []queue.State{queue.Held}, State: queue.Queued})
	b.wantErr("nothing is held any more", err, queue.ErrNotFound)
	b.wantEqual("due again", b.claimOne("e", start.Add(time.Minute)).Due, []int{2})
}

func changeReroutes(b *bench) {
	id := b.entry(start.Add(time.Hour), "d", "d").Envelope.ID
	b.change(id, queue.Order{Only: []int{1}, Destination: "other", Due: start}, 1)
	m := b.message(id)
	b.wantEqual("rerouted", []bool{m.Recipients[0].Rerouted, m.Recipients[1].Rerouted}, []bool{false, true})
	b.wantEqual("destinations", []string{m.Recipients[0].Destination, m.Recipients[1].Destination}, []string{"d", "other"})
	c := b.claimOne("other", start)
	b.wantEqual("claimed", []any{c.Due, c.Message.Recipients[1].Rerouted}, []any{[]int{1}, true})
	b.settle(c, queue.Outcome{Index: 1, State: queue.Held})
	b.change(id, queue.Order{Only: []int{1}, Destination: "third"}, 1)
	b.wantEqual("a held one stays so", b.states(id), []queue.State{queue.Queued, queue.Held})
	if err := b.Close(); err != nil {
		b.Fatal(err)
	}
	b.Store = b.open(b, b.place, b.clock.Now)
	r := b.message(id).Recipients[1]
	b.wantEqual("kept", []any{r.Destination, r.Rerouted, r.State}, []any{"third", true, queue.Held})
	b.wantIDs("held", ids(b.claim("third", start.Add(9*time.Hour), 1)), nil)
}

func changeReturns(b *bench) {
	id := b.entry(start, "d", "e").Envelope.ID
	large := Entry(start, make(Bytes, 300<<10), "d")
	b.put(large)
	report := func() queue.New { return Entry(start, Bytes(strings.Repeat("report ", 40000)), "sender") }
	first, lost := report(), report()
	b.claimOne("e", start)
	_, err := b.Change(b.Context(), id, queue.Order{Only: []int{0, 1}, State: queue.Failed, Reports: []queue.New{lost}})
	b.wantErr("a report on one that is leased", err, queue.ErrLeased)
	b.wantGone(lost.Envelope.ID)
	b.wantEqual("nothing is done", b.states(id), []queue.State{queue.Queued, queue.Queued})
	b.change(id, queue.Order{Only: []int{0}, State: queue.Failed, Reply: "returned by an operator", Reports: []queue.New{first}}, 0)
	b.wantEqual("returned", b.states(id), []queue.State{queue.Failed, queue.Queued})
	if _, err := b.content(first.Envelope.ID); err != nil {
		b.Errorf("report: %v", err)
	}
	last := report()
	b.change(large.Envelope.ID, queue.Order{Only: []int{0}, State: queue.Failed, Reports: []queue.New{last}}, 0)
	b.wantGone(large.Envelope.ID)
	s, err := b.Stats(b.Context())
	if err != nil || s.Messages != 3 || s.Recipients != 3 {
		b.Errorf("%+v, %v", s, err)
	}
	b.wantEqual("reports to deliver", len(b.claim("sender", start, 10)), 2)
}

func changeBad(b *bench) {
	id := b.entry(start, "d").Envelope.ID
	for name, o := range map[string]queue.Order{
		"delivered":                 {State: queue.Delivered},
		"no state":                  {State: "lost"},
		"reports without their own": {State: queue.Failed, Reports: []queue.New{Entry(start, Bytes("x"), "d")}},
		"a report that is none":     {Only: []int{0}, State: queue.Failed, Reports: []queue.New{{}}},
	} {
		if _, err := b.Change(b.Context(), id, o); err == nil {
			b.Errorf("%s: done", name)
		}
	}
	for name, o := range map[string]queue.Order{
		"no such recipient": {Only: []int{1, -1}, State: queue.Dropped},
		"nobody":            {Only: []int{}, State: queue.Dropped},
		"from no state":     {From: []queue.State{"lost"}, State: queue.Dropped},
		"from a final one":  {From: []queue.State{queue.Delivered}, State: queue.Queued},
	} {
		_, err := b.Change(b.Context(), id, o)
		b.wantErr(name, err, queue.ErrNotFound)
	}
	_, err := b.Change(b.Context(), "nosuch", queue.Order{State: queue.Dropped})
	b.wantErr("no such message", err, queue.ErrNotFound)
	b.wantEqual("nothing is done", b.states(id), []queue.State{queue.Queued})
}

// hidden stays once it is said.
func hidden(b *bench) {
	id := b.entry(start, "d", "d").Envelope.ID
	c := b.claimOne("d", start)
	b.settle(c, queue.Outcome{Index: 0, State: queue.Queued, Next: start, Hidden: true}, queue.Outcome{Index: 1, State: queue.Queued, Next: start})
	c = b.claimOne("d", start)
	b.wantEqual("claimed", []bool{c.Message.Recipients[0].Hidden, c.Message.Recipients[1].Hidden}, []bool{true, false})
	b.settle(c, each(c, queue.Outcome{State: queue.Held})...)
	m := b.message(id)
	b.wantEqual("later", []bool{m.Recipients[0].Hidden, m.Recipients[1].Hidden}, []bool{true, false})
}
