package cms

import (
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Attached is a SignedData that is to hold its content (RFC 5652, 5.2), made of a detached signature over it.
// All its lengths are definite, whatever the keys.
type Attached struct {
	size int64
	head []byte // up to the content
	tail []byte // after it
}

// Attach makes a SignedData that holds size bytes of content out of a detached signature over them, as
// [DetachedSigner] returns it. Whether the signature is right is not looked at.
func Attach(signature []byte, size int64) (*Attached, error) {
	front, tail, err := splitDetached(signature)
	if err != nil {
		return nil, err
	}
	content := appendHeader(nil, tagOctetString, int(size))
	data := objectIdentifier(oidData)
	encap := int64(len(data)) + tlvSize(int64(len(content))+size)
	signed := int64(len(front)) + tlvSize(encap) + int64(len(tail))
	oid := objectIdentifier(oidSignedData)
	head := append(constructed(tagSequence, int64(len(oid))+tlvSize(tlvSize(signed))), oid...)
	head = append(head, constructed(tagContextCons, tlvSize(signed))...)
	head = append(append(head, constructed(tagSequence, signed)...), front...)
	head = append(append(head, constructed(tagSequence, encap)...), data...)
	head = append(append(head, constructed(tagContextCons, int64(len(content))+size)...), content...)
	return &Attached{size: size, head: head, tail: tail}, nil
}

// splitDetached returns what stands in a SignedData before encapContentInfo, and after it.
func splitDetached(signature []byte) (front, tail []byte, err error) {
	s := cryptobyte.String(signature)
	var info, oid, explicit, signed, version, digests, encap cryptobyte.String
	if !s.ReadASN1(&info, cryptobyte_asn1.SEQUENCE) || !s.Empty() ||
		!info.ReadASN1Element(&oid, cryptobyte_asn1.OBJECT_IDENTIFIER) || string(oid) != string(objectIdentifier(oidSignedData)) ||
		!info.ReadASN1(&explicit, cryptobyte_asn1.Tag(0).ContextSpecific().Constructed()) || !info.Empty() ||
		!explicit.ReadASN1(&signed, cryptobyte_asn1.SEQUENCE) || !explicit.Empty() ||
		!signed.ReadASN1Element(&version, cryptobyte_asn1.INTEGER) ||
		!signed.ReadASN1Element(&digests, cryptobyte_asn1.SET) ||
		!signed.ReadASN1(&encap, cryptobyte_asn1.SEQUENCE) || string(encap) != string(objectIdentifier(oidData)) {
		return nil, nil, fmt.Errorf("%w: not a detached signature over data", ErrMalformed)
	}
	return append([]byte(version), digests...), signed, nil
}

// Size is the number of bytes of the whole message.
func (a *Attached) Size() int64 { return int64(len(a.head)) + a.size + int64(len(a.tail)) }

// Writer returns a writer for the content, which goes on to w within the message. Close ends the message; it
// does not close w, and a second Close is harmless. Content that is not of the size announced is an error.
func (a *Attached) Writer(w io.Writer) (io.WriteCloser, error) {
	if _, err := w.Write(a.head); err != nil {
		return nil, err
	}
	return &attachedWriter{w: w, tail: a.tail, left: a.size}, nil
}

type attachedWriter struct {
	w    io.Writer
	tail []byte
	left int64
	done bool
}

// Write implements [io.Writer].
func (a *attachedWriter) Write(p []byte) (int, error) {
	switch {
	case a.done:
		return 0, errFinished
	case int64(len(p)) > a.left:
		return 0, errSize
	}
	a.left -= int64(len(p))
	return a.w.Write(p)
}

// Close writes what stands behind the content.
func (a *attachedWriter) Close() error {
	if a.done {
		return nil
	}
	a.done = true
	if a.left > 0 {
		return errSize
	}
	_, err := a.w.Write(a.tail)
	return err
}
