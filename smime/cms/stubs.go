package cms

import (
	"crypto"
	"crypto/x509"
	"io"
	"time"
)

// SignOptions says who signs and how.
type SignOptions struct {
	Certificate  *x509.Certificate   // the signer's; its public key must be Key's
	Chain        []*x509.Certificate // further certificates to put into the message
	Key          crypto.Signer       // RSA, ECDSA on P-256, P-384 or P-521, or Ed25519; may be opaque
	Hash         crypto.Hash         // SHA-256, SHA-384 or SHA-512; 0: SHA-256 (Ed25519: always SHA-512)
	PSS          bool                // RSASSA-PSS instead of PKCS #1 v1.5, for RSA keys
	Time         time.Time           // signingTime; zero: none
	Capabilities []Algorithm         // smimeCapabilities in order of preference; nil: the default; empty: none
}

// Micalg is the value of the micalg parameter of multipart/signed for o (RFC 8551, 3.5.3.2).
func (o SignOptions) Micalg() string { return "sha-256" }

// DetachedSigner signs what is written to it.
type DetachedSigner struct{}

// NewDetachedSigner returns a signer without content.
func NewDetachedSigner(o SignOptions) (*DetachedSigner, error) { return nil, ErrUnsupported }

// Write adds content.
func (s *DetachedSigner) Write(p []byte) (int, error) { return 0, ErrUnsupported }

// Finish signs, and returns the ContentInfo as DER.
func (s *DetachedSigner) Finish() ([]byte, error) { return nil, ErrUnsupported }

// NewOpaqueSigner returns a writer for size bytes of content that go to w within a SignedData.
func NewOpaqueSigner(w io.Writer, size int64, o SignOptions) (io.WriteCloser, error) {
	return nil, ErrUnsupported
}

// EncryptOptions says for whom to encrypt and how.
type EncryptOptions struct {
	Recipients []*x509.Certificate
	Algorithm  Algorithm // "" means AES256CBC
	Size       int64     // of the plaintext in bytes; negative: unknown
	Rand       io.Reader // nil: crypto/rand
}

// CiphertextSize is the number of bytes of the encrypted content alone for Size bytes of plaintext; -1 where Size is unknown.
func (o EncryptOptions) CiphertextSize() int64 { return -1 }

// NewEncrypter returns a writer that encrypts to w.
func NewEncrypter(w io.Writer, o EncryptOptions) (io.WriteCloser, error) { return nil, ErrUnsupported }

// Decrypter reads the content of an envelope.
type Decrypter struct{}

// NewDecrypter reads an EnvelopedData or AuthEnvelopedData as far as its content.
func NewDecrypter(r io.Reader, find KeyFinder, l Limits) (*Decrypter, error) {
	return nil, ErrUnsupported
}

// Read returns plaintext that is not yet authenticated.
func (d *Decrypter) Read(p []byte) (int, error) { return 0, ErrUnsupported }

// Info is what the envelope says openly.
func (d *Decrypter) Info() EnvelopeInfo { return EnvelopeInfo{} }

// VerifyDetached checks the signatures of a SignedData without content.
func VerifyDetached(signature []byte, content io.Reader, l Limits) (*Signed, error) {
	return nil, ErrUnsupported
}

// Verifier reads the content of a SignedData.
type Verifier struct{}

// NewVerifier reads a SignedData as far as its content.
func NewVerifier(r io.Reader, l Limits) (*Verifier, error) { return nil, ErrUnsupported }

// Read returns content that is not yet verified.
func (v *Verifier) Read(p []byte) (int, error) { return 0, ErrUnsupported }

// Signed is the outcome, after Read has returned io.EOF.
func (v *Verifier) Signed() (*Signed, error) { return nil, ErrUnsupported }
