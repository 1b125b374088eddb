package rehearse

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Door says what a listener would make of a message. *smtpin.Server is one.
type Door interface {
	Consider(ctx context.Context, o smtpin.Offer) (smtpin.Considered, error)
}

// Judge says what becomes of a message by who confirms its author. *origin.Judge is one; see [origin.Judge.Quiet].
type Judge interface {
	Judges(env mail.Envelope) bool
	Admit(ctx context.Context, env mail.Envelope, content mail.Content) (origin.Admission, error)
}

// Decider says what would become of what a listener has taken. *protect.Protector is one.
type Decider interface {
	Explain(ctx context.Context, env mail.Envelope, content mail.Content, whole bool) (explain.Answer, error)
}

// Ask has a door, then a judge and then a decider answer on a message; listener may be empty, and judge nil, where nobody is to ask DNS. An error that wraps
// explain.ErrQuestion is for who asked; every other one is their own trouble.
func Ask(ctx context.Context, m explain.Message, listener string, door Door, judge Judge, decider Decider) (explain.Answer, error) {
	taken, err := door.Consider(ctx, smtpin.Offer{Listener: listener, Client: m.Client, Helo: m.Helo, From: m.From, To: m.To, Header: m.Header, Size: m.Content().Size()})
	switch {
	case errors.Is(err, smtpin.ErrNoListener):
		return explain.Answer{}, fmt.Errorf("%w: %w", explain.ErrQuestion, err)
	case err != nil:
		return atTheDoor(taken, err), nil
	}
	m.Header = taken.Header
	judged, assumed, err := judgeOf(ctx, m, taken.Envelope, judge)
	taken.Assumed = append(taken.Assumed, assumed...)
	var refused *status.Error
	switch {
	case errors.As(err, &refused):
		taken.Told = status.In(taken.Words, err)
		return atTheDoor(taken, err), nil
	case err != nil:
		return explain.Answer{}, err
	}
	a, err := decider.Explain(ctx, taken.Envelope, judged.Content, m.Whole)
	switch {
	case errors.Is(err, protect.ErrMessage):
		a.Refused = status.In(taken.Words, err).String()
		both(a.Recipients, taken.Words, err)
	case err != nil:
		return a, err
	}
	if judged.Hold != "" {
		for i := range a.Recipients {
			a.Recipients[i].Holds = "a person decides first: " + judged.Hold
		}
	}
	a.Listener, a.Assumed = taken.Envelope.Client.Listener, append(taken.Assumed, a.Assumed...)
	return a, nil
}

// judgeOf is what a judge says of a message, and what is assumed where it cannot: SPF needs who hands the message over, DKIM all of it.
func judgeOf(ctx context.Context, m explain.Message, env mail.Envelope, judge Judge) (origin.Admission, []string, error) {
	as := origin.Admission{Content: m.Content()}
	switch {
	case env.Internal:
		return as, nil, nil
	case judge == nil:
		return as, []string{"SPF, DKIM or DMARC confirm its author, and no letter of it was changed."}, nil
	case !judge.Judges(env):
		return as, nil, nil
	case !m.Whole || !m.Client.IsValid():
		return as, []string{"SPF, DKIM or DMARC confirm its author, and no letter of it was changed. They are asked where --file gives the message and --client the address of the server that sends it."}, nil
	}
	as, err := judge.Admit(ctx, env, as.Content)
	return as, nil, err
}

// atTheDoor is the answer on what no listener takes; err is why.
func atTheDoor(c smtpin.Considered, err error) explain.Answer {
	a := explain.Answer{Listener: c.Envelope.Client.Listener, Assumed: c.Assumed, Refused: c.Told.String()}
	for _, r := range c.Envelope.Recipients {
		to := explain.Recipient{To: r.Address.String(), Direction: string(c.Envelope.Direction()), Way: explain.SMTP, Sign: explain.No, Encrypt: explain.No}
		if c.Envelope.Direction() == mail.Incoming {
			to.Way = explain.Internal
		}
		a.Recipients = append(a.Recipients, to)
	}
	both(a.Recipients, c.Words, err)
	return a
}

// both puts what their sender is told into what is said of recipients, in both languages, for whoever reads it on a page.
func both(all []explain.Recipient, words *texts.Texts, err error) {
	said := status.Said(err)
	if said.ID == "" {
		return
	}
	de, en := words.Both(said.ID, said.Values)
	for i := range all {
		all[i].Said = texts.Pair{EN: en, DE: de}
	}
}
