package smtpin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Offer is a message that nobody sends, as far as listeners look at it.
type Offer struct {
	Listener string       // its name; empty: the first through which From may come, see [Server.Consider]
	Client   netip.Addr   // who hands it over; zero: one who may
	Helo     string       // its name
	From     mail.Address // MAIL FROM
	To       []mail.Address
	Header   entity.Header
	Size     int64 // of the whole message in octets
}

// Considered is what a listener would hand on.
type Considered struct {
	Envelope mail.Envelope
	Header   entity.Header // as it is after the door
	// Assumed is what the listener would have looked at in the connection and was taken for true, a sentence each.
	Assumed []string
	Told    status.Reply // to its client, where it is refused
	Words   *texts.Texts // in which its client is told
}

// ErrNoListener is the error of Consider where nothing listens that could take an offer.
var ErrNoListener = errors.New("smtpin: no listener takes it")

// Consider says what the listener would make of a message. Where it would not take it Told is the reply, and the error its cause; what is known of
// the message until then comes beside it. Limits of clients are left out. Where no listener is named it is the first one for the company's servers that has From
// among its senders; else, for an author of the company, the first one where users log in, and for others the first one that is open to the internet.
func (s *Server) Consider(ctx context.Context, o Offer) (Considered, error) {
	s.mu.Lock()
	set := s.set
	s.mu.Unlock()
	site, err := set.choose(o)
	if err != nil {
		return Considered{}, err
	}
	c := Considered{Header: o.Header, Envelope: mail.Envelope{
		ID: mail.NewID(site.Now()), From: o.From, Internal: site.Role != External, MayUse: site.permitted(),
		Client: mail.Client{Listener: site.Name, Addr: o.Client, Helo: o.Helo}, Received: site.Now(), SMTPUTF8: !o.From.IsASCII(),
	}}
	for _, to := range o.To {
		c.Envelope.Recipients = append(c.Envelope.Recipients, mail.Recipient{Address: to})
		c.Envelope.SMTPUTF8 = c.Envelope.SMTPUTF8 || !to.IsASCII()
	}
	if o.Client.IsValid() && !site.permits(clientAt(o.Client)) {
		err = errNotHere()
	} else if err = site.assume(&c); err == nil {
		err = site.consider(ctx, &c, o.Size)
	}
	if c.Words = site.words(c.Envelope.Internal); err != nil {
		c.Told = status.In(c.Words, err)
	}
	return c, err
}

// choose is the site of an offer.
func (set *settings) choose(o Offer) (*site, error) {
	first := func(is func(*site) bool) *site {
		for _, l := range set.sites {
			if is(l) {
				return l
			}
		}
		return nil
	}
	var found *site
	ours := set.Local.Match(o.From)
	switch {
	case o.Listener != "":
		if found = first(func(l *site) bool { return l.Name == o.Listener }); found == nil {
			return nil, fmt.Errorf("%w: none is called %.64q", ErrNoListener, o.Listener)
		}
		return found, nil
	case !o.From.IsNull():
		found = first(func(l *site) bool { return l.permitted().Match(o.From) })
	}
	if found == nil && ours {
		found = first(func(l *site) bool { return l.Role == Submission })
	}
	if found == nil && !ours {
		found = first(func(l *site) bool { return l.Role == External })
	}
	if found == nil {
		return nil, fmt.Errorf("%w: none is for mail from %s; name one", ErrNoListener, o.From)
	}
	return found, nil
}

// assume takes for true what no header proves: who has logged in, and, where it does not say so itself, which tenant it comes from.
func (l *site) assume(c *Considered) error {
	env := &c.Envelope
	if l.Role == Submission {
		only, err := mail.ParsePatterns(env.From.String())
		if err != nil {
			return errNotFrom(env.From)
		}
		env.MayUse = only
		c.Assumed = append(c.Assumed, "The user who logs in may send from "+env.From.String()+".")
	}
	if _, says := c.Header.Get(exchange.TenantField); l.Tenant.IsZero() || says {
		return l.attribute(env, c.Header)
	}
	if l.Role == RoundTrip && !l.Senders.Match(env.From) {
		env.Internal, env.MayUse = false, nil
	}
	c.Assumed = append(c.Assumed, "Exchange Online says that the message is of your tenant and, where it is from inside, that its author had logged in.")
	return nil
}

// errTooManyRecipients is the fault of a message with more recipients than are taken at once.
func errTooManyRecipients(most int) error {
	return status.Say(nil, 452, "4.5.3", texts.DoorManyRecipients, texts.Values{Most: most})
}

// consider holds what a listener holds, in the order of a conversation, and does to the header what is done at the door.
func (l *site) consider(ctx context.Context, c *Considered, size int64) error {
	env := &c.Envelope
	if !l.maySend(env.MayUse, env.From) {
		return errNotFrom(env.From)
	}
	if len(env.Recipients) > l.MaxRecipients {
		return errTooManyRecipients(l.MaxRecipients)
	}
	for _, r := range env.Recipients {
		if err := l.mayReach(ctx, r.Address); err != nil {
			return err
		}
		if err := l.room(ctx, r.Address, size); err != nil {
			return err
		}
	}
	if size > l.MaxSize {
		return errTooLarge(l.MaxSize)
	}
	if err := l.within(c.Header); err != nil {
		return err
	}
	Firewall(&c.Header, l.Hostname, env.Internal, l.Asks...)
	return c.Header.InsertTop("Received", trace(*env, l.Hostname, true))
}
