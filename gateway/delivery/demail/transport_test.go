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
	"github.com/siegel-mail/siegel/internal/atrest"
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

// A message that is tried for the first time long after it came may have been sent before a backup was restored.
func TestRestoredFromBackup(t *testing.T) {
	s := newStand(t)
	old := s.letter("amt@stadt.de-mail.de")
	s.want("sent", s.one(old), delivery.Delivered, false, "")
	s.record = openRecord(t, t.TempDir()+"/demail", atrest.NewKey(), s.clock.Now) // of before that
	s.faulty.Record = s.record
	s.restart()
	s.clock.add(2 * time.Hour)
	s.finds(connectors.ErrUnavailable)
	s.want("provider away", s.one(old), delivery.Deferred, false, "")
	s.finds(nil)
	s.want("found", s.one(old), delivery.Delivered, false, "prov-")
	if s.state(old) != proof.Taken {
		t.Error(s.state(old))
	}
	waited := s.letter("amt@stadt.de-mail.de")
	s.clock.add(2 * time.Hour)
	s.want("not sent before", s.one(waited), delivery.Delivered, false, "")
	blind := s.letter("amt@stadt.de-mail.de")
	s.clock.add(2 * time.Hour)
	s.finds(connectors.ErrInDoubt)
	s.want("a provider that cannot tell", s.one(blind), delivery.Delivered, false, "")
	if n, _ := s.requests(); n != 3 || s.times() != 3 {
		t.Errorf("%d requests, taken %d times", n, s.times())
	}
}

// A backup may be minutes old: what a process finds that an earlier one had is asked for, however short it is in the queue, and also where the record
// says that it was not taken at a first try.
func TestRestoredFromYoungBackup(t *testing.T) {
	for name, tried := range map[string]bool{"never tried by then": false, "tried by then": true} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			a := s.letter("amt@stadt.de-mail.de")
			old := openRecord(t, t.TempDir()+"/demail", atrest.NewKey(), s.clock.Now)
			if tried {
				s.faulty.Record = old
				s.always(connectors.ErrUnavailable)
				s.want("provider away", s.one(a), delivery.Deferred, false, "")
				s.clock.add(time.Minute)
			}
			s.faulty.Record = s.record // what came after the backup
			s.answers(nil)
			s.want("sent", s.one(a), delivery.Delivered, false, "")
			s.clock.add(time.Minute)
			s.record, s.faulty.Record = old, old
			s.restart()
			s.finds(connectors.ErrUnavailable)
			s.want("provider away", s.one(a), delivery.Deferred, false, "")
			s.finds(nil)
			s.want("found", s.one(a), delivery.Delivered, false, "prov-")
			if n := s.times(); n != 1 || s.state(a) != proof.Taken {
				t.Errorf("taken %d times, %s", n, s.state(a))
			}
		})
	}
}

// What was put off for certain, and then is refused, is refused: also by a provider that can never tell what it has.
func TestRefusedAfterItWasPutOff(t *testing.T) {
	s := newStand(t)
	s.finds(connectors.ErrInDoubt)
	a := s.letter("amt@stadt.de-mail.de")
	s.always(connectors.ErrUnavailable)
	s.want("put off", s.one(a), delivery.Deferred, false, "")
	s.always(connectors.ErrNoSuchAddress)
	s.want("refused", s.one(a), delivery.Refused, false, "knows no such address")
	if s.state(a) != proof.Refused {
		t.Error(s.state(a))
	}
}
