package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// state is what is known of a certificate.
type state int

const (
	unknown state = iota // nobody could tell
	nowhere              // there is nobody to ask
	good
	revoked
)

// verdict is what was found out about one certificate.
type verdict struct {
	state state
	entry entry    // of a revoked one
	why   []string // nobody could tell
	host  string   // who should have
	err   error
}

// failed notes that a source did not tell.
func (v *verdict) failed(host, method string, err error) {
	if v.err == nil {
		v.host, v.err = host, err
	}
	v.state = unknown
	v.why = append(v.why, fmt.Sprintf("%s by %s: %v", host, method, err))
}

// maxDepth bounds the certificates that have to be judged to judge another one: a responder's, a list signer's.
const maxDepth = 1

// judge finds out about the first certificate of a path, whose issuer comes next.
func (c *Checker) judge(ctx context.Context, s *inForce, chain []*x509.Certificate, depth int) verdict {
	cert := chain[0]
	if e, told, isRevoked := (known{s.Given, s.Signers}).current(chain, c.o.Now()); isRevoked { // whatever was said before
		return verdict{state: revoked, entry: e}
	} else if told || neverRevoked(cert, depth > 0) {
		return verdict{state: good}
	}
	v := verdict{state: nowhere}
	for _, m := range s.Order {
		switch {
		case m == OCSP && depth == 0: // a responder's own certificate is not asked about there
			c.byOCSP(ctx, s, chain, &v)
		case m == CRL:
			c.byCRL(ctx, s, chain, depth, &v)
		}
		if v.state == good || v.state == revoked {
			return v
		}
	}
	return v
}

// maxResponderURLs bounds the responders of one certificate that are asked.
const maxResponderURLs = 4

// byOCSP asks the responders that the certificate names (RFC 5280, 4.2.2.1).
func (c *Checker) byOCSP(ctx context.Context, s *inForce, chain []*x509.Certificate, v *verdict) {
	cert, issuer := chain[0], chain[1]
	responders := cert.OCSPServer[:min(len(cert.OCSPServer), maxResponderURLs)]
	for i, address := range responders {
		host, err := hostOf(s.client, address)
		if err != nil {
			continue
		}
		key := ocspKey(address, cert, issuer)
		limit, cancel := share(ctx, i+1 < len(responders) || len(points(cert)) > 0)
		k, err := c.get(limit, s, key, func() (job, error) {
			q, err := newQuestion(cert, issuer)
			return ocspJob(s, key, address, q), err
		})
		cancel()
		if err == nil {
			err = c.responder(ctx, s, k.answer.signer, chain)
		}
		switch {
		case err != nil:
			v.failed(host, "OCSP", err)
		case k.answer.status == ocsp.Good:
			*v = verdict{state: good}
			return
		case k.answer.status == ocsp.Revoked:
			*v = verdict{state: revoked, entry: k.answer.revoked}
			return
		default:
			v.failed(host, "OCSP", errors.New("it does not know the certificate"))
		}
	}
}

// share is all the time that there is, or half of it where there are others to ask.
func share(ctx context.Context, others bool) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !others || !ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// responder reports why a delegated responder's own certificate makes its answers worthless: it is revoked, or that cannot be told although its
// certificate names a list (RFC 6960, 4.2.2.2.1). One that names none is the issuer's to answer for.
func (c *Checker) responder(ctx context.Context, s *inForce, signer *x509.Certificate, chain []*x509.Certificate) error {
	if signer == nil {
		return nil
	}
	switch v := c.judge(ctx, s, append([]*x509.Certificate{signer}, chain[1:]...), 1); v.state {
	case revoked:
		return errors.New("the certificate of the responder is revoked")
	case unknown:
		return fmt.Errorf("whether the certificate of the responder is revoked cannot be told: %w", v.err)
	}
	return nil
}

// byCRL looks at the lists of the places that the certificate names, until they speak of every reason of revocation (RFC 5280, 6.3.3).
func (c *Checker) byCRL(ctx context.Context, s *inForce, chain []*x509.Certificate, depth int, v *verdict) {
	cert := chain[0]
	var covered reasons
	for _, p := range points(cert) {
		if covered|p.some() == covered {
			continue
		}
		for i, address := range p.name.uris {
			host, err := hostOf(s.client, address)
			if err != nil {
				continue
			}
			limit, cancel := share(ctx, i+1 < len(p.name.uris))
			some, e, found, err := c.byList(limit, s, chain, depth, p, address)
			cancel()
			if err != nil {
				v.failed(host, "CRL", err)
				continue
			}
			if found {
				*v = verdict{state: revoked, entry: e}
				return
			}
			if covered |= some; covered == allReasons {
				*v = verdict{state: good}
				return
			}
			break
		}
	}
	if covered != 0 {
		v.failed("the issuer", "CRL", errors.New("its lists do not speak of all reasons of revocation"))
	}
}

