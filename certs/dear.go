package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// What strangers send along must not make the search try many signatures: a certificate through which a path leads to an anchor was made by
// what is known, or by what that made. So much is found out first, from above, with each signature checked once. One by a key on a
// Brainpool curve takes two hundred times as long to check as one on P-256: few of those are looked at.

const (
	maxDear   = 6   // certificates of a message that Brainpool keys have to do with
	maxSifted = 200 // signatures that are checked to find out which certificates of a message are genuine
)

// slow reports whether signatures by the key take long to check.
func slow(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	return ok && x509x.Brainpool(key.Curve)
}

// genuine returns, of the intermediates of a message and in their order, those that descend from what is known: no stranger
// made them.
func (v *Validator) genuine(offered []*x509.Certificate, k *checker) []*x509.Certificate {
	slowNames := map[string]bool{}
	for _, c := range offered {
		if slow(c) {
			slowNames[x509x.NameKey(c.RawSubject)] = true
		}
	}
	seen := map[string]bool{}
	var sifted []*x509.Certificate
	dear := 0
	for _, c := range offered {
		if seen[string(c.Raw)] {
			continue
		}
		seen[string(c.Raw)] = true
		issuer := x509x.NameKey(c.RawIssuer)
		if slow(c) || slowNames[issuer] || v.slow[issuer] {
			if dear++; dear > maxDear {
				continue
			}
		}
		sifted = append(sifted, c)
	}
	return v.descended(sifted, k)
}

// descended returns those that descend from what is known, through each other. What is no authority has no descendants.
func (v *Validator) descended(offered []*x509.Certificate, k *checker) []*x509.Certificate {
	waiting := bySubject{} // by the name of their issuer
	var issuers []*x509.Certificate
	for _, c := range offered {
		name := x509x.NameKey(c.RawIssuer)
		if waiting[name] == nil {
			issuers = append(issuers, v.known[name]...)
		}
		waiting[name] = append(waiting[name], c)
	}
	found := map[*x509.Certificate]bool{}
	for checks := 0; len(issuers) > 0; issuers = issuers[1:] {
		name := x509x.NameKey(issuers[0].RawSubject)
		waiting[name] = slices.DeleteFunc(waiting[name], func(c *x509.Certificate) bool {
			if checks++; checks > maxSifted || !k.signed(issuers[0], c) {
				return false
			}
			if mayIssue(c) {
				issuers = append(issuers, c)
			}
			found[c] = true
			return true
		})
	}
	return slices.DeleteFunc(offered, func(c *x509.Certificate) bool { return !found[c] })
}
