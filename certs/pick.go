package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Candidate is a certificate that a finder may take, with the last verdict on it for each purpose, so that the memory for verdicts
// is bounded by the number of candidates. It must not be copied. It is safe for concurrent use.
type Candidate struct {
	Certificate *x509.Certificate
	Signs       bool // there is a private key for it that signs

	sign, encrypt atomic.Pointer[judgement]
}

// Held is a candidate as a finder holds it.
type Held struct {
	*Candidate
	Identity *Identity // the certificate with its key; nil where there is none, or where it has to be fetched
}

// judgement is a result, who made it, and the time it holds for.
type judgement struct {
	by          Judge
	from, until time.Time // inclusive
	result      Result
}

// Picker takes certificates as every [Finder] does.
type Picker struct {
	// Judge judges; verdicts are kept for as long as it is the same, so its trust must not change. It is a pointer.
	Judge Judge
	// Supports says whether a certificate's key can serve the purpose in this program; nil: see Supported.
	Supports func(*x509.Certificate, Purpose) bool
	// Revocable says that what is valid now may be revoked any time: then no verdict is kept longer than a minute.
	Revocable bool
}

// keepFor is how long a verdict holds that is not "valid", since what makes a certificate valid later need not be in the
// path that was found; and any where certificates may be revoked.
const keepFor = time.Minute

// Pick returns the first of the certificates of an address, which come newest first, that is valid for the purpose. The errors are those of
// [Finder]: ErrNotFound, an *UnusableError for the newest one, or an *UnavailableError.
func (p Picker) Pick(ctx context.Context, address string, purpose Purpose, now time.Time, newestFirst []Held) (Held, error) {
	var newest, away error
	for _, c := range newestFirst {
		if purpose == Sign && !c.Signs {
			continue
		}
		r := p.Verdict(ctx, c.Candidate, purpose, now)
		if r.Valid() {
			return c, nil
		}
		away = cmp.Or(away, r.Away)
		newest = cmp.Or(newest, r.Err(address))
	}
	return Held{}, cmp.Or(away, newest, ErrNotFound)
}

// Verdict judges one candidate for a purpose; a verdict that was kept is given again.
func (p Picker) Verdict(ctx context.Context, c *Candidate, purpose Purpose, now time.Time) Result {
	kept := &c.encrypt
	if purpose == Sign {
		kept = &c.sign
	}
	if j := kept.Load(); j != nil && j.by == p.Judge && !now.Before(j.from) && !now.After(j.until) {
		return j.result
	}
	r := p.Judge.Validate(ctx, c.Certificate, nil, purpose, "", now)
	supports := p.Supports
	if supports == nil {
		supports = Supported(false)
	}
	if r.Valid() && !supports(c.Certificate, purpose) {
		r = result(r.Chain, []Fault{unsupported(c.Certificate, purpose)})
	}
	if r.Away == nil {
		kept.Store(p.holding(r, now))
	}
	return r
}

// holding finds how long a result holds: a path is valid until its first certificate ends.
func (p Picker) holding(r Result, now time.Time) *judgement {
	if !r.Valid() || len(r.Chain) == 0 {
		return &judgement{p.Judge, now, now.Add(keepFor), r}
	}
	j := &judgement{p.Judge, r.Chain[0].NotBefore, r.Chain[0].NotAfter, r}
	if p.Revocable {
		j.from, j.until = now, now.Add(keepFor)
	}
	for _, c := range r.Chain {
		if c.NotBefore.After(j.from) {
			j.from = c.NotBefore
		}
		if c.NotAfter.Before(j.until) {
			j.until = c.NotAfter
		}
	}
	return j
}

// NewestFirst orders certificates by the beginning of their validity, then by its end, the later first.
func NewestFirst(a, b *x509.Certificate) int {
	return cmp.Or(b.NotBefore.Compare(a.NotBefore), b.NotAfter.Compare(a.NotAfter), bytes.Compare(a.Raw, b.Raw))
}

// Supported returns what says whether a certificate's key can serve a purpose in this program: RSA of up to 8192 bits and keys on the
// curves P-256, P-384 and P-521 sign and are encrypted to, Ed25519 signs, X25519 is encrypted to, and Brainpool keys do
// both where they are allowed.
func Supported(brainpool bool) func(*x509.Certificate, Purpose) bool {
	const most = 8192 // bits
	return func(c *x509.Certificate, p Purpose) bool {
		switch key := c.PublicKey.(type) {
		case *rsa.PublicKey:
			return key.N.BitLen() <= most
		case *ecdsa.PublicKey:
			switch key.Curve {
			case elliptic.P256(), elliptic.P384(), elliptic.P521():
				return true
			}
			return brainpool && x509x.Brainpool(key.Curve)
		case ed25519.PublicKey:
			return p == Sign
		case *ecdh.PublicKey:
			return p == Encrypt && key.Curve() == ecdh.X25519()
		}
		return false
	}
}

// BrainpoolAdvice says why Brainpool keys need to be asked for.
const BrainpoolAdvice = "arithmetic on Brainpool curves is not in constant time in this program, so it is done only where that is allowed (smime.software_brainpool)"

func unsupported(c *x509.Certificate, p Purpose) Fault {
	kind, instead := "unknown", "use a certificate with an RSA key of 2048 to 8192 bits or one on P-256, P-384 or P-521"
	if info, err := x509x.Parse(c.Raw); err == nil {
		kind = info.KeyAlgorithm
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		kind = fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok && x509x.Brainpool(key.Curve) {
		instead = BrainpoolAdvice
	}
	return Fault{
		Status: StatusPurpose, Certificate: c, Check: CheckStrength, Advice: instead,
		Reason: fmt.Sprintf("%s has a key of the kind %s, which is not used here to %s", describe(c), clean(kind), p),
	}
}
