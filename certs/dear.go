package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// A signature by a key on a Brainpool curve takes two hundred times as long to check as one on P-256, and crypto/x509 tries up to a
// hundred signatures in each search for a path. What strangers send along must not make it try those.

// maxDear bounds the certificates of a message that a path may lead through, where Brainpool keys have to do with them.
const maxDear = 6

// slow reports whether signatures by the key take long to check.
func slow(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	return ok && x509x.Brainpool(key.Curve)
}

// genuine drops, of the intermediates of a message, those with a Brainpool key, and those that name an issuer with one,
// unless they descend from what is known: then no stranger made them. Each signature is checked once; of certificates beyond maxDear
// none is. Without Brainpool keys nothing is checked.
func (v *Validator) genuine(offered []*x509.Certificate) []*x509.Certificate {
	slowNames := map[string]bool{}
	for _, c := range offered {
		if slow(c) {
			slowNames[string(c.RawSubject)] = true
		}
	}
	for name := range v.slow {
		slowNames[name] = true
	}
	var dear, kept []*x509.Certificate
	for _, c := range offered {
		switch {
		case !slow(c) && !slowNames[string(c.RawIssuer)]:
			kept = append(kept, c)
		case len(dear) < maxDear:
			dear = append(dear, c)
		}
	}
	if len(dear) == 0 {
		return kept
	}
	return append(kept, v.descended(dear, kept)...)
}

// descended returns those of the dear certificates that descend from what is known, through themselves or the cheap ones.
func (v *Validator) descended(dear, cheap []*x509.Certificate) []*x509.Certificate {
	waiting := bySubject{} // by the name of their issuer
	for _, c := range append(dear[:len(dear):len(dear)], cheap...) {
		waiting[string(c.RawIssuer)] = append(waiting[string(c.RawIssuer)], c)
	}
	var issuers, found []*x509.Certificate
	for name := range waiting {
		issuers = append(issuers, v.known[name]...)
	}
	for len(issuers) > 0 {
		issuer := issuers[0]
		issuers = issuers[1:]
		name := string(issuer.RawSubject)
		waiting[name] = slices.DeleteFunc(waiting[name], func(c *x509.Certificate) bool {
			if x509x.CheckSignatureFrom(c, issuer) != nil {
				return false
			}
			issuers = append(issuers, c)
			if slices.Contains(dear, c) {
				found = append(found, c)
			}
			return true
		})
	}
	return found
}
