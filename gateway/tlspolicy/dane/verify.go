package dane

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/dns"
)

// Why a chain is not authenticated. Every error of Verify is an [*Error] that wraps exactly one of these.
var (
	// ErrNoMatch: no certificate is one that the records name.
	ErrNoMatch = errors.New("no certificate of the server is one that its TLSA records name")
	// ErrName: the chain ends at an authority of the records, but the certificate is for another host.
	ErrName = errors.New("the certificate is for another host")
	// ErrExpired: a certificate of the chain is not valid at this time.
	ErrExpired = errors.New("a certificate is not valid at this time")
	// ErrChain: the chain does not lead to the authority that the records name.
	ErrChain = errors.New("the certificate was not issued by the authority that the TLSA records name")
	// ErrNone: the server showed no certificate.
	ErrNone = errors.New("the server showed no certificate")
)

// Error says why the certificates of a host do not fit its records.
type Error struct {
	Base  string
	Class error // one of the above
	Err   error // the cause, for the log; may be nil
}

// Error names the host, the reason and what its administrator has to do.
func (e *Error) Error() string {
	s := fmt.Sprintf("DANE: %s: %v", e.Base, e.Class)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + "; its administrator must bring certificate and TLSA records together"
}

// Unwrap returns the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

// The bounds of what is looked at, since strangers choose how long that takes.
const (
	maxChain = 20   // certificates of a server
	maxRSA   = 8192 // bits of a key in a record: crypto/tls takes no more of a certificate
)

// Verify authenticates a server by the chain that it showed, its own certificate first, and returns the record that
// did it. A policy that authenticates nothing accepts any chain, with the zero record.
func (p *Policy) Verify(chain []*x509.Certificate, at time.Time) (dns.TLSA, error) {
	switch {
	case !p.Authenticates():
		return dns.TLSA{}, nil
	case len(chain) == 0:
		return dns.TLSA{}, &Error{Base: p.Base, Class: ErrNone}
	}
	chain = chain[:min(len(chain), maxChain)]
	for _, r := range p.usable {
		// RFC 7672, 3.1.1: neither name nor date of the certificate matters; the record says both.
		if r.Usage == UsageEE && matches(r, chain[0]) {
			return r, nil
		}
	}
	failure := &Error{Base: p.Base, Class: ErrNoMatch}
	for _, r := range p.usable {
		if r.Usage != UsageTA {
			continue
		}
		anchors := anchors(r, chain)
		if len(anchors) == 0 {
			continue
		}
		err := p.below(anchors, chain, at)
		if err == nil {
			return r, nil
		}
		failure = err
	}
	return dns.TLSA{}, failure
}

// anchors are the certificates that a record of an authority makes anchors: those of the chain that it names, the one
// that it holds, and those of the chain that the bare key signed which it holds (RFC 7671, 5.2). The server's own is no
// authority.
func anchors(r dns.TLSA, chain []*x509.Certificate) (found []*x509.Certificate) {
	for _, c := range chain[1:] {
		if matches(r, c) && !c.Equal(chain[0]) && !tooLarge(c.PublicKey) {
			found = append(found, c)
		}
	}
	if len(found) > 0 || r.MatchingType != MatchFull {
		return found
	}
	if r.Selector == SelectorCert {
		if c, err := x509.ParseCertificate(r.Data); err == nil && !c.Equal(chain[0]) && !tooLarge(c.PublicKey) {
			found = append(found, c)
		}
		return found
	}
	key, err := x509.ParsePKIXPublicKey(r.Data)
	if err != nil || tooLarge(key) {
		return nil
	}
	signer := &x509.Certificate{PublicKey: key}
	for _, c := range chain {
		if signer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			found = append(found, c)
		}
	}
	return found
}

// tooLarge reports whether each look at a signature of a key would take a while.
func tooLarge(key any) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k.N.BitLen() > maxRSA
}

// below holds that the chain leads to one of the anchors, that all of it is valid now, and that the certificate is for
// one of the names (RFC 7672, 3.1.2 and 3.2).
func (p *Policy) below(anchors, chain []*x509.Certificate, at time.Time) *Error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range anchors {
		roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &Error{Base: p.Base, Class: ErrExpired, Err: err}
	case err != nil:
		return &Error{Base: p.Base, Class: ErrChain, Err: err}
	case !slices.ContainsFunc(p.Names, func(name string) bool { return bears(chain[0], name) }):
		return &Error{Base: p.Base, Class: ErrName, Err: fmt.Errorf("it must bear %s", strings.Join(p.Names, " or "))}
	}
	return nil
}

// bears tells whether a certificate is for a name. The subject's common name counts where there is no DNS name at all
// (RFC 7672, 3.2.3).
func bears(c *x509.Certificate, name string) bool {
	names := c.DNSNames
	if len(names) == 0 {
		names = []string{c.Subject.CommonName}
	}
	return slices.ContainsFunc(names, func(n string) bool { return covers(n, name) })
}

// covers tells whether a name of a certificate, perhaps with a wildcard as its whole first label, is a host's.
func covers(pattern, host string) bool {
	rest, wild := strings.CutPrefix(pattern, "*.")
	canonical, err := dns.Name(rest)
	if err != nil {
		return false
	}
	if wild {
		_, parent, _ := strings.Cut(host, ".")
		return parent == canonical && strings.Contains(canonical, ".")
	}
	return host == canonical
}
