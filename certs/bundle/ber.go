package bundle

import (
	"bytes"
	"errors"
)

// NSS (Firefox, Thunderbird) writes PKCS#12 files in BER, with indefinite lengths and octet strings in
// pieces; go-pkcs12 reads DER only. toDER rewrites the structure of such a file.

var errBER = errors.New("its encoding is damaged")

// maxNesting bounds the depth of elements.
const maxNesting = 20

// The identifier octets (X.690, 8.1.2) that toDER looks at.
const (
	tagOctets      = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagZero        = 0x80 // [0], primitive
	tagConstructed = 0x20
)

// toDER rewrites one element with definite, shortest lengths and whole octet strings. What is in octet
// strings stays as it is. Nothing may follow the element.
func toDER(data []byte) ([]byte, error) {
	out, rest, err := rewrite(data, 0)
	if err == nil && len(rest) > 0 {
		err = errBER
	}
	return out, err
}

func rewrite(data []byte, depth int) (out, rest []byte, err error) {
	tag, content, rest, err := element(data)
	if err != nil || depth > maxNesting {
		return nil, nil, errBER
	}
	if tag&tagConstructed == 0 {
		return encode(tag, content), rest, nil
	}
	ended := content == nil // by the end-of-contents octets
	if ended {
		content = rest
	}
	children, rest2, err := rewriteAll(content, ended, depth)
	if err != nil {
		return nil, nil, err
	}
	if ended {
		rest = rest2
	}
	if tag == tagOctets|tagConstructed {
		whole, err := octets(children)
		return encode(tagOctets, whole), rest, err
	}
	joined, err := joinChildren(children)
	return encode(tag, joined), rest, err
}

// rewriteAll rewrites elements up to the end of data, or to the end-of-contents octets.
func rewriteAll(data []byte, ended bool, depth int) (children [][]byte, rest []byte, err error) {
	for len(data) > 0 {
		if ended && bytes.HasPrefix(data, []byte{0, 0}) {
			return children, data[2:], nil
		}
		var child []byte
		if child, data, err = rewrite(data, depth+1); err != nil {
			return nil, nil, err
		}
		children = append(children, child)
	}
	if ended {
		return nil, nil, errBER
	}
	return children, nil, nil
}

// joinChildren puts elements together. The encrypted content of an EncryptedContentInfo (RFC 5652, 8), which
// is an octet string under another tag, may be in pieces as well: it follows an identifier and an algorithm.
func joinChildren(children [][]byte) ([]byte, error) {
	if len(children) == 3 && children[0][0] == tagOID && children[1][0] == tagSequence && children[2][0] == tagZero|tagConstructed {
		_, content, _, err := element(children[2])
		if err != nil {
			return nil, errBER
		}
		pieces, _, err := rewriteAll(content, false, maxNesting-1)
		if err != nil {
			return nil, err
		}
		whole, err := octets(pieces)
		if err != nil {
			return nil, err
		}
		children[2] = encode(tagZero, whole)
	}
	return bytes.Join(children, nil), nil
}

// octets joins the contents of octet strings.
func octets(children [][]byte) ([]byte, error) {
	whole := []byte{}
	for _, child := range children {
		tag, content, _, err := element(child)
		if err != nil || tag != tagOctets {
			return nil, errBER
		}
		whole = append(whole, content...)
	}
	return whole, nil
}

// element reads one element. Content is nil where its length is indefinite, and rest is then what follows the
// length (X.690, 8.1.3.6).
func element(data []byte) (tag byte, content, rest []byte, err error) {
	if len(data) < 2 || data[0]&0x1f == 0x1f || data[0] == 0 { // long tags do not occur here
		return 0, nil, nil, errBER
	}
	tag, length, data := data[0], int(data[1]), data[2:]
	if length == 0x80 {
		if tag&tagConstructed == 0 {
			return 0, nil, nil, errBER
		}
		return tag, nil, data, nil
	}
	if length > 0x80 {
		n := length & 0x7f
		if n > 4 || n > len(data) {
			return 0, nil, nil, errBER
		}
		length = 0
		for _, b := range data[:n] {
			length = length<<8 | int(b)
		}
		data = data[n:]
	}
	if length > len(data) {
		return 0, nil, nil, errBER
	}
	return tag, data[:length:length], data[length:], nil
}

// encode writes an element with the shortest length (X.690, 10.1).
func encode(tag byte, content []byte) []byte {
	out := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}