// byList looks for a certificate in the list of one address: for which reasons it tells, and what.
func (c *Checker) byList(ctx context.Context, s *inForce, chain []*x509.Certificate, depth int, p point, address string) (reasons, entry, bool, error) {
	cert := chain[0]
	err := errors.New("the certificate of who signs its list is not known; put it beside the lists of certificates.revocation.files")
	for _, signer := range c.signers(ctx, s, chain, depth, p) {
		var k *kept
		if k, err = c.list(ctx, s, "list", address, signer, signer != chain[1]); err != nil {
			continue
		}
		l := k.list
		if !x509x.SameName(l.issuer, cert.RawIssuer) && !l.scope.indirect || l.base != nil || !l.scope.covers(cert, p) {
			err = errors.New("its list is not about the certificate")
			continue
		}
		e, found := l.entry(cert)
		if d := c.differences(ctx, s, chain, l, signer); d != nil {
			if newer, is := d.entry(cert); is {
				e, found = newer, newer.reason != removed
			}
		}
		return p.some() & l.scope.some(), e, found, nil
	}
	return 0, entry{}, false, err
}

func (c *Checker) list(ctx context.Context, s *inForce, kind, address string, signer *x509.Certificate, other bool) (*kept, error) {
	return c.get(ctx, s, listKey(kind, address, signer, other), func() (job, error) { return listJob(s, kind, address, signer, other), nil })
}

// signers are the certificates of who may have signed the list of a point: the issuer, or where the point names others, those, as far as
// they are known, were made by an authority of the path, and may sign lists (RFC 5280, 6.3.3, f). The issuer may have another key for lists.
func (c *Checker) signers(ctx context.Context, s *inForce, chain []*x509.Certificate, depth int, p point) []*x509.Certificate {
	all := p.issuers
	if len(all) == 0 {
		all = [][]byte{chain[1].RawSubject}
	}
	var found []*x509.Certificate
	for _, name := range all {
		if x509x.SameName(name, chain[1].RawSubject) {
			found = append(found, chain[1])
		}
		for _, one := range s.Signers {
			if x509x.SameName(one.RawSubject, name) && !one.Equal(chain[1]) && c.maySignLists(ctx, s, one, chain, depth) {
				found = append(found, one)
			}
		}
	}
	return found
}

func (c *Checker) maySignLists(ctx context.Context, s *inForce, signer *x509.Certificate, chain []*x509.Certificate, depth int) bool {
	if depth >= maxDepth || !fitToSign(signer, c.o.Now()) {
		return false
	}
	i := maker(signer, chain)
	if i < 0 {
		return false
	}
	v := c.judge(ctx, s, append([]*x509.Certificate{signer}, chain[i:]...), depth+1)
	return v.state == good || v.state == nowhere
}

// differences is the newest list of differences to a list, where there is one that fits (RFC 5280, 5.2.4). Without one the list stands
// alone: it has not ended.
func (c *Checker) differences(ctx context.Context, s *inForce, chain []*x509.Certificate, l *List, signer *x509.Certificate) *List {
	fresher := l.fresher
	for _, e := range chain[0].Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 46}) {
			fresher = append(fresher[:len(fresher):len(fresher)], parsePoints(e.Value, chain[0].RawIssuer)...)
		}
	}
	for _, p := range fresher {
		for _, address := range p.name.uris {
			if _, err := hostOf(s.client, address); err != nil {
				continue
			}
			k, err := c.list(ctx, s, "differences", address, signer, signer != chain[1])
			if err == nil && k.list.isTo(l) {
				return k.list
			}
		}
	}
	return nil
}

// isTo reports whether a list holds the differences to another one, and is newer.
func (l *List) isTo(whole *List) bool {
	return l.base != nil && l.number != nil && whole.number != nil && x509x.SameName(l.issuer, whole.issuer) && bytes.Equal(l.keyID, whole.keyID) &&
		l.scope.same(whole.scope) && whole.number.Cmp(l.base) >= 0 && l.number.Cmp(whole.number) > 0
}
