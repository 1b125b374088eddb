package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// contentBuffer is the content that is encrypted or decrypted at a time: one chunk of GCM, whole blocks of CBC.
	contentBuffer = gcmChunk
	// maxWhole is the most content that is encrypted all at once.
	maxWhole = 32 << 20
	// wholeSpare is the room that such content has beyond what it is known to be: for a tag, and to read into.
	wholeSpare = readBuffer
)

// contentCipher encrypts or decrypts one content, in one direction.
type contentCipher struct {
	spec  cipherSpec
	cbc   cipher.BlockMode // or
	gcm   *gcmStream       // or
	whole cipher.AEAD
	nonce []byte // of whole
	last  []byte // the tag of what whole has encrypted
}

// newContentCipher makes the cipher of spec. iv is the initialisation vector of CBC or the nonce of the others.
func newContentCipher(spec cipherSpec, key, iv []byte, encrypt bool) (*contentCipher, error) {
	c := &contentCipher{spec: spec}
	if spec.mode == modeWhole {
		whole, err := chacha20poly1305.New(key)
		c.whole, c.nonce = whole, iv
		return c, err
	}
	newBlock := aes.NewCipher
	if spec.legacy {
		newBlock = des.NewTripleDESCipher
	}
	block, err := newBlock(key)
	if err != nil {
		return nil, err
	}
	switch {
	case spec.mode == modeGCM:
		c.gcm, err = newGCMStream(block, iv)
	case encrypt:
		c.cbc = cipher.NewCBCEncrypter(block, iv)
	default:
		c.cbc = cipher.NewCBCDecrypter(block, iv)
	}
	return c, err
}

// room is an error where n more bytes are more than may be encrypted under one nonce.
func (c *contentCipher) room(n int) error {
	if c.whole != nil || c.gcm != nil && !c.gcm.room(n) {
		return fmt.Errorf("%w: content is too long for %s", ErrLimit, c.spec.name)
	}
	return nil
}

// encrypt encrypts p in place; p is whole blocks, and not the last ones.
func (c *contentCipher) encrypt(p []byte) error {
	if err := c.room(len(p)); err != nil {
		return err
	}
	if c.gcm != nil {
		c.gcm.encrypt(p)
	} else {
		c.cbc.CryptBlocks(p, p)
	}
	return nil
}

// encryptLast encrypts the last bytes, padded where the mode wants it (RFC 5652, 6.3).
func (c *contentCipher) encryptLast(p []byte) ([]byte, error) {
	switch c.spec.mode {
	case modeWhole:
		sealed := c.whole.Seal(p[:0], c.nonce, p, nil)
		c.last = sealed[len(p):]
		return sealed[:len(p)], nil
	case modeCBC:
		n := c.spec.block - len(p)%c.spec.block
		for range n {
			p = append(p, byte(n))
		}
	}
	return p, c.encrypt(p)
}

// tag is the tag of all that was encrypted, nil where the mode has none.
func (c *contentCipher) tag() []byte {
	if c.gcm != nil {
		tag := c.gcm.tag(nil)
		return tag[:]
	}
	return c.last
}

// decrypt decrypts p in place; p is whole blocks, and not the last ones.
func (c *contentCipher) decrypt(p []byte) error {
	if err := c.room(len(p)); err != nil {
		return err
	}
	if c.gcm != nil {
		c.gcm.decrypt(p)
	} else {
		c.cbc.CryptBlocks(p, p)
	}
	return nil
}

// decryptLast decrypts the last bytes in place and checks the padding, or the tag. The slice is what of p is
// content.
func (c *contentCipher) decryptLast(p, additional, tag []byte) ([]byte, error) {
	switch c.spec.mode {
	case modeWhole:
		plain, err := c.whole.Open(p[:0], c.nonce, append(p, tag...), additional)
		if err != nil {
			return nil, ErrDecrypt
		}
		return plain, nil
	case modeGCM:
		if err := c.decrypt(p); err != nil {
			return nil, err
		}
		if !c.gcm.verify(additional, tag) {
			return nil, ErrDecrypt
		}
		return p, nil
	}
	if len(p) == 0 || len(p)%c.spec.block != 0 {
		return nil, ErrDecrypt
	}
	c.cbc.CryptBlocks(p, p)
	n, good := padding(p[len(p)-c.spec.block:])
	if good != 1 {
		return nil, ErrDecrypt
	}
	return p[:len(p)-n], nil
}

