package certs

import (
	"context"
	"crypto/x509"
	"time"
)

// Status is the verdict on a certificate, in the words of package smime's verdicts.
type Status string

// The statuses, in the order of their weight: of several faults the first one here is the status.
const (
	StatusUntrusted Status = "untrusted" // no path to an anchor, or one that breaks RFC 5280
	StatusRevoked   Status = "revoked"
	StatusWeak      Status = "weak"     // a key or signature in the path is too weak
	StatusPurpose   Status = "purpose"  // key usage or extended key usage forbids it
	StatusExpired   Status = "expired"  // the certificate or one above it is past its end
	StatusTime      Status = "time"     // the certificate or one above it is not valid yet
	StatusMismatch  Status = "mismatch" // the address asked for is not in the certificate
	StatusValid     Status = "valid"
)

// Result is the judgement of one certificate.
type Result struct {
	Status Status
	// Reasons say, for each fault, which certificate, which check, since when and what to do, the
	// weightiest first; a valid certificate may carry remarks. They are one line of ASCII each.
	Reasons []string
	// Chain leads from the certificate to the anchor where a path was found.
	Chain []*x509.Certificate
}

// Valid reports whether the status is StatusValid.
func (r Result) Valid() bool { return r.Status == StatusValid }

// Validator judges certificates for mail (RFC 5280, RFC 8550). It is immutable and safe for concurrent use.
type Validator struct{}

// NewValidator returns a validator that trusts the anchors, self-signed or not, and may use the
// intermediates, which it does not trust by themselves, to build paths.
func NewValidator(anchors, intermediates []*x509.Certificate) *Validator { return &Validator{} }

// Validate judges leaf for a purpose at a time. Intermediates come from the message, in any order and
// any number (the first 100 count). With an address the certificate must bear it; "" asks for no match.
func (v *Validator) Validate(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, p Purpose, address string, at time.Time) Result {
	return Result{Status: StatusUntrusted}
}
