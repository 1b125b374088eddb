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
	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	maxRSABits  = 8192 // of a key from a message: larger ones cost more time than any signer needs
	goodRSABits = 2048 // RFC 8551, 4.1 and 4.2
)

// scheme is a way of making signatures.
type scheme string

const (
	schemeRSA     scheme = "rsa"
	schemePSS     scheme = "rsapss"
	schemeECDSA   scheme = "ecdsa"
	schemeEd25519 scheme = "ed25519"
	schemeDSA     scheme = "dsa" // recognised, never verified
)

// signatureSpec is a scheme with everything its AlgorithmIdentifier says.
type signatureSpec struct {
	scheme scheme
	digest digestSpec
	salt   int // bytes, for PSS
}

// name is what [SignerResult] calls s.
func (s signatureSpec) name() string {
	if s.scheme == schemeEd25519 {
		return string(s.scheme)
	}
	return string(s.scheme) + "-" + s.digest.name
}

// signatureByOID returns the scheme of a signatureAlgorithm and the digest it names, if it names one.
func signatureByOID(oid string) (s scheme, digestOID string, ok bool) {
	switch oid {
	case oidRSA:
		return schemeRSA, "", true
	case oidMD5WithRSA:
		return schemeRSA, oidMD5, true
	case oidSHA1WithRSA:
		return schemeRSA, oidSHA1, true
	case oidSHA224WithRSA:
		return schemeRSA, oidSHA224, true
	case oidSHA256WithRSA:
		return schemeRSA, oidSHA256, true
	case oidSHA384WithRSA:
		return schemeRSA, oidSHA384, true
	case oidSHA512WithRSA:
		return schemeRSA, oidSHA512, true
	case oidPSS:
		return schemePSS, "", true
	}
	return signatureByOtherOID(oid)
}

// signatureByOtherOID is signatureByOID beyond RSA.
func signatureByOtherOID(oid string) (s scheme, digestOID string, ok bool) {
	switch oid {
	case oidECPublicKey: // QUIRK: some programs name the key instead of the signature
		return schemeECDSA, "", true
	case oidECDSAWithSHA1:
		return schemeECDSA, oidSHA1, true
	case oidECDSAWithSHA224:
		return schemeECDSA, oidSHA224, true
	case oidECDSAWithSHA256:
		return schemeECDSA, oidSHA256, true
	case oidECDSAWithSHA384:
		return schemeECDSA, oidSHA384, true
	case oidECDSAWithSHA512:
		return schemeECDSA, oidSHA512, true
	case oidEd25519:
		return schemeEd25519, "", true
	case oidDSA:
		return schemeDSA, "", true
	case oidDSAWithSHA1:
		return schemeDSA, oidSHA1, true
	}
	return "", "", false
}

// readSignature makes a signatureSpec of a signer info's digestAlgorithm and signatureAlgorithm. The digest
// the signature names, if it names one, must be the one of the attributes: no program signs otherwise,
// and two digests would be two ways to be fooled.
func readSignature(digest, signature algorithm) (signatureSpec, error) {
	s, named, ok := signatureByOID(signature.oid)
	if !ok {
		return signatureSpec{}, fmt.Errorf("%w: signature algorithm %s", ErrUnsupported, signature.oid)
	}
	d, ok := digestByOID(digest.oid)
	if !ok {
		return signatureSpec{}, fmt.Errorf("%w: digest algorithm %s", ErrUnsupported, digest.oid)
	}
	spec := signatureSpec{scheme: s, digest: d}
	if named != "" && named != digest.oid {
		return spec, malformed("the signature and the digest do not belong together")
	}
	if s == schemeEd25519 && d.hash != crypto.SHA512 { // RFC 8419, 2.3
		return spec, fmt.Errorf("%w: Ed25519 with %s", ErrUnsupported, d.name)
	}
	if s != schemePSS {
		return spec, nil
	}
	hash, mgf, salt, err := readPSS(signature.parameters)
	if err != nil {
		return spec, err
	}
	if hash != d.hash || mgf != d.hash {
		return spec, fmt.Errorf("%w: RSASSA-PSS with several digests", ErrUnsupported)
	}
	spec.salt = salt
	return spec, nil
}

// readPSS reads RSASSA-PSS-params (RFC 4055, 3.1).
func readPSS(parameters []byte) (hash, mgf crypto.Hash, salt int, err error) {
	hash, mgf, salt = crypto.SHA1, crypto.SHA1, 20
	bad := malformed("RSASSA-PSS parameters cannot be read")
	s := cryptobyte.String(parameters)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() {
		return 0, 0, 0, bad
	}
	if !readHashParameter(&body, 0, &hash) || !readMGFParameter(&body, 1, &mgf) {
		return 0, 0, 0, bad
	}
	trailer := 1
	if !readIntParameter(&body, 2, &salt) || !readIntParameter(&body, 3, &trailer) || !body.Empty() {
		return 0, 0, 0, bad
	}
	if salt < 0 || salt > maxRSABits/8 || trailer != 1 {
		return 0, 0, 0, bad
	}
	return hash, mgf, salt, nil
}

