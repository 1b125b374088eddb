// Package democa is a certificate authority in memory for demonstrations and tests; it must never serve real users.
package democa

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// CA issues certificates for mail addresses by the shape of the CA/Browser Forum S/MIME requirements,
// mailbox-validated multipurpose profile (1.0.10, 7.1), without the revocation and issuer addresses that
// profile wants, since there is no service behind them. It is safe for concurrent use.
type CA struct {
	now   time.Time
	cert  *x509.Certificate
	chain []*x509.Certificate // from cert upwards, without the root
	key   crypto.Signer
}

// Options of one certificate. The zero value gives a certificate for signing and encryption with a new
// RSA-2048 key, valid for a year from the CA's time on.
type Options struct {
	Key       crypto.Signer // nil: a new RSA key of 2048 bits
	NotBefore time.Time     // zero: an hour before the CA's time
	NotAfter  time.Time     // zero: a year after NotBefore
	KeyUsage  x509.KeyUsage // zero: by the key's kind, for signing and encryption
	// Alter changes the template before it is signed, for the odd cases of tests. Nil: nothing.
	Alter func(*x509.Certificate)
}

// NewCA makes a self-signed authority with an RSA-2048 key, valid for five years before and after now.
func NewCA(now time.Time) (*CA, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ca := &CA{now: now, key: key}
	t := caTemplate("Siegel Demo CA", now)
	ca.cert, err = sign(t, t, key.Public(), key)
	return ca, err
}

// Intermediate makes an authority below ca with the same rules. Options work as in Issue.
func (ca *CA) Intermediate(name string, o Options) (*CA, error) {
	key, err := o.key()
	if err != nil {
		return nil, err
	}
	t := caTemplate(name, ca.now)
	o.apply(t)
	cert, err := sign(t, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return &CA{now: ca.now, cert: cert, key: key, chain: append([]*x509.Certificate{cert}, ca.chain...)}, nil
}

// Issue makes an identity for a mail address.
func (ca *CA) Issue(address string, o Options) (certs.Identity, error) {
	key, err := o.key()
	if err != nil {
		return certs.Identity{}, err
	}
	t := userTemplate(address, ca.now, key.Public())
	o.apply(t)
	cert, err := sign(t, ca.cert, key.Public(), ca.key)
	if err != nil {
		return certs.Identity{}, err
	}
	return certs.Identity{Certificate: cert, Chain: ca.chain, Key: key}, nil
}

// Certificate returns the authority's own certificate.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// Key returns the authority's own key, for the odd cases of tests.
func (ca *CA) Key() crypto.Signer { return ca.key }

func (o Options) key() (crypto.Signer, error) {
	if o.Key != nil {
		return o.Key, nil
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

func (o Options) apply(t *x509.Certificate) {
	if !o.NotBefore.IsZero() {
		t.NotBefore, t.NotAfter = o.NotBefore, o.NotBefore.AddDate(1, 0, 0)
	}
	if !o.NotAfter.IsZero() {
		t.NotAfter = o.NotAfter
	}
	if o.KeyUsage != 0 {
		t.KeyUsage = o.KeyUsage
	}
	if o.Alter != nil {
		o.Alter(t)
	}
}

func caTemplate(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Siegel demonstration, not for real mail"}},
		NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(5, 0, 0),
		BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func userTemplate(address string, now time.Time, key crypto.PublicKey) *x509.Certificate {
	notBefore := now.Add(-time.Hour)
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: address},
		NotBefore: notBefore, NotAfter: notBefore.AddDate(1, 0, 0),
		BasicConstraintsValid: true,
		EmailAddresses:        []string{address},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
	if policy, err := x509.OIDFromInts([]uint64{2, 23, 140, 1, 5, 1, 2}); err == nil { // mailbox-validated, multipurpose
		t.Policies = []x509.OID{policy}
	}
	switch key.(type) {
	case *rsa.PublicKey:
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	case *ecdsa.PublicKey:
		t.KeyUsage |= x509.KeyUsageKeyAgreement
	}
	return t
}

// sign issues a template, with a random serial number of 127 bits and a key identifier where it has none.
func sign(t, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	if t.SerialNumber == nil {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
		if err != nil {
			return nil, err
		}
		t.SerialNumber = serial.Add(serial, big.NewInt(1))
	}
	if t.SubjectKeyId == nil {
		spki, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("democa: %w", err)
		}
		sum := sha256.Sum256(spki)
		t.SubjectKeyId = sum[:20] // RFC 7093, 2
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("democa: %w", err)
	}
	return x509.ParseCertificate(der)
}
