package cms

import (
	"crypto/x509"
	"errors"
	"io"
)

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
	return d.signing.Write(p)
}

// errFinished is the error of a writer that was closed or finished.
var errFinished = errors.New("cms: written to after the end")

// Finish makes the signatures, which is one call of each key, and returns the ContentInfo as DER. An error
// of a key is wrapped. Finish may be called once. [Attach] puts the content into the message.
func (d *DetachedSigner) Finish() ([]byte, error) {
	if d.finished {
		return nil, errFinished
	}
	d.finished = true
	s := d.signing
	infos, err := s.signerInfos()
	if err != nil {
		return nil, err
	}
	signed := sequence(s.head(), sequence(objectIdentifier(oidData)), s.certificates(), infos)
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
// harmless. The message is DER where size is known and signatures of the keys have one size (RSA, Ed25519)
// or the content is small; else it has indefinite lengths ([Attach] gives none). A negative size means
// that it is unknown.
func NewOpaqueSigner(w io.Writer, size int64, o SignOptions) (io.WriteCloser, error) {
	s, err := newSigning(o)
	if err != nil {
		return nil, err
	}
	signer := &opaqueSigner{w: w, signing: s, size: size}
	infos, fixed := s.signerInfosSize()
	switch {
	case size < 0:
		signer.chunks = true
		signer.err = signer.begin(indefinite)
	case fixed:
		signer.err = signer.begin(infos)
	case size <= opaqueKeep:
		signer.keep = true
	default:
		signer.err = signer.begin(indefinite)
	}
	return signer, signer.err
}

// begin writes what stands before the content. infos is the size of signerInfos, or indefinite.
func (s *opaqueSigner) begin(infos int64) error {
	if infos == indefinite {
		s.open = 3
	}
	f := opaqueFrame{signing: s.signing, size: s.size}
	_, err := s.w.Write(f.before(infos))
	return err
}

// opaqueFrame is what stands around content of some size, which is negative where it is not known: the content is then
// written in pieces.
type opaqueFrame struct {
	signing *signing
	size    int64
}

// before is the message up to the content. infos is the size of signerInfos; where that is indefinite the elements
// around are as well.
func (f opaqueFrame) before(infos int64) []byte {
	outer, head, content := objectIdentifier(oidSignedData), f.signing.head(), f.contentHeader()
	whole, signed := int64(indefinite), int64(indefinite)
	explicit := int64(indefinite)
	if infos != indefinite {
		signed = int64(len(head)+len(content)+len(f.signing.certificates())) + f.size + infos
		explicit = tlvSize(signed)
		whole = int64(len(outer)) + tlvSize(explicit)
	}
	out := append(constructed(tagSequence, whole), outer...)
	out = append(out, constructed(tagContextCons, explicit)...)
	out = append(out, constructed(tagSequence, signed)...)
	return append(append(out, head...), content...)
}

// contentHeader is encapContentInfo up to the content.
func (f opaqueFrame) contentHeader() []byte {
	data := objectIdentifier(oidData)
	if f.size < 0 {
		out := append(constructed(tagSequence, indefinite), data...)
		out = append(out, constructed(tagContextCons, indefinite)...)
		return append(out, constructed(tagOctetString|tagConstructed, indefinite)...)
	}
	out := append(constructed(tagSequence, int64(len(data))+tlvSize(tlvSize(f.size))), data...)
	out = append(out, constructed(tagContextCons, tlvSize(f.size))...)
	return appendHeader(out, tagOctetString, int(f.size))
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
	_, _ = s.signing.Write(p)
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
	infos, err := s.signing.signerInfos()
	if err != nil {
		return err
	}
	if s.keep {
		if err := s.begin(int64(len(infos))); err != nil {
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
	out = append(append(out, s.signing.certificates()...), infos...)
	_, err = s.w.Write(append(out, make([]byte, 2*s.open)...))
	return err
}

// CertificatesOnly is a message that carries certificates, each once and in this order, and neither content nor signature
// (RFC 8551, 3.8), as DER. [NewVerifier] reads it.
func CertificatesOnly(certificates []*x509.Certificate) []byte {
	return contentInfo(oidSignedData, sequence(smallInteger(1), tlv(tagSet),
		sequence(objectIdentifier(oidData)), certificateSet(certificates), tlv(tagSet)))
}
