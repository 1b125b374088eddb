package cms

import (
	"bytes"
	"crypto"
	"fmt"
	"hash"
	"io"
)

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
