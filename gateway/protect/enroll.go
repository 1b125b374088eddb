package protect

import (
	"context"
	"errors"
	"slices"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// Enroller gets certificates for senders inside who have none. It is safe for concurrent use.
type Enroller interface {
	// Signing returns the identity with which an address signs from now on. The address is the single From of a
	// message whose submitter may use it, and one of the company's own. An *certs.UnavailableError is for an issuer
	// that is away: the message waits. With any other error the sender stays without.
	Signing(ctx context.Context, from mail.Address) (certs.Identity, error)
}

// errNotIssued stands where a certificate would that is made when it is needed.
var errNotIssued = errors.New("it was not made yet")

// mayEnroll notes of a sender without a certificate that one may be had: until a decision needs it, it counts as at hand.
func (p *Protector) mayEnroll(d *draft) {
	if p.o.Enroller != nil && p.o.Local.Match(d.from) {
		d.enrolls, d.signerAway = true, d.step.away(errNotIssued)
	}
}

// wouldEnroll reports whether the sender would get a certificate now, were the message there.
func (d *draft) wouldEnroll() bool { return d.peek && d.enrolls }

// enroll gets the sender a certificate where a decision is to sign and there is none, and decides again: by what came of it.
func (p *Protector) enroll(ctx context.Context, d *draft, decisions []policy.Decision) ([]policy.Decision, error) {
	wanted := slices.ContainsFunc(decisions, func(dec policy.Decision) bool { return dec.Sign && !d.form.Signed })
	var refused refusals
	p.refuse(&refused, d, decisions)
	if !d.enrolls || !wanted || refused.err() != nil || d.peek {
		return decisions, nil
	}
	d.step = keyStep(d.from)
	id, err := p.o.Enroller.Signing(ctx, d.from)
	if err == nil && !p.maySign(id.Key) {
		err = errors.New("protect: the new key has no leave to sign")
	}
	switch away := d.awayOf(ctx, err); {
	case err == nil:
		d.signer = p.signer(ctx, d, id)
		d.signerAway = nil
	case away != nil:
		d.signerAway = away
		if ctx.Err() != nil {
			return nil, err
		}
	default: // there will be none: as if nobody could be asked
		d.signerAway = nil
		if p.o.StaysWithout != nil {
			p.o.StaysWithout(d.from, err)
		}
	}
	d.enrolls = false
	in := p.input(d)
	in.Explain = true
	return p.o.Policy.Decide(in), nil
}
