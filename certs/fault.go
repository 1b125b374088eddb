package certs

import (
	"crypto/x509"
	"slices"
	"time"
)

// Check is the rule that a certificate was held to.
type Check string

// The rules.
const (
	CheckTrust       Check = "trust"                // a path to an anchor (RFC 5280, 6.1)
	CheckSignature   Check = "signature"            // RFC 5280, 6.1.3, a (1)
	CheckValidity    Check = "validity"             // RFC 5280, 6.1.3, a (2)
	CheckRevocation  Check = "revocation"           // RFC 5280, 6.1.3, a (3)
	CheckConstraints Check = "name constraints"     // RFC 5280, 6.1.3, b and c
	CheckPolicies    Check = "certificate policies" // RFC 5280, 6.1.3, d to f, as RFC 9618 has them
	CheckAuthority   Check = "basic constraints"    // RFC 5280, 6.1.4, k
	CheckLength      Check = "path length"          // RFC 5280, 6.1.4, l and m
	CheckCritical    Check = "critical extensions"  // RFC 5280, 6.1.4, o and 6.1.5, f
	CheckKeyUsage    Check = "key usage"            // RFC 5280, 6.1.4, n; RFC 8550, 4.4.2
	CheckExtKeyUsage Check = "extended key usage"   // RFC 8550, 4.4.4
	CheckStrength    Check = "strength"             // RFC 8551, 2.3
	CheckAddress     Check = "address"              // RFC 8550, 3
)

// Fault is one thing that is wrong with a certificate, or with StatusValid a remark on it.
type Fault struct {
	Status Status
	// Certificate is the one at fault. Of two paths, the one that hides that a certificate is revoked does not win: what is
	// known to be revoked on one path is on all.
	Certificate *x509.Certificate
	Check       Check     // by which rule
	Since       time.Time // since when; zero where that is not known
	Reason      string    // which certificate, what is wrong and since when: one line of ASCII
	Advice      string    // what to do, in the same form; empty where Reason says it
	// Away is set where whoever should tell cannot be asked at present, so that waiting may help. It is an *UnavailableError.
	Away error
}

// text is all of it in one line.
func (f Fault) text() string {
	if f.Advice == "" {
		return f.Reason
	}
	return f.Reason + "; " + f.Advice
}

// final reports whether it is no remark, and waiting does not help.
func (f Fault) final() bool { return f.Status != StatusValid && f.Away == nil }

// flaw is a fault that a certificate has had since it was issued.
func flaw(status Status, c *x509.Certificate, check Check, what, advice string) Fault {
	return Fault{
		Status: status, Certificate: c, Check: check, Since: c.NotBefore,
		Reason: describe(c) + " " + what + ", since it was issued on " + day(c.NotBefore), Advice: advice,
	}
}

// weightOf is that of the weightiest of faults.
func weightOf(faults []Fault) int {
	least := StatusValid.weight()
	for _, f := range faults {
		least = min(least, f.Status.weight())
	}
	return least
}

// result makes one judgement of all faults, the weightiest first.
func result(chain []*x509.Certificate, found []Fault) Result {
	slices.SortStableFunc(found, func(a, b Fault) int { return a.Status.weight() - b.Status.weight() })
	r := Result{Status: StatusValid, Chain: chain, Faults: found}
	for i, f := range found {
		if i == 0 {
			r.Status = f.Status
		}
		r.Reasons = append(r.Reasons, f.text())
	}
	return r
}
