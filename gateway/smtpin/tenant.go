package smtpin

import (
	"errors"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime/entity"
)

// attribute holds what a listener for a tenant of Exchange Online demands of the header (invariant 4), and writes
// into the envelope what follows: whether the message is from inside, and what its submitter may use as From.
// Listeners without a tenant demand nothing. It comes before the firewall, which removes what is read here.
func (l *site) attribute(env *mail.Envelope, h entity.Header) error {
	if l.Tenant.IsZero() {
		return nil
	}
	if err := l.Tenant.Check(h); err != nil {
		return status.Say(err, 550, "5.7.1", tenantText(err), texts.Values{Detail: exchange.TenantField})
	}
	inside := exchange.FromInside(h)
	if l.Role == RoundTrip {
		return l.roundTrip(env, h, inside)
	}
	if !inside {
		env.MayUse = nil // it may pass, but nobody has logged in whose signature it could bear
	}
	return l.fromUs(env, h)
}

// roundTrip tells the direction of a message that the tenant hands over: outgoing where its sender had logged
// in there, else incoming, whatever it says of its author.
func (l *site) roundTrip(env *mail.Envelope, h entity.Header, inside bool) error {
	direction := mail.Outgoing
	if !inside {
		direction = mail.Incoming
		env.Internal, env.MayUse = false, nil
	}
	if l.Marks.Handled(h, direction, l.Now()) {
		return status.Say(nil, 554, "5.4.6", texts.DoorCameBack, texts.Values{})
	}
	if inside {
		return l.fromUs(env, h)
	}
	for _, r := range env.Recipients {
		if to := r.Address; !l.Local.Match(to) || isRouted(to) {
			return status.Say(nil, 550, "5.7.1", texts.DoorRelayTenant, texts.Values{Recipient: to.String()})
		}
	}
	return nil
}

// fromUs holds that From is one address of the listener's senders, and so is MAIL FROM unless it is null.
func (l *site) fromUs(env *mail.Envelope, h entity.Header) error {
	author, err := exchange.Author(h)
	switch {
	case err != nil:
		return status.Say(err, 550, "5.7.1", texts.DoorFrom, texts.Values{})
	case !l.Senders.Match(author):
		return status.Say(nil, 550, "5.7.1", texts.DoorFromElsewhere, texts.Values{})
	case !env.From.IsNull() && !l.Senders.Match(env.From):
		return errNotFrom(env.From)
	}
	return nil
}

// tenantText tells an administrator what to set.
func tenantText(err error) texts.ID {
	switch {
	case errors.Is(err, exchange.ErrNoTenant):
		return texts.DoorTenantNone
	case errors.Is(err, exchange.ErrOtherTenant):
		return texts.DoorTenantOther
	}
	return texts.DoorTenantOdd
}
