// Package certs finds and judges the certificates and keys of mail; where they are kept is its members' affair.
package certs

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Purpose is what a certificate is to be used for.
type Purpose string

// The purposes of RFC 8550, 4.4.2 and 4.4.4. Any asks for neither key usage but still for the extended
// key usage of mail.
const (
	Sign    Purpose = "sign"
	Encrypt Purpose = "encrypt"
	Any     Purpose = "any"
)

// Identity is a certificate with its private key. It is shared and must not be altered.
type Identity struct {
	Certificate *x509.Certificate
	// Chain leads from the certificate's issuer upwards, without a self-signed root (RFC 8550, 2.3). It may be empty.
	Chain []*x509.Certificate
	// Key signs. It is a crypto.Decrypter as well where it can decrypt, and where it agrees on keys (ECDH) an
	// *ecdsa.PrivateKey or one that lies elsewhere and has a method SharedSecret(crypto.PublicKey) ([]byte, error).
	Key crypto.Signer
	// Agreement is the private key where it can do nothing but agree on keys, an *ecdh.PrivateKey or one with that
	// method. Key is nil then, else Agreement is.
	Agreement crypto.PrivateKey
}

// Private returns the private key: Key, or where that is nil Agreement.
func (id Identity) Private() crypto.PrivateKey {
	if id.Key != nil {
		return id.Key
	}
	return id.Agreement
}

// Finder finds certificates and keys by mail address. It is safe for concurrent use.
type Finder interface {
	// Signing returns the newest identity of the address that may sign now; it has a Key. The error is ErrNotFound
	// where there is none, an *UnusableError that says why the newest one may not, or an
	// *UnavailableError where that cannot be told at present. The key is for use while ctx lasts: one that
	// may keep its user waiting gives up when ctx ends, and fails with an *UnavailableError where it is away.
	Signing(ctx context.Context, address string, now time.Time) (Identity, error)
	// Recipient returns the newest valid certificate to encrypt to, with the errors of Signing.
	Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error)
	// Decryption returns every identity whose certificate one of the ids means, retired and expired ones too,
	// newest first. It is empty where there is none. An *UnavailableError, beside what was found, says that there may
	// be others which cannot be seen at present. The keys are as those of Signing.
	Decryption(ctx context.Context, ids []KeyID) ([]Identity, error)
}

// Judge judges certificates; a [Validator] is one. It is safe for concurrent use.
type Judge interface {
	// Validate judges leaf as [Validator.Validate] does.
	Validate(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, p Purpose, address string, at time.Time) Result
}

// ErrNotFound says that no certificate of an address is known.
var ErrNotFound = errors.New("certs: no certificate is known")

// ErrUnavailable says that a source of certificates or keys cannot be asked at present: a card is not in its
// reader, a vault is sealed, a directory does not answer. Waiting may help; what waits is not sent meanwhile.
var ErrUnavailable = errors.New("certs: a source of certificates or keys is not available")

// UnavailableError names the source that is away. It is ErrUnavailable.
type UnavailableError struct {
	// Source is the source's name in the configuration, for operators; what waits for one source waits in
	// one line. Empty where it has no name.
	Source string
	Err    error // what went wrong, for the log; may be nil
}

// Error names the source and what went wrong.
func (e *UnavailableError) Error() string {
	text := ErrUnavailable.Error()
	if e.Source != "" {
		text = "certs: " + clean(e.Source) + " is not available"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is makes it ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Temporary tells packages that do not know this one that trying again may help.
func (e *UnavailableError) Temporary() bool { return true }

// UnusableError says that certificates of an address are known but none may be used.
type UnusableError struct {
	Address string
	Result  Result // of the newest one
}

// Error names the address, the status and its reasons, for the log.
func (e *UnusableError) Error() string {
	return fmt.Sprintf("certs: no usable certificate of %s: %s: %s", clean(e.Address), e.Result.Status, strings.Join(e.Result.Reasons, "; "))
}

// Why says in a few plain words why err left an address without a certificate, for a sentence to a mail
// user: "no certificate of x@y is known", "the certificate of x@y has expired". It is empty for nil, and
// for any other error, whose cause is none of the user's affair.
func Why(err error, address string) string {
	var unusable *UnusableError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrNotFound):
		return "no certificate of " + clean(address) + " is known"
	case errors.As(err, &unusable):
		return "the certificate of " + clean(address) + " " + plainWords(unusable.Result.Status)
	}
	return ""
}

func plainWords(s Status) string {
	switch s {
	case StatusExpired:
		return "has expired"
	case StatusTime:
		return "is not valid yet"
	case StatusUntrusted:
		return "comes from an issuer that is not trusted"
	case StatusPurpose:
		return "is not made for this purpose"
	case StatusWeak:
		return "is too weak to be safe"
	case StatusRevoked:
		return "was revoked by its issuer"
	}
	return "cannot be used"
}
