package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"hash"
	"io"
)

// maxCandidates is the most certificates, or keys, that are tried for one identifier.
const maxCandidates = 4

// contentSum hashes content in all the ways that signers may want, and remembers how it begins.
type contentSum struct {
	hashes map[crypto.Hash]hash.Hash
	head   []byte
	size   int64
}

// headSize is enough of a SET OF Attribute to know it by.
const headSize = 32

func newContentSum(digests []string) *contentSum {
	c := &contentSum{hashes: map[crypto.Hash]hash.Hash{}}
	for _, oid := range digests {
		if d, ok := digestByOID(oid); ok && c.hashes[d.hash] == nil {
			c.hashes[d.hash] = d.hash.New()
		}
	}
	return c
}

// Write implements [io.Writer]; it cannot fail.
func (c *contentSum) Write(p []byte) (int, error) {
	for _, h := range c.hashes {
		h.Write(p)
	}
	if n := headSize - len(c.head); n > 0 {
		c.head = append(c.head, p[:min(n, len(p))]...)
	}
	c.size += int64(len(p))
	return len(p), nil
}

// attributes reports whether the content is, by its beginning and size, the DER of someone's signed
// attributes: whoever has a signature over attributes could else present them as content that was signed
// without attributes.
func (c *contentSum) attributes() bool {
	r := newBERReader(bytes.NewReader(c.head), Limits{Depth: 2})
	set, err := r.header()
	if err != nil || set.tag != tagSet || set.length == indefinite || r.pos+set.length != c.size {
		return false
	}
	first, err := r.header()
	if err != nil || first.tag != tagSequence {
		return false
	}
	oid, err := r.header()
	return err == nil && oid.tag == tagOID
}

// VerifyDetached checks the signatures of a SignedData whose content is elsewhere. The error is about the
// message as a whole (ErrMalformed, ErrLimit, ErrUnsupported, or content's); each signer has its own in
// the result. Bytes behind the ContentInfo are not looked at. A SignedData that has content is
// malformed here: the two could differ.
func VerifyDetached(signature []byte, content io.Reader, l Limits) (*Signed, error) {
	p, err := openSigned(bytes.NewReader(signature), l)
	if err != nil {
		return nil, err
	}
	if p.content != nil {
		return nil, malformed("a detached signature has content of its own")
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	p.detached = true
	for _, info := range p.infos {
		p.digests = append(p.digests, info.digest.oid)
	}
	sum := newContentSum(p.digests)
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, content, make([]byte, readBuffer)); err != nil {
		return nil, err
	}
	return p.judge(sum), nil
}

// Verifier reads the content of a SignedData. It is for one goroutine.
type Verifier struct {
	p   *signedReader
	sum *contentSum
	out *Signed
	err error
}

// NewVerifier reads a SignedData as far as its content. Bytes behind the ContentInfo are not looked at. A
// message that has no content of its own reads as empty content; its signers then have an error, but its
// certificates are there.
func NewVerifier(r io.Reader, l Limits) (*Verifier, error) {
	p, err := openSigned(r, l)
	if err != nil {
		return nil, err
	}
	return &Verifier{p: p, sum: newContentSum(p.digests)}, nil
}

// Read returns content that is not yet verified. After io.EOF the whole message was read and Signed
// has the outcome; an error means that there is none.
func (v *Verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.p.content == nil {
		v.finish()
		return 0, v.err
	}
	n, err := v.p.content.Read(p)
	v.sum.Write(p[:n])
	if err == io.EOF {
		v.finish()
	} else {
		v.err = err
	}
	return n, v.err
}

// WriteTo writes the content to w, as [Verifier.Read] would return it.
func (v *Verifier) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, struct{ io.Reader }{v}, make([]byte, readBuffer))
}

func (v *Verifier) finish() {
	if v.err = v.p.finish(); v.err == nil {
		v.out = v.p.judge(v.sum)
		v.err = io.EOF
	}
}

// Signed is the outcome, after Read has returned io.EOF; before, it is an error.
func (v *Verifier) Signed() (*Signed, error) {
	if v.out == nil {
		if v.err != nil {
			return nil, v.err
		}
		return nil, fmt.Errorf("%w: the content is not read to its end", ErrSignature)
	}
	return v.out, nil
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
	message, digest, err := p.signedDigest(info, spec, set, sum)
	if err != nil {
		r.Err = err
		return r
	}
	r.Certificate, r.Err = choose(candidates, func(c *x509.Certificate) error {
		if err := spec.verify(c.PublicKey, message, digest, info.value); err != nil {
			return err
		}
		return set.checkCertificate(c)
	})
	r.Weak = spec.weak(r.Certificate.PublicKey)
	return r
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

// candidates are the certificates that id may mean: several may have one key identifier (RFC 8551, 2.4.1).
func (p *signedReader) candidates(id SignerID) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for _, c := range p.signed.Certificates {
		if id.Matches(c) && len(found) < maxCandidates {
			found = append(found, c)
		}
	}
	if found != nil {
		return found, nil
	}
	for _, u := range p.signed.Unreadable {
		if id.Serial != nil && u.Serial != nil && id.Serial.Cmp(u.Serial) == 0 && bytes.Equal(id.Issuer, u.Issuer) {
			return nil, fmt.Errorf("%w: it is in the message but cannot be read", ErrNoCertificate)
		}
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

// signedDigest returns the digest that the signature is over and, where there are attributes, the bytes it
// is of (RFC 5652, 5.4).
func (p *signedReader) signedDigest(info *signerInfo, spec signatureSpec, set *attributeSet, sum *contentSum) (message, digest []byte, err error) {
	h := sum.hashes[spec.digest.hash]
	if h == nil {
		return nil, nil, malformed("a signer's digest algorithm is not announced")
	}
	if p.content == nil && !p.detached {
		return nil, nil, fmt.Errorf("%w: the content is not in the message", ErrSignature)
	}
	if info.attributes == nil {
		if p.signed.ContentType != "data" { // RFC 5652, 5.3
			return nil, nil, malformed("signed attributes are missing")
		}
		if sum.attributes() {
			return nil, nil, fmt.Errorf("%w: the content is signed attributes of another message", ErrSignature)
		}
		return nil, h.Sum(nil), nil
	}
	if !bytes.Equal(set.digest, h.Sum(nil)) {
		return nil, nil, fmt.Errorf("%w: the content was changed", ErrSignature)
	}
	message = tlv(tagSet, info.attributes)
	a := spec.digest.hash.New()
	a.Write(message)
	return message, a.Sum(nil), nil
}
