// Package revocation tells whether certificates are revoked, by lists (CRLs) and by OCSP; it builds no paths.
package revocation

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
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
	return known{lists: l}.Revoked(ctx, chain, at)
}

// WithSigners is what the lists tell where they may be signed by these, too: those who sign lists in an issuer's place, or under its name with
// another key. One counts where an authority of the path made it.
func (l Lists) WithSigners(signers []*x509.Certificate) certs.Revocation { return known{l, signers} }

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

// spares reports whether a certificate was good at a time, although it was revoked afterwards (RFC 5280, 5.3.1).
func (e entry) spares(at time.Time) bool {
	const affiliation, superseded, cessation, withdrawn = 3, 4, 5, 9
	return e.at.After(at) && slices.Contains([]int{affiliation, superseded, cessation, withdrawn}, e.reason)
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
