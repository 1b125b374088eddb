package rehearse

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// Door says what a listener would make of a message. *smtpin.Server is one.
type Door interface {
	Consider(ctx context.Context, o smtpin.Offer) (smtpin.Considered, error)
}

// Decider says what would become of what a listener has taken. *protect.Protector is one.
type Decider interface {
	Explain(ctx context.Context, env mail.Envelope, content mail.Content) (explain.Answer, error)
}

// Ask has a door and then a decider answer on a message; listener may be empty. An error that wraps explain.ErrQuestion is for who asked; every other one is their own trouble.
func Ask(ctx context.Context, m explain.Message, listener string, door Door, decider Decider) (explain.Answer, error) {
	taken, err := door.Consider(ctx, smtpin.Offer{Listener: listener, From: m.From, To: m.To, Header: m.Header, Size: m.Content().Size()})
	switch {
	case errors.Is(err, smtpin.ErrNoListener):
		return explain.Answer{}, fmt.Errorf("%w: %w", explain.ErrQuestion, err)
	case err != nil:
		return atTheDoor(taken), nil
	}
	m.Header = taken.Header
	a, err := decider.Explain(ctx, taken.Envelope, m.Content())
	if err != nil {
		return a, err
	}
	if !taken.Envelope.Internal {
		taken.Assumed = append(taken.Assumed, "SPF, DKIM or DMARC confirm its author, and no letter of it was changed.")
	}
	a.Listener, a.Assumed = taken.Envelope.Client.Listener, append(taken.Assumed, a.Assumed...)
	return a, nil
}

// atTheDoor is the answer on what no listener takes.
func atTheDoor(c smtpin.Considered) explain.Answer {
	a := explain.Answer{Listener: c.Envelope.Client.Listener, Assumed: c.Assumed, Refused: c.Told.String()}
	for _, r := range c.Envelope.Recipients {
		to := explain.Recipient{To: r.Address.String(), Direction: string(c.Envelope.Direction()), Way: explain.SMTP, Sign: explain.No, Encrypt: explain.No}
		if c.Envelope.Direction() == mail.Incoming {
			to.Way = explain.Internal
		}
		a.Recipients = append(a.Recipients, to)
	}
	return a
}
