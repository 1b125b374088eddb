package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// SignOptions says who signs and how.
type SignOptions struct {
	Certificate  *x509.Certificate   // the signer's; its public key must be Key's
	Chain        []*x509.Certificate // further certificates to put into the message, in this order, after the signer's
	Key          crypto.Signer       // RSA, ECDSA on P-256, P-384 or P-521, or Ed25519; may be opaque (a card, Vault)
	Hash         crypto.Hash         // SHA-256, SHA-384 or SHA-512; 0: SHA-256. Ed25519 always goes with SHA-512
	PSS          bool                // RSASSA-PSS (RFC 4056) instead of PKCS #1 v1.5, for RSA keys
	Time         time.Time           // signingTime, to the second; zero: none
	Capabilities []Algorithm         // smimeCapabilities in order of preference; nil: all, GCM first; empty: none
}

// Micalg is the value of the micalg parameter of multipart/signed for o (RFC 8551, 3.5.3.2).
func (o SignOptions) Micalg() string {
	if o.Certificate == nil {
		return "sha-256"
	}
	spec, err := signatureFor(o)
	if err != nil {
		return "sha-256"
	}
	return spec.digest.micalg
}

// signing is one signature in the making.
type signing struct {
	o    SignOptions
	spec signatureSpec
	hash hash.Hash
}

func newSigning(o SignOptions) (*signing, error) {
	if o.Certificate == nil || o.Key == nil {
		return nil, fmt.Errorf("%w: signing needs a certificate and its key", ErrUnsupported)
	}
	spec, err := signatureFor(o)
	if err != nil {
		return nil, err
	}
	public, ok := o.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(o.Key.Public()) {
		return nil, fmt.Errorf("%w: the key is not the one of the certificate; pair them anew", ErrUnsupported)
	}
	return &signing{o: o, spec: spec, hash: spec.digest.hash.New()}, nil
}

// signerInfo signs and returns the SignerInfo (RFC 5652, 5.3).
func (s *signing) signerInfo() ([]byte, error) {
	attributes := signedAttributes(s.o, s.spec, s.hash.Sum(nil))
	signature, err := s.spec.sign(s.o.Key, attributes)
	if err != nil {
		return nil, fmt.Errorf("cms: signing: %w", err)
	}
	if err := s.check(attributes, signature); err != nil {
		return nil, err
	}
	return s.encodeSignerInfo(attributes, signature), nil
}

// check verifies a signature that an opaque key made: cards and services were seen to answer with another
// key's. The keys of the standard library need no such check.
func (s *signing) check(attributes, signature []byte) error {
	switch s.o.Key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
		return nil
	}
	h := s.spec.digest.hash.New()
	h.Write(attributes)
	if s.spec.verify(s.o.Certificate.PublicKey, attributes, h.Sum(nil), signature) != nil {
		return errors.New("cms: the key made a signature that is not its certificate's; check which key is chosen")
	}
	return nil
}

func (s *signing) encodeSignerInfo(attributes, signature []byte) []byte {
	c := s.o.Certificate
	return sequence(
		smallInteger(1),
		sequence(c.RawIssuer, integer(c.SerialNumber)),
		algorithm{oid: s.spec.digest.oid}.encode(),
		retag(attributes, tagContextCons),
		encodeSignature(s.spec),
		octetString(signature),
	)
}

// signerInfoSize is the size signerInfo's result will have, and whether it is known.
func (s *signing) signerInfoSize() (int, bool) {
	n, fixed := s.spec.size(s.o.Certificate.PublicKey)
	if !fixed {
		return 0, false
	}
	attributes := signedAttributes(s.o, s.spec, make([]byte, s.hash.Size()))
	return len(s.encodeSignerInfo(attributes, make([]byte, n))), true
}

// head is what stands in a SignedData before encapContentInfo.
func (s *signing) head() []byte {
	return append(smallInteger(1), tlv(tagSet, algorithm{oid: s.spec.digest.oid}.encode())...)
}

// certificates is the certificates field: the signer's first, the others in the order given, since some
// programs build chains in this order.
func (s *signing) certificates() []byte {
	parts := [][]byte{s.o.Certificate.Raw}
	for _, c := range s.o.Chain {
		if c != nil && !c.Equal(s.o.Certificate) {
			parts = append(parts, c.Raw)
		}
	}
	return tlv(tagContextCons, parts...)
}

// DetachedSigner signs what is written to it. It is for one content and one goroutine.
type DetachedSigner struct {
	signing  *signing
	finished bool
}

// NewDetachedSigner returns a signer whose content is not in the message (RFC 8551, 3.5.3).
func NewDetachedSigner(o SignOptions) (*DetachedSigner, error) {
	s, err := newSigning(o)
	if err != nil {
		return nil, err
	}
	return &DetachedSigner{signing: s}, nil
}

// Write adds content, which must be canonical already. It fails only after Finish.
func (d *DetachedSigner) Write(p []byte) (int, error) {
	if d.finished {
		return 0, errFinished
	}
	return d.signing.hash.Write(p)
}

// errFinished is the error of a writer that was closed or finished.
var errFinished = errors.New("cms: written to after the end")

// Finish makes the signature, which is one call of the key, and returns the ContentInfo as DER. An error
// of the key is wrapped. Finish may be called once.
func (d *DetachedSigner) Finish() ([]byte, error) {
	if d.finished {
		return nil, errFinished
	}
	d.finished = true
	info, err := d.signing.signerInfo()
	if err != nil {
		return nil, err
	}
	signed := sequence(d.signing.head(), sequence(objectIdentifier(oidData)),
		d.signing.certificates(), tlv(tagSet, info))
	return contentInfo(oidSignedData, signed), nil
}

