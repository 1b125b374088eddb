package smtpin

import (
	"errors"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
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
		return status.Wrap(err, 550, "5.7.1", tenantSentence(err))
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
		return status.Refuse(554, "5.4.6", "this gateway has handled the message and given it back, and it came again: "+
			"the mail flow rule that sends mail here must except what comes from this gateway")
	}
	if inside {
		return l.fromUs(env, h)
	}
	for _, r := range env.Recipients {
		if to := r.Address; !l.Local.Match(to) || isRouted(to) {
			return status.Refuse(550, "5.7.1", "relaying denied: the sender is not of this company, and neither is <"+to.String()+">")
		}
	}
	return nil
}

// fromUs holds that From is one address of the listener's senders, and so is MAIL FROM unless it is null.
func (l *site) fromUs(env *mail.Envelope, h entity.Header) error {
	author, err := exchange.Author(h)
	switch {
	case err != nil:
		return status.Wrap(err, 550, "5.7.1", "the message must have one From field with one address")
	case !l.Senders.Match(author):
		return status.Refuse(550, "5.7.1", "From is no address that this listener takes mail from: add its domain to the senders of the listener, or do not send forwarded mail here")
	case !env.From.IsNull() && !l.Senders.Match(env.From):
		return status.Refuse(550, "5.7.1", "you may not send from <"+env.From.String()+">")
	}
	return nil
}

// tenantSentence tells an administrator what to set.
func tenantSentence(err error) string {
	switch {
	case errors.Is(err, exchange.ErrNoTenant):
		return "this listener takes the mail of one Exchange Online tenant, and the message has no " + exchange.TenantField +
			": send it by an outbound connector of that tenant"
	case errors.Is(err, exchange.ErrOtherTenant):
		return "this listener takes the mail of another Exchange Online tenant: if the message is yours, set exchange_online.tenant of the listener to your tenant ID"
	}
	return "the message must have exactly one field " + exchange.TenantField + ", as Exchange Online writes it: remove what other servers or rules add"
}
