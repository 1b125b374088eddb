package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

// receiving is a message from outside that is being opened for those of its recipients who are due.
type receiving struct {
	c       queue.Claim
	stored  storedContent
	in      policy.Input               // of the policy; only where it wants to be asked
	says    map[int]policy.Settings    // by row; nil: nothing but what always holds
	was     map[int]quarantine.Details // of copies that were in quarantine
	opened  *smime.Opened              // with our keys; nil: nobody wants it so
	visible *smime.Opened              // without; nil: as opened
}

// treatment is what copies that have it get alike.
type treatment struct {
	decrypt bool
	show    shown
	silent  bool
}

// receive opens a message from outside, and gives each due recipient what the policy has for what was found.
func (p *Protector) receive(ctx context.Context, c queue.Claim, stored storedContent) ([]Part, func(), error) {
	r := &receiving{c: c, stored: stored, was: map[int]quarantine.Details{}}
	if err := p.ask(ctx, r); err != nil {
		return nil, nil, err
	}
	if err := p.openFor(ctx, r); err != nil {
		r.release()
		return nil, nil, err
	}
	parts, err := p.parts(r)
	if err != nil {
		r.release()
		return nil, nil, err
	}
	return parts, r.release, nil
}

func (r *receiving) release() {
	for _, o := range []*smime.Opened{r.opened, r.visible} {
		if o != nil {
			o.Close()
		}
	}
}

// ask asks the policy what becomes of the message for each due recipient. It decides by what shows of it before a layer is opened, as the door does. Groups that
// cannot be looked up are an *Away.
func (p *Protector) ask(ctx context.Context, r *receiving) error {
	for _, row := range r.c.Due {
		if why := r.c.Message.Recipients[row].Quarantine; why != "" {
			d, err := quarantine.Decode(why)
			if err != nil {
				return fmt.Errorf("message %s: %w", r.c.Message.Envelope.ID, err)
			}
			r.was[row] = d
		}
	}
	if !p.o.Policy.WantsOpening() {
		return nil
	}
	env := r.c.Message.Envelope
	env.Recipients = nil
	for _, row := range r.c.Due {
		env.Recipients = append(env.Recipients, r.c.Message.Recipients[row].Recipient)
	}
	var err error
	if r.in, err = p.arriving(ctx, env, r.stored); err != nil && !errors.Is(err, ErrMessage) {
		if errors.Is(err, certs.ErrUnavailable) {
			return groupStep(env.Recipients[0].Address).away(err)
		}
		return err
	}
	decisions := p.o.Policy.Decide(r.in) // all of them are the company's own: see isForOthers
	if len(decisions) != len(r.c.Due) {
		return fmt.Errorf("protect: %d decisions for %d recipients", len(decisions), len(r.c.Due))
	}
	r.says = map[int]policy.Settings{}
	for i, row := range r.c.Due {
		r.says[row] = decisions[i].Settings
	}
	return nil
}

// settings are those for a row; where nobody says any, those of the factory.
func (r *receiving) settings(row int) policy.Settings {
	if r.says == nil {
		return policy.Settings{OnInvalid: policy.Mark, OnUnsigned: policy.Accept, OnUnopened: policy.Mark}
	}
	return r.says[row]
}

// openFor opens the message as its recipients want it. Where a key is away it waits only for those who want it decrypted.
func (p *Protector) openFor(ctx context.Context, r *receiving) (err error) {
	closed := func(row int) bool { return r.settings(row).Decrypt == smime.No }
	if !slices.ContainsFunc(r.c.Due, func(row int) bool { return !closed(row) }) {
		if r.visible, err = p.openVisible(ctx, r.stored); err == nil {
			p.recordOpened(r.c, r.visible, nil)
			p.found(ctx, r.visible)
		}
		return err
	}
	var late *Away
	if r.opened, late, err = p.open(ctx, r.c, r.stored); err != nil {
		return fmt.Errorf("opening message %s: %w", r.c.Message.Envelope.ID, err)
	}
	p.recordOpened(r.c, r.opened, late)
	p.found(ctx, r.opened)
	if encrypted(r.opened) && slices.ContainsFunc(r.c.Due, closed) {
		r.visible, err = p.openVisible(ctx, r.stored)
	}
	return err
}

