package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Away is the error for a message whose protection, or decryption, needs something that is away for a while, or
// takes too long.
type Away struct {
	// Line names what is away, the same for all messages that wait for it: the source where it has a name,
	// else "keys:firma.example" or "certificates:partner.example".
	Line string
	// Reason says it for the sender, without hosts and causes: that the signing key of a@x.example is not available. Of a
	// key to decrypt with it is the zero Reason, since nobody outside is told.
	Reason texts.Reason
	// Asked are the recipients whose certificates are waited for, who are to be asked for them.
	Asked []mail.Address
	Until time.Time // of incoming mail: when it is delivered without being decrypted
	Err   error     // for the log
}

// Error is Line and the cause, for operators. It names no user.
func (a *Away) Error() string {
	if len(a.Asked) > 0 {
		return a.Err.Error()
	}
	return a.Line + " is not available: " + a.Err.Error()
}

// Unwrap gives the cause.
func (a *Away) Unwrap() error { return a.Err }

var (
	// errSlow is why protection is given up for the time being.
	errSlow = errors.New("it took longer than is waited for")
	// errNotAsked stands where an answer would, until there is one.
	errNotAsked = errors.New("it was not asked yet")
	// errPending is the error of whoever wants to send a message that is not protected yet.
	errPending = errors.New("protect: the message waits for its protection and must not leave as it is")
	// errArchive is the error of whoever wants to send the copy for an archive as if it were the message.
	errArchive = errors.New("protect: the copy for an archive goes there alone")
	// errMoment is the error of a pending message whose moment of acceptance cannot be read back.
	errMoment = errors.New("protect: what was allowed when the message was accepted cannot be read back")
)

// step is what protection is busy with, for whoever finds that it is away or slow.
type step struct {
	line       string
	whose      string   // key, certificate or groups; may be empty
	gone, late texts.ID // what the sender is told
}

func keyStep(from mail.Address) step {
	return step{"keys:" + from.Domain, from.String(), texts.ReasonKeyAway, texts.ReasonKeySlow}
}

func certStep(to mail.Address) step {
	return step{"certificates:" + to.Domain, to.String(), texts.ReasonCertificateAway, texts.ReasonCertificateSlow}
}

// workStep is our own work.
func workStep() step { return step{"work", "", texts.ReasonWorkAway, texts.ReasonWorkSlow} }

func (s step) away(err error) *Away {
	a := &Away{Line: s.line, Reason: texts.Reason{ID: s.gone, Detail: s.whose}, Err: err}
	var source *certs.UnavailableError
	if errors.As(err, &source) && source.Source != "" {
		a.Line = source.Source
	}
	return a
}

func (s step) slow() *Away {
	return &Away{Line: s.line, Reason: texts.Reason{ID: s.late, Detail: s.whose}, Err: errSlow}
}

// awayOf is what kept a message from being protected, where that may pass; nil for every other error. limit is
// the context that ended where it took too long.
func (d *draft) awayOf(limit context.Context, err error) *Away {
	var away *Away
	var refused *Refused
	switch {
	case err == nil, !d.read, errors.As(err, &refused), errors.Is(err, ErrMessage), errors.Is(err, dispatch.ErrUnavailable):
	case errors.As(err, &away):
		return away
	case errors.Is(context.Cause(limit), errSlow) && d.read:
		return d.step.slow()
	case errors.Is(err, certs.ErrUnavailable):
		return d.step.away(err)
	}
	return nil
}

// needs is what is away and decides on a recipient; nil where nothing is. What no decision rests on may be
// away.
func (d *draft) needs(decisions []policy.Decision) *Away {
	for i, dec := range decisions {
		switch {
		case dec.Settings.Quarantine != "": // nothing is done to it now
		case dec.Sign && d.signerAway != nil && !d.form.Signed && !d.wouldEnroll():
			return d.signerAway
		case dec.Encrypt && d.known[i].away != nil && !d.form.Encrypted:
			return d.known[i].away
		}
	}
	return nil
}

