package cards

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// Source is how the store of certificates names the key of an entry: "card:signature".
func Source(name string) string { return "card:" + name }

// Error is why a key on a card cannot be used now. What needs the key waits.
type Error struct {
	Name string // of the entry
	Err  error
}

// Error names the card, and says what to do.
func (e *Error) Error() string {
	return "the smart card " + safetext.Line(e.Name, 64) + " cannot be used: " + strings.TrimPrefix(strings.TrimPrefix(e.Err.Error(), "smartcard: "), "pkcs11: ")
}

// Unwrap is what lies behind it.
func (e *Error) Unwrap() error { return e.Err }

// Temporary is true: also where somebody has to mend it, what waits goes on afterwards.
func (e *Error) Temporary() bool { return true }

// Lasting tells whether somebody has to mend it in the configuration, or by an act with the card.
func (e *Error) Lasting() bool { return !smartcard.Temporary(e.Err) }

// named makes errors of what keeps the key from work those of the entry; what says that the key cannot do this ever, or that a ciphertext is not
// for it, stays as it is.
func (e *entry) named(err error) error {
	if err == nil || errors.Is(err, smartcard.ErrUnsupported) || errors.Is(err, smartcard.ErrDecryption) {
		return err
	}
	return &Error{e.Name, err}
}

// away makes those errors ones of a source that cannot be asked.
func (e *entry) away(err error) error {
	if _, ok := err.(*Error); ok {
		return &certs.UnavailableError{Source: Source(e.Name), Err: err}
	}
	return err
}

// hard is a key on a card or in a token.
type hard interface {
	crypto.Signer
	crypto.Decrypter
	SharedSecret(peer crypto.PublicKey) ([]byte, error)
	Info() smartcard.KeyInfo
	SignatureAlgorithms() []tls.SignatureScheme
}

// opened is a key that was found.
type opened struct {
	hard
	during func(context.Context) hard // the key, for use while a context lasts
}

// open finds the key on its card, once. Its error is an *Error.
func (e *entry) open(ctx context.Context) (*opened, error) {
	if o := e.opened.Load(); o != nil {
		return o, nil
	}
	o, err := e.group.device.key(ctx, e.Entry)
	if err != nil {
		return nil, e.named(err)
	}
	e.opened.Store(o)
	return o, nil
}

// fingerprintOf is the SHA-256 of a certificate, in hexadecimal digits.
func fingerprintOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// find returns the entry of a name.
func (s *Set) find(name string) *entry {
	if s == nil {
		return nil
	}
	for _, e := range s.entries {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Names are those of the entries.
func (s *Set) Names() (all []string) {
	if s == nil {
		return nil
	}
	for _, e := range s.entries {
		all = append(all, e.Name)
	}
	return all
}

// Key returns the key that a reference card:NAME names, as store.KeySource has it: a crypto.Signer, and what the key can do besides. Every
// error is a *certs.UnavailableError.
func (s *Set) Key(ctx context.Context, reference string, _ *x509.Certificate) (crypto.PrivateKey, error) {
	name, _ := strings.CutPrefix(reference, "card:")
	e := s.find(name)
	if e == nil {
		return nil, &certs.UnavailableError{Source: Source(name), Err: &Error{name, errors.New("the configuration has no smart card of this name; name one under smartcards, or import the certificate with another key")}}
	}
	o, err := e.open(ctx)
	if err != nil {
		return nil, e.away(err)
	}
	k := key{e, o.during(ctx), s.h.figures, e.away}
	info := o.Info()
	switch o.Public().(type) {
	case *rsa.PublicKey:
		if info.Can(smartcard.RawRSA) {
			return rsaKey{k}, nil
		}
	case *ecdsa.PublicKey:
		if info.Can(smartcard.AgreeEC) {
			return ecKey{k}, nil
		}
	}
	return k, nil
}

// Certificate reads the certificate of a key from its card. The error is an *Error, or says that there is no such entry.
func (s *Set) Certificate(ctx context.Context, name string) (*x509.Certificate, error) {
	e := s.find(name)
	if e == nil {
		return nil, fmt.Errorf("the configuration has no smart card named %s", safetext.Line(name, 64))
	}
	o, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	return o.Info().Certificate, nil
}

// key signs, while the context lasts that it was made for. It implements crypto.Signer.
type key struct {
	e       *entry
	hard    hard
	figures *figures
	err     func(error) error // what becomes of an *Error
}

// rsaKey decrypts as well. It implements crypto.Decrypter.
type rsaKey struct{ key }

// ecKey agrees on secrets as well. It implements cms.KeyAgreement.
type ecKey struct{ key }

var (
	_ crypto.Signer    = key{}
	_ crypto.Decrypter = rsaKey{}
)

// Public implements crypto.Signer.
func (k key) Public() crypto.PublicKey { return k.hard.Public() }

// SignsPSS says to those who choose an algorithm whether an RSA key signs by RSASSA-PSS.
func (k key) SignsPSS() bool {
	for _, s := range k.hard.SignatureAlgorithms() {
		if s == tls.PSSWithSHA256 {
			return true
		}
	}
	return false
}

// Sign implements crypto.Signer.
func (k key) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.use("sign", func() ([]byte, error) { return k.hard.Sign(random, digest, opts) })
}

// Decrypt implements crypto.Decrypter.
func (k rsaKey) Decrypt(random io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.use("decrypt", func() ([]byte, error) { return k.hard.Decrypt(random, msg, opts) })
}

// SharedSecret implements cms.KeyAgreement.
func (k ecKey) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	return k.use("agree", func() ([]byte, error) { return k.hard.SharedSecret(peer) })
}

// use lets the card work, and counts it.
func (k key) use(operation string, do func() ([]byte, error)) ([]byte, error) {
	began := time.Now()
	out, err := do()
	k.figures.note(k.e.Name, operation, time.Since(began), err)
	return out, k.err(k.e.named(err))
}
