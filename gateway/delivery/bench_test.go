package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// bench is a Scheduler in a bubble of time of its own, with a store in memory and a hop that does as the
// test says.
type bench struct {
	*testing.T
	*memory
	*Scheduler
	stop func()

	mu       sync.Mutex
	deliver  func(ctx context.Context, a Attempt) []Result
	attempts []string // "recipients @ minutes since start"
	now, top int      // attempts at once: in this moment, and at most
	events   []track.Event
	routes   map[string]string // a domain's route where it is another
	began    time.Time
	route    Route // limits of all routes
}

// run runs a test in a bubble. prepare sets up options and may be nil.
func run(t *testing.T, prepare func(*bench, *Options), test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, memory: &memory{damaged: map[mail.ID]bool{}}, began: time.Now(), routes: map[string]string{}}
		b.deliver = func(context.Context, Attempt) []Result { return []Result{taken} }
		o := Options{
			Store: b.memory, Router: b, Recorder: b, Hostname: "gw.firma.example",
			Retry: Retry{Steps: []time.Duration{time.Minute, 5 * time.Minute, time.Hour}},
		}
		if prepare != nil {
			prepare(b, &o)
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		b.Scheduler = s
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		b.stop = func() { cancel(); <-done }
		go func() { defer close(done); s.Run(ctx) }()
		test(b)
		b.stop()
		if n := b.leased(); n != 0 && b.broken == nil {
			t.Errorf("%d recipients are still leased after the stop", n)
		}
	})
}

var (
	taken   = Result{Status: Delivered, Code: 250, Text: "taken", Remote: true, Host: "mx:25", Reports: true}
	later   = Result{Status: Deferred, Code: 451, Enhanced: "4.3.2", Text: "later", Remote: true, Host: "mx:25"}
	never   = Result{Status: Refused, Code: 550, Enhanced: "5.1.1", Text: "who?", Remote: true, Host: "mx:25"}
	nowhere = Result{Status: Deferred, Enhanced: "4.4.1", Text: "connecting: refused", Unreachable: true}
)

// always does the same with every recipient, after a while.
func always(r Result, takes time.Duration) func(context.Context, Attempt) []Result {
	return func(ctx context.Context, a Attempt) []Result {
		select {
		case <-time.After(takes):
			return repeat(r, len(a.Envelope.Recipients))
		case <-ctx.Done():
			return repeat(Result{Status: Deferred, Text: context.Cause(ctx).Error(), Unreachable: true}, len(a.Envelope.Recipients))
		}
	}
}

// Record notes an event.
func (b *bench) Record(e track.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// Destination is the domain, or what routes has for it.
func (b *bench) Destination(a mail.Address) (string, error) {
	r, err := b.Route(a)
	return r.Name, err
}

// Archive gives the bench as the archive, for any name but "none".
func (b *bench) Archive(name string) (Route, error) {
	r, err := b.DeMail(name)
	r.Name = queue.ArchivePrefix + name
	return r, err
}

// DeMail gives the bench as the provider, for any account but "none".
func (b *bench) DeMail(account string) (Route, error) {
	if account == "none" {
		return Route{}, ErrNoRoute
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.route
	r.Name, r.Transport = queue.DeMailPrefix+account, b
	return r, nil
}

// Route is Destination's, with the bench as the hop.
func (b *bench) Route(a mail.Address) (Route, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, ok := b.routes[a.Domain]
	switch {
	case !ok:
		name = a.Domain
	case name == "":
		return Route{}, ErrNoRoute
	}
	r := b.route
	r.Name, r.Transport = name, b
	return r, nil
}

// Deliver is the hop.
func (b *bench) Deliver(ctx context.Context, a Attempt) []Result {
	var to []string
	for _, r := range a.Envelope.Recipients {
		to = append(to, r.Address.String())
	}
	b.mu.Lock()
	b.attempts = append(b.attempts, fmt.Sprintf("%s @ %g", strings.Join(to, " "), time.Since(b.began).Minutes()))
	b.now++
	b.top = max(b.top, b.now)
	deliver := b.deliver
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.now--
		b.mu.Unlock()
	}()
	return deliver(ctx, a)
}

// put puts entries and wakes the scheduler.
func (b *bench) put(entries ...queue.New) {
	b.Helper()
	if err := b.Put(b.Context(), entries); err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		b.Wake(e.Destinations...)
	}
}

// letter puts a message and returns its id.
func (b *bench) letter(change func(*queue.New), to ...string) mail.ID {
	b.Helper()
	e := letter(b, time.Now(), to...)
	if change != nil {
		change(&e)
	}
	b.put(e)
	return e.Envelope.ID
}

// hop makes the hop do something else.
func (b *bench) hop(deliver func(context.Context, Attempt) []Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliver = deliver
}

// states are the states of all recipients: "bob@x.example queued 2".
func (b *bench) states() (list []string) {
	messages, _ := b.List(b.Context(), queue.Filter{})
	for _, m := range messages {
		for _, r := range m.Recipients {
			list = append(list, fmt.Sprintf("%s %s %d", r.Address, r.State, r.Attempts))
		}
	}
	return list
}

// want compares lists after everything has come to rest.
func (b *bench) want(what string, got func() []string, want ...string) {
	b.Helper()
	synctest.Wait()
	if list := got(); !slices.Equal(list, want) {
		b.Errorf("%s:\n  %s\nwant:\n  %s", what, strings.Join(list, "\n  "), strings.Join(want, "\n  "))
	}
}

// most is the most attempts there ever were at once.
func (b *bench) most() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.top
}

func (b *bench) tried() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.attempts)
}

// reports are the contents of all messages with the null reverse-path.
func (b *bench) reports() (list []string) {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	for _, m := range b.messages {
		if m.Envelope.From.IsNull() {
			list = append(list, string(m.content))
		}
	}
	return list
}
