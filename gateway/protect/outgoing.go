package protect

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// headerLimit bounds the header section that protection reads into memory.
const headerLimit = 256 << 10

// draft is an outgoing message on its way to its variants, or the part of it that is for some of its recipients.
type draft struct {
	*progress
	env     mail.Envelope   // with DeMail for the part that leaves so
	origin  mail.ID         // under which it was accepted
	again   bool            // it waited for its protection, or another part bears its id
	waited  bool            // it waited for certificates that recipients were asked for
	atLeast []policy.Levels // that were in force when it began to wait; as env.Recipients, or nil
	kept    []string        // why a person was to decide when it began to wait, empty for nobody; as env.Recipients, or nil
	let     []bool          // whom a person has let it go to; as env.Recipients, or nil
	then    []int           // the recipients who were to get it as De-Mail when it began to wait
	deMail  *dispatched     // how it leaves as De-Mail; nil: it does not, or that is not decided yet
	parts   []*draft        // of the whole message, which are decided on apart; it may be the only one itself
	places  []int           // of a part: where its recipients stand in the whole message; nil: it is the whole

	before     entity.Header // as it was taken
	source     source
	form       smime.Form // how it is protected already, by its sender's own program
	kind       policy.Kind
	self       *x509.Certificate // the sender's, to encrypt to as well; nil: not wanted, or not there
	author     mail.Address      // the single From address
	from       mail.Address      // who signs: the author, or the De-Mail address in its place
	signer     *smime.Signer
	noSign     texts.Reason // why signer is nil, for the sender
	signerAway *Away        // where it is not known whether there is a signer
	enrolls    bool         // the sender has no certificate, and may get one where a decision needs it
	mayUse     bool         // the submitter may use author
	facts      facts
	flags      policy.Flags
	groups     []string        // that From is in, of those that rules ask for
	groupsAway *Away           // where that is not known
	visible    map[string]bool // Key of each address that To and Cc name
	known      []known         // as env.Recipients
	decisions  []policy.Decision
}

// progress is what the parts of one message have in common while it is worked on.
type progress struct {
	peek   bool          // it is only asked what would become of it: nothing is made, counted or recorded
	step   step          // what is under way
	read   bool          // the parts are made: all that a draft has is set in them, or says that it was not asked
	events []track.Event // of what was done, for the record of a message that gets through
}

// admitOutgoing admits a message from inside. What cannot be protected now, but may be later, is held.
func (p *Protector) admitOutgoing(ctx context.Context, env mail.Envelope, content mail.Content) (*Admission, error) {
	d := &draft{progress: new(progress), env: env, origin: env.ID}
	limit, cancel := context.WithTimeoutCause(ctx, p.o.Patience, errSlow)
	defer cancel()
	adm, err := p.outgoing(limit, d, content)
	if away := d.awayOf(limit, err); away != nil && ctx.Err() == nil {
		return p.hold(ctx, d, content, away)
	}
	return adm, err
}

// outgoing protects a message from inside. It returns soon after ctx has ended. The content of the entries does
// not depend on ctx.
func (p *Protector) outgoing(ctx context.Context, d *draft, content mail.Content) (*Admission, error) {
	if err := p.prepare(ctx, d, content); err != nil {
		return nil, err
	}
	refusal, err := p.decide(ctx, d)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		p.flush(d)
		return nil, refusal
	}
	whole := new(Admission)
	for _, part := range d.parts {
		part, decisions := part.part(part.decisions, func(dec policy.Decision) bool { return dec.Settings.Quarantine == "" })
		if len(decisions) == 0 {
			continue
		}
		adm, err := p.carryOut(ctx, part, content, decisions)
		if err != nil {
			whole.Release()
			return nil, err
		}
		whole.Entries, whole.buffers = append(whole.Entries, adm.Entries...), append(whole.buffers, adm.buffers...)
	}
	if err := p.quarantine(whole, d, content); err != nil {
		whole.Release()
		return nil, err
	}
	if err := p.spend(ctx, d); err != nil { // last, when nothing else keeps it from leaving
		whole.Release()
		return nil, err
	}
	if err := p.keepCopies(whole, d, content); err != nil {
		whole.Release()
		return nil, err
	}
	p.flush(d)
	return whole, nil
}

