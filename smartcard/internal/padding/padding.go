// Package padding is the paddings of RSA (RFC 8017) around the bare operation of a card or token. It holds no private key.
package padding

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// The errors, by their names in package smartcard.
var (
	ErrUnsupported = errors.New("smartcard: the key cannot do this")
	ErrDecryption  = errors.New("smartcard: decryption failed")
)

// DigestInfo is the DER of a DigestInfo with the digest (RFC 8017, 9.2, notes 1).
func DigestInfo(h crypto.Hash, digest []byte) ([]byte, error) {
	var prefix string
	switch h {
	case crypto.SHA256:
		prefix = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	case crypto.SHA384:
		prefix = "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
	case crypto.SHA512:
		prefix = "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
	default:
		return nil, fmt.Errorf("%w: signatures with %v; SHA-256, SHA-384 and SHA-512 it can", ErrUnsupported, h)
	}
	return append([]byte(prefix), digest...), nil
}

// PKCS1 is EMSA-PKCS1-v1_5 of a DigestInfo (RFC 8017, 9.2).
func PKCS1(info []byte, size int) ([]byte, error) {
	if size < len(info)+11 {
		return nil, fmt.Errorf("%w: the key is too short for this digest", ErrUnsupported)
	}
	em := make([]byte, size)
	em[1] = 1
	for i := 2; i < size-len(info)-1; i++ {
		em[i] = 0xFF
	}
	copy(em[size-len(info):], info)
	return em, nil
}

// PSS is EMSA-PSS (RFC 8017, 9.1.1), as long as the modulus.
func PSS(key *rsa.PublicKey, h crypto.Hash, digest []byte, saltLength int) ([]byte, error) {
	bits := key.N.BitLen() - 1
	size := (bits + 7) / 8
	switch saltLength {
	case rsa.PSSSaltLengthEqualsHash:
		saltLength = h.Size()
	case rsa.PSSSaltLengthAuto:
		saltLength = size - h.Size() - 2
	}
	if saltLength < 0 || size < h.Size()+saltLength+2 {
		return nil, fmt.Errorf("%w: the key is too short for this digest and salt", ErrUnsupported)
	}
	salt := make([]byte, saltLength)
	rand.Read(salt)
	hash := h.New()
	hash.Write(make([]byte, 8))
	hash.Write(digest)
	hash.Write(salt)
	sum := hash.Sum(nil)

	em := make([]byte, key.Size())
	block := em[len(em)-size:]
	db := block[:size-h.Size()-1]
	db[len(db)-saltLength-1] = 1
	copy(db[len(db)-saltLength:], salt)
	mask(db, h, sum)
	db[0] &= 0xFF >> (8*size - bits)
	copy(block[len(db):], sum)
	block[size-1] = 0xBC
	return em, nil
}

// mask is the exclusive or of b with MGF1 of the seed (RFC 8017, B.2.1).
func mask(b []byte, h crypto.Hash, seed []byte) {
	for i := uint32(0); len(b) > 0; i++ {
		hash := h.New()
		hash.Write(seed)
		hash.Write(binary.BigEndian.AppendUint32(nil, i))
		n := subtle.XORBytes(b, b, hash.Sum(nil))
		b = b[n:]
	}
}

// UnpadKey removes the padding of RSAES-PKCS1-v1_5 (RFC 8017, 7.2.2) from a key of n octets. Where it is wrong the result is random, and
// neither time nor error tell (RFC 3218, 2.3.2).
func UnpadKey(em []byte, n int, random io.Reader) ([]byte, error) {
	if n <= 0 || len(em) < n+11 {
		return nil, ErrDecryption
	}
	key := make([]byte, n)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	start := len(em) - n
	ok := subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeByteEq(em[1], 2) & subtle.ConstantTimeByteEq(em[start-1], 0)
	for _, b := range em[2 : start-1] {
		ok &= 1 - subtle.ConstantTimeByteEq(b, 0)
	}
	subtle.ConstantTimeCopy(ok, key, em[start:])
	return key, nil
}

// UnpadOAEP is EME-OAEP decoding (RFC 8017, 7.1.2, 3). Every fault is the same error, after the same time.
func UnpadOAEP(em []byte, o *rsa.OAEPOptions) ([]byte, error) {
	h, mgf := o.Hash, o.MGFHash
	if mgf == 0 {
		mgf = h
	}
	if !h.Available() || !mgf.Available() {
		return nil, ErrUnsupported
	}
	size := h.Size()
	if len(em) < 2*size+2 {
		return nil, ErrDecryption
	}
	seed, db := em[1:1+size], em[1+size:]
	mask(seed, mgf, db)
	mask(db, mgf, seed)
	label := h.New()
	label.Write(o.Label)
	ok := subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeCompare(label.Sum(nil), db[:size])
	rest := db[size:]
	index, looking := 0, 1
	for i, b := range rest {
		zero, one := subtle.ConstantTimeByteEq(b, 0), subtle.ConstantTimeByteEq(b, 1)
		index = subtle.ConstantTimeSelect(looking&one, i, index)
		ok &= 1 - looking&(1-zero)&(1-one)
		looking &= 1 - one
	}
	if ok&(1-looking) != 1 {
		return nil, ErrDecryption
	}
	return append([]byte{}, rest[index+1:]...), nil
}

// Below tells whether a block is a number Below the modulus, and as long.
func Below(block []byte, key *rsa.PublicKey) bool {
	return len(block) == key.Size() && new(big.Int).SetBytes(block).Cmp(key.N) < 0
}
