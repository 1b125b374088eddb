package main

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/backup"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
)

// lateMemory is a memory that is opened when it is first needed, and tried again where it cannot be: until then no PIN is presented, and
// the gateway serves what needs none.
type lateMemory struct {
	open func() (*smartcard.FileMemory, error)

	mu     sync.Mutex
	opened *smartcard.FileMemory
}

func (m *lateMemory) get() (*smartcard.FileMemory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened != nil {
		return m.opened, nil
	}
	opened, err := m.open()
	if err == nil {
		m.opened = opened
	}
	return opened, err
}

// Recall implements smartcard.Memory.
func (m *lateMemory) Recall(ctx context.Context, f smartcard.Fingerprint) (a smartcard.Attempt, ok bool, err error) {
	opened, err := m.get()
	if err != nil {
		return a, false, err
	}
	return opened.Recall(ctx, f)
}

// Unsettled implements smartcard.Memory.
func (m *lateMemory) Unsettled(ctx context.Context, card string, p smartcard.PIN) (map[smartcard.Fingerprint]smartcard.Attempt, error) {
	opened, err := m.get()
	if err != nil {
		return nil, err
	}
	return opened.Unsettled(ctx, card, p)
}

// Note implements smartcard.Memory.
func (m *lateMemory) Note(ctx context.Context, f smartcard.Fingerprint, a smartcard.Attempt) error {
	return m.change(func(opened *smartcard.FileMemory) error { return opened.Note(ctx, f, a) })
}

// Supersede implements smartcard.Memory.
func (m *lateMemory) Supersede(ctx context.Context, f smartcard.Fingerprint, a smartcard.Attempt) error {
	return m.change(func(opened *smartcard.FileMemory) error { return opened.Supersede(ctx, f, a) })
}

// Forget implements smartcard.Memory.
func (m *lateMemory) Forget(ctx context.Context, card string, p smartcard.PIN) error {
	return m.change(func(opened *smartcard.FileMemory) error { return opened.Forget(ctx, card, p) })
}

func (m *lateMemory) change(f func(*smartcard.FileMemory) error) error {
	opened, err := m.get()
	if err != nil {
		return err
	}
	return f(opened)
}

// smartcards are the cards of a gateway, over all of its configurations.
type smartcards struct {
	*cards.Holder
	back *comeback
}

// newSmartcards makes the holder of the cards; it asks none yet.
func newSmartcards(c *configs.Config, log logrus.FieldLogger) (*smartcards, error) {
	path, key, fingerprints, err := pinMemory(c)
	if err != nil {
		return nil, err
	}
	back := newComeback()
	memory := &lateMemory{open: func() (*smartcard.FileMemory, error) { return openPINMemory(path, key) }}
	return &smartcards{back: back, Holder: cards.New(cards.Options{
		Transport: pcsc.New(), Memory: memory, FingerprintKey: fingerprints, Returned: back.add, Log: log,
	})}, nil
}

// set makes the keys of a configuration whose secrets are there.
func (s *smartcards) set(c *configs.Config) (*cards.Set, error) {
	set, err := s.Set(cardEntries(c))
	if err == nil {
		s.back.wait(c)
	}
	return set, err
}

// cardEntries are the keys on cards of a configuration.
func cardEntries(c *configs.Config) (all []cards.Entry) {
	for _, e := range c.Smartcards {
		one := cards.Entry{Name: e.Name, Selection: e.Selection(), Want: e.Want(), Family: e.Family, PIN: e.PIN, Chain: e.Above()}
		if ref, ok := e.Reference(); ok {
			one.PINRef = &ref
		}
		if e.PKCS11.Given() {
			one.Token = cards.Token{Module: e.PKCS11.Module.String(), Label: e.PKCS11.Token, Serial: e.PKCS11.Serial}
		}
		all = append(all, one)
	}
	return all
}

