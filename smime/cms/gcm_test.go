package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"testing"
)

// streamSeal is the ciphertext and tag of the streaming form, written in steps of the given sizes, in turn.
func streamSeal(t testing.TB, key, nonce, plain, additional []byte, steps ...int) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGCMStream(block, nonce)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(plain)
	for rest, i := out, 0; len(rest) > 0; i++ {
		n := min(len(rest), max(1, steps[i%len(steps)]))
		g.encrypt(rest[:n])
		rest = rest[n:]
	}
	tag := g.tag(additional)
	return append(out, tag[:]...)
}

func wholeSeal(t testing.TB, key, nonce, plain, additional []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nonce, plain, additional)
}

// TestGCMEqualsStandard compares with cipher.NewGCM around every boundary the chunks have.
func TestGCMEqualsStandard(t *testing.T) {
	buf := make([]byte, 5*gcmChunk)
	rand.Read(buf)
	sizes := []int{0, 1, 15, 16, 17, 31, 32, 33, 4095, 4096, gcmChunk - 1, gcmChunk, gcmChunk + 1,
		gcmChunk + 16, 2*gcmChunk - 1, 2 * gcmChunk, 2*gcmChunk + 17, 4*gcmChunk + 5}
	for _, keySize := range []int{16, 24, 32} {
		key, nonce := buf[:keySize], buf[40:52]
		for _, size := range sizes {
			for _, additional := range []int{0, 1, 16, 45} {
				want := wholeSeal(t, key, nonce, buf[:size], buf[100:100+additional])
				for _, steps := range [][]int{{1 << 20}, {gcmChunk}, {1000, 7, gcmChunk + 3}} {
					got := streamSeal(t, key, nonce, buf[:size], buf[100:100+additional], steps...)
					if !bytes.Equal(got, want) {
						t.Fatalf("key %d, size %d, additional %d, steps %v: not the same", keySize, size, additional, steps)
					}
				}
			}
		}
	}
}

func TestGCMDecrypt(t *testing.T) {
	key, nonce := make([]byte, 32), make([]byte, gcmNonceSize)
	plain := bytes.Repeat([]byte("siegel "), 30000)
	sealed := wholeSeal(t, key, nonce, plain, []byte("attributes"))
	text, tag := sealed[:len(plain)], sealed[len(plain):]
	open := func(additional string, tag []byte) ([]byte, bool) {
		block, _ := aes.NewCipher(key)
		g, err := newGCMStream(block, nonce)
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.Clone(text)
		g.decrypt(out[:100])
		g.decrypt(out[100:])
		return out, g.verify([]byte(additional), tag)
	}
	out, ok := open("attributes", tag)
	if !ok || !bytes.Equal(out, plain) {
		t.Fatal("what NewGCM sealed does not open")
	}
	for n := range gcmTagSize + 1 {
		if _, ok := open("attributes", tag[:n]); ok != (n >= gcmMinTag) {
			t.Errorf("tag of %d bytes: %v", n, ok)
		}
	}
	if _, ok := open("attributeS", tag); ok {
		t.Error("other additional data opens")
	}
	for i := range tag {
		bad := bytes.Clone(tag)
		bad[i] ^= 1
		if _, ok := open("attributes", bad); ok {
			t.Errorf("tag with bit of byte %d turned opens", i)
		}
	}
	if _, ok := open("attributes", append(bytes.Clone(tag), 0)); ok {
		t.Error("tag of 17 bytes opens")
	}
}

// TestGCMLength holds the longest plaintext of SP 800-38D, without writing it.
func TestGCMLength(t *testing.T) {
	block, _ := aes.NewCipher(make([]byte, 16))
	g, err := newGCMStream(block, make([]byte, gcmNonceSize))
	if err != nil {
		t.Fatal(err)
	}
	g.hash.size = gcmMax - 1
	if !g.room(1) || g.room(2) {
		t.Error("the longest plaintext is not 2^36-32 bytes")
	}
}

func TestFieldPower(t *testing.T) {
	h := fieldElement{0x66e94bd4ef8a2c3b, 0x884cfa59ca342b2e}
	product := fieldElement{hi: 1 << 63}
	for n := range uint64(70) {
		if got := h.power(n); got != product {
			t.Fatalf("h^%d is wrong", n)
		}
		product = product.mul(h)
	}
}

// streamOpen decrypts text in place, in steps of no less than a 64th of it.
func streamOpen(t testing.TB, key, nonce, text, additional, tag []byte, step int) ([]byte, bool) {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGCMStream(block, nonce)
	if err != nil {
		t.Fatal(err)
	}
	for rest := text; len(rest) > 0; {
		n := min(max(step, len(text)/64, 1), len(rest))
		g.decrypt(rest[:n])
		rest = rest[n:]
	}
	return text, g.verify(additional, tag)
}

// FuzzGCM holds the stream to cipher.NewGCM in both directions.
func FuzzGCM(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("plain"), []byte("additional"), uint16(3), uint8(0))
	f.Add([]byte("0123456789abcdef0123456789abcdef"), []byte{}, []byte{}, uint16(0), uint8(7))
	f.Fuzz(func(t *testing.T, key, plain, additional []byte, step uint16, double uint8) {
		if len(key) > 24 {
			key = append(key, make([]byte, 32)...)[:32]
		} else {
			key = append(key, make([]byte, 16)...)[:16]
		}
		for range min(double, 14) {
			if len(plain) < 3*gcmChunk {
				plain = append(plain, plain...)
			}
		}
		nonce := key[:gcmNonceSize]
		want := wholeSeal(t, key, nonce, plain, additional)
		if got := streamSeal(t, key, nonce, plain, additional, int(step), 1<<17); !bytes.Equal(got, want) {
			t.Fatalf("not the same for %d bytes in steps of %d", len(plain), step)
		}
		text, tag := bytes.Clone(want[:len(plain)]), bytes.Clone(want[len(plain):])
		if out, ok := streamOpen(t, key, nonce, text, additional, tag, int(step)); !ok || !bytes.Equal(out, plain) {
			t.Fatalf("%d bytes in steps of %d do not open", len(plain), step)
		}
		tag[double%gcmTagSize] ^= 1 << (step % 8)
		if _, ok := streamOpen(t, key, nonce, bytes.Clone(want[:len(plain)]), additional, tag, int(step)); ok {
			t.Fatal("opens with another tag")
		}
	})
}

func BenchmarkGCMStream(b *testing.B) {
	block, _ := aes.NewCipher(make([]byte, 32))
	g, _ := newGCMStream(block, make([]byte, gcmNonceSize))
	buf := make([]byte, gcmChunk)
	b.SetBytes(gcmChunk)
	for b.Loop() {
		g.encrypt(buf)
	}
}

func BenchmarkGCMWhole(b *testing.B) {
	block, _ := aes.NewCipher(make([]byte, 32))
	aead, _ := cipher.NewGCM(block)
	buf := make([]byte, gcmChunk, gcmChunk+gcmTagSize)
	nonce := make([]byte, gcmNonceSize)
	b.SetBytes(gcmChunk)
	for b.Loop() {
		aead.Seal(buf[:0], nonce, buf, nil)
	}
}
