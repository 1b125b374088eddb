package certs

import (
	"crypto/x509"
	"strings"
)

// constraintFaults applies rfc822Name constraints (RFC 5280, 4.2.1.10) to the addresses that crypto/x509
// does not compare with them: those in the subject, and SmtpUTF8Mailbox (RFC 9598, 6).
func constraintFaults(chain []*x509.Certificate) []finding {
	if len(chain) < 2 {
		return nil
	}
	leaf := chain[0]
	var found []finding
	for _, address := range append(subjectAddresses(leaf), smtpUTF8Mailboxes(leaf)...) {
		for _, ca := range chain[1:] {
			if !permitted(ca, AddressKey(address)) {
				found = append(found, finding{StatusUntrusted, describe(ca) + " is not allowed to issue for " + clean(address) + " by its name constraints; ask the issuer for another certificate"})
			}
		}
	}
	return found
}

func permitted(ca *x509.Certificate, key string) bool {
	if len(ca.PermittedEmailAddresses)+len(ca.ExcludedEmailAddresses) == 0 {
		return true
	}
	for _, c := range ca.ExcludedEmailAddresses {
		if key == "" || within(key, c) {
			return false
		}
	}
	for _, c := range ca.PermittedEmailAddresses {
		if key != "" && within(key, c) {
			return true
		}
	}
	return len(ca.PermittedEmailAddresses) == 0
}

// within reports whether an address is in a constraint: one mailbox, one host, or with a leading dot all
// hosts of a domain.
func within(key, constraint string) bool {
	constraint = fold(constraint)
	domain := key[strings.LastIndexByte(key, '@')+1:]
	switch {
	case strings.Contains(constraint, "@"):
		return key == AddressKey(constraint)
	case strings.HasPrefix(constraint, "."):
		return strings.HasSuffix(domain, constraint)
	}
	return domain == constraint
}
