package atrest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// segment is the size of an encrypted segment of a stream.
const segment = 64 << 10

func mustDecode(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func encrypt(t testing.TB, k atrest.Key, plain, associated []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := k.Writer(&out, associated)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decrypt(k atrest.Key, r io.Reader, associated []byte) ([]byte, error) {
	plain, err := k.Reader(r, associated)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

func TestStream(t *testing.T) {
	k := atrest.NewKey()
	for _, size := range []int{0, 1, 4096, segment - 56, segment - 55, segment - 57, segment, segment + 1, 3*segment - 32, 1 << 20} {
		plain := random(size)
		sealed := encrypt(t, k, plain, []byte("a"))
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(sealed), "bytewise": iotest.OneByteReader(bytes.NewReader(sealed)),
			"with EOF": iotest.DataErrReader(bytes.NewReader(sealed)),
		} {
			got, err := decrypt(k, r, []byte("a"))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, %s: %d back, %v", size, name, len(got), err)
			}
		}
	}
}

func TestStreamCloseLeavesTargetOpen(t *testing.T) {
	var out closed
	w, err := atrest.NewKey().Writer(&out, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || out.closed {
		t.Errorf("target closed: %v, %v", out.closed, err)
	}
}

type closed struct {
	bytes.Buffer
	closed bool
}

func (c *closed) Close() error { c.closed = true; return nil }

func TestAlteredStream(t *testing.T) {
	k := atrest.NewKey()
	plain := random(2*segment + 1000)
	sealed := encrypt(t, k, plain, []byte("a"))
	flip := func(at int) []byte {
		b := bytes.Clone(sealed)
		b[at] ^= 1
		return b
	}
	swapped := bytes.Clone(sealed) // first two whole segments after the first, exchanged
	copy(swapped[segment:], sealed[:segment])
	cases := map[string][]byte{
		"empty": {}, "header only": sealed[:40], "half a header": sealed[:20], "one byte": sealed[:1],
		"cut at a segment": sealed[:segment], "cut in a segment": sealed[:segment+100], "last byte missing": sealed[:len(sealed)-1],
		"one byte more": append(bytes.Clone(sealed), 0), "first byte": flip(0), "salt": flip(5), "nonce": flip(36),
		"first segment": flip(100), "second segment": flip(segment + 10), "last byte": flip(len(sealed) - 1), "segment repeated": swapped,
	}
	for name, data := range cases {
		got, err := decrypt(k, bytes.NewReader(data), []byte("a"))
		if !errors.Is(err, atrest.ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(plain, got) {
			t.Errorf("%s: gave bytes that were never written", name)
		}
	}
	if _, err := decrypt(k, bytes.NewReader(sealed), []byte("b")); !errors.Is(err, atrest.ErrAltered) {
		t.Errorf("other associated data: %v", err)
	}
	if _, err := decrypt(atrest.NewKey(), bytes.NewReader(sealed), []byte("a")); !errors.Is(err, atrest.ErrAltered) {
		t.Errorf("other key: %v", err)
	}
}

// The library's reader gives io.EOF to a second Read after a last segment that failed: whoever reads on
// after an error would take the cut message for whole.
func TestAlteredStaysAltered(t *testing.T) {
	k := atrest.NewKey()
	sealed := encrypt(t, k, random(1000), nil)
	sealed[len(sealed)-1] ^= 1
	r, err := k.Reader(bytes.NewReader(sealed), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, atrest.ErrAltered) {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

func TestTroubleIsNotAlteration(t *testing.T) {
	k := atrest.NewKey()
	sealed := encrypt(t, k, random(3*segment), nil)
	trouble := errors.New("disk on fire")
	for _, at := range []int{0, 10, 40, 1000, segment, segment + 5, len(sealed) - 1} {
		r := io.MultiReader(bytes.NewReader(sealed[:at]), iotest.ErrReader(trouble))
		if _, err := decrypt(k, r, nil); !errors.Is(err, trouble) || errors.Is(err, atrest.ErrAltered) {
			t.Errorf("trouble at %d: %v", at, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	k, err := atrest.ParseKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{40}, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := decrypt(k, bytes.NewReader(data), nil); !errors.Is(err, atrest.ErrAltered) || len(got) != 0 {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}

func BenchmarkStream1MB(b *testing.B) {
	k, plain := atrest.NewKey(), random(1<<20)
	b.SetBytes(1 << 20)
	for b.Loop() {
		encrypt(b, k, plain, nil)
	}
}

func BenchmarkSeal4KB(b *testing.B) {
	k, plain := atrest.NewKey(), random(4<<10)
	b.SetBytes(4 << 10)
	for b.Loop() {
		if _, err := k.Seal(plain, nil); err != nil {
			b.Fatal(err)
		}
	}
}
