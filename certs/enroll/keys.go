package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
)

// KeyKind is a kind of key, in the word of the configuration.
type KeyKind string

// The kinds of keys that are made (S/MIME Baseline Requirements, 6.1.5). RSA is read everywhere.
const (
	RSA2048 KeyKind = "rsa-2048"
	RSA3072 KeyKind = "rsa-3072"
	RSA4096 KeyKind = "rsa-4096"
	P256    KeyKind = "p-256"
	P384    KeyKind = "p-384"
)

// NewKey makes a key. Those of RSA take up to some seconds.
func NewKey(kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("enroll: %q is no kind of key; write rsa-2048, rsa-3072, rsa-4096, p-256 or p-384", printable(string(kind)))
}

// checkKey holds that a key is one of those that are certified: RSA of 2048 to 4096 bits, P-256, P-384.
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		// Baseline Requirements, 6.1.5: a multiple of 8 bits; 6.1.6: an odd exponent of 2^16+1 at least.
		if bits := k.N.BitLen(); bits >= 2048 && bits <= 4096 && bits%8 == 0 && k.E >= 1<<16+1 && k.E%2 == 1 {
			return nil
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	}
	return errors.New("its key is not one of RSA with 2048 to 4096 bits, P-256 or P-384; make a new one")
}
