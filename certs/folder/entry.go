package folder

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// entry is one certificate, once however many files hold it.
type entry struct {
	cert     *x509.Certificate
	file     int             // the first file that holds it, by its place in the report
	identity *certs.Identity // nil where there is no key
	// sign and encrypt hold the last judgement for each purpose, so that the memory for judgements is
	// bounded by the number of certificates.
	sign, encrypt atomic.Pointer[judgement]
}

// judgement is a result and the time it holds for.
type judgement struct {
	from, until time.Time // inclusive
	result      certs.Result
}

// How long a judgement holds where it is not "valid", since what makes a certificate valid later need not be in the path
// that was found, and where revocation may change it. Where somebody was away it does not hold.
const (
	badFor  = time.Minute
	goodFor = time.Minute
)

// forget drops all judgements.
func (f *Folder) forget() {
	for _, all := range f.byAddress {
		for _, e := range all {
			e.sign.Store(nil)
			e.encrypt.Store(nil)
		}
	}
}

func (f *Folder) judge(ctx context.Context, e *entry, p certs.Purpose, now time.Time) certs.Result {
	kept := &e.encrypt
	if p == certs.Sign {
		kept = &e.sign
	}
	if j := kept.Load(); j != nil && !now.Before(j.from) && !now.After(j.until) {
		return j.result
	}
	r := f.validator.Validate(ctx, e.cert, nil, p, "", now)
	if r.Valid() && !f.supports(e.cert, p) {
		r = certs.Result{Status: certs.StatusPurpose, Chain: r.Chain, Reasons: []string{unsupported(e.cert, p)}}
	}
	if r.Away == nil {
		kept.Store(f.holding(r, now))
	}
	return r
}

func unsupported(c *x509.Certificate, p certs.Purpose) string {
	kind, instead := "unknown", "use a certificate with an RSA key of 2048 to 8192 bits or one on P-256, P-384 or P-521"
	if info, err := x509x.Parse(c.Raw); err == nil {
		kind = info.KeyAlgorithm
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		kind = fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok && x509x.Brainpool(key.Curve) {
		instead = bundle.BrainpoolAdvice
	}
	return fmt.Sprintf("the certificate of %s (serial %x) has a key of the kind %s, which is not used here to %s; %s",
		safetext.Line(x509x.Name(c.RawSubject), 80), c.SerialNumber, kind, p, instead)
}

// holding finds how long a result holds: a path is valid until its first certificate ends.
func (f *Folder) holding(r certs.Result, now time.Time) *judgement {
	if !r.Valid() {
		return &judgement{now, now.Add(badFor), r}
	}
	if f.mayChange {
		end := now.Add(goodFor)
		for _, c := range r.Chain {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		return &judgement{now, end, r}
	}
	j := &judgement{r.Chain[0].NotBefore, r.Chain[0].NotAfter, r}
	for _, c := range r.Chain[1:] {
		if c.NotBefore.After(j.from) {
			j.from = c.NotBefore
		}
		if c.NotAfter.Before(j.until) {
			j.until = c.NotAfter
		}
	}
	return j
}
