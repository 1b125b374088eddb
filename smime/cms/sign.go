package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Signer is one who signs, and how.
type Signer struct {
	Certificate *x509.Certificate // its public key must be Key's
	// Chain is further certificates to put into the message, behind Certificate and in this order.
	Chain []*x509.Certificate
	// Encryption is the certificate that mail to the signer is to be encrypted for, where it is another: the signature names it
	// (encryptionKeyPreference; RFC 8551, 2.5.3), and the message carries it. nil: the signature does not say.
	Encryption *x509.Certificate
	// Key is RSA, ECDSA on P-256, P-384, P-521 or a Brainpool curve, or Ed25519; it may be opaque (a card,
	// Vault). It is called once.
	Key crypto.Signer
	// Hash is SHA-256, SHA-384 or SHA-512. 0 means the one that is as strong as the curve (RFC 5753, 8; RFC
	// 5639, 3), SHA-256 for RSA. Ed25519 always goes with SHA-512 (RFC 8419, 2.3).
	Hash crypto.Hash
	PSS  bool // RSASSA-PSS (RFC 4056) instead of PKCS #1 v1.5, for RSA keys
	// BySubjectKeyID names the certificate by its subject key identifier instead of issuer and serial number.
	BySubjectKeyID bool
}

// SignOptions says who signs, and what the signatures say beside the content.
type SignOptions struct {
	Signers      []Signer     // one or more; each makes a signature of its own over the content
	Time         time.Time    // signingTime, to the second; zero: none
	Capabilities Capabilities // smimeCapabilities; nil: what this package reads, GCM first; empty: none
	// SoftwareBrainpool allows signing with a Brainpool key that lies in memory. Go computes on these curves
	// in a time that depends on the key, which may tell it to who can measure that. Opaque keys need no
	// leave.
	SoftwareBrainpool bool
}

// Micalg is the value of the micalg parameter of multipart/signed for o (RFC 8551, 3.5.3.2). Digests of several
// kinds are separated by commas: quote the value then.
func (o SignOptions) Micalg() string {
	var names []string
	for _, s := range o.Signers {
		if s.Certificate == nil {
			continue
		}
		if spec, err := signatureFor(s); err == nil && !slices.Contains(names, spec.digest.micalg) {
			names = append(names, spec.digest.micalg)
		}
	}
	if names == nil {
		return "sha-256"
	}
	return strings.Join(names, ",")
}

// signing is the signatures of one content in the making.
type signing struct {
	o      SignOptions
	specs  []signatureSpec // of o.Signers
	hashes map[crypto.Hash]hash.Hash

	capabilities []byte // the value of the attribute; nil: none
}

func newSigning(o SignOptions) (*signing, error) {
	if len(o.Signers) == 0 {
		return nil, fmt.Errorf("%w: nobody is to sign", ErrUnsupported)
	}
	capabilities, err := o.Capabilities.encode()
	if err != nil {
		return nil, err
	}
	s := &signing{o: o, capabilities: capabilities, hashes: map[crypto.Hash]hash.Hash{}}
	for _, signer := range o.Signers {
		spec, err := signer.check(o.SoftwareBrainpool)
		if err != nil {
			return nil, err
		}
		s.specs = append(s.specs, spec)
		if h := spec.digest.hash; s.hashes[h] == nil {
			s.hashes[h] = h.New()
		}
	}
	return s, nil
}

// check is the way to sign with s, or says why there is none.
func (s Signer) check(softwareBrainpool bool) (signatureSpec, error) {
	if s.Certificate == nil || s.Key == nil {
		return signatureSpec{}, fmt.Errorf("%w: signing needs a certificate and its key", ErrUnsupported)
	}
	spec, err := signatureFor(s)
	if err != nil {
		return spec, err
	}
	public, ok := s.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(s.Key.Public()) {
		return spec, fmt.Errorf("%w: the key is not the one of the certificate; pair them anew", ErrUnsupported)
	}
	if s.BySubjectKeyID && len(s.Certificate.SubjectKeyId) == 0 {
		return spec, fmt.Errorf("%w: the certificate has no subject key identifier to name the signer by", ErrUnsupported)
	}
	if key, ok := s.Key.(*ecdsa.PrivateKey); ok && x509x.Brainpool(key.Curve) && !softwareBrainpool {
		return spec, fmt.Errorf("%w: signing with a Brainpool key in memory, which is not constant in time; allow it, or keep the key on a card", ErrUnsupported)
	}
	return spec, nil
}

