package providers

import (
	"context"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// The names of requests in metrics.
const (
	opDomains = "domains"
	opSubmit  = "submit"
	opFind    = "find"
	opFetch   = "fetch"
	opLookup  = "lookup"
)

// watched is a provider whose answers are noted.
type watched struct {
	p connectors.Provider
	a *Account
}

// Watch returns a provider that does what p does, and notes for the account how it went.
func (a *Account) Watch(p connectors.Provider) connectors.Provider { return watched{p, a} }

// Domains implements connectors.Provider.
func (w watched) Domains(ctx context.Context) ([]string, error) {
	domains, err := w.p.Domains(ctx)
	w.a.note(opDomains, err)
	return domains, err
}

// Submit implements connectors.Provider.
func (w watched) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	r, err := w.p.Submit(ctx, m)
	w.a.note(opSubmit, err)
	return r, err
}

// Find implements connectors.Provider.
func (w watched) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	r, err := w.p.Find(ctx, key)
	w.a.note(opFind, err)
	return r, err
}

// Fetch implements connectors.Provider.
func (w watched) Fetch(ctx context.Context, handler connectors.Handler) error {
	err := w.p.Fetch(ctx, handler)
	w.a.note(opFetch, err)
	return err
}

// Lookup implements connectors.Provider.
func (w watched) Lookup(ctx context.Context, a demail.Address) (connectors.Entry, error) {
	e, err := w.p.Lookup(ctx, a)
	w.a.note(opLookup, err)
	return e, err
}