// hold makes the entry of a message that waits for its protection: the message as it came, with what was
// allowed and wanted at this moment. Whatever can be refused already is refused.
func (p *Protector) hold(ctx context.Context, d *draft, content mail.Content, away *Away) (*Admission, error) {
	levels, kept, err := p.settled(d)
	if err != nil {
		return nil, err
	}
	if err := p.spend(ctx, d); err != nil {
		return nil, err
	}
	then := moment{MayUse: d.env.MayUse, AtLeast: levels, DeMail: d.momentOfDeMail(p.deMailOf(d)), Quarantine: kept, Waits: waitsFor(away)}
	now := p.o.Now()
	entry := queue.New{
		Envelope: d.env, Content: content, Origin: d.env.ID, Due: now, Expires: now.Add(p.o.Within),
		Note: noteOf(away),
	}
	for range levels {
		entry.Destinations = append(entry.Destinations, queue.ProtectPrefix+away.Line)
	}
	if entry.Pending, err = then.encode(); err != nil {
		return nil, err
	}
	adm := &Admission{Entries: []queue.New{entry}}
	return adm, p.keepCopies(adm, d, content)
}

// settled are the levels that hold for each recipient whatever comes back, and why a person is to decide on some; its error is a refusal that stands.
func (p *Protector) settled(d *draft) (levels []policy.Levels, kept []string, _ error) {
	levels, kept = make([]policy.Levels, len(d.env.Recipients)), make([]string, len(d.env.Recipients))
	var refused refusals
	for _, part := range d.parts {
		in := p.input(part)
		decisions := p.o.Policy.Decide(in)
		var least []policy.Levels
		if part.groupsAway != nil && p.hangsOnGroups(in) { // what is refused may not be for these groups: but for who cannot be reached at all
			for i := range decisions {
				decisions[i].Refusal = nil
			}
			least = p.o.Policy.Least(in)
		}
		for i, dec := range decisions {
			if least != nil {
				dec.Levels = least[i]
			}
			levels[part.place(i)], kept[part.place(i)] = dec.Levels, dec.Settings.Quarantine
		}
		p.refuse(&refused, part, decisions)
	}
	if !slices.ContainsFunc(kept, func(why string) bool { return why != "" }) {
		kept = nil
	}
	return levels, kept, refused.err()
}

// Resume protects a message that waits for it (queue.Message.IsPending), for the recipients of the claim, as
// Admit does while its sender waits: the submitter may use what was allowed when the message was accepted;
// the policy of today decides, and that of the acceptance where it wanted more. The entries bear ids of their
// own, since an id never stands for two contents. Errors: *Refused and ErrMessage are for good; *Away may
// pass, and so may every other one.
func (p *Protector) Resume(ctx context.Context, store queue.Store, c queue.Claim) (*Admission, error) {
	m := c.Message
	then, err := decodeMoment(m.Pending)
	if err == nil && (len(then.AtLeast) != len(m.Recipients) || !then.DeMail.fits(len(m.Recipients)) || then.Quarantine != nil && len(then.Quarantine) != len(m.Recipients)) {
		err = errMoment
	}
	if err != nil {
		return nil, err
	}
	if err := p.stillMissing(ctx, c); err != nil {
		return nil, err
	}
	d := &draft{progress: new(progress), env: m.Envelope, origin: m.Origin, again: true, waited: IsAsked(c.Destination), deMail: then.DeMail.decided()}
	d.env.MayUse, d.env.Recipients = then.MayUse, nil
	attempts := 0
	for at, i := range c.Due {
		if then.DeMail.isFor(i) {
			d.then = append(d.then, at)
		}
		d.env.Recipients = append(d.env.Recipients, m.Recipients[i].Recipient)
		d.atLeast = append(d.atLeast, then.AtLeast[i])
		if err := d.asideWhen(m.Recipients[i], then, i); err != nil {
			return nil, err
		}
		attempts = max(attempts, m.Recipients[i].Attempts)
	}
	limit, cancel := context.WithTimeoutCause(ctx, p.patience(attempts+1), errSlow)
	defer cancel()
	adm, err := p.outgoing(limit, d, storedContent{ctx, store, m.Envelope.ID, m.Size})
	if away := d.awayOf(limit, err); away != nil && ctx.Err() == nil {
		return nil, away
	}
	return adm, err
}

// maxPatience bounds one attempt, however often it took too long.
const maxPatience = time.Hour

// patience is how long protection may take after so many attempts: each may take twice as long as the one
// before, so that what is slow gets done in the end.
func (p *Protector) patience(attempts int) time.Duration {
	wait := p.o.Patience
	for range attempts {
		if wait >= maxPatience {
			return maxPatience
		}
		wait *= 2
	}
	return wait
}

// IsMomentLost reports whether err says that a pending message cannot be protected any more, since what was
// allowed when it was accepted is not known. It is for an operator to look at.
func IsMomentLost(err error) bool { return errors.Is(err, errMoment) }

func momentError(err error) error { return fmt.Errorf("%w: %w", errMoment, err) }
