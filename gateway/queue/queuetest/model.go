package queuetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// modelRow is what the model knows of one recipient.
type modelRow struct {
	destination string
	state       queue.State
	attempts    int
	next        time.Time
	token       string    // of its lease, empty where it has none
	until       time.Time // of its lease
}

// ready is when the recipient may be claimed.
func (r *modelRow) ready() time.Time {
	if r.token != "" {
		return r.until
	}
	return r.next
}

// machine runs random operations on a store and on a model of it that is too simple to be wrong.
type machine struct {
	store  queue.Store
	clock  *clock
	rows   map[mail.ID][]*modelRow
	ids    []mail.ID
	claims []queue.Claim // all ever made
}

// model compares a store with the model after every one of many random operations.
func model(b *bench) {
	rapid.Check(b.T, func(t *rapid.T) {
		messages, err := b.List(context.Background(), queue.Filter{Limit: 100000})
		if err != nil {
			t.Fatal(err)
		}
		b.clock.set(b.clock.Now().Add(1000 * time.Hour)) // no lease of the last run is in force
		for _, m := range messages {
			if err := b.Drop(context.Background(), m.Envelope.ID); err != nil {
				t.Fatal(err)
			}
		}
		m := &machine{store: b.Store, clock: b.clock, rows: map[mail.ID][]*modelRow{}}
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "put": m.put, "claim": m.claim, "settle": m.settle, "renew": m.renew,
			"retry": m.retry, "drop": m.drop, "hold": m.hold, "release": m.release, "reroute": m.reroute, "wait": m.wait,
		})
	})
}

func (m *machine) wait(t *rapid.T) {
	m.clock.set(m.clock.Now().Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute))
}

func (m *machine) put(t *rapid.T) {
	destinations := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 4).Draw(t, "destinations")
	n := Entry(m.clock.Now(), Bytes("x"), destinations...)
	n.Due = m.clock.Now().Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "due")) * time.Minute)
	state := queue.Queued
	if n.Hold = rapid.SampledFrom([]string{"", "", "throttled"}).Draw(t, "hold"); n.Hold != "" {
		state = queue.Held
	}
	if err := m.store.Put(context.Background(), []queue.New{n}); err != nil {
		t.Fatal(err)
	}
	for _, d := range destinations {
		m.rows[n.Envelope.ID] = append(m.rows[n.Envelope.ID], &modelRow{destination: d, state: state, next: n.Due})
	}
	m.ids = append(m.ids, n.Envelope.ID)
}

func (m *machine) claim(t *rapid.T) {
	destination := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "destination")
	limit := rapid.IntRange(1, 5).Draw(t, "limit")
	now := m.clock.Now()
	claims, err := m.store.Claim(context.Background(), destination, now, time.Hour, limit)
	if err != nil {
		t.Fatal(err)
	}
	if want := min(limit, len(m.claimable(destination, now))); len(claims) != want {
		t.Fatalf("%d claims, want %d", len(claims), want)
	}
	oldest := time.Time{}
	for _, c := range claims {
		first := m.lease(t, c, now)
		if first.Before(oldest) {
			t.Fatalf("not the oldest first: %v after %v", first, oldest)
		}
		oldest = first
	}
	for _, left := range m.claimable(destination, now) {
		if left.Before(oldest) {
			t.Fatalf("%v was left for %v", left, oldest)
		}
	}
	m.claims = append(m.claims, claims...)
}

// claimable holds, of each message that can be claimed, when it first was.
func (m *machine) claimable(destination string, now time.Time) (list []time.Time) {
	for _, rows := range m.rows {
		var first time.Time
		for _, r := range rows {
			if r.destination == destination && r.state == queue.Queued && !r.ready().After(now) && (first.IsZero() || r.ready().Before(first)) {
				first = r.ready()
			}
		}
		if !first.IsZero() {
			list = append(list, first)
		}
	}
	return list
}

