// Package guard keeps the logins few that a provider refuses: it stops asking after one, and until somebody says that it was mended. It speaks to no
// provider itself.
//
// Providers lock accounts, and cards, after some refused logins; each request may be one. So after a first refusal no request passes any more; and until
// one request has shown that the account is let in, they pass one at a time.
package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Provider is a connectors.Provider in front of another one. It is to be the only way to that one.
type Provider struct {
	p    connectors.Provider
	now  func() time.Time
	turn chan struct{} // of the one request that passes while nothing is proven

	mu      sync.Mutex
	proven  bool // a request has shown that the account is let in
	resumed int  // how often Resume was called: what began before shows nothing of the account as it is now
	refused error
	since   time.Time
	tell    func(error)
}

var _ connectors.Provider = (*Provider)(nil)

// New guards a provider. A nil clock is time.Now.
func New(p connectors.Provider, now func() time.Time) *Provider {
	if now == nil {
		now = time.Now
	}
	return &Provider{p: p, now: now, turn: make(chan struct{}, 1)}
}

// Tell sets who is told when the provider refuses the account, once until Resume; nil: nobody. It is called within a request.
func (g *Provider) Tell(tell func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tell = tell
}

// Refused is since when the provider is not asked any more, and why; nil where it is.
func (g *Provider) Refused() (since time.Time, why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.since, g.refused
}

// Resume has the provider asked again.
func (g *Provider) Resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused, g.since, g.proven = nil, time.Time{}, false
	g.resumed++
}

// pass is a request under way.
type pass struct {
	g     *Provider
	once  sync.Once
	turn  bool
	round int // Provider.resumed when it began
}

// enter lets a request pass, alone where nothing is proven. The error is ErrLogin where none passes, or says that ctx ended.
func (g *Provider) enter(ctx context.Context) (*pass, error) {
	if proven, round, err := g.state(); err != nil || proven {
		return &pass{g: g, round: round}, err
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, connectors.Unsent(ctx.Err(), "called off while another request showed whether the provider lets the account in")
	}
	proven, round, err := g.state()
	if err != nil || proven {
		<-g.turn
		return &pass{g: g, round: round}, err
	}
	return &pass{g: g, turn: true, round: round}, nil
}

// state is whether anything is proven since Resume was called so many times, or why nothing passes.
func (g *Provider) state() (proven bool, round int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused == nil {
		return g.proven, g.resumed, nil
	}
	return false, g.resumed, &connectors.Error{Class: connectors.ErrLogin, Err: g.refused, Text: fmt.Sprintf(
		"refused at %s, and not tried again since, for tries may lock the account; mend it, then: siegel reload", g.since.Format(time.RFC3339))}
}

// letIn is what a request shows in its midst: that the account is let in.
func (p *pass) letIn() { p.leave(nil) }

// leave ends a request, or the waiting of others for it.
func (p *pass) leave(err error) {
	p.once.Do(func() {
		class := connectors.Class(err)
		p.g.mu.Lock()
		if p.g.refused == nil && p.round == p.g.resumed && (err == nil || class == connectors.ErrNotFound || class == connectors.ErrNoSuchAddress) {
			p.g.proven = true
		}
		p.g.mu.Unlock()
		if p.turn {
			defer func() { <-p.g.turn }()
		}
		p.g.learn(err)
	})
}

// learn stops all requests after a refusal.
func (g *Provider) learn(err error) {
	if connectors.Class(err) != connectors.ErrLogin {
		return
	}
	g.mu.Lock()
	first, tell := g.refused == nil, g.tell
	if first {
		g.refused, g.since, g.proven = err, g.now(), false
	}
	g.mu.Unlock()
	if first && tell != nil {
		tell(err)
	}
}

// Domains implements connectors.Provider.
func (g *Provider) Domains(ctx context.Context) (domains []string, err error) {
	p, err := g.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.leave(err) }()
	return g.p.Domains(ctx)
}

// Submit implements connectors.Provider.
func (g *Provider) Submit(ctx context.Context, m connectors.Message) (r connectors.Receipt, err error) {
	if err := m.Check(); err != nil { // it says nothing of the provider
		return connectors.Receipt{}, err
	}
	p, err := g.enter(ctx)
	if err != nil {
		return connectors.Receipt{}, err
	}
	defer func() { p.leave(err) }()
	return g.p.Submit(ctx, m)
}

// Find implements connectors.Provider.
func (g *Provider) Find(ctx context.Context, key string) (r connectors.Receipt, err error) {
	p, err := g.enter(ctx)
	if err != nil {
		return connectors.Receipt{}, err
	}
	defer func() { p.leave(err) }()
	return g.p.Find(ctx, key)
}

// Fetch implements connectors.Provider. The first message that comes shows that the account is let in.
func (g *Provider) Fetch(ctx context.Context, handler connectors.Handler) (err error) {
	p, err := g.enter(ctx)
	if err != nil {
		return err
	}
	var handled error
	defer func() {
		if err != nil && err == handled { //nolint:errorlint // the handler's own says nothing of the provider
			p.leave(nil)
			return
		}
		p.leave(err)
		g.learn(err)
	}()
	return g.p.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
		p.letIn()
		handled = handler(ctx, in)
		return handled
	})
}

// Lookup implements connectors.Provider.
func (g *Provider) Lookup(ctx context.Context, a demail.Address) (e connectors.Entry, err error) {
	p, err := g.enter(ctx)
	if err != nil {
		return connectors.Entry{}, err
	}
	defer func() { p.leave(err) }()
	return g.p.Lookup(ctx, a)
}
