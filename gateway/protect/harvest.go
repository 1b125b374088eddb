package protect

import (
	"slices"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// harvest offers the signatures of a message that prove who wrote it, or would if their issuer were known. Of others, and of
// messages of which anything else is wrong, nothing is learned.
func (p *Protector) harvest(o *smime.Opened) {
	if p.o.Harvest == nil || o.Verdict != smime.Valid && o.Verdict != smime.Untrusted {
		return
	}
	from := singleFrom(o.Header())
	if from.IsNull() {
		return
	}
	for _, l := range o.Layers {
		if l.Type != smime.TypeSigned || l.Verdict != o.Verdict || l.Errant {
			continue
		}
		for _, s := range l.Signers {
			if s.Verdict == o.Verdict && s.Certificate != nil && isOf(s, from) {
				p.o.Harvest(harvest.Signature{
					From: from, Certificate: s.Certificate, Others: s.Others, Encryption: s.EncryptionKey, Valid: o.Verdict == smime.Valid,
				})
			}
		}
	}
}

// isOf reports whether a signer's certificate is for an address.
func isOf(s smime.SignerVerdict, from mail.Address) bool {
	key := certs.AddressKey(from.String())
	return key != "" && slices.ContainsFunc(certs.Addresses(s.Certificate), func(a string) bool { return certs.AddressKey(a) == key })
}
