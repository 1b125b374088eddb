package demail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	demailaddr "github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
)

func TestNewNeedsParts(t *testing.T) {
	s := newStand(t)
	for _, change := range []func(*demail.Options){
		func(o *demail.Options) { o.Account = "" },
		func(o *demail.Options) { o.Provider = nil },
		func(o *demail.Options) { o.Record = nil },
	} {
		o := s.o
		change(&o)
		if _, err := demail.New(o); !errors.Is(err, demail.ErrOptions) {
			t.Error(err)
		}
	}
}

// What is submitted, and what the record says of it before and after.
func TestSubmits(t *testing.T) {
	s := newStand(t)
	a := s.letter("amt@stadt.de-mail.de", "kopie@stadt.de-mail.de")
	a.Content = content(strings.Replace(string(a.Content.(content)), ",\r\n \"Amt 2\"", "\r\nCc: undisclosed <x@y.example>, \"Amt 2\"", 1))
	hidden, _ := mail.ParseAddress("Blind@Stadt.de-mail.de")
	a.Envelope.Recipients = append(a.Envelope.Recipients, mail.Recipient{Address: hidden})
	s.answers(func(_ context.Context, m connectors.Message, take func()) error {
		r := s.records(a)
		if len(r) != 1 || r[0].State != proof.Trying || r[0].Key != m.Key || r[0].Subject != "Antrag" || r[0].Origin != a.Origin || r[0].Author.String() != "alice@firma.example" ||
			r[0].MessageID != "<"+string(a.Envelope.ID)+"@firma.example>" {
			t.Errorf("the record while it is submitted: %+v", r)
		}
		take()
		return nil
	})
	r := s.one(a)
	s.want("result", r, delivery.Delivered, false, "prov-"+string(a.Envelope.ID)+"-1")
	if r.Host != "provider.example" || r.Reports {
		t.Errorf("result %+v", r)
	}
	m := s.taken[string(a.Envelope.ID)+"-1"][0]
	want := `to="Amt 1" <amt@stadt.de-mail.de>; cc="Amt 2" <kopie@stadt.de-mail.de>; bcc=blind@stadt.de-mail.de`
	if got := m.Recipients.String(); got != want {
		t.Errorf("recipients %s\nwant       %s", got, want)
	}
	if m.Sender.String() != "kontakt@firma.de-mail.de" || !m.Options.Dispatch || m.Content.Size() != a.Content.Size() {
		t.Errorf("message %+v", m)
	}
	if got := s.records(a)[0]; got.State != proof.Taken || got.Receipt.ID != "prov-"+m.Key {
		t.Errorf("record %+v", got)
	}
	s.want("again, as after a crash", s.one(a), delivery.Delivered, false, "prov-")
	if n, asked := s.requests(); n != 1 || asked != 0 {
		t.Errorf("%d requests, %d questions", n, asked)
	}
}

