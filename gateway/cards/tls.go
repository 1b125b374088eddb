package cards

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Presenter returns what hands out the certificate of a key as a TLS client shows it, for one handshake, whose context bounds the wait for
// the card. Above it stand the certificates of chain, whose first is the key's own; without chain those of the entry. Its errors, and those of
// the key, are *Error. ok is false where there is no such entry.
func (s *Set) Presenter(name string, chain []*x509.Certificate) (present func(context.Context) (tls.Certificate, error), ok bool) {
	e := s.find(name)
	if e == nil {
		return nil, false
	}
	return func(ctx context.Context) (tls.Certificate, error) {
		o, err := e.open(ctx)
		if err != nil {
			return tls.Certificate{}, err
		}
		leaf, above := o.Info().Certificate, e.Chain
		if len(above) > 0 && above[0].Equal(leaf) {
			above = above[1:]
		}
		if len(chain) > 0 {
			if !chain[0].Equal(leaf) {
				return tls.Certificate{}, e.named(errors.New("the certificate of its file is not that of the key; correct client_certificate, or remove it"))
			}
			above = chain[1:]
		}
		k := key{e, o.during(ctx), s.h.figures, func(err error) error { return err }}
		c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: k, Leaf: leaf, SupportedSignatureAlgorithms: o.SignatureAlgorithms()}
		for _, a := range above {
			c.Certificate = append(c.Certificate, a.Raw)
		}
		if len(c.SupportedSignatureAlgorithms) == 0 {
			return tls.Certificate{}, e.named(errors.New("its key does not sign; bind the authentication key of the card"))
		}
		return c, nil
	}, true
}
