package smtpin

import (
	"context"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// permitted is what who speaks here without having logged in may use as From.
func (l *site) permitted() mail.Patterns {
	if l.Role == Internal || l.Role == RoundTrip {
		return l.Senders
	}
	return nil
}

// maySend reports whether who may use some addresses may be MAIL FROM one.
func (l *site) maySend(permitted mail.Patterns, from mail.Address) bool {
	switch l.Role {
	case External, RoundTrip: // there the header decides
		return true
	case Internal:
		return from.IsNull() || permitted.Match(from) || l.Senders.Match(from)
	}
	return permitted.Match(from)
}

func errNotFrom(from mail.Address) error {
	if from.IsNull() {
		return status.Say(nil, 550, "5.7.1", texts.DoorNoSender, texts.Values{})
	}
	return status.Say(nil, 550, "5.7.1", texts.DoorNotYours, texts.Values{Sender: from.String()})
}

// mayReach is the relay control of external listeners (invariant 4).
func (l *site) mayReach(ctx context.Context, to mail.Address) error {
	if l.Role != External || to == l.postmaster {
		return nil
	}
	if !(l.Local.Match(to) || l.keeps(to)) || isRouted(to) {
		return status.Say(nil, 550, "5.7.1", texts.DoorRelay, texts.Values{Recipient: to.String()})
	}
	return l.exists(ctx, to)
}

// lookup is how long an address may take to be looked up.
const lookup = 20 * time.Second

// exists refuses an address in a local domain that nobody has, so that its mail is not taken and then sent back to
// whom its sender claims to be.
func (l *site) exists(ctx context.Context, to mail.Address) error {
	if l.Recipients == nil || !l.Local.Match(to) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	switch known, err := l.Recipients.Known(ctx, to); {
	case err != nil:
		l.Log.WithError(err).WithField("listener", l.Name).Warn("smtpin: a recipient cannot be looked up")
		return status.Say(err, 451, "4.4.3", texts.DoorLookup, texts.Values{})
	case !known:
		return status.Say(nil, 550, "5.1.1", texts.DoorUnknown, texts.Values{Recipient: to.String()})
	}
	return nil
}
