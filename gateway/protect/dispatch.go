package protect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime/entity"
)

// ErrDeMail is the sort of refusal of mail that must not leave as De-Mail, or was meant to and cannot.
var ErrDeMail = errors.New("protect: it cannot be sent as De-Mail")

// dispatched is how the De-Mail recipients of a message are served.
type dispatched struct {
	dispatch.Decision
	spent bool // it is counted
}

// isDeMail reports whether an address is served by De-Mail, or not at all (invariant 3). The company's own are not: its mail servers
// have them.
func (p *Protector) isDeMail(to mail.Address) bool {
	return p.o.Desk.IsDeMail(to.Domain) && !p.o.Local.Match(to)
}

// deMailOf are those recipients of a message that are served by De-Mail, by their place. What was De-Mail when it was accepted
// stays so.
func (p *Protector) deMailOf(d *draft) []int {
	places := slices.Clone(d.then)
	for i, r := range d.env.Recipients {
		if p.isDeMail(r.Address) && !slices.Contains(places, i) {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	return places
}

// vocabulary is what the subject may ask. Words of De-Mail are read, and taken out, where somebody gets it as De-Mail: they are ordinary
// words elsewhere.
func (p *Protector) vocabulary(d *draft, deMail []int) policy.Vocabulary {
	v := p.o.Vocabulary
	if len(deMail) == 0 && d.deMail == nil {
		v.DeMail = nil
	}
	return v
}

// dispatch decides how a message leaves as De-Mail, where anybody gets it so. It is decided once: a message that had to wait is sent as was decided
// when it was accepted.
func (p *Protector) dispatch(ctx context.Context, d *draft, places []int) error {
	if len(places) == 0 {
		return p.meantAsDeMail(d)
	}
	request := p.request(d, places)
	if d.deMail != nil {
		return p.refusedDeMail(d, request, p.o.Desk.Stands(d.deMail.Account, request))
	}
	err := p.deMailByPolicy(ctx, d, &request)
	if err != nil {
		return err
	}
	if request.Net, err = dispatch.NetSize(during{ctx, d.source}); err != nil {
		return err
	}
	decision, err := p.o.Desk.Decide(ctx, request)
	if err != nil {
		return p.refusedDeMail(d, request, err)
	}
	d.deMail = &dispatched{Decision: decision}
	return nil
}

// meantAsDeMail refuses a message that its sender meant as De-Mail and that has no such recipient: it must not leave as ordinary mail
// (TR-01201 6.1, 10.1.3).
func (p *Protector) meantAsDeMail(d *draft) error {
	if !d.flags.DeMail.Demanded || d.again {
		return nil
	}
	refused := &Refused{Err: ErrDeMail}
	refused.refuse(p.o.Texts, d.env.Recipients[0].Address, texts.Said{ID: texts.NoDeMailAddress})
	return refused
}

// request is what the desk decides by, but for the net size.
func (p *Protector) request(d *draft, places []int) dispatch.Request {
	r := dispatch.Request{
		From: d.author, Authorised: d.env.MayUse.Match(d.author), Report: d.env.From.IsNull(), Automatic: autoSubmitted(d.before),
		Asked: d.flags.DeMail.Options, Unknown: d.flags.DeMail.Unknown, Size: d.source.Size(),
	}
	for _, i := range places {
		to := d.env.Recipients[i].Address
		r.Recipients = append(r.Recipients, to)
		if !d.visible[to.Key()] {
			r.Hidden++
		}
	}
	return r
}

// refusedDeMail turns a refusal of the desk into one of ours, and records it. Other errors stay what they are.
func (p *Protector) refusedDeMail(d *draft, r dispatch.Request, err error) error {
	var no *dispatch.Refused
	if !errors.As(err, &no) {
		return err
	}
	for _, to := range r.Recipients {
		d.events = append(d.events, track.Event{
			Time: p.o.Now(), Kind: track.Decided, ID: d.env.ID, Origin: d.origin, Direction: mail.Outgoing,
			From: d.env.From.String(), To: []string{to.String()}, Rule: "De-Mail", Flags: d.asked(), Reply: p.said(&no.Said),
		})
	}
	d.events = slices.DeleteFunc(d.events, func(e track.Event) bool { return e.Kind == track.Protected }) // what was made is not used
	p.flush(d)
	return &Refused{Recipients: no.Recipients, Reasons: []string{p.said(&no.Said)}, Said: []texts.Said{no.Said}, Err: ErrDeMail, texts: p.o.Texts}
}

// spend counts what leaves as De-Mail against the budget of its sender, once.
func (p *Protector) spend(ctx context.Context, d *draft) error {
	if d.deMail == nil || d.deMail.spent {
		return nil
	}
	r := p.request(d, p.deMailOf(d))
	if err := p.o.Desk.Spend(ctx, d.deMail.Decision, r); err != nil {
		return p.refusedDeMail(d, r, err)
	}
	d.deMail.spent = true
	return nil
}

// affords refuses what spend would.
func (p *Protector) affords(ctx context.Context, d *draft) error {
	if d.deMail == nil {
		return nil
	}
	r := p.request(d, p.deMailOf(d))
	return p.refusedDeMail(d, r, p.o.Desk.Affords(ctx, d.deMail.Decision, r))
}

// fitsDeMail refuses a variant that its protection, or its new header, made too large for the provider.
func (p *Protector) fitsDeMail(ctx context.Context, d *draft, v variant, content mail.Content) error {
	if d.env.DeMail == nil {
		return nil
	}
	r := dispatch.Request{Size: content.Size()}
	for _, to := range v.recipients {
		r.Recipients = append(r.Recipients, to.Address)
	}
	if v.sign || v.encrypt { // else its user counts what was counted
		var err error
		if r.Net, err = dispatch.NetSize(during{ctx, content}); err != nil {
			return err
		}
	}
	return p.refusedDeMail(d, r, p.o.Desk.CheckSize(d.env.DeMail.Account, r))
}

// split makes the parts of a message: what leaves as De-Mail, from another address and under a header of its own, and what does not.
func (p *Protector) split(d *draft, header entity.Header, places []int) error {
	if len(places) == 0 {
		d.from, d.parts = d.author, []*draft{d}
		d.begin()
		return nil
	}
	var others []int
	for i := range d.env.Recipients {
		if !slices.Contains(places, i) {
			others = append(others, i)
		}
	}
	if len(others) > 0 {
		part := d.only(others)
		part.from = d.author
		d.parts = append(d.parts, part)
	}
	part := d.only(places)
	from, err := mail.ParseAddress(d.deMail.Sender.String())
	if err != nil {
		return err
	}
	alone, err := mail.ParsePatterns(from.String())
	if err != nil {
		return err
	}
	if header, err = p.asDeMail(header, d); err != nil {
		return err
	}
	part.again = part.again || len(others) > 0
	part.source = newSource(header, d.source.body, d.source.skip)
	part.from, part.env.DeMail, part.env.MayUse = from, &d.deMail.DeMail, alone
	d.parts = append(d.parts, part)
	for _, part := range d.parts {
		part.begin()
	}
	return nil
}

// only is the part of a draft for some of its recipients.
func (d *draft) only(places []int) *draft {
	part := *d
	part.places, part.parts = places, nil
	part.env.Recipients, part.atLeast, part.kept, part.let = nil, nil, nil, nil
	for _, i := range places {
		part.env.Recipients = append(part.env.Recipients, d.env.Recipients[i])
		if d.atLeast != nil {
			part.atLeast = append(part.atLeast, d.atLeast[i])
		}
		if d.let != nil {
			part.kept, part.let = append(part.kept, d.kept[i]), append(part.let, d.let[i])
		}
	}
	return &part
}

// place is where a recipient of a part stands in the whole message.
func (d *draft) place(i int) int {
	if d.places == nil {
		return i
	}
	return d.places[i]
}

// note says what was done to a variant, where it is a De-Mail that too.
func (d *draft) note(done string) string {
	if d.env.DeMail == nil {
		return done
	}
	return d.env.DeMail.String() + "; " + done
}

// askedOfDeMail is what the sender asked for.
func (d *draft) askedOfDeMail() string {
	return strings.TrimSpace("De-Mail " + strings.Join(d.flags.DeMail.Options.Names(), " "))
}

// deMailLifetime is how long a message may wait for its provider.
func (p *Protector) deMailLifetime(account string) time.Duration {
	if p.o.DeMailLifetime != nil {
		if d := p.o.DeMailLifetime(account); d > 0 {
			return d
		}
	}
	return p.o.Expire
}

// noRelay refuses mail from outside to De-Mail addresses, also in domains that mail is kept for.
func (p *Protector) noRelay(env mail.Envelope) error {
	refused := &Refused{Err: ErrNoRoute}
	for _, r := range env.Recipients {
		if p.isDeMail(r.Address) {
			refused.refuse(p.o.Texts, r.Address, texts.Said{ID: texts.DeMailFromOutside, Values: texts.Values{Recipient: r.Address.String()}})
		}
	}
	if refused.Reasons == nil {
		return nil
	}
	return refused
}

// deMailMoment is what was decided of De-Mail when a message was accepted.
type deMailMoment struct {
	mail.DeMail
	Rule string `json:"rule"`
	For  []int  `json:"for,omitempty"` // which recipients of the envelope get it so
}

// momentOfDeMail is what has to be known of De-Mail of a message that waits; places are its recipients there.
func (d *draft) momentOfDeMail(places []int) *deMailMoment {
	if d.deMail == nil {
		return nil
	}
	return &deMailMoment{d.deMail.DeMail, d.deMail.Rule, places}
}

// fits reports whether it is of a message with so many recipients.
func (m *deMailMoment) fits(recipients int) bool {
	return m == nil || !slices.ContainsFunc(m.For, func(i int) bool { return i < 0 || i >= recipients })
}

func (m *deMailMoment) isFor(i int) bool { return m != nil && slices.Contains(m.For, i) }

// decided is what was decided and counted.
func (m *deMailMoment) decided() *dispatched {
	if m == nil {
		return nil
	}
	return &dispatched{Decision: dispatch.Decision{DeMail: m.DeMail, Rule: m.Rule}, spent: true}
}
