package webservice

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Provider is an account at a provider with a web service. It is a connectors.Provider, and may be used from many goroutines at once.
type Provider struct{ client *Client }

var _ connectors.Provider = (*Provider)(nil)

// NewProvider makes a provider of a client.
func NewProvider(c *Client) *Provider { return &Provider{c} }

// Domains are those of the account.
func (p *Provider) Domains(ctx context.Context) ([]string, error) {
	domains, err := p.client.Domains(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return connectors.CheckDomains(domains)
}

// Submit hands over a message.
func (p *Provider) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	if err := m.Check(); err != nil {
		return connectors.Receipt{}, err
	}
	taken, err := p.client.Submit(ctx, Submission{
		Key: m.Key, Sender: m.Sender.String(), To: addresses(m.Recipients.To), Cc: addresses(m.Recipients.Cc), Bcc: addresses(m.Recipients.Bcc),
		Dispatch: m.Options.Dispatch, Receipt: m.Options.Receipt, Retrieve: m.Options.Retrieve,
		Authoritative: m.Options.Authoritative, Private: m.Options.Private, Content: m.Content,
	})
	if err != nil {
		return connectors.Receipt{}, translate(err)
	}
	if err := connectors.CheckID(taken.ID); err != nil {
		return connectors.Receipt{}, connectors.Lost(err, "submit: the provider's identifier of the message is none")
	}
	return connectors.Receipt{ID: taken.ID, Time: taken.Time}, nil
}

func addresses(list []demail.Mailbox) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.Address.String())
	}
	return out
}

// Find asks for a key. Where the profile has no find, it cannot tell.
func (p *Provider) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	found, err := p.client.Find(ctx, key)
	switch {
	case errors.Is(err, ErrMissing):
		return connectors.Receipt{}, connectors.Errorf(connectors.ErrInDoubt, "the profile has no find: whether the message was taken only a confirmation, or the provider's own pages, tell")
	case err != nil:
		return connectors.Receipt{}, translate(err)
	case len(found) == 0:
		return connectors.Receipt{}, connectors.Errorf(connectors.ErrNotFound, "no message of this key")
	}
	if err := connectors.CheckID(found[0].ID); err != nil {
		return connectors.Receipt{}, err
	}
	return connectors.Receipt{ID: found[0].ID, Time: found[0].Time}, nil
}

// mostFailed is after how many messages in a row that the provider does not give, or does not let go, it is the provider that is unwell.
const mostFailed = 5

// Fetch lists what waits, and hands over one after the other. A message that the provider does not give, or does not let go, holds up no other; the error is
// that of the first.
func (p *Provider) Fetch(ctx context.Context, handler connectors.Handler) error {
	list, err := p.client.List(ctx)
	if err != nil {
		return translate(err)
	}
	var first error
	failed := 0
	for _, w := range list {
		handled, err := p.one(ctx, w, handler)
		if err == nil {
			failed = 0
			continue
		}
		failed++
		if first == nil {
			first = err
		}
		switch {
		case handled != nil:
			return err
		case ctx.Err() != nil || errors.Is(err, connectors.ErrLogin) || failed == mostFailed:
			return first
		}
	}
	return first
}

// one hands over a message, and acknowledges it once it was stored. handled is the handler's own error.
func (p *Provider) one(ctx context.Context, w Waiting, handler connectors.Handler) (handled, err error) {
	if err := connectors.CheckID(w.ID); err != nil {
		return nil, err
	}
	mailbox, err := demail.ParseAddress(w.Mailbox)
	if err != nil {
		mailbox = demail.Address{} // as if the provider had not said it
	}
	err = p.client.Fetch(ctx, w.ID, func(in io.Reader) error {
		handled = handler(ctx, connectors.Incoming{ID: w.ID, Mailbox: mailbox, Size: w.Size, Content: connectors.Bounded(in)})
		return handled
	})
	switch {
	case ClassOf(err) == NotFound: // somebody else has fetched it since it was listed
		return nil, nil
	case errors.Is(handled, connectors.ErrLeave):
		return nil, ctx.Err()
	case err != nil && err == handled: //nolint:errorlint // whether it is the handler's own
		return handled, handled
	case err != nil:
		return handled, translate(err)
	}
	return nil, translate(p.client.Acknowledge(ctx, w.ID))
}

// Lookup asks the directory. What it says of other addresses does not count.
func (p *Provider) Lookup(ctx context.Context, a demail.Address) (connectors.Entry, error) {
	found, err := p.client.Lookup(ctx, a.String())
	if errors.Is(err, ErrMissing) {
		return connectors.Entry{}, connectors.Errorf(connectors.ErrUnsupported, "the profile has no lookup")
	}
	if err != nil {
		return connectors.Entry{}, translate(err)
	}
	out := connectors.Entry{}
	for _, f := range found {
		if address, err := demail.ParseAddress(f.Address); err != nil || address != a {
			continue
		}
		out.Address = a
		if out.Level == "" {
			out.Level = demail.Level(f.Level)
		}
		if f.Certificate != nil {
			out.Certificates = append(out.Certificates, f.Certificate)
		}
	}
	if out.Address.IsZero() {
		return connectors.Entry{}, &connectors.Error{Class: connectors.ErrNoSuchAddress, Text: "lookup: the directory does not know it", Addresses: []demail.Address{a}}
	}
	return out, nil
}

// translate says an error in the terms of the contract.
func translate(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return connectors.Unsent(err, "the web service cannot be asked")
	}
	out := &connectors.Error{Class: e.Class.contract(), Code: e.Code, Text: string(e.Operation), After: e.After, Err: e}
	if e.Reason != "" {
		out.Text += ": " + e.Reason
	}
	if e.Status != 0 && e.Status != 200 {
		out.Text += fmt.Sprintf(" (HTTP status %d)", e.Status)
	}
	for _, text := range e.Addresses {
		if a, err := demail.ParseAddress(text); err == nil {
			out.Addresses = append(out.Addresses, a)
		}
	}
	return out
}

// contract is the class in the terms of the contract.
func (c Class) contract() error {
	switch c {
	case Unavailable:
		return connectors.ErrUnavailable
	case Rejected, NotFound:
		return connectors.ErrRejected
	case NoSuchAddress:
		return connectors.ErrNoSuchAddress
	case NotEntitled, OverQuota:
		return connectors.ErrNotEntitled
	case TooLarge:
		return connectors.ErrTooLarge
	case LoginFailed, SessionExpired:
		return connectors.ErrLogin
	}
	return connectors.ErrInDoubt
}