// What each error of a provider means.
func TestOutcomes(t *testing.T) {
	amt, _ := demailaddr.ParseAddress("amt@stadt.de-mail.de")
	refused := func(code int, enhanced, text string) delivery.Result {
		return delivery.Result{Status: delivery.Refused, Code: code, Enhanced: enhanced, Text: text, Host: "provider.example"}
	}
	for name, c := range map[string]struct {
		err   error
		want  delivery.Result
		state proof.State
	}{
		"away":        {connectors.Errorf(connectors.ErrUnavailable, "down"), delivery.Result{Status: delivery.Deferred, Enhanced: "4.4.1", Text: "the provider is not available: down", Unreachable: true}, proof.Waiting},
		"card pulled": {connectors.Unsent(errors.New("no card"), "the card is away"), delivery.Result{Status: delivery.Deferred, Enhanced: "4.4.1", Text: "the provider is not available: the card is away", Unreachable: true}, proof.Waiting},
		"login":       {connectors.Errorf(connectors.ErrLogin, ""), delivery.Result{Status: delivery.Deferred, Enhanced: "4.4.1", Text: "the provider does not let the account in", Unreachable: true}, proof.Waiting},
		"not today": {&connectors.Error{Class: connectors.ErrNotEntitled, After: 5 * time.Hour},
			delivery.Result{Status: delivery.Deferred, Enhanced: "4.3.0", Text: "the account is not entitled to this", Host: "provider.example", Pause: 5 * time.Hour}, proof.Waiting},
		"not for a year": {&connectors.Error{Class: connectors.ErrNotEntitled, After: 9000 * time.Hour},
			delivery.Result{Status: delivery.Deferred, Enhanced: "4.3.0", Text: "the account is not entitled to this", Host: "provider.example", Pause: 24 * time.Hour}, proof.Waiting},
		"not entitled": {&connectors.Error{Class: connectors.ErrNotEntitled, Code: "E7"}, refused(550, "5.7.1", "the De-Mail account may not send this message, or not with these options (E7)"), proof.Refused},
		"no address": {&connectors.Error{Class: connectors.ErrNoSuchAddress, Addresses: []demailaddr.Address{amt, amt, amt, amt, amt, amt}},
			refused(550, "5.1.1", "the De-Mail provider cannot reach "+strings.TrimSuffix(strings.Repeat(amt.String()+", ", 5), ", ")+", 1 more, so the message was sent to nobody"), proof.Refused},
		"no address, unnamed": {connectors.ErrNoSuchAddress, refused(550, "5.1.1", "the De-Mail provider knows no such address, or cannot reach it with these options"), proof.Refused},
		"too large":           {connectors.ErrTooLarge, refused(552, "5.3.4", "the message is larger than the De-Mail provider takes"), proof.Refused},
		"rejected":            {&connectors.Error{Class: connectors.ErrRejected, Code: "X\r\nY", Text: "secret"}, refused(554, "5.0.0", `the De-Mail provider refuses the message (X\r\nY)`), proof.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.always(c.err)
			a := s.letter("amt@stadt.de-mail.de")
			if r := s.one(a); r != c.want {
				t.Errorf("result %+v\nwant   %+v", r, c.want)
			}
			if got := s.state(a); got != c.state {
				t.Errorf("state %s, want %s", got, c.state)
			}
			if c.state != proof.Refused {
				s.answers(nil)
				s.want("later", s.one(a), delivery.Delivered, false, "")
				return
			}
			s.restart()
			if r := s.one(a); r != c.want {
				t.Errorf("after a restart %+v", r)
			}
			if n, _ := s.requests(); n != 1 {
				t.Errorf("%d requests for what was refused", n)
			}
		})
	}
}

// What is not De-Mail of this account, or for no De-Mail address, goes nowhere.
func TestStrangers(t *testing.T) {
	s := newStand(t)
	a := s.letter("amt@stadt.de-mail.de")
	a.Envelope.DeMail = nil
	s.want("no De-Mail", s.one(a), delivery.Held, false, "not De-Mail of the account main")
	a = s.letter("amt@stadt.de-mail.de")
	a.Envelope.DeMail.Account = "other"
	s.want("another account", s.one(a), delivery.Held, false, "not De-Mail of the account main")
	a = s.letter("amt@stadt.de-mail.de", `"a b"@stadt.de-mail.de`)
	r := s.deliver(a)
	s.want("good address", r[0], delivery.Delivered, false, "")
	s.want("no address", r[1], delivery.Refused, false, "not written as")
	if s.times() != 1 {
		t.Errorf("taken %d times", s.times())
	}
}

// brokenContent cannot be read back.
type brokenContent struct{ content }

func (brokenContent) Open() (io.ReadCloser, error) { return nil, fmt.Errorf("x: %w", queue.ErrDamaged) }

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

// A record that cannot be written stops what it must, and what is known is not forgotten over it.
func TestRecordFails(t *testing.T) {
	broken := errors.New("disk on fire")
	t.Run("at the beginning", func(t *testing.T) {
		s := newStand(t)
		s.faulty.begins(func(func() error) error { return broken })
		a := s.letter("amt@stadt.de-mail.de")
		s.want("not begun", s.one(a), delivery.Deferred, false, "without it nothing is sent")
		if n, _ := s.requests(); n != 0 {
			t.Errorf("%d requests", n)
		}
		s.faulty.begins(func(do func() error) error { do(); return broken })
		s.want("begun, and nobody knows", s.one(a), delivery.Deferred, false, "without it nothing is sent")
		s.faulty.begins(nil)
		s.want("as if it had been tried", s.one(a), delivery.Deferred, true, "may still be at it")
		s.clock.add(quiet)
		s.want("then", s.one(a), delivery.Delivered, false, "")
	})
	for name, c := range map[string]struct {
		answer error
		r      delivery.Status
		doubt  bool
		next   delivery.Status
	}{
		"taken":   {nil, delivery.Deferred, true, delivery.Delivered},
		"refused": {connectors.ErrRejected, delivery.Deferred, false, delivery.Refused},
		"later":   {connectors.ErrUnavailable, delivery.Deferred, false, delivery.Deferred},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.finds(connectors.ErrInDoubt) // the provider is of no help
			s.answers(func(_ context.Context, _ connectors.Message, take func()) error {
				if c.answer == nil {
					take()
				}
				return c.answer
			})
			s.faulty.settles(func(proof.Result, func() error) error { return broken })
			a := s.letter("amt@stadt.de-mail.de")
			s.want("unwritten", s.one(a), c.r, c.doubt, "cannot be written")
			s.want("unwritten still", s.one(a), c.r, c.doubt, "cannot be written")
			s.faulty.settles(nil)
			s.want("written", s.one(a), c.next, false, "")
			if n, _ := s.requests(); n > 2 || s.times() > 1 {
				t.Errorf("%d requests, taken %d times", n, s.times())
			}
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		s := newStand(t)
		s.faulty.named = broken
		s.want("unread", s.one(s.letter("amt@stadt.de-mail.de")), delivery.Deferred, true, "cannot be read")
	})
	t.Run("the doubt", func(t *testing.T) {
		s := newStand(t)
		s.faulty.settles(func(proof.Result, func() error) error { return broken })
		s.answers(func(_ context.Context, _ connectors.Message, take func()) error { take(); return connectors.ErrInDoubt })
		s.finds(connectors.ErrUnavailable)
		a := s.letter("amt@stadt.de-mail.de")
		s.want("doubt", s.one(a), delivery.Deferred, true, "")
		s.faulty.settles(nil)
		s.finds(nil)
		s.restart()
		s.want("found", s.one(a), delivery.Delivered, false, "")
	})
}

