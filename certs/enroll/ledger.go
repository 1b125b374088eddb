package enroll

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"math/big"
	"time"
)

// Authority is a certificate of the built-in CA, a root or one that issues.
type Authority struct {
	Certificate *x509.Certificate
	// Key is nil where it was taken away, as that of a root is which lies offline.
	Key crypto.Signer
	// CRL is the newest list of what the authority revoked, DER, and Number its number; empty and 0 where there is none yet.
	CRL    []byte
	Number int64
}

// IsRoot reports whether the authority signed itself.
func (a Authority) IsRoot() bool {
	return bytes.Equal(a.Certificate.RawSubject, a.Certificate.RawIssuer)
}

// Record is one certificate that was issued, by whatever issuer.
type Record struct {
	Certificate *x509.Certificate
	Address     string // empty: a certificate of an authority
	// Kept: the certificate and its key were stored, and may be in use. One that was not is of no use to anybody.
	Kept    bool
	Revoked time.Time // zero: it is not
	Reason  Reason
}

// Revocation is one entry of a list of revoked certificates.
type Revocation struct {
	Serial *big.Int
	At     time.Time
	Reason Reason
}

// Ledger keeps what was issued and revoked, durably: what a method has returned nil for survives a crash. It is safe for
// concurrent use. While it cannot be used every method fails.
type Ledger interface {
	// Authorities returns all authorities, the newest first.
	Authorities(ctx context.Context) ([]Authority, error)
	// AddAuthorities keeps authorities with their keys, all or none, and records their certificates. With first it fails with ErrExists where
	// there are others already.
	AddAuthorities(ctx context.Context, first bool, all []Authority) error
	// DropKey forgets the key of an authority for good.
	DropKey(ctx context.Context, c *x509.Certificate) error
	// SaveCRL keeps a list in place of the one before, whose number must be lower.
	SaveCRL(ctx context.Context, c *x509.Certificate, number int64, crl []byte) error

	// Record keeps a certificate that was issued and is in nobody's hands yet. It fails with ErrSerial where its issuer has used the
	// serial number for another one; the same certificate again changes nothing.
	Record(ctx context.Context, r Record) error
	// Keep notes that a recorded certificate was stored with its key.
	Keep(ctx context.Context, c *x509.Certificate) error
	// Unkept returns some of the records of users' certificates that were not kept and not revoked.
	Unkept(ctx context.Context) ([]Record, error)
	// Find returns the record of a certificate; ErrUnknown where there is none.
	Find(ctx context.Context, c *x509.Certificate) (Record, error)
	// IssuedTo returns the newest records of an address, the newest first.
	IssuedTo(ctx context.Context, address string) ([]Record, error)
	// Revoke notes that a recorded certificate is revoked. Where it was already that stands.
	Revoke(ctx context.Context, c *x509.Certificate, at time.Time, why Reason) error
	// Revoked returns what an authority has revoked of the certificates that end after a time.
	Revoked(ctx context.Context, issuer *x509.Certificate, endAfter time.Time) ([]Revocation, error)
	// Expiring gives f the records of users' certificates that are kept, not revoked, and end after one time and not after another,
	// those that end first before the others. f must not use the ledger.
	Expiring(ctx context.Context, after, until time.Time, f func(Record)) error
}

// Errors of a Ledger and of a CA.
var (
	// ErrSerial: a serial number was used already.
	ErrSerial = errors.New("enroll: the issuer has given this serial number to another certificate")
	// ErrExists: there is a CA already.
	ErrExists = errors.New("enroll: there is a CA already; siegel certs ca show tells which, siegel certs ca renew makes a new issuing CA below its root")
	// ErrNone: there is no CA yet.
	ErrNone = errors.New("enroll: there is no CA yet; make it with: siegel certs ca init")
	// ErrOffline: the key of the root is needed and not here.
	ErrOffline = errors.New("enroll: the key of the root is not here; give the file you exported it to")
)
