package smime

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"time"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Source is a message, or a part of one, whose bytes do not change. It may be opened any number of times.
type Source interface {
	// Open returns the bytes from the first; the caller closes the reader. Where the reader is an
	// io.Seeker too, parts that are not wanted are passed over by Seek.
	Open() (io.ReadCloser, error)
	// Size is the number of bytes Open's reader returns.
	Size() int64
}

// Buffer takes bytes and then gives them back as a Source. What is decrypted rests in buffers, so they
// have to guard it. Close drops the bytes, and may be called more than once.
type Buffer interface {
	io.Writer
	Source
	Close() error
}

// ErrMessage is returned for a message that cannot be taken apart: its header is over the limit.
var ErrMessage = errors.New("smime: the message cannot be read")

// ErrOptions is returned where the options contradict each other or leave nothing to do.
var ErrOptions = errors.New("smime: options are not usable")

// Verdict says what a signature is worth.
type Verdict string

// The verdicts. All but Valid mean that the message must not be shown as signed by its From address.
const (
	Valid     Verdict = "valid"     // chain, purpose, revocation, address and coverage are right
	Unsigned  Verdict = "unsigned"  // there is no signature
	Partial   Verdict = "partial"   // what is shown is not wholly what is signed
	Time      Verdict = "time"      // the claimed signing time contradicts Date, the certificate or the clock
	Expired   Verdict = "expired"   // the certificate is not valid at this time
	Weak      Verdict = "weak"      // an algorithm or key that no longer proves anything
	Mismatch  Verdict = "mismatch"  // the certificate is not for the single From address
	Purpose   Verdict = "purpose"   // the certificate is not for signing mail
	Untrusted Verdict = "untrusted" // no chain to a trusted root
	Revoked   Verdict = "revoked"   // the certificate is revoked
	Broken    Verdict = "broken"    // the signature is not one over this content
)

// Judge says what a signer's certificate is worth at a time: its chain, purpose and revocation. The
// intermediates are what the message carries, in no order and not to be trusted. The reasons are for
// people. The address is not the judge's business: Open matches it.
type Judge func(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) (Verdict, []string)

// Signer is who signs, and how.
type Signer = cms.Signer

// ProtectOptions says what Protect does. Signing comes first where both are asked for (RFC 8551, 3.7).
type ProtectOptions struct {
	Signers   []Signer        // empty: not signed; each makes a signature of its own
	Opaque    bool            // signed as application/pkcs7-mime, which only programs with S/MIME can show
	EncryptTo []cms.Recipient // empty: not encrypted
	Algorithm cms.Algorithm   // empty: AES-256-CBC, which every program reads
	Time      time.Time       // the signing time; zero: none is claimed

	// Headers says how header fields are protected. Content that is signed or encrypted already stays as it
	// is, so that its fields are not: protection would have to stand within.
	Headers HeaderProtection
	// Outside tells of a field that it is not for the recipients, but for servers on the way, who take it off: it is
	// not copied within. nil: there is none.
	Outside func(entity.Field) bool
	// Capabilities is what a signature says that its signer's program reads; nil: what this package reads.
	Capabilities cms.Capabilities
	// SoftwareBrainpool allows signing with keys on Brainpool curves that lie in memory, and encrypting for such
	// keys; see cms.SignOptions and cms.EncryptOptions.
	SoftwareBrainpool bool
}

// OpenOptions says what Open may use.
type OpenOptions struct {
	Keys  cms.KeyFinder // nil: nothing can be decrypted
	Judge Judge         // nil: every signer is Untrusted
	// Stands reports whether a signer's certificate is for an address that it does not bear, since it is for a whole domain; nil: none is.
	Stands  func(c *x509.Certificate, address string) bool
	Scratch func() Buffer // where decrypted and opaque signed content rests; nil: such layers stay closed
	Now     time.Time     // when signatures are judged; zero: the time of the call
	Legacy  bool          // content under Triple DES is decrypted, too, which nobody should send any more
	Limits  Limits
}

// Limits bounds the work on one message. Zero fields mean the defaults. Over a limit is a verdict (Broken,
// or a layer that stays closed), not an error.
type Limits struct {
	Layers  int   // of signatures and envelopes; default 10
	Signers int   // whose certificates are judged, in the whole message; default 10, the others are Untrusted
	Depth   int   // of multiparts; default 20
	Parts   int   // in the whole message; default 1000
	Header  int   // bytes of one header; default 256 KiB
	Size    int64 // bytes of what one layer may hold; default 1 GiB. All together hold Layers times the message and CMS.Expanded
	CMS     cms.Limits
}
