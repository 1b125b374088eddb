package cms

import (
	"bytes"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 old mail is signed with it
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// maxCandidates is the most keys that are tried for one identifier of a recipient.
const maxCandidates = 4

// maxWork bounds the signatures that are computed for one message, whatever certificates it carries: 64 with a common
// key, or 8 with one of the kinds for which there is no fast code.
const (
	maxWork  = 64
	slowWork = 8
)

// work is what it costs to compute a signature under a key, in those of the common kinds.
func work(public crypto.PublicKey) int {
	switch key := public.(type) {
	case *dsa.PublicKey:
		return slowWork
	case *ecdsa.PublicKey:
		if x509x.Brainpool(key.Curve) {
			return slowWork
		}
	}
	return 1
}

// judge checks every signer.
func (p *signedReader) judge(sum *contentSum) *Signed {
	for i := range p.infos {
		p.signed.Signers = append(p.signed.Signers, p.judgeSigner(&p.infos[i], sum))
	}
	return p.signed
}

func (p *signedReader) judgeSigner(info *signerInfo, sum *contentSum) SignerResult {
	r := SignerResult{ID: info.id, Digest: digestName(info.digest.oid), Algorithm: info.signature.oid}
	spec, err := readSignature(info.digest, info.signature)
	if spec.scheme != "" {
		r.Algorithm = spec.name()
	}
	candidates, missing := p.candidates(info.id)
	if len(candidates) > 0 {
		r.Certificate = candidates[0]
	}
	r.Weak = spec.digest.weak || spec.scheme == schemeDSA
	set, attributesErr := p.readAttributes(info)
	r.SigningTime, r.Capabilities, r.EncryptionKey = set.signingTime, set.capabilities, set.encryptionKey
	for _, e := range []error{err, attributesErr, missing} {
		if e != nil {
			r.Err = e
			return r
		}
	}
	s := signature{spec: spec, value: info.value, attributes: info.attributes, work: &p.work, known: map[string]error{}}
	if s.digest, r.Err = p.signedDigest(info, spec, set, sum); r.Err != nil {
		return r
	}
	r.Certificate, r.Err = choose(candidates, func(c *x509.Certificate) error {
		if err := s.by(c); err != nil {
			return err
		}
		return set.checkCertificate(c)
	})
	r.Named = r.Err == nil && (set.certificate1 != nil || set.certificate2 != nil)
	r.Weak = spec.weak(r.Certificate.PublicKey)
	return r
}

// signature is one that is tried with several certificates.
type signature struct {
	spec       signatureSpec
	value      []byte
	attributes []byte           // content of the SET that it is over; nil: it is over the content itself
	digest     []byte           // of the content, where it is over that
	work       *int             // what was computed for this message
	known      map[string]error // outcome by key
}

// by reports whether the signature was made with the key of c.
func (s *signature) by(c *x509.Certificate) error {
	err, ok := s.known[string(c.RawSubjectPublicKeyInfo)]
	if !ok {
		err = s.compute(c)
		s.known[string(c.RawSubjectPublicKeyInfo)] = err
	}
	return err
}

func (s *signature) compute(c *x509.Certificate) error {
	if s.attributes == nil {
		return s.check(c, nil, s.digest)
	}
	// RFC 5652, 5.4: the signature is over the DER encoding, whatever the order in the message.
	sorted := sortAttributes(s.attributes)
	err := s.check(c, tlv(tagSet, sorted), nil)
	if errors.Is(err, ErrSignature) && !bytes.Equal(sorted, s.attributes) {
		err = s.check(c, tlv(tagSet, s.attributes), nil) // QUIRK: some sign the order of the message; OpenSSL reads it so
	}
	return err
}

func (s *signature) check(c *x509.Certificate, message, digest []byte) error {
	if *s.work += work(c.PublicKey); *s.work > maxWork {
		return fmt.Errorf("%w: too many signatures to compute", ErrLimit)
	}
	if message != nil {
		h := s.spec.digest.hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	return s.spec.verify(c, message, digest, s.value)
}

// sortAttributes is the content of a SET OF with its elements in DER's order (X.690, 11.6).
func sortAttributes(content []byte) []byte {
	var elements [][]byte
	for s := cryptobyte.String(content); !s.Empty(); {
		var one cryptobyte.String
		if !s.ReadASN1Element(&one, cryptobyte_asn1.SEQUENCE) {
			return content // never: parseAttributes read them
		}
		elements = append(elements, one)
	}
	if slices.IsSortedFunc(elements, bytes.Compare) {
		return content
	}
	slices.SortFunc(elements, bytes.Compare)
	return slices.Concat(elements...)
}

// choose returns the first certificate that check finds right, or the first of all with its error.
func choose(candidates []*x509.Certificate, check func(*x509.Certificate) error) (*x509.Certificate, error) {
	var first error
	for i, c := range candidates {
		err := check(c)
		if err == nil {
			return c, nil
		}
		if i == 0 {
			first = err
		}
	}
	return candidates[0], first
}

// candidates are the certificates that id may mean: several may have one key identifier, and all are tried (RFC 8551,
// 2.4.1). The one that is valid longest comes first: where a certificate was renewed for the same key, the new one
// is the one to judge.
func (p *signedReader) candidates(id SignerID) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for _, c := range p.signed.Certificates {
		if id.Matches(c) && !slices.ContainsFunc(found, c.Equal) {
			found = append(found, c)
		}
	}
	if found != nil {
		slices.SortStableFunc(found, func(a, b *x509.Certificate) int { return b.NotAfter.Compare(a.NotAfter) })
		return found, nil
	}
	if slices.ContainsFunc(p.signed.Unreadable, func(u UnreadableCertificate) bool { return u.matches(id) }) {
		return nil, fmt.Errorf("%w: it is in the message but cannot be read", ErrNoCertificate)
	}
	return nil, ErrNoCertificate
}

// readAttributes reads info's signed attributes and checks what does not depend on the content.
func (p *signedReader) readAttributes(info *signerInfo) (*attributeSet, error) {
	if info.attributes == nil {
		return &attributeSet{}, nil
	}
	set, err := parseAttributes(info.attributes)
	if err != nil {
		return &attributeSet{}, err
	}
	if set.contentType == "" || set.digest == nil { // RFC 5652, 11.1 and 11.2
		return set, malformed("a mandatory signed attribute is missing")
	}
	if contentTypeName(set.contentType) != p.signed.ContentType {
		return set, fmt.Errorf("%w: what was signed is of another content type", ErrSignature)
	}
	return set, set.checkProtection(info.digest, info.signature)
}

// signedDigest returns the digest of the content, which is right where there are attributes (RFC 5652, 5.4).
func (p *signedReader) signedDigest(info *signerInfo, spec signatureSpec, set *attributeSet, sum *contentSum) ([]byte, error) {
	h := sum.hashes[spec.digest.hash]
	if h == nil {
		return nil, malformed("a signer's digest algorithm is not announced")
	}
	if p.content == nil && !p.detached {
		return nil, fmt.Errorf("%w: the content is not in the message", ErrSignature)
	}
	digest := h.Sum(nil)
	switch {
	case info.attributes != nil && !bytes.Equal(set.digest, digest):
		return nil, fmt.Errorf("%w: the content was changed", ErrSignature)
	case info.attributes != nil:
	case p.signed.ContentType != "data": // RFC 5652, 5.3
		return nil, malformed("signed attributes are missing")
	case sum.attributes():
		return nil, fmt.Errorf("%w: the content is signed attributes of another message", ErrSignature)
	}
	return digest, nil
}
