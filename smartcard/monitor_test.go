package smartcard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// post is a desk whose cards are watched.
type post struct {
	*desk
	monitor *smartcard.Monitor
	end     func()

	mu   sync.Mutex
	told []string // conditions, in their order: "name: before > now"
}

// watched watches cards within a bubble of testing/synctest.
func watched(t *testing.T, d *desk, bindings ...smartcard.Binding) *post {
	t.Helper()
	p := &post{desk: d}
	var err error
	p.monitor, err = d.wallet.Monitor(smartcard.Watching{Bindings: bindings, Changed: func(before, now smartcard.Status) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, fmt.Sprintf("%s: %s > %s", now.Name, before.Condition, now.Condition))
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.monitor.Run(ctx) }()
	p.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(p.end)
	return p
}

// is waits until nothing moves any more, and compares the condition.
func (p *post) is(name string, want smartcard.Condition) smartcard.Status {
	p.t.Helper()
	synctest.Wait()
	s, ok := p.monitor.Status(name)
	if !ok || s.Condition != want {
		p.t.Errorf("%s: %s, %v; want %s", s, s.Advice(), s.Err, want)
	}
	if !s.Condition.Usable() && s.Condition != smartcard.Asking && s.Advice() == "" {
		p.t.Errorf("%s: no advice", s.Condition)
	}
	return s
}

// changes are those since the last call.
func (p *post) changes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.told
	p.told = nil
	return all
}

const serialTCOS = "89490176940000000001"

func binding(c simulated, ref byte, s smartcard.Selection) smartcard.Binding {
	return smartcard.Binding{Name: "card", Selection: s, Want: smartcard.Want{Fingerprint: fingerprint(c.Certificate(ref))}}
}

// What happens to readers, cards and the service is told once each, in its order, without a PIN and without asking a card that works.
func TestMonitorFollows(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c, other := newTCOS(t, cardtest.TCOSOptions{}), newPIV(t, cardtest.PIVOptions{})
		d := newDesk(t)
		p := watched(t, d, binding(c, cardtest.KeyAuthentication, smartcard.Selection{Serial: serialTCOS, Reader: "l*"}))
		for i, step := range []struct {
			do   func() error
			want smartcard.Condition
			text string
		}{
			{func() error { return nil }, smartcard.NoCard, `no card is in reader "left"`},
			{func() error { return d.rack.Insert("right", c) }, smartcard.NoCard, `no card is in reader "left"`},
			{func() error { return d.rack.Insert("left", other) }, smartcard.OtherCard, "piv 12345678"},
			{func() error { return d.rack.Misplace("left") }, smartcard.Mute, `"left"`},
			{func() error { return d.rack.Insert("left", &stranger{}) }, smartcard.UnknownCard, "its ATR is 3B021450"},
			{func() error { return d.rack.Insert("left", c) }, smartcard.Ready, "tcos 89490176940000000001 is in reader "},
			{func() error { return errors.Join(d.rack.Pull("left"), d.rack.Insert("left", c)) }, smartcard.Ready, "tcos 89490176940000000001 is in reader "},
			{func() error { d.rack.Stop(); return nil }, smartcard.NoService, "pcscd"},
			{func() error { d.rack.Start(); time.Sleep(15 * time.Second); return nil }, smartcard.Ready, "tcos 89490176940000000001 is in reader "},
			{func() error { d.rack.Detach("left"); return nil }, smartcard.NoReader, `no reader is named "l*"; there is "right"`},
			{func() error { d.rack.Detach("right"); return nil }, smartcard.NoReader, `no reader is there`},
			{func() error { d.rack.Attach("lower"); return nil }, smartcard.NoCard, `no card is in reader "lower"`},
			{func() error { return d.rack.Insert("lower", c) }, smartcard.Ready, "tcos 89490176940000000001 is in reader "},
		} {
			synctest.Wait()
			before := p.monitor.All()[0]
			time.Sleep(time.Minute)
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			s := p.is("card", step.want)
			if !strings.Contains(s.Text, step.text) {
				t.Errorf("%d: %q; want %q", i, s.Text, step.text)
			}
			want := []string{fmt.Sprintf("card: %s > %s", before.Condition, step.want)}
			if step.want == before.Condition {
				want = nil
			}
			got := p.changes()
			if step.want == smartcard.Ready && slices.Equal(got, []string{"card: ready > no-card", "card: no-card > ready"}) {
				got = nil // it looked just between pulling and inserting, and saw what was so
			}
			if !slices.Equal(got, want) && i > 0 {
				t.Errorf("%d: told %q; want %q", i, got, want)
			}
			if since := time.Since(s.Since); since > 20*time.Second && step.want != before.Condition {
				t.Errorf("%d: since %v", i, since)
			}
		}
		s := p.is("card", smartcard.Ready)
		if s.Identity.Serial != serialTCOS || s.Reader != "lower" || s.PIN.Tries != 3 || s.Key.Fingerprint() != fingerprint(c.Certificate(cardtest.KeyAuthentication)) {
			t.Errorf("%+v", s)
		}
		before := c.Counts().Commands
		time.Sleep(7 * 24 * time.Hour)
		if n := c.Counts(); n.Presented != 0 || n.Commands != before {
			t.Errorf("%d PINs presented; %d commands in a week without events", n.Presented, n.Commands-before)
		}
	})
}

