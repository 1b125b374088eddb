package queuetest

import (
	"context"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// inQuarantine lists, for each recipient of a message, whether it is in quarantine, and why.
func (b *bench) inQuarantine(id mail.ID) (in []bool, why []string) {
	b.Helper()
	for _, r := range b.message(id).Recipients {
		in, why = append(in, r.InQuarantine()), append(why, r.Quarantine)
	}
	return in, why
}

// openAnew opens the store anew.
func (b *bench) openAnew() {
	b.Helper()
	if err := b.Close(); err != nil {
		b.Fatal(err)
	}
	b.Store = b.open(b, b.place, b.clock.Now)
}

// quarantineFromTheStart: what is put there is held, is never due, says why, and is counted apart.
func quarantineFromTheStart(b *bench) {
	n := Entry(start, Bytes("0123456789"), queue.Quarantine, queue.Quarantine)
	n.Hold, n.Quarantine = "quarantine: a rule", []string{`{"why":"a rule"}`, strings.Repeat("y", 60_000)}
	b.put(n, Entry(start, Bytes("x"), "d"))
	b.openAnew()
	in, why := b.inQuarantine(n.Envelope.ID)
	b.wantEqual("in quarantine", in, []bool{true, true})
	b.wantEqual("why", why, n.Quarantine)
	b.wantIDs("due", ids(b.claim(queue.Quarantine, start.Add(999*time.Hour), 10)), nil)
	list, err := b.List(b.Context(), queue.Filter{Destination: queue.Quarantine, State: queue.Held})
	if err != nil || len(list) != 1 || list[0].Envelope.ID != n.Envelope.ID {
		b.Errorf("listed: %v, %v", list, err)
	}
	u, err := b.Usage(b.Context(), queue.Quarantine)
	if err != nil || u != (queue.Usage{Messages: 1, Bytes: 10}) {
		b.Errorf("used: %+v, %v", u, err)
	}
	pending := Entry(start, Bytes("01234"), queue.Quarantine)
	pending.Hold, pending.Pending = "quarantine: a rule", []byte("x")
	b.put(pending)
	if u, err = b.Usage(b.Context(), queue.Quarantine); err != nil || u != (queue.Usage{Messages: 2, Bytes: 15, Pending: 1}) {
		b.Errorf("used: %+v, %v", u, err)
	}
	for name, bad := range map[string][]string{"fewer reasons than recipients": {"x"}, "a reason that is too long": {strings.Repeat("y", 70_000), ""}} {
		n := Entry(start, Bytes("x"), queue.Quarantine, queue.Quarantine)
		n.Quarantine = bad
		if err := b.Put(b.Context(), []queue.New{n}); err == nil {
			b.Errorf("%s: put", name)
		}
		b.wantGone(n.Envelope.ID)
	}
}

// quarantineByAnAttempt: one recipient has it, the other's copy is set aside, in one commit; and again after the store was opened anew.
func quarantineByAnAttempt(b *bench) {
	id := b.entry(start, "d", "d", "d").Envelope.ID
	c := b.claimOne("d", start)
	for name, o := range map[string]queue.Outcome{
		"delivered":   {Index: 0, State: queue.Delivered, Quarantine: "x"},
		"queued":      {Index: 0, State: queue.Queued, Quarantine: "x"},
		"too long":    {Index: 0, State: queue.Held, Quarantine: strings.Repeat("y", 70_000)},
		"of no claim": {Index: 3, State: queue.Held, Quarantine: "x"},
	} {
		if err := b.Settle(b.Context(), c, []queue.Outcome{o}, nil); err == nil {
			b.Errorf("%s: settled", name)
		}
	}
	b.settle(c, queue.Outcome{Index: 0, State: queue.Delivered}, queue.Outcome{Index: 1, State: queue.Held, Reply: "quarantine: invalid", Hidden: true, Quarantine: "invalid"},
		queue.Outcome{Index: 2, State: queue.Queued, Next: start.Add(time.Minute)})
	b.openAnew()
	in, why := b.inQuarantine(id)
	b.wantEqual("in quarantine", in, []bool{false, true, false})
	b.wantEqual("why", why, []string{"", "invalid", ""})
	m := b.message(id)
	b.wantEqual("states", b.states(id), []queue.State{queue.Delivered, queue.Held, queue.Queued})
	b.wantEqual("set aside", []any{m.Recipients[1].LastReply, m.Recipients[1].Hidden, m.Recipients[1].Rerouted}, []any{"quarantine: invalid", true, false})
	c = b.claimOne("d", start.Add(time.Minute))
	b.wantEqual("due", c.Due, []int{2})
	b.settle(c, queue.Outcome{Index: 2, State: queue.Delivered})
	if got, err := b.content(id); err != nil || len(got) == 0 {
		b.Errorf("the content of what is in quarantine: %q, %v", got, err)
	}
	b.change(id, queue.Order{Only: []int{1}, From: []queue.State{queue.Held}, State: queue.Dropped}, 1)
	b.wantGone(id)
}

// quarantineReleased: it goes by the routing, has time, and still says why it was there.
func quarantineReleased(b *bench) {
	n := Entry(start, Bytes("plain"), queue.Quarantine, queue.Quarantine)
	n.Hold, n.Quarantine, n.Pending = "quarantine: a rule", []string{"first", "second"}, []byte("x")
	n.Expires = start.Add(time.Hour)
	b.put(n)
	id, later := n.Envelope.ID, start.Add(100*time.Hour)
	b.change(id, queue.Order{
		Only: []int{1}, From: []queue.State{queue.Held}, State: queue.Queued, Due: later, Destination: "protect:released", Routed: true,
		Quarantine: "second, released", Expires: later.Add(time.Hour),
	}, 1)
	b.openAnew()
	in, why := b.inQuarantine(id)
	b.wantEqual("in quarantine", in, []bool{true, false})
	b.wantEqual("why", why, []string{"first", "second, released"})
	m := b.message(id)
	b.wantEqual("ends", m.Expires, later.Add(time.Hour))
	b.wantEqual("rerouted", m.Recipients[1].Rerouted, false)
	b.change(id, queue.Order{Only: []int{0}, Expires: later}, 0)
	b.wantEqual("ends no earlier", b.message(id).Expires, later.Add(time.Hour))
	c := b.claimOne("protect:released", later)
	b.wantEqual("claimed", []any{c.Due, c.Message.Recipients[1].Quarantine, c.Message.IsPending()}, []any{[]int{1}, "second, released", true})
	b.settle(c, queue.Outcome{Index: 1, State: queue.Held, Quarantine: "again"})
	in, why = b.inQuarantine(id)
	b.wantEqual("in quarantine again", in, []bool{true, true})
	b.wantEqual("why now", why, []string{"first", "again"})
	if _, err := b.Change(context.Background(), id, queue.Order{Only: []int{0}, Quarantine: strings.Repeat("y", 70_000)}); err == nil {
		b.Error("a reason that is too long is written")
	}
}
