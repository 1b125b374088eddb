package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
)

// Explain says what would become of a message, by the code that takes mail, with the certificates, groups and routes of this moment. Nothing comes of it: no
// message, no record, no certificate. An error that wraps explain.ErrQuestion is for who asked; every other one is our own trouble.
func (g *Gateway) Explain(ctx context.Context, q explain.Question) (a explain.Answer, err error) {
	defer func() {
		if v := recover(); v != nil { // as in admit: the value may hold what is in the message
			g.o.Log.WithField("stack", string(debug.Stack())).Errorf("A fault in the gateway (%T) interrupted an explanation; please report it.", v)
			a, err = explain.Answer{}, errFault
		}
	}()
	m, err := q.Read()
	if err != nil {
		return a, err
	}
	if err := g.known.Check(); err != nil {
		return a, err
	}
	offer := smtpin.Offer{Listener: q.Listener, From: m.From, To: m.To, Header: m.Header, Size: m.Content().Size()}
	taken, err := g.listeners.Consider(ctx, offer)
	switch {
	case errors.Is(err, smtpin.ErrNoListener):
		return a, fmt.Errorf("%w: %w", explain.ErrQuestion, err)
	case err != nil:
		return atTheDoor(taken, err), nil
	}
	m.Header = taken.Header
	if a, err = g.protector.Load().Explain(ctx, taken.Envelope, m.Content()); err != nil {
		return a, err
	}
	if !taken.Envelope.Internal {
		taken.Assumed = append(taken.Assumed, "SPF, DKIM or DMARC confirm its author, and no letter of it was changed.")
	}
	a.Listener, a.Assumed = taken.Envelope.Client.Listener, append(taken.Assumed, a.Assumed...)
	return a, nil
}

// atTheDoor is the answer on what no listener takes.
func atTheDoor(c smtpin.Considered, err error) explain.Answer {
	a := explain.Answer{Listener: c.Envelope.Client.Listener, Assumed: c.Assumed, Refused: status.For(err).String()}
	for _, r := range c.Envelope.Recipients {
		to := explain.Recipient{To: r.Address.String(), Direction: string(c.Envelope.Direction()), Sign: explain.No, Encrypt: explain.No}
		if to.Way = explain.SMTP; c.Envelope.Direction() == mail.Incoming {
			to.Way = explain.Internal
		}
		a.Recipients = append(a.Recipients, to)
	}
	return a
}
