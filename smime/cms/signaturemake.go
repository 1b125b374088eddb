package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/ProtonMail/go-crypto/brainpool"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// encodeSignature is the signatureAlgorithm for s.
func encodeSignature(s signatureSpec) []byte {
	switch s.scheme {
	case schemePSS:
		return algorithm{oidPSS, hashAndMask(s.digest, s.salt)}.encode() // RFC 4056, 3
	case schemeECDSA:
		oid := map[crypto.Hash]string{crypto.SHA256: oidECDSAWithSHA256, crypto.SHA384: oidECDSAWithSHA384,
			crypto.SHA512: oidECDSAWithSHA512}[s.digest.hash]
		return algorithm{oid: oid}.encode()
	case schemeEd25519:
		return algorithm{oid: oidEd25519}.encode()
	}
	return algorithm{oidRSA, null()}.encode() // RFC 3370, 3.2
}

// sign makes a signature over message.
func (s signatureSpec) sign(key crypto.Signer, message []byte) ([]byte, error) {
	if s.scheme == schemeEd25519 {
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	}
	h := s.digest.hash.New()
	h.Write(message)
	var opts crypto.SignerOpts = s.digest.hash
	if s.scheme == schemePSS {
		salt := s.salt
		if salt == s.digest.hash.Size() {
			salt = rsa.PSSSaltLengthEqualsHash // all that some cards and services know
		}
		opts = &rsa.PSSOptions{SaltLength: salt, Hash: s.digest.hash}
	}
	return key.Sign(rand.Reader, h.Sum(nil), opts)
}

// size is the size of signatures under public, and whether it is the same for all.
func (s signatureSpec) size(public crypto.PublicKey) (n int, fixed bool) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return key.Size(), true
	case ed25519.PublicKey:
		return ed25519.SignatureSize, true
	}
	return 0, false
}

// signatureFor is the way in which signer signs.
func signatureFor(signer Signer) (signatureSpec, error) {
	var spec signatureSpec
	hash, only := crypto.SHA256, x509x.KeyRestriction{}
	switch key := signer.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		var err error
		if only, err = x509x.RestrictionOf(signer.Certificate); err != nil {
			return spec, fmt.Errorf("%w: the certificate restricts its key in an unknown way", ErrUnsupported)
		}
		spec.scheme = schemeRSA
		if signer.PSS || only.PSSOnly { // RFC 4055, 1.2
			spec.scheme = schemePSS
		}
		if only.Parameters != nil {
			hash = only.Parameters.Hash
		}
	case *ecdsa.PublicKey:
		spec.scheme = schemeECDSA
		var ok bool
		if hash, ok = curveHash(key.Curve); !ok {
			return spec, fmt.Errorf("%w: signing on this curve; use P-256, P-384, P-521 or a Brainpool r1 curve of 256, 384 or 512 bits", ErrUnsupported)
		}
	case ed25519.PublicKey: // RFC 8419, 2.3: whatever is asked for
		spec.scheme = schemeEd25519
		spec.digest, _ = digestByHash(crypto.SHA512)
		return spec, nil
	default:
		return spec, fmt.Errorf("%w: signing with this kind of key; use RSA, ECDSA or Ed25519", ErrUnsupported)
	}
	if signer.Hash != 0 {
		hash = signer.Hash
	}
	return spec.withHash(hash, only)
}

// withHash is s with hash, where that is good and the key may be used with it. The salt is as long as the digest, which
// every program reads, or as long as the key demands (RFC 4055, 3.3).
func (s signatureSpec) withHash(hash crypto.Hash, only x509x.KeyRestriction) (signatureSpec, error) {
	var ok bool
	if s.digest, ok = digestByHash(hash); !ok || hash.Size() < crypto.SHA256.Size() {
		return s, fmt.Errorf("%w: signing with %s; use SHA-256, SHA-384 or SHA-512", ErrUnsupported, hash)
	}
	s.salt = hash.Size()
	if only.Parameters != nil {
		s.salt = max(s.salt, only.Parameters.SaltLength)
	}
	if !only.Allows(x509x.PSS{Hash: hash, MGFHash: hash, SaltLength: s.salt}) {
		return s, fmt.Errorf("%w: the certificate allows no signatures with %s", ErrUnsupported, hash)
	}
	return s, nil
}

// curveHash is the digest that is as strong as curve, for the curves that are written (RFC 5753, 8; RFC 5639).
func curveHash(curve elliptic.Curve) (crypto.Hash, bool) {
	switch curve {
	case elliptic.P256(), brainpool.P256r1():
		return crypto.SHA256, true
	case elliptic.P384(), brainpool.P384r1():
		return crypto.SHA384, true
	case elliptic.P521(), brainpool.P512r1():
		return crypto.SHA512, true
	}
	return 0, false
}
