package protect

import (
	"context"
	"errors"
	"slices"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Explain says what would become of a message, by the code of Admit. It leaves no trace: nothing is signed, issued, counted, kept or recorded. An
// error is our own trouble, but for ErrMessage, by which the message would be refused, beside the answer; what is away is said in the answer. The recipients of the answer are in the order of the envelope. whole: the content is
// the message itself, not one that was made up for a question, so that what is in a message from outside is looked at as at the door.
func (p *Protector) Explain(ctx context.Context, env mail.Envelope, content mail.Content, whole bool) (explain.Answer, error) {
	if !env.Internal {
		return p.looking().explainIncoming(ctx, env, content, whole)
	}
	p = p.looking()
	d := &draft{progress: &progress{peek: true}, env: env, origin: env.ID}
	limit, cancel := context.WithTimeoutCause(ctx, p.o.Patience, errSlow)
	defer cancel()
	err := p.consider(limit, d, content)
	away := d.awayOf(limit, err)
	var refused *Refused
	switch {
	case ctx.Err() != nil:
		return explain.Answer{}, ctx.Err()
	case away == nil && err != nil && !errors.As(err, &refused) && !errors.Is(err, ErrMessage):
		return explain.Answer{}, err
	}
	a := p.answered(d, away, err)
	if away == nil && refused == nil {
		return a, err
	}
	return a, nil
}

// looking is a Protector that keeps and tells nothing.
func (p *Protector) looking() *Protector {
	o := p.o
	o.Recorder, o.StaysWithout, o.Harvest = track.Multi(nil), nil, nil
	if o.Look != nil {
		o.Certs = o.Look
	}
	return &Protector{o: o}
}

// consider goes the way of outgoing as far as nothing is made. The error is why it would not be sent, or not now.
func (p *Protector) consider(ctx context.Context, d *draft, content mail.Content) error {
	if err := p.prepare(ctx, d, content); err != nil {
		return err
	}
	refusal, err := p.decide(ctx, d)
	if refusal != nil || err != nil {
		return errors.Join(refusal, err)
	}
	for _, part := range d.parts {
		now, served := part.part(part.decisions, func(dec policy.Decision) bool { return !dec.Ask })
		p.lookUpSelf(ctx, now, served)
		variants, err := p.group(now, served)
		if err == nil {
			err = p.bounded(now, variants)
		}
		if err != nil {
			return err
		}
	}
	return p.affords(ctx, d)
}

// explainIncoming says what would become of a message from outside before it is delivered: its layers are opened at its delivery.
func (p *Protector) explainIncoming(ctx context.Context, env mail.Envelope, content mail.Content, whole bool) (out explain.Answer, err error) {
	why := p.taken(ctx, env, content)
	if why == nil && whole {
		why = p.refusedAtDoor(ctx, env, content)
	}
	in, err := p.arriving(ctx, env, content)
	var refused *Refused
	replied := errors.As(why, &refused) || errors.Is(why, ErrMessage)
	switch {
	case replied || errors.Is(err, ErrMessage): // by which nobody refuses where no policy looks at what is in a message
	case errors.Is(err, certs.ErrUnavailable) && (p.o.Policy.WantsArrival() || p.o.Policy.WantsOpening()):
		return p.putOff(env, err), nil
	case why != nil || err != nil:
		return out, errors.Join(why, err)
	}
	in.Explain = true
	decisions := p.o.Policy.Decide(in)
	for _, r := range env.Recipients {
		to := p.before(r.Address)
		if i := slices.IndexFunc(decisions, func(dec policy.Decision) bool { return dec.Recipient == r.Address }); i >= 0 {
			to.Keys, to.Dry, to.Holds = decisions[i].Sources, decisions[i].Dry, decisions[i].Settings.Quarantine
		}
		out.Recipients = append(out.Recipients, to)
	}
	switch {
	case refused != nil:
		out.Refused = why.Error()
		p.refusing(out.Recipients, refused)
		return out, nil
	case replied:
		return out, why
	}
	if !whole && slices.ContainsFunc(decisions, refusesContent) {
		out.Assumed = append(out.Assumed, "Nothing that is in it has it refused: on_invalid and on_unsigned look at the message itself, which --file gives.")
	}
	if slices.ContainsFunc(decisions, setsContentAside) {
		out.Assumed = append(out.Assumed, "Nothing that is in it has it set aside: it is opened at its delivery, and then on_invalid, on_unsigned and on_unopened say what becomes of it.")
	}
	return out, nil
}

// setsContentAside reports whether what is found in a message, once it is opened, may have a copy set aside.
func setsContentAside(dec policy.Decision) bool {
	s := dec.Settings
	return s.OnInvalid == policy.Quarantine || s.OnUnsigned == policy.Quarantine || s.OnUnopened == policy.Quarantine
}

// before is a recipient of a message from outside of which nothing was decided.
func (p *Protector) before(to mail.Address) explain.Recipient {
	r := explain.Recipient{To: to.String(), Direction: string(mail.Incoming), Way: explain.Internal, Sign: explain.No, Encrypt: explain.No}
	if !p.o.Local.Match(to) { // of a domain that mail is kept for
		r.Way = explain.SMTP
	}
	return r
}

// refusing puts why a message is refused, which may be nil, into what is said of its recipients.
func (p *Protector) refusing(all []explain.Recipient, why *Refused) {
	if why == nil {
		return
	}
	for i, to := range why.Recipients {
		at := slices.IndexFunc(all, func(r explain.Recipient) bool { return r.To == to.String() })
		if at < 0 {
			continue
		}
		all[at].Refused = why.Reasons[min(i, len(why.Reasons)-1)]
		if i < len(why.Said) {
			all[at].Said = p.both(why.Said[i])
		}
	}
}

// putOff says of a message from outside that its sender is told to come again: nobody knows the groups of its recipients now.
func (p *Protector) putOff(env mail.Envelope, why error) (out explain.Answer) {
	for _, r := range env.Recipients {
		to := p.before(r.Address)
		to.Holds = "put off with 451, its sender comes again: " + groupStep(r.Address).away(why).Reason.In(texts.English)
		out.Recipients = append(out.Recipients, to)
	}
	return out
}

// answered says what is known of a draft that was decided on as far as it goes; why is what kept it from being sent, if anything did.
func (p *Protector) answered(d *draft, away *Away, why error) explain.Answer {
	out := explain.Answer{Recipients: make([]explain.Recipient, len(d.env.Recipients)), Words: append(slices.Clone(d.flags.Words), d.is()...)}
	for i, r := range d.env.Recipients {
		out.Recipients[i] = explain.Recipient{To: r.Address.String(), Way: p.way(r.Address), Sign: explain.No, Encrypt: explain.No}
	}
	if away == nil && why != nil {
		out.Refused = why.Error()
	}
	if refused := (*Refused)(nil); errors.As(why, &refused) {
		p.refusing(out.Recipients, refused)
	}
	for _, part := range d.parts {
		decisions := part.decisions
		if decisions == nil { // something is away that decides
			in := p.input(part)
			in.Explain = true
			decisions = p.o.Policy.Decide(in)
		}
		if part.wouldEnroll() && slices.ContainsFunc(decisions, func(dec policy.Decision) bool { return dec.Sign }) {
			out.Assumed = append(out.Assumed, "A certificate is issued for "+part.from.String()+", who has none.")
		}
		for i, dec := range decisions {
			p.say(&out.Recipients[part.place(i)], part, dec, part.known[i], away)
		}
	}
	return out
}

// both is a text in both languages.
func (p *Protector) both(said texts.Said) (out texts.Pair) {
	out.DE, out.EN = p.o.Texts.Both(said.ID, said.Values)
	return out
}

// way is how mail to an address of a message from inside leaves.
func (p *Protector) way(to mail.Address) string {
	switch {
	case p.isDeMail(to):
		return explain.DeMail
	case p.o.Local.Match(to):
		return explain.Internal
	}
	return explain.SMTP
}

// say puts a decision into an answer.
func (p *Protector) say(r *explain.Recipient, d *draft, dec policy.Decision, k known, away *Away) {
	r.Direction, r.TLS, r.Certificate = string(dec.Direction), string(dec.TLS), k.text()
	r.Sign, r.Encrypt, r.Asks = yesOrNo(dec.Sign), yesOrNo(dec.Encrypt), dec.Ask
	if d.env.DeMail != nil {
		r.Way = explain.DeMail
	}
	if said, _ := p.refusal(d, dec); said != nil {
		r.Refused, r.Said = p.said(said), p.both(*said)
	}
	switch {
	case away != nil:
		r.Holds = away.Reason.In(texts.English)
	case dec.Settings.Quarantine != "":
		r.Holds = "a person decides first: " + dec.Settings.Quarantine
	case dec.Ask:
		r.Holds = "no certificate of " + r.To + " is known, who is asked for a signed message"
	}
	r.Keys, r.Lowered, r.Dry = dec.Sources, dec.Lowered, dec.Dry
}

func yesOrNo(yes bool) string {
	if yes {
		return explain.Yes
	}
	return explain.No
}
