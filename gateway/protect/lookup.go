package protect

import (
	"context"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

// known is what the certificate source said of one recipient.
type known struct {
	cert         *x509.Certificate
	capabilities smime.Capabilities // of the recipient's program
	why          string             // why cert is nil, for the record
	reason       texts.ID           // the same for the sender
	away         *Away              // where it is not known whether there is one
	groups       []string           // of the company's directory that it is in, of those that decide
}

// lookUp asks for the recipients' certificates. A source that is away is noted, and the others are asked
// nevertheless; other faults are errors.
func (p *Protector) lookUp(ctx context.Context, d *draft) error {
	now := p.o.Now()
	for i, r := range d.env.Recipients {
		k := &d.known[i]
		if p.o.Local.Match(r.Address) {
			k.why, k.reason, k.away = "it is an address of this company", texts.ReasonColleague, nil
			continue
		}
		d.step = certStep(r.Address)
		cert, err := p.o.Certs.Recipient(ctx, r.Address.String(), now)
		if why := p.whyNot(cert, r.Address, err); err == nil || why != "" {
			if k.why = why; why == "" {
				k.cert = cert
			} else if k.reason = recipientReason(err); k.reason == "" {
				k.reason = texts.ReasonBrainpool
			}
			k.away = nil
			if k.capabilities, err = p.capabilities(ctx, r.Address, k.cert); err != nil {
				return err
			}
			continue
		}
		if k.away = d.awayOf(ctx, err); k.away == nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// whyNot says why a look-up gave no certificate that may be encrypted to, for the sender; empty where it did, or
// failed.
func (p *Protector) whyNot(cert *x509.Certificate, to mail.Address, err error) string {
	if err == nil && !p.mayEncryptTo(cert) {
		return "the certificate of " + to.String() + " is on a Brainpool curve, which is not enabled"
	}
	return certs.Why(err, to.String())
}

// lookUpSigner finds the key for the single From address that the submitter may use (invariant 4).
func (p *Protector) lookUpSigner(ctx context.Context, d *draft) error {
	if d.from.IsNull() {
		d.noSign, d.signerAway = texts.Reason{ID: texts.ReasonFrom}, nil
		return nil
	}
	if !d.env.MayUse.Match(d.from) {
		d.noSign, d.signerAway = texts.Reason{ID: texts.ReasonNotYours, Detail: d.from.String()}, nil
		return nil
	}
	d.step = keyStep(d.from)
	id, err := p.o.Certs.Signing(ctx, d.from.String(), p.o.Now())
	if err == nil && !p.maySign(id.Key) {
		d.noSign, d.signerAway = texts.Reason{ID: texts.ReasonBrainpool}, nil
		return nil
	}
	if err == nil {
		d.signer = p.signer(ctx, d, id)
		d.signerAway = nil
		return nil
	}
	if d.noSign = (texts.Reason{ID: senderReason(err), Detail: d.from.String()}); d.noSign.ID != "" {
		d.signerAway = nil
		p.mayEnroll(d)
		return nil
	}
	if d.signerAway = d.awayOf(ctx, err); d.signerAway == nil || ctx.Err() != nil {
		return err
	}
	return nil
}

// signer is who signs with an identity of the sender. Where its certificate is not for encryption, the signature says which one is (RFC
// 8551, 2.5.3), so that partners learn it: the one that the gateway itself encrypts to. Nothing depends on it: where it cannot be
// had now, the next signature says it.
func (p *Protector) signer(ctx context.Context, d *draft, id certs.Identity) *smime.Signer {
	s := &smime.Signer{Certificate: id.Certificate, Chain: id.Chain, Key: p.patient(ctx, id)}
	if certs.ForEncryption(id.Certificate) {
		return s
	}
	if c, err := p.o.Certs.Recipient(ctx, d.from.String(), p.o.Now()); err == nil && p.mayEncryptTo(c) {
		s.Encryption = c
	}
	return s
}

// lookUpSelf finds the sender's own certificate as one more recipient, where some copy wants it. What others get does not
// depend on it, so nothing waits for it and nothing is refused.
func (p *Protector) lookUpSelf(ctx context.Context, d *draft, decisions []policy.Decision) {
	wanted := slices.ContainsFunc(decisions, func(dec policy.Decision) bool { return dec.Encrypt && dec.Terms.ToSelf == smime.Yes })
	if !wanted || d.from.IsNull() || !d.env.MayUse.Match(d.from) { // invariant 4
		return
	}
	if cert, err := p.o.Certs.Recipient(ctx, d.from.String(), p.o.Now()); err == nil && p.mayEncryptTo(cert) {
		d.self = cert
	}
}