// contentInfo is a ContentInfo (RFC 5652, 3).
func contentInfo(oid string, content []byte) []byte {
	return sequence(objectIdentifier(oid), tlv(tagContextCons, content))
}

// errSize is the error of content that is not of the announced size.
var errSize = errors.New("cms: the content is not of the announced size")

// opaqueKeep is the content that is kept for a signature of unknown size, so that lengths can be definite.
const opaqueKeep = 64 << 10

// opaqueSigner writes a SignedData around content.
type opaqueSigner struct {
	w       io.Writer
	signing *signing
	size    int64 // announced; negative: unknown
	written int64
	kept    []byte // content that waits for the signature
	keep    bool
	open    int // elements of indefinite length that Close ends
	chunks  bool
	err     error
}

// NewOpaqueSigner returns a writer for size bytes of content, which go on to w within a SignedData
// (RFC 8551, 3.5.2). Close signs and ends the message; it does not close w, and a second Close is
// harmless. The message is DER where size is known and signatures of the key have one size (RSA, Ed25519)
// or the content is small; else it has indefinite lengths. A negative size means that it is unknown.
func NewOpaqueSigner(w io.Writer, size int64, o SignOptions) (io.WriteCloser, error) {
	s, err := newSigning(o)
	if err != nil {
		return nil, err
	}
	signer := &opaqueSigner{w: w, signing: s, size: size}
	info, fixed := s.signerInfoSize()
	switch {
	case size < 0:
		signer.chunks = true
		signer.err = signer.begin(indefinite)
	case fixed:
		signer.err = signer.begin(int64(info))
	case size <= opaqueKeep:
		signer.keep = true
	default:
		signer.err = signer.begin(indefinite)
	}
	return signer, signer.err
}

// begin writes what stands before the content. info is the size of the SignerInfo, or indefinite.
func (s *opaqueSigner) begin(info int64) error {
	head, certs := s.signing.head(), int64(len(s.signing.certificates()))
	data := objectIdentifier(oidData)
	if info == indefinite {
		s.open = 3
		out := append(constructed(tagSequence, indefinite), objectIdentifier(oidSignedData)...)
		out = append(out, constructed(tagContextCons, indefinite)...)
		out = append(append(out, constructed(tagSequence, indefinite)...), head...)
		_, err := s.w.Write(append(out, s.contentHeader(data)...))
		return err
	}
	encap := tlvSize(int64(len(data)) + tlvSize(tlvSize(s.size)))
	signed := int64(len(head)) + encap + certs + tlvSize(info)
	outer := objectIdentifier(oidSignedData)
	out := append(constructed(tagSequence, int64(len(outer))+tlvSize(tlvSize(signed))), outer...)
	out = append(out, constructed(tagContextCons, tlvSize(signed))...)
	out = append(append(out, constructed(tagSequence, signed)...), head...)
	_, err := s.w.Write(append(out, s.contentHeader(data)...))
	return err
}

// contentHeader is encapContentInfo up to the content.
func (s *opaqueSigner) contentHeader(data []byte) []byte {
	if s.chunks {
		out := append(constructed(tagSequence, indefinite), data...)
		out = append(out, constructed(tagContextCons, indefinite)...)
		return append(out, constructed(tagOctetString|tagConstructed, indefinite)...)
	}
	out := append(constructed(tagSequence, int64(len(data))+tlvSize(tlvSize(s.size))), data...)
	out = append(out, constructed(tagContextCons, tlvSize(s.size))...)
	return appendHeader(out, tagOctetString, int(s.size))
}

// constructed is the header of a constructed element, whose length may be indefinite.
func constructed(tag uint32, length int64) []byte {
	if length == indefinite {
		return []byte{byte(tag), 0x80}
	}
	return appendHeader(nil, tag, int(length))
}

// Write adds content.
func (s *opaqueSigner) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.size >= 0 && int64(len(p)) > s.size-s.written {
		s.err = errSize
		return 0, s.err
	}
	s.written += int64(len(p))
	s.signing.hash.Write(p)
	if s.keep {
		s.kept = append(s.kept, p...)
		return len(p), nil
	}
	s.err = s.put(p)
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

func (s *opaqueSigner) put(p []byte) error {
	if s.chunks && len(p) > 0 {
		if _, err := s.w.Write(appendHeader(nil, tagOctetString, len(p))); err != nil {
			return err
		}
	}
	_, err := s.w.Write(p)
	return err
}

// Close signs and writes what stands behind the content.
func (s *opaqueSigner) Close() error {
	if s.err == errFinished {
		return nil
	}
	if s.err == nil {
		s.err = s.end()
	}
	err := s.err
	s.err = errFinished
	return err
}

func (s *opaqueSigner) end() error {
	if s.size >= 0 && s.written != s.size {
		return errSize
	}
	info, err := s.signing.signerInfo()
	if err != nil {
		return err
	}
	if s.keep {
		if err := s.begin(int64(len(info))); err != nil {
			return err
		}
		if _, err := s.w.Write(s.kept); err != nil {
			return err
		}
	}
	var out []byte
	if s.chunks {
		out = make([]byte, 2*3) // the string, its tag, encapContentInfo
	}
	out = append(append(out, s.signing.certificates()...), tlv(tagSet, info)...)
	_, err = s.w.Write(append(out, make([]byte, 2*s.open)...))
	return err
}