// found learns from the signatures of a message.
func (p *Protector) found(ctx context.Context, o *smime.Opened) {
	p.learn(ctx, o)
	p.harvest(o)
}

// parts groups the due recipients by what they get. What is set aside is set aside for each on its own, with its own reasons.
func (p *Protector) parts(r *receiving) (parts []Part, err error) {
	place := map[treatment]int{}
	for _, row := range r.c.Due {
		t, aside := p.treat(r, row)
		if aside != nil {
			part, err := p.aside(r, row, *aside)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
			continue
		}
		at, known := place[t]
		if !known {
			part, err := p.part(r, t)
			if err != nil {
				return nil, err
			}
			at, place[t] = len(parts), len(parts)
			parts = append(parts, part)
		}
		parts[at].Rows = append(parts[at].Rows, row)
	}
	return parts, nil
}

// part is what all who are treated alike get.
func (p *Protector) part(r *receiving, t treatment) (Part, error) {
	o := r.form(t.decrypt)
	content, err := p.annotateWith(o, r.c.Message.Envelope.Fetched, t.show)
	return Part{Content: secret{content, encrypted(o)}, Silent: t.silent}, err
}

// form is the message as those get it who want it decrypted, or not.
func (r *receiving) form(decrypt bool) *smime.Opened {
	if !decrypt && r.visible != nil || r.opened == nil {
		return r.visible
	}
	return r.opened
}

// treat says what becomes of one copy: how it is delivered, or why it is set aside.
func (p *Protector) treat(r *receiving, row int) (treatment, *quarantine.Cause) {
	s, was := r.settings(row), r.was[row]
	t := treatment{decrypt: s.Decrypt != smime.No, show: shown{
		any: s.MarkSubject != smime.No, invalid: s.OnInvalid != policy.Accept, unsigned: s.OnUnsigned != policy.Accept, unopened: s.OnUnopened != policy.Accept,
	}}
	o := r.form(t.decrypt)
	t.silent = encrypted(o) && (setsAside(s.OnInvalid) || setsAside(s.OnUnsigned) || setsAside(s.OnUnopened))
	causes := findings(o, t.decrypt, s)
	if s.Quarantine != "" {
		causes = append([]quarantine.Cause{quarantine.Rule}, causes...)
	}
	for _, cause := range causes {
		if !was.IsReleased(cause) {
			return t, &cause
		}
	}
	return t, nil
}

// setsAside reports whether an action keeps a message from its reader. What could not be refused at the door waits for a person.
func setsAside(a policy.Action) bool { return a == policy.Quarantine || a == policy.RefuseIt }

// findings are what of a message has its copy set aside. Of what is to stay closed nothing is said but what shows.
func findings(o *smime.Opened, decrypt bool, s policy.Settings) (causes []quarantine.Cause) {
	closed := isClosed(o)
	if isInvalid(o) && setsAside(s.OnInvalid) {
		causes = append(causes, quarantine.Invalid)
	}
	if closed && decrypt && setsAside(s.OnUnopened) {
		causes = append(causes, quarantine.Unopened)
	}
	if !closed && o.Verdict == smime.Unsigned && setsAside(s.OnUnsigned) {
		causes = append(causes, quarantine.Unsigned)
	}
	return causes
}

// isClosed reports whether an encrypted layer was not opened.
func isClosed(o *smime.Opened) bool {
	return slices.ContainsFunc(o.Layers, func(l smime.Layer) bool { return isEnvelope(l) && !l.Decrypted })
}

// isInvalid reports whether there is a signature that is not valid.
func isInvalid(o *smime.Opened) bool { return o.Verdict != smime.Valid && o.Verdict != smime.Unsigned }