// Write adds content. It cannot fail.
func (s *signing) Write(p []byte) (int, error) {
	for _, h := range s.hashes {
		h.Write(p)
	}
	return len(p), nil
}

// signerInfos signs and returns the field signerInfos (RFC 5652, 5.1).
func (s *signing) signerInfos() ([]byte, error) {
	infos := make([][]byte, len(s.specs))
	for i, spec := range s.specs {
		digest := s.hashes[spec.digest.hash].Sum(nil)
		var err error
		if infos[i], err = s.info(s.o.Signers[i], spec, digest); err != nil {
			return nil, err
		}
	}
	return setOf(infos...), nil
}

// info signs and returns the SignerInfo (RFC 5652, 5.3).
func (s *signing) info(signer Signer, spec signatureSpec, digest []byte) ([]byte, error) {
	attributes := s.attributes(signer, spec, digest)
	signature, err := spec.sign(signer.Key, attributes)
	if err != nil {
		return nil, fmt.Errorf("cms: signing: %w", err)
	}
	if err := signer.checkSignature(spec, attributes, signature); err != nil {
		return nil, err
	}
	return signer.encodeInfo(spec, attributes, signature), nil
}

// checkSignature verifies a signature that an opaque key made: cards and services were seen to answer with
// another key's. The keys of the standard library need no such check.
func (s Signer) checkSignature(spec signatureSpec, attributes, signature []byte) error {
	switch s.Key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return nil
	}
	h := spec.digest.hash.New()
	h.Write(attributes)
	if spec.verify(s.Certificate, attributes, h.Sum(nil), signature) != nil {
		return errors.New("cms: the key made a signature that is not its certificate's; check which key is chosen")
	}
	return nil
}

// encodeInfo is the SignerInfo; its version follows from the form of the identifier.
func (s Signer) encodeInfo(spec signatureSpec, attributes, signature []byte) []byte {
	c := s.Certificate
	version, id := int64(1), sequence(c.RawIssuer, integer(c.SerialNumber))
	if s.BySubjectKeyID {
		version, id = 3, tlv(tagContext, c.SubjectKeyId)
	}
	return sequence(
		smallInteger(version), id,
		algorithm{oid: spec.digest.oid}.encode(),
		retag(attributes, tagContextCons),
		encodeSignature(spec),
		octetString(signature),
	)
}

// signerInfosSize is the size signerInfos' result will have, and whether it is known.
func (s *signing) signerInfosSize() (size int64, known bool) {
	for i, spec := range s.specs {
		signer := s.o.Signers[i]
		n, fixed := spec.size(signer.Certificate.PublicKey)
		if !fixed {
			return 0, false
		}
		attributes := s.attributes(signer, spec, make([]byte, spec.digest.hash.Size()))
		size += int64(len(signer.encodeInfo(spec, attributes, make([]byte, n))))
	}
	return tlvSize(size), true
}

// head is what stands in a SignedData before encapContentInfo. Its version is 3 where a SignerInfo's is (RFC
// 5652, 5.1).
func (s *signing) head() []byte {
	version := int64(1)
	for _, signer := range s.o.Signers {
		if signer.BySubjectKeyID {
			version = 3
		}
	}
	var digests [][]byte
	for h := range s.hashes {
		d, _ := digestByHash(h)
		digests = append(digests, algorithm{oid: d.oid}.encode())
	}
	return append(smallInteger(version), setOf(digests...)...)
}

// certificates is the certificates field: each signer's own and then its chain in the order given, behind them those to encrypt to, each
// certificate once. The order is not DER's: some programs build chains in the order of the message.
func (s *signing) certificates() []byte {
	var list []*x509.Certificate
	for _, signer := range s.o.Signers {
		list = append(append(list, signer.Certificate), signer.Chain...)
	}
	for _, signer := range s.o.Signers {
		list = append(list, signer.Encryption)
	}
	return certificateSet(list)
}

// certificateSet is the certificates field with list, each once.
func certificateSet(list []*x509.Certificate) []byte {
	var parts [][]byte
	for _, c := range list {
		if c != nil && !slices.ContainsFunc(parts, func(p []byte) bool { return bytes.Equal(p, c.Raw) }) {
			parts = append(parts, c.Raw)
		}
	}
	return tlv(tagContextCons, parts...)
}