// stranger is a card of no family that is known.
type stranger struct{ asked int }

func (*stranger) ATR() []byte { return []byte{0x3B, 0x02, 0x14, 0x50} }
func (*stranger) Reset()      {}
func (s *stranger) Transmit([]byte) []byte {
	s.asked++
	return []byte{0x6A, 0x82}
}

// What is wrong with PINs and certificates is known before anybody signs, and at once when somebody has.
func TestMonitorPINs(t *testing.T) {
	getKeys(t)
	for _, c := range []struct {
		name    string
		options cardtest.TCOSOptions
		pin     string
		do      func(t *testing.T, d *desk, c *cardtest.TCOS) // before it is watched
		want    smartcard.Condition
		signed  smartcard.Condition // after an attempt to sign
	}{
		{name: "right", pin: "123456", want: smartcard.Ready, signed: smartcard.Ready},
		{name: "missing", want: smartcard.PINIsMissing, signed: smartcard.PINIsMissing},
		{name: "form", pin: "12", want: smartcard.PINIsMalformed, signed: smartcard.PINIsMalformed},
		{name: "wrong", pin: "654321", want: smartcard.Ready, signed: smartcard.PINIsRefused},
		{name: "null", options: cardtest.TCOSOptions{NullPIN: true}, pin: "123456", want: smartcard.PINIsNull, signed: smartcard.PINIsNull},
		{name: "few", pin: "123456", do: waste(1), want: smartcard.PINHasFewTries, signed: smartcard.PINHasFewTries},
		{name: "blocked", pin: "123456", do: waste(3), want: smartcard.PINIsBlocked, signed: smartcard.PINIsBlocked},
		{name: "refused long ago", options: cardtest.TCOSOptions{Tries: 5}, pin: "654321", do: func(t *testing.T, d *desk, c *cardtest.TCOS) {
			if err := sign(d.key(c, cardtest.KeyAuthentication)); err == nil {
				t.Error("signed")
			}
			d.restart()
		}, want: smartcard.PINIsRefused, signed: smartcard.PINIsRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				card := newTCOS(t, c.options)
				d := newDesk(t, card)
				d.pin = c.pin
				if c.do != nil {
					c.do(t, d, card)
				}
				before := card.Counts().Presented
				p := watched(t, d, binding(card, cardtest.KeyAuthentication, smartcard.Selection{Reader: "left"}))
				p.is("card", c.want)
				time.Sleep(time.Hour) // looks again and again where it is in trouble
				p.is("card", c.want)
				if n := card.Counts().Presented - before; n != 0 {
					t.Errorf("%d PINs presented", n)
				}
				if err := sign(d.key(card, cardtest.KeyAuthentication)); (err == nil) != (c.signed == smartcard.Ready) {
					t.Error(err)
				}
				p.is("card", c.signed)
			})
		})
	}
}

// waste presents wrong PINs, as another program may.
func waste(n int) func(*testing.T, *desk, *cardtest.TCOS) {
	return func(_ *testing.T, _ *desk, c *cardtest.TCOS) {
		for range n {
			present(c, "999999")
		}
	}
}

func present(c *cardtest.TCOS, pin string) {
	c.Transmit([]byte{0, 0xA4, 0x04, 0x0C, 7, 0xD2, 0x76, 0, 0, 3, 1, 2})
	for _, ref := range []byte{cardtest.TCOSPIN2, cardtest.TCOSGlobal} {
		c.Transmit(append([]byte{0, apdu.Verify, 0, ref, byte(len(pin))}, pin...))
	}
}

