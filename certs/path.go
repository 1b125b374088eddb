package certs

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"time"
)

// path finds the best path from leaf to an anchor, and what is wrong with it besides purpose and address; away, where that is
// only that somebody cannot be asked at present.
func (v *Validator) path(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) (chain []*x509.Certificate, found []finding, away error) {
	genuine, cheap := v.genuine(intermediates)
	s := v.search(leaf, genuine)
	chains, err := s.chains(leaf, at)
	if err == nil {
		return v.best(ctx, chains, at)
	}
	// Where a path stands at another time of the leaf's life, only time is wrong.
	for _, t := range []time.Time{leaf.NotBefore, leaf.NotAfter} {
		if chains, otherErr := s.chains(leaf, t); otherErr == nil {
			if chain, found, away := v.best(ctx, chains, at); len(found) > 0 {
				return chain, found, away
			}
		}
	}
	found = timeFaults(leaf, at)
	if weak := v.weakPath(leaf, slices.Concat(genuine, cheap)); len(weak) > 0 {
		return nil, append(found, weak...), nil
	}
	return nil, append(found, finding{StatusUntrusted, v.untrusted(leaf, err)}), nil
}

// search is a search among the validator's certificates and those of a message.
func (v *Validator) search(leaf *x509.Certificate, intermediates []*x509.Certificate) *search {
	s := &search{leaf: *leaf, roots: v.anchors, intermediates: v.pool(intermediates), real: map[*x509.Certificate]*x509.Certificate{}}
	// crypto/x509 does not know a critical SAN of other kinds of name, but Addresses reads them.
	s.leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions),
		func(id asn1.ObjectIdentifier) bool { return id.Equal(oidSAN()) })
	v.standIn(s, leaf, intermediates)
	return s
}

// pool is the validator's intermediates and those of a message.
func (v *Validator) pool(intermediates []*x509.Certificate) *x509.CertPool {
	if len(intermediates) == 0 {
		return v.intermediates
	}
	pool := v.intermediates.Clone()
	for _, c := range intermediates {
		pool.AddCert(c)
	}
	return pool
}

// chains builds and checks paths (RFC 5280, 6.1) whatever the extended key usage, which is judged apart.
func (s *search) chains(leaf *x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	chains, err := s.leaf.Verify(x509.VerifyOptions{
		Roots: s.roots, Intermediates: s.intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	for _, chain := range chains {
		for i, c := range chain {
			if real := s.real[c]; real != nil {
				chain[i] = real
			}
		}
		chain[0] = leaf
	}
	return chains, err
}

// maxChains bounds the paths that are compared.
const maxChains = 20

// best picks the path whose weightiest fault weighs least; one with which there is nothing wrong but that somebody is away weighs
// less than any other fault. Revocation is asked about paths without other faults first, and about no further one where a path turns out
// to have none.
func (v *Validator) best(ctx context.Context, chains [][]*x509.Certificate, at time.Time) (chain []*x509.Certificate, found []finding, away error) {
	ctx, cancel := v.within(ctx)
	defer cancel()
	chains = chains[:min(len(chains), maxChains)]
	faults := make([][]finding, len(chains))
	order := make([]int, len(chains))
	for i, c := range chains {
		order[i], faults[i] = i, pathFaults(c, at)
	}
	slices.SortStableFunc(order, func(a, b int) int { return pathWeight(faults[b], nil) - pathWeight(faults[a], nil) })
	least := -1
	for _, i := range order {
		f := faults[i]
		if pathWeight(f, nil) <= least {
			break
		}
		f, a := v.revoked(ctx, chains[i], at, f)
		if weight := pathWeight(f, a); weight > least {
			least, chain, found, away = weight, chains[i], f, a
		}
	}
	return chain, found, away
}

// revoked adds what revocation finds to the faults of a path. The error is set where nothing is wrong with it but that somebody is away.
func (v *Validator) revoked(ctx context.Context, chain []*x509.Certificate, at time.Time, found []finding) ([]finding, error) {
	if v.revocation == nil {
		return found, nil
	}
	final := slices.ContainsFunc(found, finding.isFault)
	var away error
	for _, f := range v.revocation.Revoked(ctx, chain, at) {
		found = append(found, finding{f.Status, f.text()})
		switch {
		case f.Status == StatusValid:
		case f.Away == nil:
			final = true
		case away == nil:
			away = f.Away
		}
	}
	if final {
		return found, nil
	}
	return found, away
}

// within bounds how long revocation may take for all paths together.
func (v *Validator) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if b, ok := v.revocation.(Bounded); ok {
		return context.WithTimeout(ctx, b.Within())
	}
	return ctx, func() {}
}

// pathWeight is the weight of the weightiest fault, or of somebody being away.
func pathWeight(found []finding, away error) int {
	if away != nil {
		return StatusMismatch.weight() // which is none of a path
	}
	weight := StatusValid.weight()
	for _, f := range found {
		weight = min(weight, f.status.weight())
	}
	return weight
}

// pathFaults checks what crypto/x509 does not: strength, extended key usages above the leaf, times where
// the path was built at another time, and constraints on names it does not know.
func pathFaults(chain []*x509.Certificate, at time.Time) []finding {
	var found []finding
	for i, c := range chain {
		found = append(found, timeFaults(c, at)...)
		found = append(found, weakKey(c)...)
		if i < len(chain)-1 { // an anchor is trusted as it is; its own signature proves nothing
			found = append(found, weakSignature(c)...)
			found = append(found, restrictionFaults(c, chain[i+1])...)
		}
		if i > 0 && !mailUsage(c) {
			found = append(found, finding{StatusPurpose, describe(c) + " issues certificates, but not for mail: its extended key usage lacks emailProtection; ask the issuer for a certificate for mail"})
		}
	}
	return append(found, constraintFaults(chain)...)
}

func timeFaults(c *x509.Certificate, at time.Time) []finding {
	switch {
	case at.After(c.NotAfter):
		return []finding{{StatusExpired, describe(c) + " expired on " + day(c.NotAfter) + "; its owner must get a new one"}}
	case at.Before(c.NotBefore):
		return []finding{{StatusTime, describe(c) + " is not valid before " + day(c.NotBefore) + "; check the clock of this machine and of the issuer"}}
	}
	return nil
}

// untrusted says why there is no path.
func (v *Validator) untrusted(leaf *x509.Certificate, err error) string {
	name := describe(leaf)
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &x509.UnhandledCriticalExtension{}):
		return name + " holds a critical extension that is not understood here, so it must not be used (RFC 5280, 4.2)"
	case errors.As(err, &invalid):
		return name + " breaks a rule of its issuers: " + clean(invalid.Error()) + "; ask the issuer for another one"
	case leaf.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
		return name + " is signed by an algorithm, or with parameters, that is not known here; ask the issuer for another one"
	case errors.As(err, &unknown) && string(leaf.RawIssuer) == string(leaf.RawSubject):
		return name + " is signed by itself and not an anchor; if you know it to be right, add it to the trusted certificates"
	case errors.As(err, &unknown) && len(v.known[string(leaf.RawIssuer)]) > 0:
		return name + " has no path to a trusted certificate: " + issuerName(leaf) + " is known, but no certificate of that name fits or leads to an anchor; add the missing CA certificates"
	case errors.As(err, &unknown):
		return name + " has no path to a trusted certificate: its issuer, " + issuerName(leaf) + ", is not known; if you trust it, add its CA certificate to the trusted certificates"
	}
	return name + " could not be verified: " + clean(err.Error())
}
