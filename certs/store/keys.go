package store

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// KeySource holds private keys that lie elsewhere. It is safe for concurrent use.
type KeySource interface {
	// Key returns the key that a reference names, for use while ctx lasts, for a certificate that has its public
	// key. What cannot be asked at present is a *certs.UnavailableError; where its cause lasts until somebody puts it right, that has a
	// method Lasting() bool which says so.
	Key(ctx context.Context, reference string, c *x509.Certificate) (crypto.PrivateKey, error)
}

// The kinds of rows of private_key.
const (
	kindPKCS8 = iota
	kindReference
)

func keyAssociated(public []byte, kind int64, added int64) []byte {
	return fmt.Appendf(nil, "private key %x %d %d", public, kind, added)
}

// foundKey is a key to be kept.
type foundKey struct {
	public []byte // hash
	kind   int64
	body   []byte
}

// foundKeys are the keys and references of an addition. The caller clears their bodies.
func (s *Store) foundKeys(a Addition) (all []foundKey, err error) {
	for _, k := range a.Keys {
		spki, err := x509x.MarshalPublicKey(publicOf(k))
		if err != nil {
			return all, fmt.Errorf("certs/store: a private key of the kind %T is not kept; use RSA, or one on P-256", k)
		}
		body, err := x509x.MarshalPrivateKey(k)
		if err != nil || len(body) > maxKey {
			return all, fmt.Errorf("certs/store: a private key of the kind %T cannot be written, or is larger than %d bytes", k, maxKey)
		}
		all = append(all, foundKey{s.publicHash(spki), kindPKCS8, body})
	}
	for _, r := range a.References {
		spki, err := x509x.MarshalPublicKey(r.Public)
		if err != nil {
			return all, fmt.Errorf("certs/store: the public key of %s is of the kind %T, which is not known", safetext.Line(string(r.Key), 80), r.Public)
		}
		if _, err := r.Key.source(); err != nil {
			return all, err
		}
		all = append(all, foundKey{s.publicHash(spki), kindReference, []byte(r.Key)})
	}
	return all, nil
}

// publicOf is the public half of a private key; nil where it has none.
func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return k.Public()
	}
	return nil
}

// source is the key source that a reference names: "vault:main" of "vault:main:alice", and "card:signature" of itself.
func (k KeyRef) source() (string, error) {
	if name, ok := strings.CutPrefix(string(k), "card:"); ok && name != "" && !strings.Contains(name, ":") && len(k) <= maxReference {
		return string(k), nil
	}
	parts := strings.SplitN(string(k), ":", 3)
	if len(parts) < 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" || len(k) > maxReference {
		return "", fmt.Errorf("certs/store: %q names no key that lies elsewhere; expected vault:NAME:KEY or card:NAME", safetext.Line(string(k), 80))
	}
	return parts[0] + ":" + parts[1], nil
}

// keyRef says where the key of a row lies. A reference that does not open is damage.
func (s *Store) keyRef(r *row) (KeyRef, error) {
	switch {
	case !r.keyKind.Valid:
		return "", nil
	case r.keyKind.Int64 == kindPKCS8:
		return KeptHere, nil
	}
	text, err := s.openKey(r)
	return KeyRef(text), err
}

// openKey reads the body of the key of a row. The caller clears it.
func (s *Store) openKey(r *row) ([]byte, error) {
	text, err := s.key.Open(r.keyBody, keyAssociated(r.public, r.keyKind.Int64, r.keyAdded.Int64))
	if err != nil {
		return nil, fmt.Errorf("%w: a private key does not open", ErrDamaged)
	}
	return text, nil
}

// privateKey reads the key of a row that lies here, and holds it to the certificate.
func (s *Store) privateKey(r *row, c *x509.Certificate) (crypto.PrivateKey, error) {
	text, err := s.openKey(r)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	key, err := x509x.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%w: a private key cannot be read", ErrDamaged)
	}
	if !fits(key, c) {
		return nil, fmt.Errorf("%w: a private key is not that of its certificate", ErrDamaged)
	}
	return key, nil
}

// fits reports whether a private key is that of a certificate.
func fits(key crypto.PrivateKey, c *x509.Certificate) bool {
	der, err := x509x.MarshalPublicKey(publicOf(key))
	return err == nil && string(der) == string(publicKey(c))
}

// elsewhere asks a key source.
func elsewhere(ctx context.Context, sources map[string]KeySource, ref KeyRef, c *x509.Certificate) (crypto.PrivateKey, error) {
	name, err := ref.source()
	if err != nil {
		return nil, err
	}
	source := sources[name]
	if source == nil {
		return nil, &certs.UnavailableError{Source: name, Err: lasting("the configuration has no " + name + "; add it, or import the key")}
	}
	key, err := source.Key(ctx, string(ref), c)
	if err != nil {
		return nil, fmt.Errorf("certs/store: the key %s: %w", safetext.Line(string(ref), 80), err)
	}
	if !fits(key, c) {
		return nil, &certs.UnavailableError{Source: name, Err: lasting(fmt.Sprintf("the key %s is not that of %s", safetext.Line(string(ref), 80), certs.Describe(c)))}
	}
	return key, nil
}

// lasting is an error that somebody has to put right; waiting does not help.
type lasting string

// Error implements error.
func (l lasting) Error() string { return string(l) }

// Lasting reports that waiting does not help.
func (lasting) Lasting() bool { return true }

// signs reports whether a private key of the certificate's can sign: X25519 only agrees on keys.
func signs(c *x509.Certificate) bool {
	_, agrees := c.PublicKey.(*ecdh.PublicKey)
	return c.PublicKey != nil && !agrees
}
