package mailbox

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Provider is an account at a provider that is reached by SMTP and IMAP. It is a connectors.Provider, and may be used from many goroutines at
// once. Every call makes connections of its own and closes them.
type Provider struct {
	options Options
	smtp    gate
	imap    gate
}

var _ connectors.Provider = (*Provider)(nil)

// New returns a provider. It connects to nothing. Its errors are the administrator's.
func New(o Options) (*Provider, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Provider{options: o}, nil
}

// gate keeps a server that has refused a login from being asked again at once: providers lock accounts.
type gate struct {
	mu      sync.Mutex
	refused time.Time
}

// pass reports whether a login may be tried.
func (g *gate) pass(o *Options) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := g.refused.Add(o.LoginGap).Sub(o.Now()); !g.refused.IsZero() && left > 0 {
		return &connectors.Error{Class: connectors.ErrLogin, Text: "the last login was refused; it is not tried again so soon, since providers lock accounts", After: left}
	}
	return nil
}

// note keeps what became of a login.
func (g *gate) note(o *Options, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		g.refused = time.Time{}
	case connectors.Class(err) == connectors.ErrLogin:
		g.refused = o.Now()
	}
}

// over is the error for a context that has ended.
func over(ctx context.Context) error {
	if ctx.Err() != nil {
		return connectors.Unsent(context.Cause(ctx), "called off")
	}
	return nil
}

// Domains are those of the options, once a login on both ways has worked, and the folders are there.
func (p *Provider) Domains(ctx context.Context) ([]string, error) {
	if err := p.tryIMAP(ctx); err != nil {
		return nil, err
	}
	client, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := client.Reset(ctx); err != nil { // it is there, and listens
		return nil, unsent(ctx, "submission", err)
	}
	return slices.Clone(p.options.Domains), nil
}

// tryIMAP logs in and looks at the folders.
func (p *Provider) tryIMAP(ctx context.Context) error {
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.use(p.options.Folder, true); err != nil {
		return err
	}
	if err := s.able(p.options.Done); err != nil {
		return err
	}
	if p.options.Sent == "" {
		return nil
	}
	_, err = s.use(p.options.Sent, true)
	return err
}

// Find looks into the folder of what was sent. What does not lie there is in doubt, unless the provider always puts it there.
func (p *Provider) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	if err := over(ctx); err != nil {
		return connectors.Receipt{}, err
	}
	if p.options.Sent == "" {
		return connectors.Receipt{}, connectors.Errorf(connectors.ErrInDoubt, "this provider keeps no copy of what was sent: whether the message was taken only a confirmation, or the provider's own pages, tell")
	}
	s, err := p.open(ctx)
	if err != nil {
		return connectors.Receipt{}, err
	}
	defer s.close()
	found, err := s.find(p.options.Sent, key)
	switch {
	case err != nil:
		return connectors.Receipt{}, err
	case found:
		return connectors.Receipt{ID: key}, nil
	case p.options.SentAlways:
		return connectors.Receipt{}, connectors.Errorf(connectors.ErrNotFound, "no message of this key lies in the folder of what was sent")
	}
	return connectors.Receipt{}, connectors.Errorf(connectors.ErrInDoubt, "no message of this key lies in the folder of what was sent, where the provider may put it later, or not at all")
}

// Lookup is not offered on this way.
func (p *Provider) Lookup(context.Context, demail.Address) (connectors.Entry, error) {
	return connectors.Entry{}, connectors.Errorf(connectors.ErrUnsupported, "there is no directory by SMTP and IMAP")
}
