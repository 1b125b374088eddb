// Package revocation tells whether certificates are revoked, by lists (CRLs) and by OCSP; it builds no paths.
package revocation

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Lists are the CRLs that are known. They implement certs.Revocation and are immutable.
//
// A list speaks of a certificate where the issuer of both is the same, by name and by signature, and where its
// scope covers the certificate. Of several lists the newest of the time of judgement decides. As with openssl verify
// -crl_check_all, a certificate is at fault where the list that decides has it, and where none of the lists about it was valid
// at that time: what was known before or afterwards does not say how it was then. Only what is in no list at all is
// passed over: a remark says so.
type Lists []*List

var _ certs.Revocation = Lists(nil)

// Revoked implements certs.Revocation.
func (l Lists) Revoked(ctx context.Context, chain []*x509.Certificate, at time.Time) []certs.Fault {
	var faults []certs.Fault
	for i := 0; i+1 < len(chain) && ctx.Err() == nil; i++ {
		if f, ok := l.judge(chain[i], chain[i+1], at); ok {
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

// judge says what is wrong with c by the lists of its issuer.
func (l Lists) judge(c, issuer *x509.Certificate, at time.Time) (certs.Fault, bool) {
	about, some := l.about(c, issuer)
	for _, list := range some { // these can tell only that it is revoked
		if e, ok := list.entry(c); ok && !list.this.After(at) {
			return e.fault(c), true
		}
	}
	if len(about) == 0 {
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
		if list := current[0]; list.ended(at) {
			return notCurrent(c, list.next, "the newest list of revoked certificates about it ended on "+day(list.next)), true
		}
		return certs.Fault{}, false
	}
	for _, list := range about {
		if e, ok := list.entry(c); ok && !e.at.After(at) {
			return e.fault(c), true
		}
	}
	return notCurrent(c, at, "the lists of revoked certificates about it are of a later time, from "+day(about[len(about)-1].this)), true
}

// newest returns the newest lists of a time, of which there may be several of the same second, among those sorted by time.
func newest(about []*List, at time.Time) []*List {
	from := slices.IndexFunc(about, func(l *List) bool { return !l.this.After(at) })
	if from < 0 {
		return nil
	}
	to := from
	for to < len(about) && about[to].this.Equal(about[from].this) {
		to++
	}
	return about[from:to]
}

// about returns the lists whose issuer signed them and that cover c, newest first, and those that cover it for some
// reasons of revocation only.
func (l Lists) about(c, issuer *x509.Certificate) (all, some []*List) {
	named := pointsOrAny(c)
	for _, list := range l {
		if !x509x.SameName(list.issuer, c.RawIssuer) || !list.about(c, named) || !list.signedBy(issuer) {
			continue
		}
		if list.scope.some() != allReasons {
			some = append(some, list)
		} else {
			all = append(all, list)
		}
	}
	slices.SortStableFunc(all, func(a, b *List) int { return b.this.Compare(a.this) })
	return all, some
}

func notCurrent(c *x509.Certificate, since time.Time, why string) certs.Fault {
	return certs.Fault{
		Status: certs.StatusUntrusted, Certificate: c, Check: certs.CheckRevocation, Since: since,
		Reason: "whether " + certs.Describe(c) + " is revoked cannot be told: " + why, Advice: "get a list of the time in question from the issuer",
	}
}

func (e entry) fault(c *x509.Certificate) certs.Fault {
	return certs.Fault{
		Status: certs.StatusRevoked, Certificate: c, Check: certs.CheckRevocation, Since: e.at,
		Reason: fmt.Sprintf("%s was revoked by its issuer on %s%s", certs.Describe(c), day(e.at), e.because()), Advice: "its owner must get a new one",
	}
}

// because is the reason in words (RFC 5280, 5.3.1).
func (e entry) because() string {
	reasons := map[int]string{
		1: "its key is no longer safe", 2: "the key of the authority is no longer safe", 3: "its owner's name or company changed",
		4: "another one took its place", 5: "it is no longer needed", 6: "it is on hold", 9: "its owner lost a right", 10: "the authority for attributes is no longer safe",
	}
	if text, ok := reasons[e.reason]; ok {
		return " because " + text
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
