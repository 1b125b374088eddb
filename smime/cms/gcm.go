package cms

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

const (
	blockSize    = 16
	gcmNonceSize = 12
	gcmTagSize   = 16
	gcmMinTag    = 12         // RFC 5084, 3.2: the shortest aes-ICVlen
	gcmChunk     = 64 << 10   // bytes of ciphertext to one call of GHASH; a power of two
	gcmMax       = 1<<36 - 32 // bytes of plaintext (SP 800-38D, 5.2.1.1)
	gcmReduction = 0xe1 << 56 // x^128 = x^7 + x^2 + x + 1, bits reflected
	gcmChunkLog  = 12         // log2 of the blocks in a chunk
)

// fieldElement is an element of GF(2^128) as GCM has it (SP 800-38D, 6.3): the coefficient of x^0 is the
// highest bit of hi.
type fieldElement struct{ hi, lo uint64 }

func loadElement(b []byte) fieldElement {
	return fieldElement{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (a fieldElement) store(b []byte) {
	binary.BigEndian.PutUint64(b, a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
}

func (a fieldElement) xor(b fieldElement) fieldElement {
	return fieldElement{a.hi ^ b.hi, a.lo ^ b.lo}
}

// mul is the product a*b, without a branch or an index that depends on either.
func (a fieldElement) mul(b fieldElement) fieldElement {
	var z fieldElement
	for _, word := range [2]uint64{a.hi, a.lo} {
		for range 64 {
			mask := -(word >> 63)
			word <<= 1
			z.hi ^= b.hi & mask
			z.lo ^= b.lo & mask
			carry := -(b.lo & 1)
			b.lo = b.lo>>1 | b.hi<<63
			b.hi = b.hi>>1 ^ gcmReduction&carry
		}
	}
	return z
}

// power is a^n. Its time depends on n, which is public.
func (a fieldElement) power(n uint64) fieldElement {
	z := fieldElement{hi: 1 << 63}
	for i := bits.Len64(n); i > 0; i-- {
		z = z.mul(z)
		if n>>(i-1)&1 == 1 {
			z = z.mul(a)
		}
	}
	return z
}

// ghash computes H times the GHASH (SP 800-38D, 6.4) of a stream of ciphertext, from the tags the standard
// library gives for chunks of it as additional data.
//
// For a chunk of blocks c1..cn the library's tag is E(J) + (c1*H^n + ... + cn*H + L)*H, where L is the block of
// lengths. E(J) and L*H are known, so what is left is z = (c1*H^n + ... + cn*H)*H; and the z of a stream is
// the z of its front times H^(blocks of the rest), plus the z of the rest.
type ghash struct {
	aead    cipher.AEAD
	h       fieldElement // E(0)
	mask    fieldElement // E(J) for the nonce of zeros
	full    fieldElement // L*H of a full chunk
	stride  fieldElement // H^(blocks of a full chunk)
	z       fieldElement
	pending []byte // less than a chunk
	size    uint64 // bytes
	nonce   [gcmNonceSize]byte
	tag     [gcmTagSize]byte // scratch, so that chunks allocate nothing
}

func newGHASH(block cipher.Block) (*ghash, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	var b [blockSize]byte
	block.Encrypt(b[:], b[:])
	g := &ghash{aead: aead, h: loadElement(b[:])}
	b = [blockSize]byte{15: 1}
	block.Encrypt(b[:], b[:])
	g.mask = loadElement(b[:])
	return g, nil
}

// lengths is the block of lengths of additional data and of text.
func lengths(additional, text uint64) fieldElement { return fieldElement{additional * 8, text * 8} }

// of is z of chunk alone.
func (g *ghash) of(chunk []byte) fieldElement {
	g.aead.Seal(g.tag[:0], g.nonce[:], nil, chunk)
	return loadElement(g.tag[:]).xor(g.mask)
}

// chunk adds a full chunk.
func (g *ghash) chunk(p []byte) {
	if g.stride == (fieldElement{}) {
		g.full = lengths(gcmChunk, 0).mul(g.h)
		g.stride = g.h
		for range gcmChunkLog {
			g.stride = g.stride.mul(g.stride)
		}
	}
	g.z = g.z.mul(g.stride).xor(g.of(p)).xor(g.full)
}

// write adds ciphertext.
func (g *ghash) write(p []byte) {
	g.size += uint64(len(p))
	if len(g.pending) > 0 || len(p) < gcmChunk {
		n := min(gcmChunk-len(g.pending), len(p))
		g.pending = append(g.pending, p[:n]...)
		if p = p[n:]; len(g.pending) == gcmChunk {
			g.chunk(g.pending)
			g.pending = g.pending[:0]
		}
	}
	for ; len(p) >= gcmChunk; p = p[gcmChunk:] {
		g.chunk(p[:gcmChunk])
	}
	g.pending = append(g.pending, p...)
}

// sum is (GHASH of additional data, the ciphertext, and their lengths)*H, that is, the tag without its mask.
func (g *ghash) sum(additional []byte) fieldElement {
	if n := len(g.pending); n > 0 {
		z := g.of(g.pending).xor(lengths(uint64(n), 0).mul(g.h))
		g.z = g.z.mul(g.h.power(blocks(uint64(n)))).xor(z)
		g.pending = g.pending[:0]
	}
	z := g.z
	if n := uint64(len(additional)); n > 0 {
		front := g.of(additional).xor(lengths(n, 0).mul(g.h))
		z = z.xor(front.mul(g.h.power(blocks(g.size))))
	}
	return z.xor(lengths(uint64(len(additional)), g.size).mul(g.h))
}

func blocks(n uint64) uint64 { return (n + blockSize - 1) / blockSize }

// gcmStream is AES-GCM (SP 800-38D) over a stream of any length, one direction, with a nonce of 12 bytes.
// What it gives equals [cipher.NewGCM]'s. Additional data is named at the end, as AuthEnvelopedData has it.
type gcmStream struct {
	ctr  cipher.Stream
	hash *ghash
	mask fieldElement // E(nonce || 1)
}

func newGCMStream(block cipher.Block, nonce []byte) (*gcmStream, error) {
	hash, err := newGHASH(block)
	if err != nil {
		return nil, err
	}
	var counter, mask [blockSize]byte
	copy(counter[:], nonce)
	counter[blockSize-1] = 1
	block.Encrypt(mask[:], counter[:])
	counter[blockSize-1] = 2
	return &gcmStream{ctr: cipher.NewCTR(block, counter[:]), hash: hash, mask: loadElement(mask[:])}, nil
}

// encrypt encrypts p in place.
func (g *gcmStream) encrypt(p []byte) {
	g.ctr.XORKeyStream(p, p)
	g.hash.write(p)
}

// decrypt decrypts p in place. Nothing is known of its integrity before verify.
func (g *gcmStream) decrypt(p []byte) {
	g.hash.write(p)
	g.ctr.XORKeyStream(p, p)
}

// room reports whether n more bytes may follow under this nonce.
func (g *gcmStream) room(n int) bool { return g.hash.size+uint64(n) <= gcmMax }

// tag ends the stream.
func (g *gcmStream) tag(additional []byte) [gcmTagSize]byte {
	var tag [gcmTagSize]byte
	g.hash.sum(additional).xor(g.mask).store(tag[:])
	return tag
}

// verify ends the stream and reports whether tag, of 12 to 16 bytes, is right.
func (g *gcmStream) verify(additional, tag []byte) bool {
	want := g.tag(additional)
	return len(tag) >= gcmMinTag && len(tag) <= gcmTagSize &&
		subtle.ConstantTimeCompare(want[:len(tag)], tag) == 1
}
