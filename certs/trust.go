package certs

import (
	"context"
	"crypto/x509"
	"slices"
	"time"
)

// Trust is what an administrator said of certificates, beyond which of them are anchors. It never changes, is safe for concurrent
// use, and answers from memory.
type Trust interface {
	// Distrusts reports whether c is never to be used, nor anything below its key.
	Distrusts(c *x509.Certificate) bool
	// Trusts reports whether c is believed by itself, without a path (RFC 8550, 2.3). It is not where one above it, among those that
	// are known and those that came along, is distrusted.
	Trusts(c *x509.Certificate, alongside []*x509.Certificate) bool
	// Covers reports whether the trust in an anchor extends to a leaf below it, by the addresses it bears: an anchor may be trusted for
	// some alone (RFC 5937, 3).
	Covers(anchor, leaf *x509.Certificate) bool
	// Serves reports whether c stands for an address that it does not bear.
	Serves(c *x509.Certificate, address string) bool
}

// Distruster is a [Trust] that finds an authority above a certificate, among those that are known and those that came along, which is never to be used; nil
// where it finds none. What it finds explains why there is no path; it decides nothing.
type Distruster interface {
	DistrustedAbove(c *x509.Certificate, alongside []*x509.Certificate) *x509.Certificate
}

// belowDistrusted is the fault of a certificate that leads to nothing since an authority above it is distrusted; false where none is.
func (v *Validator) belowDistrusted(leaf *x509.Certificate, offered []*x509.Certificate, at time.Time) (Fault, bool) {
	d, ok := v.trust.(Distruster)
	if !ok {
		return Fault{}, false
	}
	above := d.DistrustedAbove(leaf, offered)
	if above == nil {
		return Fault{}, false
	}
	f := distrusted(above)
	f.Since, f.Reason = at, f.Reason+", and "+describe(leaf)+" is from below it"
	f.Advice = "ask its owner for a certificate from another authority, or take that back (siegel certs trust)"
	return f, true
}

// DomainJudge is a [Judge] that knows which certificates stand for whole domains. To judge one for such an address is no mismatch.
type DomainJudge interface {
	Judge
	// Serves reports whether c stands for an address that it need not bear. It says nothing about whether c is valid.
	Serves(c *x509.Certificate, address string) bool
}

var _ DomainJudge = (*Validator)(nil)

// WithTrust returns a validator with the same anchors that heeds what was said in t. What is distrusted should not be among
// the anchors.
func (v *Validator) WithTrust(t Trust) *Validator {
	heeding := *v
	heeding.trust = t
	return &heeding
}

// Serves implements DomainJudge.
func (v *Validator) Serves(c *x509.Certificate, address string) bool {
	return v.trust != nil && address != "" && v.trust.Serves(c, address)
}

// covers reports whether the trust in an anchor extends to a leaf.
func (v *Validator) covers(anchor, leaf *x509.Certificate) bool {
	return v.trust == nil || v.trust.Covers(anchor, leaf)
}

// distrusted is the fault of a certificate that must not be used.
func distrusted(c *x509.Certificate) Fault {
	return Fault{
		Status: StatusUntrusted, Certificate: c, Check: CheckTrust, Reason: describe(c) + " was distrusted by an administrator",
		Advice: "use another one, or take that back (siegel certs trust)",
	}
}

// trustFaults is what an administrator has against a path.
func (v *Validator) trustFaults(chain []*x509.Certificate) (found []Fault) {
	if v.trust == nil {
		return nil
	}
	for _, c := range chain {
		if v.trust.Distrusts(c) {
			found = append(found, distrusted(c))
		}
	}
	if anchor := chain[len(chain)-1]; !v.covers(anchor, chain[0]) {
		found = append(found, Fault{
			Status: StatusUntrusted, Certificate: anchor, Check: CheckTrust,
			Reason: describe(anchor) + " is trusted for some addresses only, and not for all of " + describe(chain[0]),
			Advice: "widen its scope if that is right (siegel certs trust)",
		})
	}
	return found
}

// trusting is path, but believes a certificate that is trusted by itself where nothing but the path is against it: that it was
// revoked counts, and so does that this cannot be told.
func (v *Validator) trusting(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) judged {
	best := v.path(ctx, leaf, intermediates, at)
	revoked := func(f Fault) bool { return f.Status == StatusRevoked }
	if v.trust == nil || best.away != nil || slices.ContainsFunc(best.found, revoked) || !slices.ContainsFunc(best.found, Fault.final) ||
		!v.trust.Trusts(leaf, intermediates) {
		return best
	}
	return judged{chain: []*x509.Certificate{leaf}, found: certificateFaults(leaf, at)}
}
