package protect

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
)

// variant is a group of recipients who get the same bytes.
type variant struct {
	sign, encrypt bool
	manner        manner
	back          bool // it goes back to where the message came from
	direction     mail.Direction
	tls           mail.TLSLevel // that each hop must give
	recipients    []mail.Recipient
	certs         []*x509.Certificate
}

// groupKey is what recipients of one variant have in common.
type groupKey struct {
	direction           mail.Direction
	sign, encrypt, back bool
	manner              manner
	tls                 mail.TLSLevel
}

// group gathers recipients with one decision, one manner and one sort of way. A recipient of an encrypted variant whom the header does not
// name stands alone: the recipient infos of a shared one would tell the others of them.
func (p *Protector) group(d *draft, decisions []policy.Decision) ([]variant, error) {
	var out []variant
	shared := make(map[groupKey]int)
	for i, dec := range decisions {
		r := d.env.Recipients[i]
		encrypt := dec.Encrypt && !d.form.Encrypted
		sign := dec.Sign && !d.form.Signed && !d.form.Encrypted
		how, err := d.manner(dec.Terms, d.known[i], sign, encrypt)
		if err != nil { // which policy was told, and refused
			return nil, fmt.Errorf("protect: a message of %s: %w", d.env.From, err)
		}
		key := groupKey{dec.Direction, sign, encrypt, p.goesBack(d, r.Address), how, dec.TLS}
		at, ok := shared[key]
		if hidden := encrypt && !d.visible[r.Address.Key()]; hidden || !ok {
			out = append(out, variant{sign: sign, encrypt: encrypt, manner: how, back: key.back, direction: dec.Direction, tls: dec.TLS})
			at = len(out) - 1
			if !hidden {
				shared[key] = at
			}
		}
		out[at].recipients = append(out[at].recipients, r)
		if encrypt {
			out[at].certs = append(out[at].certs, d.known[i].cert)
		}
	}
	return out, nil
}

// addVariant protects one variant and adds its entry. The first variant keeps the id that the sender is told.
func (p *Protector) addVariant(ctx context.Context, adm *Admission, d *draft, v variant, index int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	content, err := p.protected(ctx, adm, d, v)
	if err != nil {
		return fmt.Errorf("protecting a message of %s: %w", d.env.From, err)
	}
	content, keys, err := p.finish(ctx, d, v, content)
	if err != nil {
		return fmt.Errorf("protecting a message of %s: %w", d.env.From, err)
	}
	if err := p.fitsDeMail(ctx, d, v, content); err != nil {
		return err
	}
	entry, err := p.entry(d.env, v.recipients, content, d.note(v.note(keys)))
	if err != nil {
		return err
	}
	entry.Origin = d.origin
	entry.Envelope.TLS = v.tls
	entry.Envelope.Body8Bit = d.env.Body8Bit && !v.sign && !v.encrypt
	if index > 0 || d.again {
		entry.Envelope.ID = mail.NewID(p.o.Now())
	}
	adm.Entries = append(adm.Entries, entry)
	p.recordProtected(d, v, keys, entry.Envelope.ID, content.Size())
	return nil
}

// protected is the content of a variant. One that only lost its flags is read from the listener's content,
// under its new header; one that is signed or encrypted goes to scratch.
func (p *Protector) protected(ctx context.Context, adm *Admission, d *draft, v variant) (mail.Content, error) {
	src, err := p.leaving(d, v)
	if err != nil || !v.sign && !v.encrypt {
		return src, err
	}
	buffer := p.o.Spool.Create()
	adm.buffers = append(adm.buffers, buffer)
	o := smime.ProtectOptions{
		EncryptTo: v.encryptTo(d.self), Algorithm: v.manner.choice.Algorithm, Opaque: v.manner.opaque, Time: p.o.Now(),
		Headers: v.manner.choice.HeaderProtection(), Outside: p.isOurs, SoftwareBrainpool: p.o.SMIME.SoftwareBrainpool,
	}
	d.step = workStep()
	if v.sign {
		signer := *d.signer
		signer.PSS = v.manner.choice.PSS
		o.Signers = []smime.Signer{signer}
		d.step = keyStep(d.from)
	}
	err = smime.Protect(buffer, during{ctx, src}, o)
	if errors.Is(err, smime.ErrMessage) {
		err = fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return buffer, err
}

func (v variant) note(keys string) string {
	if keys != "" {
		return v.note("") + ", DKIM by " + keys
	}
	switch {
	case v.sign && v.encrypt:
		return "signed and encrypted"
	case v.sign:
		return "signed"
	case v.encrypt:
		return "encrypted"
	}
	return "unchanged"
}

func (p *Protector) recordProtected(d *draft, v variant, keys string, id mail.ID, size int64) {
	e := track.Event{
		Time: p.o.Now(), Kind: track.Protected, ID: id, Origin: d.origin, Direction: v.direction, Size: size, DKIM: keys,
	}
	if v.sign {
		e.SignedBy = certName(d.signer.Certificate)
	}
	to := v.encryptTo(d.self)
	for _, r := range to {
		e.EncryptedTo = append(e.EncryptedTo, certName(r.Certificate))
	}
	e.Algorithms = v.algorithms(d.signer, to)
	if !v.sign && !v.encrypt && keys == "" {
		return
	}
	d.events = append(d.events, e)
}
