// Package folder keeps certificates and keys in a folder of files; it reads them once and never writes.
package folder

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Options of Load. The zero value is ready to use.
type Options struct {
	Passwords []secret.String // tried on each PKCS#12 file that has no NAME.password beside it
	TrustDir  string          // folder of anchors; empty: "trust" inside the folder
	Now       time.Time       // the time the report speaks of; zero: the present
	// Supports says whether a certificate's key can serve the purpose in this program. Nil: RSA and
	// ECDSA sign, RSA is encrypted to.
	Supports func(*x509.Certificate, certs.Purpose) bool
}

// Folder is the content of a folder, a certs.Finder. It is immutable and safe for concurrent use.
type Folder struct{}

var _ certs.Finder = (*Folder)(nil)

// Report says what was found in each file and what was wrong with it.
type Report []FileReport

// FileReport is what one file gave.
type FileReport struct {
	Path         string // relative to the folder
	Certificates int
	Keys         int
	Findings     []Finding
}

// Finding is something an administrator should know of a file.
type Finding struct {
	Problem bool   // false: a remark
	Text    string // what was wrong and what to do, one line
}

// Load reads a folder and the folders in it. Files that cannot be read are in the report; the error is for a folder
// that cannot be.
func Load(dir string, o Options) (*Folder, Report, error) { return &Folder{}, nil, nil }

// Validator returns the validator over the folder's anchors and intermediate certificates.
func (f *Folder) Validator() *certs.Validator { return certs.NewValidator(nil, nil) }

// Signing implements certs.Finder.
func (f *Folder) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	return certs.Identity{}, certs.ErrNotFound
}

// Recipient implements certs.Finder.
func (f *Folder) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	return nil, certs.ErrNotFound
}

// Decryption implements certs.Finder.
func (f *Folder) Decryption(ctx context.Context, match func(*x509.Certificate) bool) []certs.Identity {
	return nil
}
