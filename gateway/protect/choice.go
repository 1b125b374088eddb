package protect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/x509x"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// SMIME is what S/MIME may do that is not safe everywhere.
type SMIME struct {
	// Legacy are the senders outside whose mail may be encrypted by Triple DES and RC2.
	Legacy mail.Patterns
	// SoftwareBrainpool allows private operations on Brainpool curves by keys in memory.
	SoftwareBrainpool bool
}

// manner is how a recipient's copy is made. Recipients with one manner may share it.
type manner struct {
	choice smime.Choice
	opaque bool // signed so
	toSelf bool // encrypted to the sender, too
}

// manner is that of a recipient's copy under the terms that policy gives. The error is a *smime.UnfitError.
func (d *draft) manner(t policy.Terms, k known, sign, encrypt bool) (manner, error) {
	if !sign && !encrypt {
		return manner{}, nil
	}
	peer := smime.Peer{Capabilities: k.capabilities, Wish: t.Wish}
	if encrypt {
		peer.Certificate = k.cert
	}
	if d.signer != nil && !signsPSS(d.signer.Key) {
		peer.Capabilities.PSS = false
	}
	choice, err := t.Profile.Choose(peer)
	if !sign {
		choice.PSS = false // of no concern: recipients who differ in it alone share a copy
	}
	m := manner{choice: choice, opaque: sign && t.Opaque == smime.Yes}
	if encrypt && t.ToSelf == smime.Yes && d.self != nil { // and only where it is as strong as the others have to be
		_, unfit := t.Profile.Choose(smime.Peer{Certificate: d.self})
		m.toSelf = unfit == nil
	}
	return m, err
}

// signsPSS reports whether an RSA key surely signs by RSASSA-PSS: one in memory does, and one that says so of itself. Not every card
// does.
func signsPSS(key crypto.Signer) bool {
	if k, ok := key.(patientKey); ok {
		says, ok := k.key.(interface{ SignsPSS() bool })
		return ok && says.SignsPSS()
	}
	_, ok := key.(*rsa.PrivateKey)
	return ok
}

// unfit says why a recipient's certificate, or the sender's, is not good enough for the terms; zero where it is.
func (d *draft) unfit(t policy.Terms, k known) (encrypt, sign texts.Reason) {
	if k.cert != nil && !d.form.Encrypted {
		_, err := d.manner(t, k, false, true)
		encrypt = unfitReason(err, false)
	}
	if d.signer != nil && !d.form.Signed && !d.form.Encrypted {
		_, err := d.manner(t, k, true, false)
		if err == nil {
			err = t.Profile.FitSigner(d.signer.Certificate)
		}
		sign = unfitReason(err, true)
	}
	return encrypt, sign
}

// encryptTo are the recipients of a variant's encryption, with the sender where that is wanted.
func (v *variant) encryptTo(self *x509.Certificate) []cms.Recipient {
	certs := v.certs
	if v.manner.toSelf && !slices.ContainsFunc(certs, self.Equal) {
		certs = append(slices.Clip(certs), self)
	}
	to := make([]cms.Recipient, 0, len(certs))
	for _, c := range certs {
		to = append(to, v.manner.choice.Recipient(c))
	}
	return to
}

// mayEncryptTo reports whether this gateway may encrypt to a certificate: for Brainpool it needs leave.
func (p *Protector) mayEncryptTo(c *x509.Certificate) bool {
	return p.o.SMIME.SoftwareBrainpool || !isBrainpool(c.PublicKey)
}

// maySign reports whether this gateway may sign with a key: one on a Brainpool curve that lies in memory needs leave.
func (p *Protector) maySign(key crypto.Signer) bool {
	k, inMemory := key.(*ecdsa.PrivateKey)
	return p.o.SMIME.SoftwareBrainpool || !inMemory || !isBrainpool(k.Public())
}

func isBrainpool(key crypto.PublicKey) bool {
	k, ok := key.(*ecdsa.PublicKey)
	return ok && x509x.Brainpool(k.Curve)
}

// algorithms names what a variant was made with: "aes256-gcm, rsa-oaep, ecdh, signed rsapss".
func (v *variant) algorithms(signer *smime.Signer, to []cms.Recipient) string {
	var words []string
	add := func(w string) {
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	if v.encrypt {
		add(string(v.manner.choice.Algorithm))
	}
	for _, r := range to {
		add(transportName(r))
	}
	if v.sign && signer != nil {
		add("signed " + signatureName(signer.Certificate.PublicKey, v.manner.choice.PSS))
	}
	return strings.Join(words, ", ")
}

// transportName is how a recipient gets the content key.
func transportName(r cms.Recipient) string {
	switch r.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if r.OAEP != nil {
			return "rsa-oaep"
		}
		return "rsa"
	case *ecdsa.PublicKey:
		return "ecdh"
	}
	return "x25519"
}

func signatureName(key crypto.PublicKey, pss bool) string {
	switch key.(type) {
	case *rsa.PublicKey:
		if pss {
			return "rsapss"
		}
		return "rsa"
	case *ecdsa.PublicKey:
		return "ecdsa"
	case ed25519.PublicKey:
		return "ed25519"
	}
	return "otherwise"
}
