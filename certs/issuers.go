package certs

import (
	"bytes"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Issuers finds the certificates above another one. It is immutable and safe for concurrent use.
type Issuers struct {
	byName map[string][]*x509.Certificate
}

// NewIssuers returns those among the certificates of authorities.
func NewIssuers(authorities []*x509.Certificate) Issuers {
	i := Issuers{map[string][]*x509.Certificate{}}
	for _, c := range authorities {
		key := x509x.NameKey(c.RawSubject)
		i.byName[key] = append(i.byName[key], c)
	}
	return i
}

// maxSentChain bounds the certificates sent along with a signature.
const maxSentChain = 8

// Chain goes up from a certificate to below a self-signed one, as it is sent along with a signature (RFC 8550, 2.3); of several
// issuers the one that lives longest is taken.
func (i Issuers) Chain(c *x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for len(chain) < maxSentChain {
		var above *x509.Certificate
		for _, issuer := range i.byName[x509x.NameKey(c.RawIssuer)] {
			longer := above == nil || issuer.NotAfter.After(above.NotAfter)
			if longer && !bytes.Equal(issuer.RawIssuer, issuer.RawSubject) && !slices.Contains(chain, issuer) && x509x.CheckSignatureFrom(c, issuer) == nil {
				above = issuer
			}
		}
		if above == nil {
			return chain
		}
		chain = append(chain, above)
		c = above
	}
	return chain
}