// A confirmation comes while the gateway thinks that a message was not taken: the provider's last word counts.
func TestConfirmedMeanwhile(t *testing.T) {
	s := newStand(t)
	s.always(connectors.ErrInDoubt)
	s.finds(connectors.ErrUnavailable)
	a := s.letter("amt@stadt.de-mail.de")
	s.one(a)
	key := string(a.Envelope.ID) + "-1"
	s.clock.add(quiet)
	s.finds(connectors.ErrNotFound)
	s.faulty.settles(func(_ proof.Result, do func() error) error {
		s.faulty.settles(nil)
		if err := s.record.Settle(t.Context(), key, proof.Result{State: proof.Taken}); err != nil { // the confirmation
			t.Error(err)
		}
		return do()
	})
	s.want("too late", s.one(a), delivery.Deferred, true, "")
	s.want("next", s.one(a), delivery.Delivered, false, "the De-Mail provider has it")
	if n, _ := s.requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// Operators keep single recipients back: each is served once, whoever else is in the attempt.
func TestSubsets(t *testing.T) {
	s := newStand(t)
	whole := s.letter("a@stadt.de-mail.de", "b@stadt.de-mail.de", "c@stadt.de-mail.de")
	part := func(rows ...int) delivery.Attempt {
		p := whole
		p.Envelope.Recipients = nil
		for _, i := range rows {
			p.Envelope.Recipients = append(p.Envelope.Recipients, whole.Envelope.Recipients[i])
		}
		return p
	}
	s.always(connectors.ErrInDoubt)
	s.finds(connectors.ErrUnavailable)
	s.want("first", s.one(part(0, 1)), delivery.Deferred, true, "")
	s.answers(nil)
	r := s.deliver(part(1, 2))
	s.want("in doubt already", r[0], delivery.Deferred, true, "")
	s.want("new", r[1], delivery.Delivered, false, string(whole.Envelope.ID)+"-2")
	s.finds(connectors.ErrNotFound)
	s.clock.add(quiet)
	s.want("not taken: one of both is left", s.one(part(1)), delivery.Delivered, false, "-3")
	s.want("and the other", s.one(part(0)), delivery.Delivered, false, "-4")
	for _, i := range []int{0, 1, 2} {
		s.want("settled", s.one(part(i)), delivery.Delivered, false, "")
	}
	to := map[string]int{}
	for _, messages := range s.taken {
		for _, m := range messages {
			for _, r := range m.Recipients.All() {
				to[r.Address.String()]++
			}
		}
	}
	if fmt.Sprint(to) != "map[a@stadt.de-mail.de:1 b@stadt.de-mail.de:1 c@stadt.de-mail.de:1]" {
		t.Errorf("taken %v", to)
	}
}

// What cannot be read back is held, and nothing was begun.
func TestDamagedContent(t *testing.T) {
	s := newStand(t)
	a := s.letter("amt@stadt.de-mail.de")
	a.Content = brokenContent{}
	s.want("damaged", s.one(a), delivery.Held, false, queue.ErrDamaged.Error())
	if s.state(a) != proof.None {
		t.Error(s.state(a))
	}
}
