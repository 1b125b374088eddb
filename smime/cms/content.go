package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// contentBuffer is the content that is encrypted or decrypted at a time: one chunk of GCM.
const contentBuffer = gcmChunk

// contentCipher encrypts or decrypts one content, in one direction.
type contentCipher struct {
	spec cipherSpec
	cbc  cipher.BlockMode // or
	gcm  *gcmStream
}

// newContentCipher makes the cipher of spec. iv is the initialisation vector of CBC or the nonce of GCM.
func newContentCipher(spec cipherSpec, key, iv []byte, encrypt bool) (*contentCipher, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	c := &contentCipher{spec: spec}
	switch {
	case spec.gcm:
		c.gcm, err = newGCMStream(block, iv)
	case encrypt:
		c.cbc = cipher.NewCBCEncrypter(block, iv)
	default:
		c.cbc = cipher.NewCBCDecrypter(block, iv)
	}
	return c, err
}

// encrypt encrypts p in place; p is whole blocks.
func (c *contentCipher) encrypt(p []byte) error {
	if c.gcm == nil {
		c.cbc.CryptBlocks(p, p)
		return nil
	}
	if !c.gcm.room(len(p)) {
		return fmt.Errorf("%w: content is too long for AES-GCM", ErrLimit)
	}
	c.gcm.encrypt(p)
	return nil
}

// encryptLast encrypts the last bytes, padded where the mode wants it (RFC 5652, 6.3).
func (c *contentCipher) encryptLast(p []byte) ([]byte, error) {
	if c.gcm == nil {
		n := blockSize - len(p)%blockSize
		for range n {
			p = append(p, byte(n))
		}
	}
	return p, c.encrypt(p)
}

// decrypt decrypts p in place; p is whole blocks.
func (c *contentCipher) decrypt(p []byte) error {
	if c.gcm == nil {
		c.cbc.CryptBlocks(p, p)
		return nil
	}
	if !c.gcm.room(len(p)) {
		return fmt.Errorf("%w: content is too long for AES-GCM", ErrLimit)
	}
	c.gcm.decrypt(p)
	return nil
}

// decryptLast decrypts the last bytes in place and checks the padding, or the tag. The slice is what of p is
// content.
func (c *contentCipher) decryptLast(p, additional, tag []byte) ([]byte, error) {
	if c.gcm != nil {
		if err := c.decrypt(p); err != nil {
			return nil, err
		}
		if !c.gcm.verify(additional, tag) {
			return nil, ErrDecrypt
		}
		return p, nil
	}
	if len(p) == 0 || len(p)%blockSize != 0 {
		return nil, ErrDecrypt
	}
	c.cbc.CryptBlocks(p, p)
	n, good := padding(p[len(p)-blockSize:])
	if good != 1 {
		return nil, ErrDecrypt
	}
	return p[:len(p)-n], nil
}

// padding returns the size of the padding at the end of the last block, and 1 where it is right. Its time
// does not depend on block.
func padding(block []byte) (n, good int) {
	last := int(block[blockSize-1])
	good = subtle.ConstantTimeLessOrEq(1, last) & subtle.ConstantTimeLessOrEq(last, blockSize)
	for i := range blockSize {
		within := subtle.ConstantTimeLessOrEq(blockSize-i, last)
		equal := subtle.ConstantTimeByteEq(block[i], byte(last))
		good &= subtle.ConstantTimeSelect(within, equal, 1)
	}
	return last, good
}

// contentAlgorithm is what the AlgorithmIdentifier of a content says.
type contentAlgorithm struct {
	spec cipherSpec
	iv   []byte
	tag  int // bytes of the tag, for GCM
}

// encode is a as an element (RFC 3565, 2.1 and 4.1; RFC 5084, 3.2).
func (a contentAlgorithm) encode() []byte {
	if a.spec.gcm {
		return algorithm{a.spec.oid, sequence(octetString(a.iv), smallInteger(int64(a.tag)))}.encode()
	}
	return algorithm{a.spec.oid, octetString(a.iv)}.encode()
}

// readContentAlgorithm reads the algorithm of an envelope. GCM is taken in AuthEnvelopedData alone, and CBC in
// EnvelopedData alone: an attacker who changes the one into the other gets nothing decrypted.
func readContentAlgorithm(a algorithm, authenticated bool) (contentAlgorithm, error) {
	spec, ok := cipherByOID(a.oid)
	if !ok {
		return contentAlgorithm{}, fmt.Errorf("%w: content encryption algorithm %s", ErrUnsupported, a.oid)
	}
	c := contentAlgorithm{spec: spec}
	if spec.gcm != authenticated {
		return c, fmt.Errorf("%w: %s in this type of envelope", ErrUnsupported, spec.name)
	}
	s := cryptobyte.String(a.parameters)
	if !spec.gcm {
		if !s.ReadASN1Bytes(&c.iv, cryptobyte_asn1.OCTET_STRING) || !s.Empty() || len(c.iv) != blockSize {
			return c, malformed("the initialisation vector cannot be read")
		}
		return c, nil
	}
	var body cryptobyte.String
	c.tag = gcmMinTag
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() ||
		!body.ReadASN1Bytes(&c.iv, cryptobyte_asn1.OCTET_STRING) ||
		!body.Empty() && !body.ReadASN1Integer(&c.tag) || !body.Empty() {
		return c, malformed("the parameters of AES-GCM cannot be read")
	}
	if len(c.iv) != gcmNonceSize || c.tag < gcmMinTag || c.tag > gcmTagSize {
		return c, fmt.Errorf("%w: AES-GCM with a nonce of %d and a tag of %d bytes", ErrUnsupported, len(c.iv), c.tag)
	}
	return c, nil
}
