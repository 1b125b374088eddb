package cms

import (
	"crypto/x509"
	"io"
)

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
