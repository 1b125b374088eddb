// Package folder keeps certificates and keys in a folder of files; it reads them once and never writes.
package folder

import (
	"cmp"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Options of Load. The zero value is ready to use.
type Options struct {
	Passwords []secret.String // tried on each PKCS#12 file that has no NAME.password beside it
	TrustDir  string          // folder of anchors; empty: "trust" inside the folder, which may be missing
	Now       time.Time       // the time the report speaks of; zero: the present
	// Revocation is asked about each path by which a certificate is used; nil: nobody is. It is not asked for the report.
	Revocation certs.Revocation
	// Supports says whether a certificate's key can serve the purpose in this program. Nil: RSA of up to
	// 8192 bits and keys on the curves P-256, P-384 and P-521 sign and are encrypted to, Ed25519 signs, X25519
	// is encrypted to, and Brainpool keys do both where SoftwareBrainpool is set.
	Supports func(*x509.Certificate, certs.Purpose) bool
	// SoftwareBrainpool lets private keys on Brainpool curves be used, and with them the short-lived ones that encrypting to such
	// a certificate takes. The arithmetic is not in constant time: who can measure how long it takes may learn the key.
	SoftwareBrainpool bool
}

func (o Options) supports(c *x509.Certificate, p certs.Purpose) bool {
	const most = 8192 // bits
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() <= most
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return true
		}
		return o.SoftwareBrainpool && x509x.Brainpool(key.Curve)
	case ed25519.PublicKey:
		return p == certs.Sign
	case *ecdh.PublicKey:
		return p == certs.Encrypt && key.Curve() == ecdh.X25519()
	}
	return false
}

// Folder is the content of a folder, a certs.Finder. It is immutable and safe for concurrent use; a folder
// that changed is loaded anew.
//
// For an address the newest certificate (by the beginning of its validity) that is valid for the purpose at the given time is
// taken, for signing as for encryption; every key that was found decrypts.
type Folder struct {
	validator  *certs.Validator
	mayChange  bool // of what is valid: it may be revoked
	supports   func(*x509.Certificate, certs.Purpose) bool
	byAddress  map[string][]*entry // newest first
	identities []certs.Identity    // newest first
}

var _ certs.Finder = (*Folder)(nil)

// Validator returns the validator over the folder's anchors and intermediate certificates.
func (f *Folder) Validator() *certs.Validator { return f.validator }

// Signing implements certs.Finder.
func (f *Folder) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	e, err := f.find(ctx, address, certs.Sign, now)
	if err != nil {
		return certs.Identity{}, err
	}
	return *e.identity, nil
}

// Recipient implements certs.Finder.
func (f *Folder) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	e, err := f.find(ctx, address, certs.Encrypt, now)
	if err != nil {
		return nil, err
	}
	return e.cert, nil
}

// Identities are the certificates that have a key which decrypts, newest first.
func (f *Folder) Identities() []certs.Identity { return slices.Clone(f.identities) }

// Decryption implements certs.Finder.
func (f *Folder) Decryption(ctx context.Context, ids []certs.KeyID) ([]certs.Identity, error) {
	var found []certs.Identity
	for _, id := range f.identities {
		if slices.ContainsFunc(ids, func(k certs.KeyID) bool { return k.Matches(id.Certificate) }) {
			found = append(found, id)
		}
	}
	return found, nil
}

// find returns the newest entry of an address that is valid for the purpose.
func (f *Folder) find(ctx context.Context, address string, p certs.Purpose, now time.Time) (*entry, error) {
	var newest, away error
	for _, e := range f.byAddress[certs.AddressKey(address)] {
		if p == certs.Sign && (e.identity == nil || e.identity.Key == nil) {
			continue
		}
		r := f.judge(ctx, e, p, now)
		if r.Valid() {
			return e, nil
		}
		if away == nil {
			away = r.Away
		}
		if newest == nil {
			newest = r.Err(address)
		}
	}
	if err := cmp.Or(away, newest); err != nil {
		return nil, err
	}
	return nil, certs.ErrNotFound
}