// Who mends a PIN by another program, or in the configuration, need tell nobody.
func TestMonitorNoticesWhatIsMended(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newTCOS(t, cardtest.TCOSOptions{Tries: 5})
		d := newDesk(t, c)
		d.pin = "654321"
		p := watched(t, d, binding(c, cardtest.KeyAuthentication, smartcard.Selection{Reader: "left"}))
		p.is("card", smartcard.Ready)
		if err := sign(d.key(c, cardtest.KeyAuthentication)); err == nil {
			t.Error("signed")
		}
		p.is("card", smartcard.PINIsRefused)
		d.setPIN("123456")
		time.Sleep(5 * time.Minute)
		p.is("card", smartcard.Ready)
		waste(3)(t, d, c)
		if err := sign(d.key(c, cardtest.KeyAuthentication)); err == nil {
			t.Error("signed")
		}
		p.is("card", smartcard.PINHasFewTries)
		present(c, "123456")
		time.Sleep(5 * time.Minute)
		p.is("card", smartcard.Ready)
		want := []string{"card: asking > ready", "card: ready > pin-refused", "card: pin-refused > ready", "card: ready > pin-few-tries", "card: pin-few-tries > ready"}
		if got := p.changes(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

// An operation that succeeds ends a trouble at once, also where the service is not asked again for a while.
func TestMonitorHearsOfSuccess(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{})
		d := newDesk(t, c)
		p := watched(t, d, binding(c, cardtest.SlotAuthentication, smartcard.Selection{Serial: "12345678"}))
		p.is("card", smartcard.Ready)
		d.rack.Stop()
		time.Sleep(time.Hour)
		p.is("card", smartcard.NoService)
		d.rack.Start()
		if err := sign(d.key(c, cardtest.SlotAuthentication)); err != nil { // by another name for the card, so that nobody hears of it
			t.Error(err)
		}
		p.is("card", smartcard.NoService)
		if _, err := d.card(smartcard.Selection{Serial: "12345678"}).State(t.Context()); err != nil {
			t.Error(err)
		}
		p.is("card", smartcard.Ready)
	})
}

// Certificates grow old without an event.
func TestMonitorDates(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		c := newPIV(t, cardtest.PIVOptions{Now: func() time.Time { return time.Now().Add(48 * time.Hour) }})
		d := newDesk(t, c)
		p := watched(t, d, binding(c, cardtest.SlotAuthentication, smartcard.Selection{}))
		p.is("card", smartcard.CertificateEarly)
		commands := c.Counts().Commands
		time.Sleep(48 * time.Hour)
		p.is("card", smartcard.Ready)
		time.Sleep(334 * 24 * time.Hour)
		p.is("card", smartcard.Ready)
		time.Sleep(48 * time.Hour)
		p.is("card", smartcard.CertificateEnds)
		time.Sleep(31 * 24 * time.Hour)
		if s := p.is("card", smartcard.CertificateEnded); !s.Condition.Usable() {
			t.Error(s)
		}
		if n := c.Counts().Commands; n != commands {
			t.Errorf("the card was asked: %d commands", n-commands)
		}
		want := []string{"card: asking > certificate-not-yet-valid", "card: certificate-not-yet-valid > ready", "card: ready > certificate-expiring",
			"card: certificate-expiring > certificate-expired"}
		if got := p.changes(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

// What the binding itself has wrong has names.
func TestMonitorBindings(t *testing.T) {
	getKeys(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := newPIV(t, cardtest.PIVOptions{Serial: 1}), newTCOS(t, cardtest.TCOSOptions{})
		d := newDesk(t, a, b)
		bindings := map[string]smartcard.Binding{
			"ambiguous":       {},
			"no-certificate":  {Selection: smartcard.Selection{Serial: "1"}, Want: smartcard.Want{Fingerprint: strings.Repeat("0", 64)}},
			"non-repudiation": binding(a, cardtest.SlotSignature, smartcard.Selection{Serial: "1"}),
			"ready":           {Selection: smartcard.Selection{Reader: "right"}},
		}
		var all []smartcard.Binding
		for name, b := range bindings {
			b.Name = name
			all = append(all, b)
		}
		p := watched(t, d, all...)
		for name := range bindings {
			p.is(name, smartcard.Condition(name))
		}
		if _, ok := p.monitor.Status("none"); ok {
			t.Error("a card of no name")
		}
		p.changes()
		p.end()
		if got := p.changes(); len(got) != 0 {
			t.Errorf("told at the end: %q", got)
		}
		for name, err := range map[string]error{"twice": second(d.wallet.Monitor(smartcard.Watching{Bindings: []smartcard.Binding{{Name: "a"}, {Name: "a"}}})),
			"pattern": second(d.wallet.Monitor(smartcard.Watching{Bindings: []smartcard.Binding{{Selection: smartcard.Selection{Reader: `a\`}}}}))} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
