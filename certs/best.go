package certs

import (
	"context"
	"crypto/x509"
	"slices"
	"time"
)

// judged is one path to an anchor, and what is wrong with it.
type judged struct {
	chain []*x509.Certificate
	found []Fault
	asked bool  // whether its certificates are revoked
	away  error // set where nothing else is wrong with it than that somebody cannot be asked at present
}

// weight is that of its weightiest fault; one with which there is nothing wrong but that somebody is away weighs less than any other.
func (j *judged) weight() int {
	if j.away != nil {
		return StatusMismatch.weight() // which is none of a path
	}
	return weightOf(j.found)
}

// within bounds how long revocation may take for all paths together.
func (v *Validator) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if b, ok := v.revocation.(Bounded); ok {
		return context.WithTimeout(ctx, b.Within())
	}
	return ctx, func() {}
}

// ask looks which certificates of the path are revoked.
func (j *judged) ask(ctx context.Context, r Revocation, at time.Time) {
	j.asked = true
	if r == nil {
		return
	}
	j.found = append(j.found, r.Revoked(ctx, j.chain, at)...)
	if slices.ContainsFunc(j.found, Fault.final) {
		return
	}
	if i := slices.IndexFunc(j.found, func(f Fault) bool { return f.Status != StatusValid }); i >= 0 {
		j.away = j.found[i].Away
	}
}

// maxAsked bounds the paths about which Revocation is asked for one certificate.
const maxAsked = 8

// best is the path whose weightiest fault weighs least. Revocation is asked about paths that have no other faults first, and about further ones
// only where they may turn out better, or tell what the others could not: a certificate of an authority that may sign no lists must not hide
// what another one of the same authority tells. What is known to be revoked on one path is so on all.
func (v *Validator) best(ctx context.Context, all []*judged, at time.Time) *judged {
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b *judged) int { return b.weight() - a.weight() })
	least, asked := -1, 0
	for _, j := range order {
		doubt := slices.ContainsFunc(all, func(other *judged) bool { return other.asked && j.mayTell(other) })
		if !j.asked && asked < maxAsked && (j.weight() > least || doubt) {
			asked++
			j.ask(ctx, v.revocation, at)
		}
		least = max(least, j.weight())
	}
	for _, j := range all {
		j.spread(all)
	}
	return slices.MinFunc(order, func(a, b *judged) int { // the first of equals
		if d := b.weight() - a.weight(); d != 0 {
			return d
		}
		return len(a.found) - len(b.found)
	})
}

// mayTell reports whether other left a certificate in doubt that stands here under another certificate of its issuer.
func (j *judged) mayTell(other *judged) bool {
	return slices.ContainsFunc(other.found, func(f Fault) bool {
		if f.Check != CheckRevocation || f.Status == StatusRevoked || f.Certificate == nil {
			return false
		}
		here, there := j.issuer(f.Certificate), other.issuer(f.Certificate)
		return here != nil && there != nil && !here.Equal(there)
	})
}

// issuer is the certificate above c in the path, or nil.
func (j *judged) issuer(c *x509.Certificate) *x509.Certificate {
	if i := slices.IndexFunc(j.chain, c.Equal); i >= 0 && i+1 < len(j.chain) {
		return j.chain[i+1]
	}
	return nil
}

// spread adds what other paths tell to be revoked of the certificates of this one: it was told by the authority that made them.
func (j *judged) spread(from []*judged) {
	for _, other := range from {
		for _, f := range other.found {
			if f.Status != StatusRevoked || f.Certificate == nil || j.issuer(f.Certificate) == nil {
				continue
			}
			told := func(g Fault) bool {
				return g.Status == StatusRevoked && g.Certificate != nil && g.Certificate.Equal(f.Certificate)
			}
			if !slices.ContainsFunc(j.found, told) {
				j.found, j.away = append(j.found, f), nil
			}
		}
	}
}
