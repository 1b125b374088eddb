package protect

import (
	"context"
	"crypto/sha256"
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Memory keeps what the mail programs of partners were found to read, durably. It may be used at once.
type Memory interface {
	// Remember keeps c in place of what is known of the same address and certificate from an earlier signature.
	Remember(ctx context.Context, c certs.Capabilities) error
	// Recall returns what is known of an address, what was signed last first. An error is no answer: mail that would
	// rest on it is not taken.
	Recall(ctx context.Context, address string) ([]certs.Capabilities, error)
}

// capabilities is what a recipient's program is known to read: by the last valid signature made with the certificate that
// is encrypted to, else by the last one of the address, whose owner may sign with another one; else by what
// the certificate itself says. cert is nil where nothing is encrypted.
func (p *Protector) capabilities(ctx context.Context, to mail.Address, cert *x509.Certificate) (smime.Capabilities, error) {
	known, err := p.recall(ctx, to)
	if err != nil {
		return smime.Capabilities{}, err
	}
	var id [sha256.Size]byte
	if cert != nil {
		id = sha256.Sum256(cert.Raw)
	}
	for _, k := range known {
		if k.Certificate == id {
			return smime.ParseCapabilityText(k.Text), nil
		}
	}
	switch {
	case len(known) > 0:
		return smime.ParseCapabilityText(known[0].Text), nil
	case cert != nil:
		return smime.KnownCapabilities(cms.CertificateCapabilities(cert)), nil
	}
	return smime.Capabilities{}, nil
}

func (p *Protector) recall(ctx context.Context, to mail.Address) ([]certs.Capabilities, error) {
	if p.o.Memory == nil {
		return nil, nil
	}
	return p.o.Memory.Recall(ctx, to.String())
}

// learn remembers what the sender's program reads, by a message whose signature proves that its author said so
// (RFC 8551, 2.7.1). What cannot be kept is lost without harm: the next message says it again.
func (p *Protector) learn(ctx context.Context, o *smime.Opened) {
	if p.o.Memory == nil || o.Verdict != smime.Valid {
		return
	}
	for _, l := range o.Layers {
		if l.Type != smime.TypeSigned || l.Verdict != smime.Valid {
			continue
		}
		for _, s := range l.Signers {
			can := smime.KnownCapabilities(s.Capabilities)
			can.Headers = readsHeaders(o)
			if s.Verdict != smime.Valid || s.Certificate == nil || can.IsZero() {
				continue
			}
			_ = p.o.Memory.Remember(ctx, certs.Capabilities{
				Address: s.Address, Certificate: sha256.Sum256(s.Certificate.Raw), Text: can.String(), SignedAt: s.SignedAt,
			})
		}
	}
}
