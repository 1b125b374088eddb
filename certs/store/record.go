package store

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// Trust is what an administrator said of a certificate.
type Trust string

// What may be said. Anchor, Trusted and ByPath take effect at once for everything that is judged.
const (
	ByPath     Trust = "path"       // nothing: it is judged by its path
	Anchor     Trust = "anchor"     // an authority that is trusted (RFC 5280, 6.1.1, d)
	Trusted    Trust = "trusted"    // this certificate is believed by itself (RFC 8550, 2.3); its times, purpose and strength still count
	Distrusted Trust = "distrusted" // never used, nor anything below its key; a private key still opens what was encrypted to it
	Asked      Trust = "asked"      // as ByPath; it was found below a root nobody knows, and waits for a word; an authority counts only where it descends from another
)

// trusts are the values in the database.
func trusts() []Trust { return []Trust{ByPath, Anchor, Trusted, Distrusted, Asked} }

// number is the value in the database; -1 where t is none.
func (t Trust) number() int {
	for i, known := range trusts() {
		if t == known {
			return i
		}
	}
	return -1
}

// Fingerprint is the SHA-256 of a certificate in DER.
type Fingerprint [sha256.Size]byte

// FingerprintOf is that of c.
func FingerprintOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.Raw) }

// String is the fingerprint in hexadecimal.
func (f Fingerprint) String() string { return fmt.Sprintf("%x", f[:]) }

// KeyRef says where the private key of a certificate lies: "" nowhere, [KeptHere], or elsewhere: KIND:NAME:KEY, of which
// KIND:NAME is a key source ("vault:main:alice"), or card:NAME, which is one itself.
type KeyRef string

// KeptHere is the KeyRef of a key that lies in the store.
const KeptHere KeyRef = "store"

// Record is one certificate of the store. It is shared and must not be altered.
type Record struct {
	Certificate *x509.Certificate
	// Source is where it came from: a word and, after a space, a name: import, signature, directory NAME, issued, vault NAME.
	Source string
	Added  time.Time
	Seen   time.Time // when it was last added or met; written once a day at most
	Trust  Trust
	// Scope are the domains and addresses, as [ParseScope] has them, for which Anchor or Trusted counts; empty: all. All that a
	// certificate is for must be in it, as with name constraints (RFC 5280, 4.2.1.10; RFC 5937).
	Scope []string
	// Serves are the domains for all of whose addresses it stands: it signs for those that have no certificate of their own, is encrypted
	// to for them, and a signature by it is theirs.
	Serves []string
	Key    KeyRef
}

// Fingerprint is that of the certificate.
func (r Record) Fingerprint() Fingerprint { return FingerprintOf(r.Certificate) }

// Addition is what Add is to keep.
type Addition struct {
	Certificates []*x509.Certificate
	// Keys are private keys. They belong to the certificates, added now, before or later, that have their public keys.
	Keys []crypto.PrivateKey
	// References are keys that lie elsewhere.
	References []Reference
	Source     string // of the certificates, as [Record] has it
	Trust      Trust  // of those that are new; empty: ByPath
	Scope      []string
	Serves     []string
}

// Reference is a private key that lies elsewhere.
type Reference struct {
	Public crypto.PublicKey // of its certificates
	Key    KeyRef           // KIND:NAME:KEY
}

// Added says what Add found new.
type Added struct {
	New   []Fingerprint // certificates, in the order of the Addition, each once
	Known []Fingerprint // that were in the store already; what is said of them stays
	// Adopted are how many of Known the gateway had found by itself and somebody brought in now: they count as his from now on.
	Adopted   int
	NewKeys   int
	KnownKeys int
	Lone      int // of the keys, new or known: those that no certificate of the store has
}

// Errors of what was asked for.
var (
	ErrUnknown   = errors.New("certs/store: no certificate with this fingerprint is kept")
	ErrHasKey    = errors.New("certs/store: there is a private key for the certificate, without which mail to it stays closed; say that the key is to go as well, or keep both")
	ErrNoKey     = errors.New("certs/store: no private key for the certificate is kept here")
	ErrNotCA     = errors.New("certs/store: the certificate is not that of an authority, so nothing can be trusted through it; trust it by itself")
	ErrNotNeeded = errors.New("certs/store: a scope says for which addresses a certificate is trusted, so it goes with anchor and trusted alone")
)

const (
	maxSource      = 200
	maxReference   = 500
	maxCertificate = 64 << 10 // bytes of DER
	maxKey         = 32 << 10 // bytes of PKCS#8
)

// check says what is wrong with an addition, and puts its lists into their form.
func (a *Addition) check() (err error) {
	if a.Trust == "" {
		a.Trust = ByPath
	}
	if a.Source == "" || len(a.Source) > maxSource || a.Source != safetext.Line(a.Source, maxSource) {
		return fmt.Errorf("certs/store: %q does not say where certificates come from", safetext.Line(a.Source, 80))
	}
	for _, c := range a.Certificates {
		if c == nil || len(c.Raw) == 0 || len(c.Raw) > maxCertificate {
			return fmt.Errorf("certs/store: a certificate is empty or larger than %d bytes", maxCertificate)
		}
	}
	if a.Scope, err = checkTrust(a.Certificates, a.Trust, a.Scope); err != nil {
		return err
	}
	a.Serves, err = ParseServes(a.Serves)
	return err
}

// checkTrust says whether trust can be said of certificates, and returns the scope in its form.
func checkTrust(all []*x509.Certificate, t Trust, scope []string) ([]string, error) {
	switch {
	case t.number() < 0:
		return nil, fmt.Errorf("certs/store: %q is no kind of trust: path, anchor, trusted, distrusted or asked", safetext.Line(string(t), 40))
	case len(scope) > 0 && t != Anchor && t != Trusted:
		return nil, ErrNotNeeded
	}
	for _, c := range all {
		if t == Anchor && !isAuthority(c) {
			return nil, ErrNotCA
		}
	}
	return ParseScope(scope)
}

// isAuthority reports whether c may stand above others; a certificate of version 1 cannot say so.
func isAuthority(c *x509.Certificate) bool { return c.IsCA || c.Version < 3 }
