package demail_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// killed is what ends a process in its midst.
type killed struct{}

var (
	errDisk = errors.New("the disk fails")
	errLost = connectors.Lost(errors.New("reset"), "the connection ended before the answer")
)

// fate is what happens to a message on the way to a provider. What is late was lost on the way, and comes while the provider is still at it.
type fate struct {
	name        string
	take, late  bool
	err         error
	cut, killed bool
}

func fates() []fate {
	return []fate{
		{name: "taken", take: true},
		{name: "taken, answer lost", take: true, err: errLost},
		{name: "lost", err: errLost},
		{name: "late, answer lost", late: true, err: errLost},
		{name: "away", err: connectors.Errorf(connectors.ErrUnavailable, "down")},
		{name: "card pulled", err: connectors.Unsent(errors.New("no card"), "the card is away")},
		{name: "login", err: connectors.Errorf(connectors.ErrLogin, "no")},
		{name: "not today", err: &connectors.Error{Class: connectors.ErrNotEntitled, After: time.Hour}},
		{name: "an error of nobody's", take: true, err: errors.New("a bug")},
		{name: "cut, taken", take: true, err: errLost, cut: true},
		{name: "cut, late", late: true, err: errLost, cut: true},
		{name: "killed, taken", take: true, killed: true},
		{name: "killed, late", late: true, killed: true},
		{name: "killed", killed: true},
	}
}

// finds are what a provider says of a key; nil: the truth.
func finds() []error {
	return []error{nil, nil, nil, connectors.ErrUnavailable, connectors.ErrInDoubt, connectors.ErrLogin, connectors.ErrRejected, errors.New("a bug")}
}

// writes are what becomes of a change of the record.
func writes() []func(do func() error) error {
	whole := func(do func() error) error { return do() }
	return []func(do func() error) error{
		whole, whole, whole, whole,
		func(func() error) error { return errDisk },
		func(do func() error) error { do(); return errDisk }, // it is written, and nobody knows
		func(func() error) error { panic(killed{}) },
		func(do func() error) error { do(); panic(killed{}) },
	}
}

// trial is one message among faults.
type trial struct {
	*rapid.T
	*provider
	clock  *clock
	faulty *faulty
	o      demail.Options
	t      *demail.Transport
	letter delivery.Attempt
	cut    context.CancelFunc
	mu     sync.Mutex
	later  map[time.Time]func() // what the provider does when it comes to it
}

// restart begins a process anew.
func (w *trial) restart() {
	w.o.Flights = new(demail.Flights)
	w.t, _ = demail.New(w.o)
}

// pass lets time go by, for the provider too.
func (w *trial) pass(d time.Duration) {
	w.clock.add(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, act := range w.later {
		if !at.After(w.clock.Now()) {
			act()
			delete(w.later, at)
		}
	}
}

// answer is the provider's to a request to submit, by a fate.
func (w *trial) answer(f fate) func(context.Context, connectors.Message, func()) error {
	return func(_ context.Context, _ connectors.Message, take func()) error {
		if f.take {
			take()
		}
		if f.late {
			w.mu.Lock()
			w.later[w.clock.Now().Add(quiet)] = take // no later than that it is believed
			w.mu.Unlock()
		}
		if f.cut {
			w.cut()
		}
		if f.killed {
			panic(killed{})
		}
		return f.err
	}
}

// do runs something as a process that may be killed, which then begins anew.
func (w *trial) do(f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.cut = cancel
	defer func() {
		switch v := recover(); v.(type) {
		case nil:
		case killed:
			w.restart()
		default:
			panic(v)
		}
	}()
	f(ctx)
}

// has reports whether the provider has the message, or will have.
func (w *trial) has() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.times() > 0 || len(w.later) > 0
}

// deliver tries once, and holds the result to what is so.
func (w *trial) deliver() (delivered bool) {
	w.do(func(ctx context.Context) {
		r := w.t.Deliver(ctx, w.letter)[0]
		w.Logf("%s %t %s", r.Status, r.Doubt, r.Text)
		switch {
		case r.Status == delivery.Delivered && w.times() != 1:
			w.Fatalf("delivered, and taken %d times", w.times())
		case r.Status != delivery.Delivered && !r.Doubt && w.has():
			w.Fatalf("the sender would be told that it was not delivered, and the provider has it: %+v", r)
		case r.Status == delivery.Refused:
			w.Fatalf("refused: %+v", r)
		}
		delivered = r.Status == delivery.Delivered
	})
	if n := w.times(); n > 1 {
		w.Fatalf("taken %d times", n)
	}
	return delivered
}

// Whatever fails, in whatever order, however often: a message is taken once at most, what the sender is told is so, and once all is well it is delivered.
func TestFaults(t *testing.T) {
	c := &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	record := openRecord(t, filepath.Join(t.TempDir(), "demail"), atrest.NewKey(), c.Now)
	rapid.Check(t, func(rt *rapid.T) {
		w := &trial{T: rt, provider: new(provider), clock: c, faulty: &faulty{Record: record}, letter: letter(t, c.Now(), "amt@stadt.de-mail.de"), later: map[time.Time]func(){}}
		w.o = demail.Options{Account: "main", Provider: w.provider, Record: w.faulty, Quiet: quiet + time.Second, Now: c.Now}
		w.restart()
		delivered := false
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			f := rapid.SampledFrom(fates()).Draw(rt, "fate")
			find := rapid.SampledFrom(finds()).Draw(rt, "find")
			settle := rapid.SampledFrom(writes()).Draw(rt, "settle")
			rt.Log(f.name, find)
			w.answers(w.answer(f))
			w.finds(find)
			w.faulty.begins(rapid.SampledFrom(writes()).Draw(rt, "begin"))
			w.faulty.settles(func(_ proof.Result, do func() error) error { return settle(do) })
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				w.restart()
			case 1:
				w.do(func(ctx context.Context) { w.t.Reconcile(ctx) })
			default:
				delivered = w.deliver() || delivered
			}
			w.pass(rapid.SampledFrom([]time.Duration{0, time.Minute, quiet, time.Hour}).Draw(rt, "pass"))
		}
		w.answers(nil)
		w.finds(nil)
		w.faulty.begins(nil)
		w.faulty.settles(nil)
		for range 4 {
			w.pass(time.Hour)
			delivered = w.deliver() || delivered
		}
		if !delivered || w.times() != 1 {
			rt.Fatalf("all is well, delivered %t, taken %d times", delivered, w.times())
		}
	})
}
