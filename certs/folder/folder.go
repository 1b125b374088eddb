// Package folder keeps certificates and keys in a folder of files; it reads them once and never writes.
package folder

import (
	"context"
	"crypto/x509"
	"iter"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Options of Load. The zero value is ready to use.
type Options struct {
	Passwords []secret.String // tried on each PKCS#12 file that has no NAME.password beside it
	TrustDir  string          // folder of anchors; empty: "trust" inside the folder, which may be missing
	Now       time.Time       // the time the report speaks of; zero: the present
	// Revocation is asked about each path by which a certificate is used; nil: nobody is. It is not asked for the report.
	Revocation certs.Revocation
	// Policies are asked of each path.
	Policies certs.Policies
	// Supports says whether a certificate's key can serve the purpose in this program. Nil: RSA of up to
	// 8192 bits and keys on the curves P-256, P-384 and P-521 sign and are encrypted to, Ed25519 signs, X25519
	// is encrypted to, and Brainpool keys do both where SoftwareBrainpool is set.
	Supports func(*x509.Certificate, certs.Purpose) bool
	// SoftwareBrainpool lets private keys on Brainpool curves be used, and with them the short-lived ones that encrypting to such
	// a certificate takes. The arithmetic is not in constant time: who can measure how long it takes may learn the key.
	SoftwareBrainpool bool
}

// Folder is the content of a folder, a certs.Finder. It is immutable and safe for concurrent use; a folder
// that changed is loaded anew.
//
// For an address the newest certificate (by the beginning of its validity) that is valid for the purpose at the given time is
// taken, for signing as for encryption; every key that was found decrypts.
type Folder struct {
	picker                 certs.Picker
	validator              *certs.Validator // that of the picker
	entries                []*entry         // newest first
	anchors, intermediates []*x509.Certificate
	byAddress              map[string][]*entry // newest first
	identities             []certs.Identity    // newest first
}

var _ certs.Finder = (*Folder)(nil)

// Validator returns the validator over the folder's anchors and intermediate certificates.
func (f *Folder) Validator() *certs.Validator { return f.validator }

// Anchors are the certificates of the trust folder.
func (f *Folder) Anchors() []*x509.Certificate { return slices.Clone(f.anchors) }

// Intermediates are the certificates of authorities in the folder, which help to build paths.
func (f *Folder) Intermediates() []*x509.Certificate { return slices.Clone(f.intermediates) }

// All are the certificates of the folder and of the trust folder, each once, newest first, whatever they are worth.
func (f *Folder) All() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, e := range f.entries {
			if !yield(Item{Certificate: e.Certificate, File: e.path, Anchor: e.anchor, Key: e.identity != nil}) {
				return
			}
		}
	}
}

// Held are the certificates that bear an address, newest first, whatever they are worth.
func (f *Folder) Held(address string) []certs.Held {
	all := f.byAddress[certs.AddressKey(address)]
	held := make([]certs.Held, len(all))
	for i, e := range all {
		held[i] = certs.Held{Candidate: &e.Candidate, Identity: e.identity}
	}
	return held
}

// Signing implements certs.Finder.
func (f *Folder) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	h, err := f.picker.Pick(ctx, address, certs.Sign, now, f.Held(address))
	if err != nil {
		return certs.Identity{}, err
	}
	return *h.Identity, nil
}

// Recipient implements certs.Finder.
func (f *Folder) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	h, err := f.picker.Pick(ctx, address, certs.Encrypt, now, f.Held(address))
	if err != nil {
		return nil, err
	}
	return h.Certificate, nil
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
