package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// path finds the best path from leaf to an anchor, and what is wrong with it besides purpose and address.
func (v *Validator) path(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) judged {
	ctx, cancel := v.within(ctx)
	defer cancel()
	k := newChecker(v.memory, maxWork)
	s := &search{v: v, offered: bySubject{}, at: at, checker: k}
	s.offered.add(v.genuine(intermediates, k))
	var all []*judged
	for chain := range s.paths(leaf) {
		one := &judged{chain: chain, found: v.pathFaults(chain, at)}
		if len(one.found) == 0 {
			one.ask(ctx, v.revocation, at)
			if one.spread(all); len(one.found) == 0 {
				return *one // nothing is better
			}
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return judged{found: append(certificateFaults(leaf, at), v.untrusted(leaf, intermediates, at))}
	}
	return *v.best(ctx, all, at)
}

// pathFaults judges one path (RFC 5280, 6.1). The anchor is held to what its certificate says, like the others, as RFC 5937 has it;
// only its signature proves nothing.
func (v *Validator) pathFaults(chain []*x509.Certificate, at time.Time) []Fault {
	var found []Fault
	longest := 0 // certificates below that count (6.1.4, l)
	for i, c := range chain {
		found = append(found, certificateFaults(c, at)...)
		if i < len(chain)-1 {
			found = append(found, weakSignature(c)...)
			found = append(found, restrictionFaults(c, chain[i+1])...)
		}
		if i > 0 {
			found = append(found, authorityFaults(c, i == len(chain)-1, longest)...)
			if !selfIssued(c) {
				longest++
			}
		}
	}
	found = append(found, constraintFaults(chain)...)
	return slices.Concat(found, v.policies.faults(chain), v.trustFaults(chain))
}

// certificateFaults is what is wrong with a certificate wherever it stands.
func certificateFaults(c *x509.Certificate, at time.Time) []Fault {
	found := append(timeFaults(c, at), weakKey(c)...)
	if unknown := unknownCritical(c); len(unknown) > 0 {
		what := fmt.Sprintf("holds a critical extension that is not understood here, %v, so it must not be used (RFC 5280, 4.2)", unknown[0])
		found = append(found, flaw(StatusUntrusted, c, CheckCritical, what, "ask the issuer for one without it"))
	}
	return found
}

// authorityFaults is what keeps a certificate from having others below it, of which so many are authorities that are not self-issued.
func authorityFaults(c *x509.Certificate, anchor bool, below int) []Fault {
	var found []Fault
	fault := func(status Status, check Check, what, advice string) {
		found = append(found, flaw(status, c, check, what, advice))
	}
	if !mayIssue(c) && (!anchor || c.Version >= 3) { // an anchor of version 1 can say nothing
		fault(StatusUntrusted, CheckAuthority, "has issued a certificate, but is none of an authority by its basic constraints", "do not trust what it issued")
	}
	if !allows(c, x509.KeyUsageCertSign) {
		fault(StatusUntrusted, CheckKeyUsage, "has issued a certificate, but must not: its key usage lacks keyCertSign", "ask the issuer for a certificate of another authority")
	}
	if longest := c.MaxPathLen; c.BasicConstraintsValid && (longest > 0 || c.MaxPathLenZero) && below > longest {
		fault(StatusUntrusted, CheckLength, fmt.Sprintf("allows %d authorities below it, and there are %d", longest, below), "ask the issuer for a certificate of another authority")
	}
	if !mailUsage(c) {
		fault(StatusPurpose, CheckExtKeyUsage, "issues certificates, but not for mail: its extended key usage lacks emailProtection", "ask the issuer for a certificate for mail")
	}
	return found
}

// mayIssue reports whether the basic constraints make c an authority.
func mayIssue(c *x509.Certificate) bool { return c.BasicConstraintsValid && c.IsCA }

// selfIssued reports whether both names of a certificate are the same (RFC 5280, 6.1): its authority made it for itself.
func selfIssued(c *x509.Certificate) bool { return x509x.SameName(c.RawSubject, c.RawIssuer) }

// unknownCritical returns the critical extensions that are read neither by crypto/x509 nor here: it knows not every kind of name
// in subjectAltName and in nameConstraints.
func unknownCritical(c *x509.Certificate) []asn1.ObjectIdentifier {
	if len(c.UnhandledCriticalExtensions) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), func(id asn1.ObjectIdentifier) bool {
		return id.Equal(oidSAN()) || id.Equal(oidNameConstraints())
	})
}

func timeFaults(c *x509.Certificate, at time.Time) []Fault {
	fault := func(status Status, what string, since time.Time, advice string) []Fault {
		return []Fault{{Status: status, Certificate: c, Check: CheckValidity, Since: since, Reason: describe(c) + what + day(since), Advice: advice}}
	}
	switch {
	case at.After(c.NotAfter):
		return fault(StatusExpired, " expired on ", c.NotAfter, "its owner must get a new one")
	case at.Before(c.NotBefore):
		return fault(StatusTime, " is not valid before ", c.NotBefore, "check the clock of this machine and of the issuer")
	}
	return nil
}

// untrusted says why there is no path: which certificate it ends at, by what the message offers.
func (v *Validator) untrusted(leaf *x509.Certificate, offered []*x509.Certificate, at time.Time) Fault {
	if f, is := v.belowDistrusted(leaf, offered, at); is {
		return f
	}
	top := v.climbed(leaf, offered)
	fault := func(what, advice string) Fault {
		return Fault{Status: StatusUntrusted, Certificate: top, Check: CheckTrust, Since: at, Reason: describe(top) + what + ", as of " + day(at), Advice: advice}
	}
	switch {
	case !readableSignature(top):
		return fault(" is signed by an algorithm, or with parameters, that is not known here", "ask the issuer for another one")
	case bytes.Equal(top.RawIssuer, top.RawSubject) && newChecker(v.memory, maxAdvice).signed(top, top):
		return fault(" is signed by itself and not an anchor", "if you know it to be right, add it to the trusted certificates")
	case len(v.known[x509x.NameKey(top.RawIssuer)]) > 0:
		return fault(" has no path to a trusted certificate: "+issuerName(top)+" is known, but no certificate of that name fits or leads to an anchor", "add the missing CA certificates")
	}
	return fault(" has no path to a trusted certificate: its issuer, "+issuerName(top)+", is not known", "if you trust it, add its CA certificate to the trusted certificates")
}

// climbed returns the last certificate that signatures lead to from leaf, where none lead to an anchor.
func (v *Validator) climbed(leaf *x509.Certificate, offered []*x509.Certificate) *x509.Certificate {
	k := newChecker(v.memory, maxAdvice)
	path := []*x509.Certificate{leaf}
	for len(path) < maxDepth {
		top := path[len(path)-1]
		i := slices.IndexFunc(offered, func(c *x509.Certificate) bool {
			return mayIssue(c) && x509x.SameName(c.RawSubject, top.RawIssuer) && !within(path, c) && k.signed(c, top)
		})
		if i < 0 {
			break
		}
		path = append(path, offered[i])
	}
	return path[len(path)-1]
}

// list is a list of words, cut where it is long.
func list(words []string) string {
	const most = 4
	if len(words) > most {
		return strings.Join(words[:most], ", ") + " and others"
	}
	return strings.Join(words, ", ")
}
