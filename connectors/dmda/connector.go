package dmda

import (
	"bytes"
	"context"
	"errors"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Connector is a session as a connectors.Provider within this process: there is no way between, so nothing is ever in doubt.
type Connector struct{ Session *Session }

var _ connectors.Provider = Connector{}

// over is the error for a context that has ended.
func over(ctx context.Context) error {
	if ctx.Err() != nil {
		return connectors.Unsent(ctx.Err(), "called off")
	}
	return nil
}

// Domains are those of the account.
func (c Connector) Domains(ctx context.Context) ([]string, error) {
	if err := over(ctx); err != nil {
		return nil, err
	}
	return connectors.CheckDomains(c.Session.Domains())
}

// Submit sends a message.
func (c Connector) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	if err := over(ctx); err != nil {
		return connectors.Receipt{}, err
	}
	return c.Session.Submit(m)
}

// Find looks for a message by its key.
func (c Connector) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	if err := over(ctx); err != nil {
		return connectors.Receipt{}, err
	}
	return c.Session.Find(key)
}

// Fetch hands over what lies in the mailbox.
func (c Connector) Fetch(ctx context.Context, handler connectors.Handler) error {
	if err := over(ctx); err != nil {
		return err
	}
	for _, w := range c.Session.List() {
		if err := over(ctx); err != nil {
			return err
		}
		l, err := c.Session.Get(w.ID)
		if err != nil {
			return err
		}
		err = handler(ctx, connectors.Incoming{ID: l.ID, Mailbox: l.Mailbox, Size: int64(len(l.Content)), Content: connectors.Bounded(bytes.NewReader(l.Content))})
		if errors.Is(err, connectors.ErrLeave) {
			continue
		}
		if err != nil {
			return err
		}
		c.Session.Acknowledge(w.ID)
	}
	return nil
}

// Lookup asks the directory.
func (c Connector) Lookup(ctx context.Context, a demail.Address) (connectors.Entry, error) {
	if err := over(ctx); err != nil {
		return connectors.Entry{}, err
	}
	return c.Session.Lookup(a)
}