// decide decides on every part and notes it. Where it cannot be decided now what becomes of one, and nothing is refused, the error is an *Away.
func (p *Protector) decide(ctx context.Context, d *draft) (refusal, err error) {
	var refused refusals
	var away *Away
	for _, part := range d.parts {
		in := p.input(part)
		in.Explain = true
		if part.decisions, err = p.enroll(ctx, part, p.o.Policy.Decide(in)); err != nil {
			return nil, err
		}
		part.asideAsBefore(part.decisions)
		p.refuse(&refused, part, part.decisions)
		if away == nil {
			away = part.needs(part.decisions)
		}
	}
	refusal = refused.err()
	if away != nil && refusal == nil {
		return nil, away
	}
	for _, part := range d.parts {
		for i, dec := range part.decisions {
			p.recordDecision(part, dec, part.known[i])
		}
	}
	return refusal, nil
}

// carryOut makes the variants of those who are served now, and the entry of those who have to be asked first.
func (p *Protector) carryOut(ctx context.Context, d *draft, content mail.Content, decisions []policy.Decision) (*Admission, error) {
	now, served := d.part(decisions, func(dec policy.Decision) bool { return !dec.Ask })
	waiting, waits, err := p.await(d, content, decisions, len(served) == 0)
	if err != nil {
		return nil, err
	}
	p.lookUpSelf(ctx, now, served)
	variants, err := p.group(now, served)
	if err != nil {
		return nil, err
	}
	if err := p.bounded(now, variants); err != nil {
		p.flush(now)
		return nil, err
	}
	adm := new(Admission)
	for i, v := range variants {
		if err := p.addVariant(ctx, adm, now, v, i); err != nil {
			adm.Release()
			return nil, err
		}
	}
	if waits {
		adm.Entries = append(adm.Entries, waiting)
	}
	return adm, nil
}