// withCards adds cards to settings: they are watched while those are in force, and the ends of their certificates are told of.
func withCards(s *gateway.Settings, set *cards.Set) {
	for i, name := range set.Names() {
		one := gateway.Companion{Check: admin.Check{
			Name: "smartcard " + name, Warning: true,
			Advice: "Mail that needs the key of this card waits, and leaves once it can be used: siegel smartcard status says what to do.",
			Run:    func(context.Context) error { return set.Check(name) },
		}, Run: func(context.Context) {}}
		if i == 0 {
			one.Run = set.Run
		}
		s.Companions = append(s.Companions, one)
		s.Presented = append(s.Presented, gateway.Presented{By: "the smart card " + name, Certificates: func() []tls.Certificate { return set.Seen(name) }})
	}
}

// commandCards are the cards of a configuration for a command, which uses them beside the gateway and remembers with it which PINs were refused.
func commandCards(c *configs.Config, readers smartcard.Transport) (*cards.Holder, *cards.Set, error) {
	if len(c.Smartcards) == 0 {
		return nil, nil, nil
	}
	memory, fingerprints, err := gatewayMemory(c)
	if err != nil {
		return nil, nil, err
	}
	h := cards.New(cards.Options{Transport: readers, Memory: memory, FingerprintKey: fingerprints})
	set, err := h.Set(cardEntries(c))
	return h, set, err
}

// showCard has a route show itself by the key of a card.
func showCard(o *smtpout.Options, t configs.RouteTLS, set *cards.Set) {
	card, ok := t.Card()
	if !ok {
		return
	}
	present, ok := set.Presenter(card.Name, card.Chain)
	if !ok { // the check of the configuration has seen the entry
		present = func(context.Context) (tls.Certificate, error) {
			return tls.Certificate{}, errors.New("there is no smart card named " + card.Name)
		}
	}
	o.Present = present
}

// comeback tells the gateway what to try again when a card can be used again.
type comeback struct {
	signal chan struct{} // holds one

	mu    sync.Mutex
	names map[string]bool
	waits func(name string) []string // the destinations of what waits for a card, in the last configuration
}

func newComeback() *comeback {
	return &comeback{signal: make(chan struct{}, 1), names: map[string]bool{}, waits: func(string) []string { return nil }}
}

// add notes names. It does not wait.
func (b *comeback) add(names ...string) {
	b.mu.Lock()
	for _, n := range names {
		b.names[n] = true
	}
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// take takes the destinations of what was noted.
func (b *comeback) take() (destinations []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := range b.names {
		destinations = append(destinations, b.waits(n)...)
	}
	clear(b.names)
	return destinations
}

// wait notes where mail waits for cards: for a signature, at the routes and accounts of De-Mail that show themselves by one, and at the routes inward, where what was encrypted
// to the company waits for a key.
func (b *comeback) wait(c *configs.Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits = func(name string) []string {
		all := []string{queue.ProtectPrefix + cards.Source(name)}
		for _, r := range c.Routes {
			card, ok := r.TLS.Card()
			switch {
			case (!ok || card.Name != name) && !inward(c, r):
			case r.MX:
				all = append(all, "mx:")
			default:
				all = append(all, r.Name)
			}
		}
		for _, a := range c.DeMail.Accounts {
			if card, ok := a.TLS.Card(); ok && card.Name == name {
				all = append(all, queue.DeMailPrefix+a.Name)
			}
		}
		for _, p := range c.Backup {
			if card, ok := p.TLS.Card(); ok && card.Name == name {
				all = append(all, backup.Prefix)
			}
		}
		return all
	}
}

// inward reports whether a route takes mail to the company: by name, or as the one for everything where none does by name.
func inward(c *configs.Config, r configs.Route) bool {
	return slices.ContainsFunc(c.Domains, func(own mail.Pattern) bool {
		named := func(r configs.Route) bool { return slices.Contains(r.Domains, own) }
		return named(r) || slices.Contains(r.Domains, mail.Pattern{}) && !slices.ContainsFunc(c.Routes, named)
	})
}

// run has a gateway try again what waits, until ctx ends and the function that it returns was called.
func (b *comeback) run(ctx context.Context, g *gateway.Gateway) (wait func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-b.signal:
				g.TryAgain(ctx, b.take()...)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