// contextTag is [n] EXPLICIT.
func contextTag(n uint8) cryptobyte_asn1.Tag {
	return cryptobyte_asn1.Tag(n).ContextSpecific().Constructed()
}

// readHashParameter reads an optional [n] EXPLICIT digest algorithm, and leaves out as it is without one.
func readHashParameter(s *cryptobyte.String, n uint8, out *crypto.Hash) bool {
	var body cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&body, &present, contextTag(n)) || !present {
		return !present
	}
	var a algorithm
	if !readAlgorithm(&body, &a) || !body.Empty() || !a.plain() {
		return false
	}
	d, ok := digestByOID(a.oid)
	*out = d.hash
	return ok && d.hash != crypto.MD5
}

// readMGFParameter reads an optional [n] EXPLICIT MGF1 with its digest.
func readMGFParameter(s *cryptobyte.String, n uint8, out *crypto.Hash) bool {
	var body cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&body, &present, contextTag(n)) || !present {
		return !present
	}
	var a, inner algorithm
	if !readAlgorithm(&body, &a) || !body.Empty() || a.oid != oidMGF1 {
		return false
	}
	p := cryptobyte.String(a.parameters)
	if !readAlgorithm(&p, &inner) || !p.Empty() || !inner.plain() {
		return false
	}
	d, ok := digestByOID(inner.oid)
	*out = d.hash
	return ok && d.hash != crypto.MD5
}

// readIntParameter reads an optional [n] EXPLICIT INTEGER.
func readIntParameter(s *cryptobyte.String, n uint8, out *int) bool {
	var body cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&body, &present, contextTag(n)) || !present {
		return !present
	}
	return body.ReadASN1Integer(out) && body.Empty()
}

// encodePSS is the AlgorithmIdentifier of RSASSA-PSS with one digest throughout and a salt of its size
// (RFC 4056, 3).
func encodePSS(d digestSpec) []byte { return algorithm{oidPSS, hashAndMask(d, true)}.encode() }

// encodeSignature is the signatureAlgorithm for s.
func encodeSignature(s signatureSpec) []byte {
	switch s.scheme {
	case schemePSS:
		return encodePSS(s.digest)
	case schemeECDSA:
		oid := map[crypto.Hash]string{crypto.SHA256: oidECDSAWithSHA256, crypto.SHA384: oidECDSAWithSHA384,
			crypto.SHA512: oidECDSAWithSHA512}[s.digest.hash]
		return algorithm{oid: oid}.encode()
	case schemeEd25519:
		return algorithm{oid: oidEd25519}.encode()
	}
	return algorithm{oidRSA, null()}.encode() // RFC 3370, 3.2
}

// verify checks signature over message, of which digest is the hash (message itself only for Ed25519).
func (s signatureSpec) verify(public crypto.PublicKey, message, digest, signature []byte) error {
	ok := false
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() > maxRSABits {
			return fmt.Errorf("%w: RSA key of %d bits", ErrUnsupported, key.N.BitLen())
		}
		switch s.scheme {
		case schemeRSA:
			ok = rsa.VerifyPKCS1v15(key, s.digest.hash, digest, signature) == nil
		case schemePSS:
			ok = rsa.VerifyPSS(key, s.digest.hash, digest, signature, &rsa.PSSOptions{SaltLength: s.saltLength()}) == nil
		}
	case *ecdsa.PublicKey:
		ok = s.scheme == schemeECDSA && ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		if message == nil {
			return fmt.Errorf("%w: Ed25519 without signed attributes", ErrUnsupported)
		}
		ok = s.scheme == schemeEd25519 && ed25519.Verify(key, message, signature)
	default:
		return fmt.Errorf("%w: the signer's kind of key", ErrUnsupported)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// saltLength is the salt in the form rsa.PSSOptions wants: 0 has another meaning there.
func (s signatureSpec) saltLength() int {
	if s.salt == 0 {
		return rsa.PSSSaltLengthAuto
	}
	return s.salt
}

// weak reports whether nobody should rely on a signature of this kind under this key.
func (s signatureSpec) weak(public crypto.PublicKey) bool {
	key, ok := public.(*rsa.PublicKey)
	return s.digest.weak || s.scheme == schemeDSA || ok && key.N.BitLen() < goodRSABits
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
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.digest.hash}
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
	hash := crypto.SHA256
	switch key := signer.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		spec.scheme = schemeRSA
		if signer.PSS {
			spec.scheme = schemePSS
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
	var ok bool
	if spec.digest, ok = digestByHash(hash); !ok || hash.Size() < crypto.SHA256.Size() {
		return spec, fmt.Errorf("%w: signing with %s; use SHA-256, SHA-384 or SHA-512", ErrUnsupported, hash)
	}
	spec.salt = hash.Size()
	return spec, nil
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

// brainpoolCurve reports whether curve is one that Go computes on in variable time.
func brainpoolCurve(curve elliptic.Curve) bool {
	switch curve {
	case brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1():
		return true
	}
	return false
}
