package cms

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"io"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// EncryptOptions says for whom to encrypt and how.
type EncryptOptions struct {
	Recipients []Recipient // at least one
	Algorithm  Algorithm   // CBC gives EnvelopedData, the others AuthEnvelopedData; "": AES256CBC
	Size       int64       // of the plaintext in bytes; negative: unknown
	Rand       io.Reader   // of content keys, vectors and keying material; nil: crypto/rand, as it is for ephemeral keys always

	// SoftwareBrainpool allows recipients whose keys are on Brainpool curves. The key that lives as long as the
	// call is computed with by code that does not take constant time: see [AgreementOptions].
	SoftwareBrainpool bool
}

// CiphertextSize is the number of bytes of the encrypted content alone, for Size bytes of plaintext; -1 where
// Size is unknown.
func (o EncryptOptions) CiphertextSize() int64 {
	spec, err := cipherByName(o.algorithm())
	switch {
	case err != nil || o.Size < 0:
		return -1
	case spec.authenticated():
		return o.Size
	}
	block := int64(spec.block)
	return (o.Size/block + 1) * block
}

func (o EncryptOptions) algorithm() Algorithm {
	if o.Algorithm == "" {
		return AES256CBC
	}
	return o.Algorithm
}

// encrypter writes an envelope around content.
type encrypter struct {
	w       io.Writer
	cipher  *contentCipher
	size    int64 // announced; negative: unknown, and everything has an indefinite length
	written int64
	buf     []byte // plaintext that waits to be encrypted
	full    int    // bytes of buf with which it waits no longer
	err     error
}