// padding returns the size of the padding at the end of the last block, and 1 where it is right. Its time
// does not depend on block.
func padding(block []byte) (n, good int) {
	size := len(block)
	last := int(block[size-1])
	good = subtle.ConstantTimeLessOrEq(1, last) & subtle.ConstantTimeLessOrEq(last, size)
	for i := range size {
		within := subtle.ConstantTimeLessOrEq(size-i, last)
		equal := subtle.ConstantTimeByteEq(block[i], byte(last))
		good &= subtle.ConstantTimeSelect(within, equal, 1)
	}
	return last, good
}

// contentAlgorithm is what the AlgorithmIdentifier of a content says.
type contentAlgorithm struct {
	spec cipherSpec
	iv   []byte
	tag  int // bytes of the tag, 0 where there is none
}

// encode is a as an element (RFC 3565, 2.1 and 4.1; RFC 5084, 3.2; RFC 8103, 4).
func (a contentAlgorithm) encode() []byte {
	if a.spec.mode == modeGCM {
		return algorithm{a.spec.oid, sequence(octetString(a.iv), smallInteger(int64(a.tag)))}.encode()
	}
	return algorithm{a.spec.oid, octetString(a.iv)}.encode()
}

// readContentAlgorithm reads the algorithm of an envelope. What guards integrity is taken in AuthEnvelopedData alone,
// and CBC in EnvelopedData alone. Who changes both has a message under GCM decrypted as one under CBC, to blocks that nobody
// wrote: the content key does not say which mode it is for (RFC 9709, 1, has the attack). What comes of it is not Authenticated.
func readContentAlgorithm(a algorithm, authenticated, legacy bool) (contentAlgorithm, error) {
	spec, ok := cipherByOID(a.oid)
	c := contentAlgorithm{spec: spec}
	switch {
	case !ok:
		return c, fmt.Errorf("%w: content encryption algorithm %s", ErrUnsupported, capabilityName(a.oid))
	case spec.legacy && !legacy:
		return c, fmt.Errorf("%w: content under %s, unless old algorithms are allowed", ErrUnsupported, spec.name)
	case spec.authenticated() != authenticated:
		return c, fmt.Errorf("%w: %s in this type of envelope", ErrUnsupported, spec.name)
	case spec.mode == modeGCM:
		err := c.readGCM(a.parameters)
		return c, err
	case spec.mode == modeWhole:
		c.tag = chacha20poly1305.Overhead
	}
	s := cryptobyte.String(a.parameters)
	if !s.ReadASN1Bytes(&c.iv, cryptobyte_asn1.OCTET_STRING) || !s.Empty() || len(c.iv) != spec.block {
		return c, malformed("the initialisation vector cannot be read")
	}
	return c, nil
}

// readGCM reads GCMParameters (RFC 5084, 3.2).
func (a *contentAlgorithm) readGCM(parameters []byte) error {
	s := cryptobyte.String(parameters)
	var body cryptobyte.String
	a.tag = gcmMinTag
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() ||
		!body.ReadASN1Bytes(&a.iv, cryptobyte_asn1.OCTET_STRING) ||
		!body.Empty() && !body.ReadASN1Integer(&a.tag) || !body.Empty() {
		return malformed("the parameters of AES-GCM cannot be read")
	}
	if len(a.iv) != gcmNonceSize || a.tag < gcmMinTag || a.tag > gcmTagSize {
		return fmt.Errorf("%w: AES-GCM with a nonce of %d and a tag of %d bytes", ErrUnsupported, len(a.iv), a.tag)
	}
	return nil
}