// lease applies a claim to the model and returns since when it could have been made.
func (m *machine) lease(t *rapid.T, c queue.Claim, now time.Time) (first time.Time) {
	for i, r := range m.rows[c.Message.Envelope.ID] {
		due := r.destination == c.Destination && r.state == queue.Queued && !r.ready().After(now)
		if due != slices.Contains(c.Due, i) {
			t.Fatalf("recipient %d due: %v, claimed: %v", i, due, !due)
		}
		if !due {
			continue
		}
		if first.IsZero() || r.ready().Before(first) {
			first = r.ready()
		}
		r.token, r.until = c.Token, now.Add(time.Hour)
	}
	return first
}

// holding are the rows that a claim still has.
func (m *machine) holding(c queue.Claim) (list []*modelRow) {
	for _, r := range m.rows[c.Message.Envelope.ID] {
		if r.token == c.Token {
			list = append(list, r)
		}
	}
	return list
}

func (m *machine) anyClaim(t *rapid.T) queue.Claim {
	if len(m.claims) == 0 {
		t.Skip("no claim")
	}
	return rapid.SampledFrom(m.claims).Draw(t, "claim")
}

func (m *machine) settle(t *rapid.T) {
	c := m.anyClaim(t)
	now := m.clock.Now()
	var outcomes []queue.Outcome
	for _, i := range c.Due {
		state := rapid.SampledFrom([]queue.State{"", queue.Queued, queue.Held, queue.Delivered, queue.Delivered, queue.Failed}).Draw(t, "state")
		if state != "" {
			outcomes = append(outcomes, queue.Outcome{Index: i, State: state, Next: now.Add(time.Minute)})
		}
	}
	holding, rows := m.holding(c), m.rows[c.Message.Envelope.ID]
	lost := len(holding) == 0
	for _, o := range outcomes { // after the lease has passed, an operator may have taken a recipient out of it
		lost = lost || !slices.Contains(holding, rows[o.Index])
	}
	err := m.store.Settle(context.Background(), c, outcomes, nil)
	if lost != errors.Is(err, queue.ErrLeaseLost) || !lost && err != nil {
		t.Fatalf("lease lost: %v, Settle: %v", lost, err)
	}
	if lost {
		return
	}
	for _, o := range outcomes {
		rows[o.Index].state, rows[o.Index].next = o.State, o.Next
		rows[o.Index].attempts++
	}
	for _, r := range holding {
		r.token = ""
	}
	m.sweep(c.Message.Envelope.ID)
}

// sweep forgets a message that is done.
func (m *machine) sweep(id mail.ID) {
	for _, r := range m.rows[id] {
		if !r.state.Final() {
			return
		}
	}
	delete(m.rows, id)
}

func (m *machine) renew(t *rapid.T) {
	c := m.anyClaim(t)
	until := m.clock.Now().Add(time.Hour)
	holding := m.holding(c)
	err := m.store.Renew(context.Background(), c, until)
	if lost := len(holding) == 0; lost != errors.Is(err, queue.ErrLeaseLost) || !lost && err != nil {
		t.Fatalf("lease lost: %v, Renew: %v", lost, err)
	}
	for _, r := range holding {
		r.until = until
	}
}

func (m *machine) retry(t *rapid.T) {
	m.operate(t, func(id mail.ID, now time.Time) error { return m.store.Retry(context.Background(), id, now) }, func(r *modelRow, now time.Time) {
		r.state, r.next = queue.Queued, now
	})
}

func (m *machine) drop(t *rapid.T) {
	m.operate(t, func(id mail.ID, _ time.Time) error { return m.store.Drop(context.Background(), id) }, func(r *modelRow, _ time.Time) {
		r.state = queue.Dropped
	})
}

func (m *machine) hold(t *rapid.T) {
	m.order(t, queue.Order{From: []queue.State{queue.Queued}, State: queue.Held, Reply: "odd"})
}

