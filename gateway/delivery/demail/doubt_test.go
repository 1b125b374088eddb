package demail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// A lost answer: the provider is asked for the key, and the message is never submitted again while it may have it.
func TestLostAnswer(t *testing.T) {
	lost := connectors.Lost(errors.New("reset"), "the connection ended")
	t.Run("taken", func(t *testing.T) {
		s := newStand(t)
		s.answers(func(_ context.Context, _ connectors.Message, take func()) error { take(); return lost })
		a := s.letter("amt@stadt.de-mail.de")
		s.want("found at once", s.one(a), delivery.Delivered, false, "prov-")
	})
	t.Run("taken, provider away", func(t *testing.T) {
		s := newStand(t)
		s.answers(func(_ context.Context, _ connectors.Message, take func()) error { take(); return lost })
		s.finds(connectors.ErrUnavailable)
		a := s.letter("amt@stadt.de-mail.de")
		for range 3 {
			r := s.one(a)
			s.want("asked", r, delivery.Deferred, true, "asked again")
			if !r.Unreachable || s.state(a) != proof.Doubtful {
				t.Errorf("result %+v, state %s", r, s.state(a))
			}
			s.clock.add(time.Hour)
			s.restart()
		}
		s.finds(nil)
		s.want("found", s.one(a), delivery.Delivered, false, "prov-")
		if n, _ := s.requests(); n != 1 || s.times() != 1 {
			t.Errorf("%d requests, taken %d times", n, s.times())
		}
	})
	t.Run("not taken", func(t *testing.T) {
		s := newStand(t)
		s.always(lost)
		a := s.letter("amt@stadt.de-mail.de")
		r := s.one(a)
		s.want("too early", r, delivery.Deferred, true, "may still be at it")
		if r.Pause != quiet {
			t.Errorf("pause %s", r.Pause)
		}
		s.answers(nil)
		s.clock.add(quiet - time.Second)
		s.reload()
		s.want("still too early", s.one(a), delivery.Deferred, true, "may still be at it")
		s.clock.add(time.Second)
		s.want("again", s.one(a), delivery.Delivered, false, "prov-"+string(a.Envelope.ID)+"-1")
		if n, _ := s.requests(); n != 2 || s.times() != 1 {
			t.Errorf("%d requests, taken %d times", n, s.times())
		}
	})
	t.Run("nobody can tell", func(t *testing.T) {
		s := newStand(t)
		s.always(lost)
		s.finds(connectors.ErrInDoubt)
		a := s.letter("amt@stadt.de-mail.de")
		r := s.one(a)
		s.want("held", r, delivery.Held, true, "siegel demail resolve "+string(a.Envelope.ID)+"-1 with --taken or --not-taken")
		s.want("released by an operator", s.one(a), delivery.Held, true, "siegel queue release")
		if err := s.record.Resolve(t.Context(), string(a.Envelope.ID)+"-1", proof.DecideTaken, "root"); err != nil {
			t.Fatal(err)
		}
		s.want("a person said it was taken", s.one(a), delivery.Delivered, false, "the De-Mail provider has it")
		if n, _ := s.requests(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("a person says no", func(t *testing.T) {
		s := newStand(t)
		s.always(lost)
		s.finds(connectors.ErrInDoubt)
		a := s.letter("amt@stadt.de-mail.de")
		s.one(a)
		if err := s.record.Resolve(t.Context(), string(a.Envelope.ID)+"-1", proof.DecideNotTaken, "root"); err != nil {
			t.Fatal(err)
		}
		s.want("refused", s.one(a), delivery.Refused, false, "an administrator found that")
		if n, _ := s.requests(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("an id that is none", func(t *testing.T) {
		s := newStand(t)
		s.o.Provider = namelessProvider{s.provider}
		s.reload()
		a := s.letter("amt@stadt.de-mail.de")
		s.finds(connectors.ErrUnavailable)
		s.want("doubt", s.one(a), delivery.Deferred, true, "")
	})
}

// namelessProvider takes messages and gives no id.
type namelessProvider struct{ *provider }

func (p namelessProvider) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	_, err := p.provider.Submit(ctx, m)
	return connectors.Receipt{}, err
}

// The slowest of providers takes a message long after it was asked for it in vain, and refuses it the second time: it has it.
func TestRefusesWhatItHas(t *testing.T) {
	for name, c := range map[string]struct {
		find   error
		status delivery.Status
		doubt  bool
	}{
		"away":           {connectors.ErrUnavailable, delivery.Deferred, true},
		"it cannot tell": {connectors.ErrInDoubt, delivery.Held, true},
		"it has it":      {nil, delivery.Delivered, false},
		"it has it not":  {nil, delivery.Refused, false},
	} {
		s := newStand(t)
		s.always(connectors.Lost(errors.New("reset"), "the connection ended"))
		a := s.letter("amt@stadt.de-mail.de")
		s.one(a)
		s.clock.add(quiet)
		s.answers(func(_ context.Context, _ connectors.Message, take func()) error {
			if c.status != delivery.Refused {
				take() // what was asked for at first
			}
			s.finds(c.find)
			return connectors.Errorf(connectors.ErrRejected, "this private id was used")
		})
		s.want(name, s.one(a), c.status, c.doubt, "")
	}
}

// An attempt that is cut in its midst is in doubt, and the record says so although the attempt leaves no trace in the queue.
func TestCut(t *testing.T) {
	for _, taken := range []bool{true, false} {
		s := newStand(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.answers(func(ctx context.Context, _ connectors.Message, take func()) error {
			if taken {
				take()
			}
			cancel()
			<-ctx.Done()
			return connectors.Lost(ctx.Err(), "called off")
		})
		s.finds(connectors.ErrUnavailable)
		a := s.letter("amt@stadt.de-mail.de")
		r := s.t.Deliver(ctx, a)
		s.want("cut", r[0], delivery.Deferred, true, "")
		if got := s.state(a); got != proof.Doubtful {
			t.Errorf("state %s", got)
		}
		s.finds(nil)
		s.answers(nil)
		s.restart()
		want := delivery.Delivered
		if !taken {
			want = delivery.Deferred
		}
		s.want("next", s.one(a), want, !taken, "")
	}
}

// One attempt at a message at a time, also where a lease has passed on and the old attempt does not end.
func TestOneAttemptAtATime(t *testing.T) {
	s := newStand(t)
	begun, end := make(chan struct{}), make(chan struct{})
	s.answers(func(_ context.Context, _ connectors.Message, take func()) error {
		close(begun)
		<-end
		take()
		return nil
	})
	a := s.letter("amt@stadt.de-mail.de")
	s.o.Flights = new(demail.Flights)
	s.reload()
	first := make(chan delivery.Result, 1)
	before := s.t
	go func() { first <- before.Deliver(context.Background(), a)[0] }()
	<-begun
	s.reload() // other settings
	s.want("second", s.one(a), delivery.Deferred, true, "has not ended")
	close(end)
	s.want("first", <-first, delivery.Delivered, false, "")
	if n, _ := s.requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// Whoever looks after messages in doubt asks for them and tells what can go on, while an attempt is at none.
func TestReconcile(t *testing.T) {
	s := newStand(t)
	s.answers(func(_ context.Context, m connectors.Message, take func()) error {
		if strings.Contains(m.Recipients.String(), "taken") {
			take()
		}
		return connectors.ErrInDoubt
	})
	s.finds(connectors.ErrInDoubt)
	told := 0
	s.o.Held = func(account, key string, id mail.ID) {
		if told++; account != "main" || key != string(id)+"-1" {
			t.Error(account, key, id)
		}
	}
	s.restart()
	taken, lost := s.letter("taken@stadt.de-mail.de"), s.letter("lost@stadt.de-mail.de")
	s.want("taken", s.one(taken), delivery.Held, true, "held, since")
	s.want("lost", s.one(lost), delivery.Held, true, "held, since")
	s.one(lost)
	if err := s.t.Reconcile(t.Context()); err != nil || len(s.due) != 0 {
		t.Error(err, s.due)
	}
	if told != 2 {
		t.Errorf("told %d times", told)
	}
	s.finds(nil)
	s.clock.add(quiet)
	if err := s.t.Reconcile(t.Context()); err != nil || len(s.due) != 2 {
		t.Error(err, s.due)
	}
	if s.state(taken) != proof.Taken || s.state(lost) != proof.Waiting {
		t.Error(s.state(taken), s.state(lost))
	}
	s.answers(nil)
	s.want("taken", s.one(taken), delivery.Delivered, false, "")
	s.want("lost", s.one(lost), delivery.Delivered, false, "")
	if s.times() != 2 {
		t.Errorf("taken %d times", s.times())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.t.Reconcile(ended); err == nil {
		t.Error("nobody asked, and no error")
	}
}

// A provider that cannot be reached is asked for one message, not for each: that takes its time, and would come to nothing.
func TestReconcileStops(t *testing.T) {
	s := newStand(t)
	s.always(connectors.ErrInDoubt)
	s.finds(connectors.ErrInDoubt)
	for range 3 {
		s.want("in doubt", s.one(s.letter("amt@stadt.de-mail.de")), delivery.Held, true, "held, since")
	}
	for _, c := range []struct {
		err  error
		want int
	}{{connectors.ErrInDoubt, 3}, {connectors.ErrUnavailable, 1}, {connectors.ErrLogin, 1}} {
		s.finds(c.err)
		_, before := s.requests()
		if err := s.t.Reconcile(t.Context()); err != nil {
			t.Error(err)
		}
		if _, after := s.requests(); after-before != c.want {
			t.Errorf("%v: asked for %d", c.err, after-before)
		}
	}
}

// What a process left behind in the midst, whose message is not in the queue any more, is asked for all the same.
func TestReconcilesOrphans(t *testing.T) {
	s := newStand(t)
	s.answers(func(_ context.Context, _ connectors.Message, take func()) error { take(); panic("killed") })
	a := s.letter("amt@stadt.de-mail.de")
	func() {
		defer func() { recover() }()
		s.deliver(a)
	}()
	if s.state(a) != proof.Trying {
		t.Fatal(s.state(a))
	}
	s.restart()
	if err := s.t.Reconcile(t.Context()); err != nil || s.state(a) != proof.Taken || len(s.due) != 1 {
		t.Error(err, s.state(a), s.due)
	}
}

// An attempt waits while the provider is only being asked, and then knows what it said; it does not wait for another attempt.
func TestAttemptWaitsForTheQuestion(t *testing.T) {
	s := newStand(t)
	s.answers(func(_ context.Context, _ connectors.Message, take func()) error { take(); return connectors.ErrInDoubt })
	s.finds(connectors.ErrUnavailable)
	a := s.letter("amt@stadt.de-mail.de")
	s.want("doubt", s.one(a), delivery.Deferred, true, "")
	asked, answer := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.find = func(context.Context, string) error { close(asked); <-answer; return nil }
	s.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- s.t.Reconcile(context.Background()) }()
	<-asked
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.want("cut", s.t.Deliver(ended, a)[0], delivery.Deferred, true, "has not ended")
	next := make(chan delivery.Result, 1)
	go func() { next <- s.t.Deliver(context.Background(), a)[0] }()
	close(answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.want("next", <-next, delivery.Delivered, false, "")
	if n, _ := s.requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}