// inWords says a cause in a few words, for operators.
func inWords(cause quarantine.Cause, o *smime.Opened, s policy.Settings) string {
	switch cause {
	case quarantine.Invalid:
		return "its signature is not valid (" + string(o.Verdict) + ")"
	case quarantine.Unsigned:
		return "it is not signed"
	case quarantine.Unopened:
		return "it is encrypted, and no key opened it"
	}
	return s.Quarantine
}

// aside is the part of a copy that is set aside.
func (p *Protector) aside(r *receiving, row int, cause quarantine.Cause) (Part, error) {
	s := r.settings(row)
	o := r.form(s.Decrypt != smime.No)
	d := quarantine.Details{
		Cause: cause, Why: inWords(cause, o, s), Verdict: string(o.Verdict), Notify: s.Notify, Since: p.o.Now().UTC(), Released: r.was[row].Released,
		Sources: p.sourcesOf(r.in, slices.Index(r.c.Due, row), causeKey(cause)),
	}
	for _, l := range o.Layers {
		d.Layers = append(d.Layers, describe(l))
		for _, signer := range l.Signers {
			d.Reasons = append(d.Reasons, signer.Reasons...)
		}
	}
	text, err := d.Encode()
	return Part{Rows: []int{row}, Aside: &Aside{Why: d.Reply(), Details: text}}, err
}

// causeKey is the key of the policy that a cause comes from.
func causeKey(cause quarantine.Cause) policy.Key {
	switch cause {
	case quarantine.Invalid:
		return policy.KeyOnInvalid
	case quarantine.Unsigned:
		return policy.KeyOnUnsigned
	case quarantine.Unopened:
		return policy.KeyOnUnopened
	}
	return policy.KeyQuarantine
}

// sourcesOf asks once more, for where a value came from, and who is told.
func (p *Protector) sourcesOf(in policy.Input, i int, key policy.Key) []policy.Source {
	if i < 0 || i >= len(in.Recipients) {
		return nil
	}
	in.Explain, in.Recipients = true, in.Recipients[i:i+1]
	return slices.DeleteFunc(p.o.Policy.Decide(in)[0].Sources, func(s policy.Source) bool { return s.Key != key && s.Key != policy.KeyNotify })
}

// refusesContent reports whether what is found in a message may have it refused.
func refusesContent(dec policy.Decision) bool {
	return dec.Settings.OnInvalid == policy.RefuseIt || dec.Settings.OnUnsigned == policy.RefuseIt
}

// refusedAtDoor is a *Refused where the policy of a recipient refuses a message from outside for what shows of it before anything is decrypted; nil where it is
// taken. What is encrypted in it makes no difference: then it is taken, and waits for a person.
func (p *Protector) refusedAtDoor(ctx context.Context, env mail.Envelope, content mail.Content) error {
	if !p.o.Policy.WantsOpening() {
		return nil
	}
	in, err := p.arriving(ctx, env, content)
	if err != nil {
		return err
	}
	decisions := p.o.Policy.Decide(in)
	if !slices.ContainsFunc(decisions, refusesContent) {
		return nil
	}
	limit, cancel := context.WithTimeoutCause(ctx, p.o.Patience, errSlow)
	defer cancel()
	o, err := p.openVisible(limit, during{limit, content})
	if err != nil { // what cannot be read, or judged in time, is judged when it is delivered
		return ctx.Err()
	}
	defer o.Close()
	if len(o.Layers) > 0 && isEnvelope(o.Layers[0]) {
		return nil
	}
	refused := &Refused{}
	for _, dec := range decisions {
		said := texts.Said{ID: texts.InvalidRefused, Values: texts.Values{Recipient: dec.Recipient.String()}}
		switch {
		case dec.Settings.OnInvalid == policy.RefuseIt && isInvalid(o):
		case dec.Settings.OnUnsigned == policy.RefuseIt && o.Verdict == smime.Unsigned && !encrypted(o):
			said.ID = texts.UnsignedRefused
		default:
			continue
		}
		refused.refuse(p.o.Texts, dec.Recipient, said)
	}
	if refused.Reasons == nil {
		return nil
	}
	return refused
}