// prepare reads the header, takes the flags out of it, makes the parts and looks up what policy wants to know.
func (p *Protector) prepare(ctx context.Context, d *draft, content mail.Content) error {
	header, bodyAt, err := readHeader(during{ctx, content})
	if err != nil {
		return err
	}
	deMail := p.deMailOf(d)
	d.before = header
	d.flags = policy.ReadFlags(&header, p.vocabulary(d, deMail))
	d.visible = visible(header)
	d.author = singleFrom(header)
	d.mayUse = d.env.MayUse.Match(d.author)
	header.Del("Bcc") // RFC 5322, 3.6.3 and 3.6.6: they name the recipients the others must not see
	header.Del("Resent-Bcc")
	d.source = newSource(header, content, bodyAt)
	// Before anything that may be held: the levels that such a message keeps are those for its kind, and for how it leaves.
	if d.kind, err = kindOf(header, during{ctx, d.source}); err != nil {
		return err
	}
	if d.facts, err = p.factsOf(d.env, content.Size(), header, during{ctx, d.source}); err != nil {
		return err
	}
	if err := p.dispatch(ctx, d, deMail); err != nil {
		return err
	}
	if err := p.split(d, header, deMail); err != nil {
		return err
	}
	d.read, d.step = true, workStep()
	if err := p.look(ctx, d); err != nil {
		return err
	}
	for _, part := range d.parts {
		part.form = d.form
		for _, lookUp := range []func(context.Context, *draft) error{p.lookUpGroups, p.lookUpSigner, p.lookUp} {
			if err := lookUp(ctx, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin says of all that is looked up for a part that it was not asked yet.
func (d *draft) begin() {
	d.signerAway = keyStep(d.from).away(errNotAsked)
	d.groupsAway = groupStep(d.author).away(errNotAsked)
	d.known = make([]known, len(d.env.Recipients))
	for i, r := range d.env.Recipients {
		d.known[i].away = certStep(r.Address).away(errNotAsked)
	}
}

// look finds out how the message is protected already. A signature of the sender's own program counts where
// it is valid; another one is signed around.
func (p *Protector) look(ctx context.Context, d *draft) (err error) {
	src := during{ctx, d.source}
	d.form, err = smime.FormOf(src)
	if errors.Is(err, smime.ErrMessage) {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if err != nil || !d.form.Signed {
		return err
	}
	opened, err := smime.Open(ctx, src, smime.OpenOptions{Judge: p.judge, Stands: p.stands, Scratch: p.scratch, Now: p.o.Now()})
	if err != nil {
		return err
	}
	defer opened.Close()
	// By who is From outside: one that a signature protects may be another.
	d.form.Signed = opened.Verdict == smime.Valid && singleFrom(opened.Header()) == d.author
	return nil
}

// readHeader returns the header and where the body begins.
func readHeader(content mail.Content) (entity.Header, int64, error) {
	return readHeaderWithin(content, headerLimit)
}

func readHeaderWithin(content mail.Content, limit int) (entity.Header, int64, error) {
	r, err := content.Open()
	if err != nil {
		return entity.Header{}, 0, err
	}
	defer r.Close()
	header, _, err := entity.Read(r, limit)
	if errors.Is(err, entity.ErrLimit) {
		return entity.Header{}, 0, fmt.Errorf("%w: %w", ErrMessage, err)
	} else if err != nil {
		return entity.Header{}, 0, err
	}
	size, err := header.WriteTo(io.Discard) // byte for byte what was read
	if err != nil {
		return entity.Header{}, 0, err
	}
	if header.Complete() {
		size += int64(len("\r\n"))
	}
	return header, min(size, content.Size()), nil
}

// input is what policy decides by. What is away counts as at hand: see needs.
func (p *Protector) input(d *draft) policy.Input {
	in := policy.Input{
		Internal: true, From: d.author, Groups: d.groups, Flags: d.flags, Kind: d.kind,
		MayUse: d.mayUse, CanSign: d.signer != nil || d.signerAway != nil || d.form.Signed, WhyNotSign: d.noSign,
		Explain: d.peek,
	}
	d.facts.tell(&in)
	for i, r := range d.env.Recipients {
		k := d.known[i]
		to := policy.Recipient{
			Address: r.Address, DeMail: d.env.DeMail != nil, Local: d.env.DeMail == nil && p.o.Local.Match(r.Address),
			CanEncrypt: k.cert != nil || k.away != nil || d.form.Encrypted, Why: k.reason, NoAsk: !p.mayAsk(d, r.Address),
			Groups: k.groups,
		}
		if d.atLeast != nil {
			to.AtLeast = d.atLeast[i]
		}
		in.Recipients = append(in.Recipients, to)
	}
	for i, terms := range p.o.Policy.Terms(in) {
		in.Recipients[i].Unfit, in.Recipients[i].UnfitSigner = d.unfit(terms, d.known[i])
	}
	return in
}

// refusals are why recipients cannot be served: one DATA has one reply, all or nothing.
type refusals struct{ refused, lost Refused }

// refuse adds what is refused of a draft.
func (p *Protector) refuse(r *refusals, d *draft, decisions []policy.Decision) {
	for _, dec := range decisions {
		if said, lost := p.refusal(d, dec); lost {
			r.lost.refuse(p.o.Texts, dec.Recipient, *said)
		} else if said != nil {
			r.refused.refuse(p.o.Texts, dec.Recipient, *said)
		}
	}
}

// refusal says why a recipient cannot be served; nil where it can. lost: no route leads there.
func (p *Protector) refusal(d *draft, dec policy.Decision) (said *texts.Said, lost bool) {
	to := dec.Recipient
	switch {
	case dec.Refusal != nil:
		return dec.Refusal, false
	case d.env.DeMail != nil: // its way was found before
		return nil, false
	case dec.TLS != mail.TLSAsRouted && p.o.WithoutTLS != nil && p.o.WithoutTLS(to):
		return policy.RefuseTLS(to, dec.TLS, dec.TLSRule), false
	}
	if _, err := p.o.Router.Destination(to); err != nil {
		return &texts.Said{ID: texts.NoRoute, Values: texts.Values{Recipient: to.String()}}, true
	}
	return nil, false
}

// err is nil where every recipient may be served.
func (r *refusals) err() error {
	switch {
	case r.refused.Reasons != nil:
		return &r.refused
	case r.lost.Reasons != nil:
		r.lost.Err = ErrNoRoute
		return &r.lost
	}
	return nil
}

// bounded refuses a message that would take too much room once it is encrypted for each hidden recipient.
func (p *Protector) bounded(d *draft, variants []variant) error {
	if int64(len(variants)) <= p.o.MaxTotal/max(d.source.Size(), 1) || len(variants) == 1 {
		return nil
	}
	refused := &Refused{Err: ErrVariants}
	refused.refuse(p.o.Texts, d.env.From, texts.Said{ID: texts.TooManyVariants, Values: texts.Values{Count: len(variants), Limit: p.o.MaxTotal}})
	return refused
}
