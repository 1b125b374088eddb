package certs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// crypto/x509 builds and judges paths, and does so well, but it takes RSASSA-PSS only with a salt as long as the
// hash. OpenSSL makes longer ones. Such a signature is verified here, and then a stand-in shown to crypto/x509: the same
// certificate with a signature by a key that was made for this one search, under a stand-in of the issuer that has this key.
// Nobody else has it, so that what verifies under a stand-in is what was verified here. In the result the
// certificates themselves take the places of their stand-ins.

// maxOdd bounds the signatures that are verified here for one certificate that is judged.
const maxOdd = 40

// odd reports whether crypto/x509 does not know the kind of the certificate's signature.
func odd(c *x509.Certificate) bool { return c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm }

// search is what one path is looked for in.
type search struct {
	leaf                 x509.Certificate // as it is shown to crypto/x509
	roots, intermediates *x509.CertPool
	real                 map[*x509.Certificate]*x509.Certificate // behind the stand-ins
}

// standIn adds the stand-ins that the odd signatures among the certificates need.
func (v *Validator) standIn(s *search, leaf *x509.Certificate, offered []*x509.Certificate) {
	all := slices.Concat([]*x509.Certificate{leaf}, offered, v.odd)
	all = slices.DeleteFunc(all, func(c *x509.Certificate) bool { return !odd(c) })
	if len(all) == 0 {
		return
	}
	byName := bySubject{}
	byName.add(offered)
	keys := map[*x509.Certificate]ed25519.PrivateKey{} // of issuers
	fixed := map[*x509.Certificate]*x509.Certificate{}
	checks := 0
	for _, c := range all {
		for _, issuer := range slices.Concat(v.known[string(c.RawIssuer)], byName[string(c.RawIssuer)]) {
			if checks++; checks > maxOdd {
				break
			}
			if fixed[c] != nil || x509x.CheckSignatureFrom(c, issuer) != nil {
				continue
			}
			if keys[issuer] == nil {
				_, key, err := ed25519.GenerateKey(rand.Reader)
				if err != nil {
					return
				}
				keys[issuer] = key
			}
			f := *c
			f.SignatureAlgorithm, f.Signature = x509.PureEd25519, ed25519.Sign(keys[issuer], c.RawTBSCertificate)
			fixed[c] = &f
		}
	}
	s.show(v, fixed, keys, leaf)
}

// show puts the stand-ins where they belong.
func (s *search) show(v *Validator, fixed map[*x509.Certificate]*x509.Certificate, keys map[*x509.Certificate]ed25519.PrivateKey, leaf *x509.Certificate) {
	s.roots, s.intermediates = s.roots.Clone(), s.intermediates.Clone()
	add := func(pool *x509.CertPool, real, shown *x509.Certificate, mark byte) {
		shown.Raw = append(bytes.Clone(real.Raw), mark) // pools know certificates by it
		s.real[shown] = real
		pool.AddCert(shown)
	}
	for c, f := range fixed {
		if c == leaf {
			s.leaf.SignatureAlgorithm, s.leaf.Signature = f.SignatureAlgorithm, f.Signature
			continue
		}
		shown := *f
		add(s.intermediates, c, &shown, 0)
	}
	for issuer, key := range keys {
		shown := *issuer
		if f := fixed[issuer]; f != nil {
			shown = *f
		}
		shown.PublicKey, shown.PublicKeyAlgorithm = key.Public(), x509.Ed25519
		pool := s.intermediates
		if v.isAnchor[string(issuer.Raw)] {
			pool = s.roots
		}
		add(pool, issuer, &shown, 1)
	}
}
