// Package enroll gets certificates for the company's own addresses from an issuer; the built-in CA is one. It does not decide who signs.
package enroll

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/certs"
)

// Request asks for one certificate.
type Request struct {
	// Address is the mail address the certificate is to bear. That whoever asks may have it is the caller's affair.
	Address string
	// Purpose is certs.Sign, certs.Encrypt, or certs.Any for a certificate that does both.
	Purpose certs.Purpose
	// Key is the private key, with which an issuer that wants it signs a PKCS#10 request. It is not kept.
	Key crypto.Signer
}

// Issued is a certificate that was issued.
type Issued struct {
	Certificate *x509.Certificate
	// Chain leads from the certificate's issuer upwards, without a self-signed root. It may be empty.
	Chain []*x509.Certificate
}

// Issuer issues certificates: the built-in [CA], or a public key infrastructure elsewhere. It is safe for concurrent use.
type Issuer interface {
	// Issue returns a certificate for the key and the address, recorded by the issuer before it is returned.
	// Errors: a *certs.UnavailableError where waiting may help, a *RefusedError where it does not; any other one is a
	// fault and counts as the first.
	Issue(ctx context.Context, r Request) (Issued, error)
	// Revoke says to all the world that a certificate is not to be trusted any more. Where it is revoked already nothing
	// changes and nil is returned. ErrUnknown: the issuer did not issue it.
	Revoke(ctx context.Context, c *x509.Certificate, why Reason) error
}

// ErrUnknown is the error of a certificate that the issuer did not issue.
var ErrUnknown = errors.New("enroll: the issuer has not issued this certificate")

// RefusedError says that an address gets no certificate, as things are set.
type RefusedError struct {
	Address string
	Why     string // for administrators: what is in the way and what to do
}

// Error names the address and says why.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("enroll: no certificate for %s: %s", printable(e.Address), e.Why)
}

// Reason is why a certificate is revoked (RFC 5280, 5.3.1).
type Reason int

// The reasons that the CA/Browser Forum lets issuers of mail certificates give (S/MIME Baseline Requirements, 7.2.2).
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	PrivilegeWithdrawn   Reason = 9
)

// String is the name that RFC 5280 has for the reason.
func (r Reason) String() string {
	switch r {
	case Unspecified:
		return "unspecified"
	case KeyCompromise:
		return "keyCompromise"
	case AffiliationChanged:
		return "affiliationChanged"
	case Superseded:
		return "superseded"
	case CessationOfOperation:
		return "cessationOfOperation"
	case PrivilegeWithdrawn:
		return "privilegeWithdrawn"
	}
	return fmt.Sprintf("reason %d", int(r))
}

// ParseReason reads the name of a reason as RFC 5280 writes it.
func ParseReason(name string) (Reason, error) {
	for _, r := range []Reason{Unspecified, KeyCompromise, AffiliationChanged, Superseded, CessationOfOperation, PrivilegeWithdrawn} {
		if r.String() == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("enroll: %q is no reason; write keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified",
		printable(name))
}

// EndsEnrollment reports whether an address whose newest certificate was revoked for the reason gets another one only by the
// word of an administrator: its owner has left, or may not have one.
func (r Reason) EndsEnrollment() bool {
	switch r {
	case AffiliationChanged, CessationOfOperation, PrivilegeWithdrawn:
		return true
	}
	return false
}

// printable is text of strangers made fit for an error: printable ASCII, bounded.
func printable(s string) string {
	const most = 120
	out := []byte(s[:min(len(s), most)])
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}
