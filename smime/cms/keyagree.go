package cms

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// KeyAgreement is a private key on an elliptic curve that agrees on secrets (SEC 1, 3.3.1; RFC 7748, 6.1). It may
// be opaque (a card, a module). peer is an *ecdh.PublicKey on P-256, P-384, P-521 or X25519, or an
// *ecdsa.PublicKey on a Brainpool curve; it is on the curve of the key's certificate, and was checked to be a
// point of it. The secret is the x-coordinate as long as the field, or what X25519 gives. Errors are taken as
// those of [Key]'s Decrypter are.
type KeyAgreement interface {
	SharedSecret(peer crypto.PublicKey) ([]byte, error)
}

// AgreementOptions says what [NewKeyAgreement] may do.
type AgreementOptions struct {
	// SoftwareBrainpool allows private keys on Brainpool curves. What there is for them in Go does not take
	// constant time: who can measure how long this process computes may learn the key.
	SoftwareBrainpool bool
}

// NewKeyAgreement is a private key in memory as a [KeyAgreement]: an *ecdh.PrivateKey (P-256, P-384, P-521,
// X25519), or an *ecdsa.PrivateKey on a NIST curve or, where o allows it, a Brainpool curve. Every other key
// is ErrUnsupported.
func NewKeyAgreement(private crypto.PrivateKey, o AgreementOptions) (KeyAgreement, error) {
	switch key := private.(type) {
	case *ecdh.PrivateKey:
		return ecdhAgreement{key}, nil
	case *ecdsa.PrivateKey:
		if x509x.Brainpool(key.Curve) {
			if !o.SoftwareBrainpool {
				return nil, fmt.Errorf("%w: a private key on %s is computed with only where that is allowed", ErrUnsupported, key.Curve.Params().Name)
			}
			return brainpoolAgreement{key}, nil
		}
		if nist, err := key.ECDH(); err == nil {
			return ecdhAgreement{nist}, nil
		}
	}
	return nil, fmt.Errorf("%w: a key of type %T agrees on nothing", ErrUnsupported, private)
}

// ecdhAgreement is a key of the standard library.
type ecdhAgreement struct{ key *ecdh.PrivateKey }

// SharedSecret implements [KeyAgreement].
func (a ecdhAgreement) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	public, ok := peer.(*ecdh.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: a point on another curve", ErrUnsupported)
	}
	return a.key.ECDH(public)
}

// brainpoolAgreement is a key on a Brainpool curve.
type brainpoolAgreement struct{ key *ecdsa.PrivateKey }

// SharedSecret implements [KeyAgreement].
func (a brainpoolAgreement) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	public, ok := peer.(*ecdsa.PublicKey)
	if !ok || public.Curve != a.key.Curve {
		return nil, fmt.Errorf("%w: a point on another curve", ErrUnsupported)
	}
	//lint:ignore SA1019 crypto/ecdh has no Brainpool curves; this is the only way to multiply on them
	x, y := a.key.Curve.ScalarMult(public.X, public.Y, a.key.D.Bytes())
	if x.Sign() == 0 && y.Sign() == 0 {
		return nil, fmt.Errorf("%w: the point at infinity", ErrUnsupported) // never: the order is prime and the point on the curve
	}
	return x.FillBytes(make([]byte, fieldSize(a.key.Curve))), nil
}

// fieldSize is the bytes of a coordinate.
func fieldSize(c elliptic.Curve) int { return (c.Params().BitSize + 7) / 8 }
