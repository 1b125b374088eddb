package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// known are lists that were given, and those who may have signed them besides the issuers of certificates.
type known struct {
	lists   Lists
	signers []*x509.Certificate
}

// Revoked implements certs.Revocation.
func (k known) Revoked(ctx context.Context, chain []*x509.Certificate, at time.Time) []certs.Fault {
	var faults []certs.Fault
	for i := 0; i+1 < len(chain) && ctx.Err() == nil; i++ {
		if f, ok := k.judge(chain[i:], at); ok {
			faults = append(faults, f)
		}
	}
	if ctx.Err() != nil {
		return append(faults, certs.Fault{
			Status: certs.StatusUntrusted, Check: certs.CheckRevocation, Since: at,
			Reason: "there was no time to look whether the certificates are revoked", Advice: "try again",
		})
	}
	return faults
}

// judge says what is wrong with the first certificate of a path by the lists about it.
func (k known) judge(chain []*x509.Certificate, at time.Time) (certs.Fault, bool) {
	c := chain[0]
	about, some := k.about(chain, at)
	for _, list := range some { // these can tell only that it is revoked
		if e, ok := list.entry(c); ok && !list.this.After(at) {
			return e.fault(c), true
		}
	}
	if len(about) == 0 {
		if together(some, c, at) {
			return certs.Fault{}, false
		}
		return certs.Fault{
			Status: certs.StatusValid, Certificate: c, Check: certs.CheckRevocation, Since: at,
			Reason: "no list of revoked certificates given is about " + certs.Describe(c) + ", so it is not known whether it is revoked",
			Advice: "get one from its issuer",
		}, true
	}
	if current := newest(about, at); len(current) > 0 {
		for _, list := range current {
			if e, ok := list.entry(c); ok {
				return e.fault(c), true
			}
		}
		if slices.ContainsFunc(current, func(l *List) bool { return !l.ended(at) }) || together(some, c, at) {
			return certs.Fault{}, false
		}
		return notCurrent(c, current[0].next, "the newest list of revoked certificates about it ended on "+day(current[0].next)), true
	}
	for _, list := range about {
		if e, ok := list.entry(c); ok && !e.at.After(at) {
			return e.fault(c), true
		}
	}
	return notCurrent(c, at, "the lists of revoked certificates about it are of a later time, from "+day(about[len(about)-1].this)), true
}

// current tells by the lists, where one that has not ended is about the first certificate of a path.
func (k known) current(chain []*x509.Certificate, now time.Time) (e entry, told, isRevoked bool) {
	if len(k.lists) == 0 {
		return entry{}, false, false
	}
	c := chain[0]
	about, some := k.about(chain, now)
	for _, list := range some {
		if e, found := list.entry(c); found && !list.ended(now) {
			return e, true, true
		}
	}
	told = together(some, c, now)
	for _, list := range newest(about, now.Add(tolerance)) {
		if e, found := list.entry(c); found {
			return e, true, true
		}
		told = told || !list.ended(now)
	}
	return entry{}, told, false
}

// together reports whether lists of some reasons of revocation, of one time, speak of all of them (RFC 5280, 6.3.3).
func together(some []*List, c *x509.Certificate, at time.Time) bool {
	var all reasons
	for _, l := range some {
		if !l.this.After(at) && !l.ended(at) {
			all |= l.tells(c)
		}
	}
	return all == allReasons
}

// newest returns of the lists of each issuer the newest of a time, of which there may be several of the same second, among those sorted by time.
func newest(about []*List, at time.Time) []*List {
	var found []*List
	for _, l := range about {
		if !l.this.After(at) && !slices.ContainsFunc(found, func(f *List) bool { return f.this.After(l.this) && x509x.SameName(f.issuer, l.issuer) }) {
			found = append(found, l)
		}
	}
	return found
}

// about returns the lists that tell of the first certificate of a path, newest first, and those that tell for some reasons of revocation only.
func (k known) about(chain []*x509.Certificate, at time.Time) (all, some []*List) {
	for _, list := range k.lists {
		reach := list.tells(chain[0])
		if reach == 0 || !k.signed(list, chain, at) {
			continue
		}
		if reach == allReasons {
			all = append(all, list)
		} else {
			some = append(some, list)
		}
	}
	slices.SortStableFunc(all, func(a, b *List) int { return b.this.Compare(a.this) })
	return all, some
}

// signed reports whether a list is signed by the issuer of the first certificate, or by one who may do so in its place.
func (k known) signed(l *List, chain []*x509.Certificate, at time.Time) bool {
	return l.signedBy(chain[1]) || slices.ContainsFunc(k.signers, func(s *x509.Certificate) bool {
		if !x509x.SameName(s.RawSubject, l.issuer) || !fitToSign(s, at) || !l.signedByOther(s) {
			return false
		}
		i := maker(s, chain)
		if i < 0 {
			return false
		}
		f, faulty := known{lists: k.lists}.judge(append([]*x509.Certificate{s}, chain[i:]...), at) // by the lists of the authorities themselves
		return !faulty || f.Status == certs.StatusValid
	})
}

// fitToSign reports whether a certificate may be that of one who signs lists at a time.
func fitToSign(signer *x509.Certificate, at time.Time) bool {
	return !at.Before(signer.NotBefore) && !at.After(signer.NotAfter) && signer.KeyUsage&x509.KeyUsageCRLSign != 0 &&
		len(signer.UnhandledCriticalExtensions) == 0 && !x509x.WeakSignature(signer.SignatureAlgorithm) && !weak(signer)
}

// maker is where in a path the authority stands that made the certificate of a signer of lists; -1: none of it did. The first certificate of a
// path is not asked: what it made cannot tell of it.
func maker(signer *x509.Certificate, chain []*x509.Certificate) int {
	for i, above := range chain[1:] {
		if x509x.SameName(signer.RawIssuer, above.RawSubject) && !bytes.Equal(signer.Raw, above.Raw) && x509x.CheckSignatureFrom(signer, above) == nil {
			return i + 1
		}
	}
	return -1
}