// NewEncrypter returns a writer that encrypts to w, and writes what stands before the content. Close ends
// the message; it does not close w, and a second Close is harmless. The message is DER where Size is
// known. Nothing of it may be used unless Close returned nil.
func NewEncrypter(w io.Writer, o EncryptOptions) (io.WriteCloser, error) {
	spec, err := cipherByName(o.algorithm())
	if err != nil {
		return nil, err
	}
	if len(o.Recipients) == 0 {
		return nil, fmt.Errorf("%w: encryption without a recipient", ErrUnsupported)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if spec.mode == modeWhole && o.Size > maxWhole {
		return nil, fmt.Errorf("%w: content is too long for %s", ErrLimit, spec.name)
	}
	a := contentAlgorithm{spec: spec, iv: make([]byte, spec.block)}
	if spec.authenticated() {
		a.tag = gcmTagSize
	}
	key := make([]byte, spec.keySize)
	defer clear(key)
	for _, b := range [][]byte{key, a.iv} {
		if _, err := io.ReadFull(o.Rand, b); err != nil {
			return nil, fmt.Errorf("cms: random numbers: %w", err)
		}
	}
	recipients, version, err := o.recipientInfos(key)
	if err != nil {
		return nil, err
	}
	e := &encrypter{w: w, size: o.Size, full: contentBuffer, buf: make([]byte, 0, contentBuffer+blockSize)}
	if spec.mode == modeWhole {
		e.full = maxWhole + 1
		e.buf = make([]byte, 0, max(o.Size, 0)+wholeSpare)
	}
	if e.cipher, err = newContentCipher(spec, key, a.iv, true); err != nil {
		return nil, err
	}
	if _, err := w.Write(envelopeHead(a, version, recipients, o.CiphertextSize())); err != nil {
		return nil, err
	}
	return e, nil
}

// recipientInfos encrypts key for every recipient, once where one is named twice, and returns the version of an
// EnvelopedData with them (RFC 5652, 6.1).
func (o EncryptOptions) recipientInfos(key []byte) (set []byte, version int64, err error) {
	var infos [][]byte
	seen := map[string]bool{}
	for _, r := range o.Recipients {
		if r.Certificate == nil {
			return nil, 0, fmt.Errorf("%w: a recipient has no certificate", ErrUnsupported)
		}
		if seen[string(r.Certificate.Raw)] {
			continue
		}
		seen[string(r.Certificate.Raw)] = true
		info, err := o.recipientInfo(r, key)
		if err != nil {
			return nil, 0, err
		}
		if infos = append(infos, info); info[0] != tagSequence {
			version = 2
		}
	}
	return setOf(infos...), version, nil
}

// recipientInfo encrypts key for r.
func (o EncryptOptions) recipientInfo(r Recipient, key []byte) ([]byte, error) {
	switch r.Certificate.PublicKey.(type) {
	case *ecdsa.PublicKey, *ecdh.PublicKey:
		return encodeKeyAgree(o.Rand, r.Certificate, key, o.SoftwareBrainpool)
	}
	return encodeKeyTrans(o.Rand, r, key)
}

// envelopeHead is an envelope up to its encrypted content, which has size bytes (-1: unknown).
func envelopeHead(a contentAlgorithm, version int64, recipients []byte, size int64) []byte {
	oid, tail := objectIdentifier(oidEnvelopedData), int64(0)
	if a.spec.authenticated() {
		oid, tail = objectIdentifier(oidAuthEnvelopedData), tlvSize(int64(a.tag))
		version = 0 // RFC 5083, 2.1
	}
	front := append(smallInteger(version), recipients...)
	inner := append(objectIdentifier(oidData), a.encode()...)
	info, body, content, outer := int64(indefinite), int64(indefinite), int64(indefinite), int64(indefinite)
	if size >= 0 {
		info = int64(len(inner)) + tlvSize(size)
		body = int64(len(front)) + tlvSize(info) + tail
		content = tlvSize(body)
		outer = int64(len(oid)) + tlvSize(content)
	}
	out := append(constructed(tagSequence, outer), oid...)
	out = append(out, constructed(tagContextCons, content)...)
	out = append(append(out, constructed(tagSequence, body)...), front...)
	out = append(append(out, constructed(tagSequence, info)...), inner...)
	if size < 0 {
		return append(out, constructed(tagContextCons, indefinite)...)
	}
	return appendHeader(out, tagContext, int(size))
}

// Write encrypts p, which it neither keeps nor changes.
func (e *encrypter) Write(p []byte) (int, error) {
	if e.err == nil && e.size >= 0 && int64(len(p)) > e.size-e.written {
		e.err = errSize
	}
	for done := 0; e.err == nil; {
		n := copy(e.free(), p[done:])
		e.buf = e.buf[:len(e.buf)+n]
		if done += n; len(e.buf) >= e.full {
			e.flush()
		} else if done == len(p) {
			e.written += int64(len(p))
			return len(p), nil
		}
	}
	return 0, e.err
}

// free is where more plaintext goes to.
func (e *encrypter) free() []byte {
	if e.full > contentBuffer {
		if cap(e.buf)-len(e.buf) <= chacha20poly1305.Overhead {
			e.buf = slices.Grow(e.buf, len(e.buf)+wholeSpare)
		}
		return e.buf[len(e.buf) : cap(e.buf)-chacha20poly1305.Overhead]
	}
	return e.buf[len(e.buf):e.full]
}

// ReadFrom encrypts what r reads, as [io.Copy] wants it, without a buffer between.
func (e *encrypter) ReadFrom(r io.Reader) (total int64, err error) {
	for e.err == nil {
		n, err := r.Read(e.free())
		total += int64(n)
		if e.written += int64(n); e.size >= 0 && e.written > e.size {
			e.err = errSize
			return total, e.err
		}
		if e.buf = e.buf[:len(e.buf)+n]; len(e.buf) >= e.full {
			e.flush()
		}
		if err == io.EOF {
			return total, e.err
		} else if err != nil {
			return total, err
		}
	}
	return total, e.err
}

// flush encrypts and writes a full buffer.
func (e *encrypter) flush() {
	if e.err = e.cipher.encrypt(e.buf); e.err == nil {
		e.err = e.put(e.buf)
	}
	e.buf = e.buf[:0]
}

// put writes ciphertext.
func (e *encrypter) put(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if e.size < 0 {
		if _, err := e.w.Write(appendHeader(nil, tagOctetString, len(p))); err != nil {
			return err
		}
	}
	_, err := e.w.Write(p)
	return err
}

// Close encrypts what waits and writes what stands behind the content.
func (e *encrypter) Close() error {
	if e.err == errFinished {
		return nil
	}
	if e.err == nil {
		e.err = e.end()
	}
	err := e.err
	e.err = errFinished
	return err
}

func (e *encrypter) end() error {
	if e.size >= 0 && e.written != e.size {
		return errSize
	}
	last, err := e.cipher.encryptLast(e.buf)
	if err != nil {
		return err
	}
	if err := e.put(last); err != nil {
		return err
	}
	var out []byte
	if e.size < 0 {
		out = make([]byte, 2*2) // the string, encryptedContentInfo
	}
	if tag := e.cipher.tag(); tag != nil {
		out = append(out, octetString(tag)...)
	}
	if e.size < 0 {
		out = append(out, make([]byte, 2*3)...)
	}
	_, err = e.w.Write(out)
	return err
}