func (m *machine) release(t *rapid.T) {
	m.order(t, queue.Order{From: []queue.State{queue.Held}, State: queue.Queued, Due: m.clock.Now()})
}

func (m *machine) reroute(t *rapid.T) {
	m.order(t, queue.Order{Destination: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "destination")})
}

// order has an order done to some recipients of a message.
func (m *machine) order(t *rapid.T, o queue.Order) {
	o.Only = rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 4, rapid.ID).Draw(t, "only")
	m.operateOn(t, func(i int, r *modelRow) bool {
		return slices.Contains(o.Only, i) && (o.From == nil || slices.Contains(o.From, r.state))
	}, func(id mail.ID, _ time.Time) error {
		_, err := m.store.Change(context.Background(), id, o)
		return err
	}, func(r *modelRow, _ time.Time) {
		r.state = cmp.Or(o.State, r.state)
		r.destination = cmp.Or(o.Destination, r.destination)
		if !o.Due.IsZero() {
			r.next = o.Due
		}
	})
}

// operate does an operator's act on all recipients of a message.
func (m *machine) operate(t *rapid.T, act func(mail.ID, time.Time) error, apply func(*modelRow, time.Time)) {
	m.operateOn(t, func(int, *modelRow) bool { return true }, act, apply)
}

// operateOn does an operator's act on a message and on the rows of the model that it may touch.
func (m *machine) operateOn(t *rapid.T, meant func(int, *modelRow) bool, act func(mail.ID, time.Time) error, apply func(*modelRow, time.Time)) {
	if len(m.ids) == 0 {
		t.Skip("no message")
	}
	id, now := rapid.SampledFrom(m.ids).Draw(t, "message"), m.clock.Now()
	var free []*modelRow
	want := queue.ErrNotFound
	for i, r := range m.rows[id] {
		if r.state.Final() || !meant(i, r) {
			continue
		}
		if r.token != "" && r.until.After(now) {
			want = queue.ErrLeased
			continue
		}
		free = append(free, r)
	}
	if len(free) > 0 {
		want = nil
	}
	if err := act(id, now); !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
	for _, r := range free {
		apply(r, now)
		r.token = ""
	}
	m.sweep(id)
}

// check compares everything the store tells with the model.
func (m *machine) check(t *rapid.T) {
	messages, err := m.store.List(context.Background(), queue.Filter{Limit: 100000})
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != len(m.rows) {
		t.Fatalf("%d messages, want %d", len(messages), len(m.rows))
	}
	var want queue.Stats
	due := map[string]time.Time{}
	for _, message := range messages {
		want.Messages++
		want.Bytes += message.Size
		rows := m.rows[message.Envelope.ID]
		for i, r := range message.Recipients {
			if r.State != rows[i].state || r.Attempts != rows[i].attempts || r.State == queue.Queued && !r.Next.Equal(rows[i].next) {
				t.Fatalf("recipient %d of %s: %+v, want %+v", i, message.Envelope.ID, r, *rows[i])
			}
			if !r.State.Final() {
				want.Recipients++
			}
			if r.State == queue.Held {
				want.Held++
			}
			if at, ok := due[r.Destination]; r.State == queue.Queued && (!ok || rows[i].ready().Before(at)) {
				due[r.Destination] = rows[i].ready()
			}
		}
	}
	got, err := m.store.Stats(context.Background())
	if got.Oldest = (time.Time{}); err != nil || got != want {
		t.Fatalf("stats %+v, want %+v, %v", got, want, err)
	}
	m.checkDestinations(t, due)
}

func (m *machine) checkDestinations(t *rapid.T, want map[string]time.Time) {
	list, err := m.store.Destinations(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]time.Time{}
	for _, d := range list {
		got[d.Destination] = d.At
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(list) != len(want) {
		t.Fatalf("destinations %v, want %v", got, want)
	}
}
