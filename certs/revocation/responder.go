package revocation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

const (
	// tolerance is how far the clocks of responders and authorities may be from ours.
	tolerance = 5 * time.Minute
	// openAge is how old an answer may be that says nothing of the next one (RFC 6960, 2.4: there always is newer information).
	openAge = time.Hour
)

// read judges an answer to the question (RFC 6960, 3.2): what it says, who signed it, when it holds.
func (q question) read(der []byte, now time.Time) (answer, error) {
	r, err := readResponse(der)
	if err != nil {
		return answer{}, err
	}
	a, err := r.single(q)
	if err != nil {
		return answer{}, err
	}
	if q.nonce != nil && !bytes.Equal(r.nonce, q.nonce) {
		return answer{}, fmt.Errorf("%w: it does not bear the nonce of the question (RFC 9654), so it may be an old one", errAnswer)
	}
	if a.signer, err = r.signedFor(q.issuer, now); err != nil {
		return answer{}, err
	}
	a.made = r.made
	return a, a.current(now)
}

// current reports why the answer does not hold at a time (RFC 6960, 4.2.2.1).
func (a answer) current(now time.Time) error {
	switch {
	case a.this.After(now.Add(tolerance)), a.made.After(now.Add(tolerance)):
		return fmt.Errorf("%w: it is of the future, from %s", errAnswer, day(a.this))
	case !a.next.IsZero() && a.next.Before(a.this):
		return fmt.Errorf("%w: it ends before it begins", errAnswer)
	case now.After(a.end()):
		return fmt.Errorf("%w: it is an old one, of %s", errAnswer, day(a.this))
	}
	return nil
}

// end is until when it holds: no longer than the certificate of the responder that gave it.
func (a answer) end() time.Time {
	end := a.this.Add(openAge)
	if !a.next.IsZero() {
		end = a.next.Add(tolerance)
	}
	if a.signer != nil && a.signer.NotAfter.Add(tolerance).Before(end) {
		end = a.signer.NotAfter.Add(tolerance)
	}
	return end
}

// signedFor finds who signed an answer about certificates of an issuer: the issuer itself (nil), or a responder that it made one by
// a certificate (RFC 6960, 4.2.2.2).
func (r response) signedFor(issuer *x509.Certificate, now time.Time) (*x509.Certificate, error) {
	if r.isResponder(issuer) && x509x.CheckSignedBy(issuer, r.basic) == nil {
		return nil, nil
	}
	for _, der := range r.certificates {
		c, err := x509x.ParseCertificate(der)
		if err != nil || !r.isResponder(c) {
			continue
		}
		if err := mayRespond(c, issuer, now); err != nil {
			return nil, err
		}
		if x509x.CheckSignedBy(c, r.basic) != nil {
			return nil, fmt.Errorf("%w: its signature is not genuine, or one that can be forged", errAnswer)
		}
		return c, nil
	}
	return nil, fmt.Errorf("%w: it is not signed by the issuer, nor by a responder of its, or in a way that can be forged", errAnswer)
}

// isResponder reports whether an answer names the certificate's owner as who gave it.
func (r response) isResponder(c *x509.Certificate) bool {
	if r.byName != nil {
		return x509x.SameName(r.byName, c.RawSubject)
	}
	return bytes.Equal(r.byKey, sum(crypto.SHA1, keyBits(c)))
}

// mayRespond reports why a certificate does not make its owner a responder of the issuer. The issuer itself must have signed it.
func mayRespond(c, issuer *x509.Certificate, now time.Time) error {
	switch {
	case !x509x.SameName(c.RawIssuer, issuer.RawSubject) || x509x.WeakSignature(c.SignatureAlgorithm) || x509x.CheckSignatureFrom(c, issuer) != nil:
		return fmt.Errorf("%w: its signer is no responder of the issuer", errAnswer)
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return fmt.Errorf("%w: the certificate of its signer is not made for OCSP", errAnswer)
	case c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return fmt.Errorf("%w: the certificate of its signer is not made for signatures", errAnswer)
	case now.Add(tolerance).Before(c.NotBefore), now.Add(-tolerance).After(c.NotAfter):
		return fmt.Errorf("%w: the certificate of its signer is not valid at this time", errAnswer)
	case len(c.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("%w: the certificate of its signer has a critical extension that is not known here", errAnswer)
	case weak(c):
		return fmt.Errorf("%w: the key of its signer is too short", errAnswer)
	}
	return nil
}

func weak(c *x509.Certificate) bool {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() < 2048
	case *ecdsa.PublicKey:
		return key.Params().BitSize < 256
	}
	return false
}

// neverRevoked reports whether the issuer says that a certificate needs no look at revocation: id-pkix-ocsp-nocheck of a responder (RFC 6960,
// 4.2.2.2.1), noRevAvail of any end entity (RFC 9608).
func neverRevoked(c *x509.Certificate, responder bool) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool {
		return responder && e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}) ||
			!c.IsCA && e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 56})
	})
}
