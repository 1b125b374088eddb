package cms

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// deflated is content as a zlib stream.
func deflated(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compressed is a CompressedData around packed, as DER.
func compressed(algorithm, inner, packed []byte) []byte {
	return contentInfo(oidCompressedData, sequence(smallInteger(0), algorithm,
		sequence(inner, tlv(tagContextCons, octetString(packed)))))
}

func zlibData(packed []byte) []byte {
	return compressed(algorithm{oid: oidZlib}.encode(), objectIdentifier(oidData), packed)
}

func decompress(message []byte, l Limits) ([]byte, error) {
	d, err := NewDecompressor(bytes.NewReader(message), l)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(d)
}

// TestDecompress reads contents of every size, in one piece and in many.
func TestDecompress(t *testing.T) {
	for _, size := range sizes() {
		message := zlibData(deflated(t, text(size)))
		for name, r := range map[string]io.Reader{"whole": bytes.NewReader(message), "bytes": iotest.OneByteReader(bytes.NewReader(message)),
			"end": iotest.DataErrReader(bytes.NewReader(message)), "more": bytes.NewReader(append(message, "behind"...))} {
			d, err := NewDecompressor(r, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := d.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), text(size)) || d.ContentType() != "data" {
				t.Errorf("%d bytes, %s: %v", size, name, err)
			}
			if n, err := d.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("at the end: %d, %v", n, err)
			}
		}
	}
}

// TestDecompressBouncyCastle reads what BouncyCastle 1.72 wrote, as a whole and as a stream.
func TestDecompressBouncyCastle(t *testing.T) {
	want := strings.Repeat("Content-Type: text/plain\r\n\r\nSehr geehrte Damen und Herren, anbei der Vertrag.\r\n", 20)
	for _, name := range []string{"bc-whole.bin", "bc-stream.bin"} {
		message, err := os.ReadFile(filepath.Join("testdata", "compressed", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decompress(message, Limits{}); err != nil || string(got) != want {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
}

// TestDecompressRefuses holds what is no CompressedData, or not a sound one.
func TestDecompressRefuses(t *testing.T) {
	content := text(5000)
	packed, zip, data := deflated(t, content), algorithm{oid: oidZlib}.encode(), objectIdentifier(oidData)
	badSum := bytes.Clone(packed)
	badSum[len(badSum)-1] ^= 1
	dictionary := bytes.Clone(packed)
	dictionary[1] = 0x20 | dictionary[1]&^0x1f
	dictionary[1] += byte(31 - (int(dictionary[0])<<8|int(dictionary[1]))%31)
	cases := map[string]struct {
		message []byte
		want    error
	}{
		"good":                   {compressed(zip, data, packed), nil},
		"NULL for no parameters": {compressed(algorithm{oidZlib, null()}.encode(), data, packed), nil},
		"another content type":   {compressed(zip, objectIdentifier(oidSignedData), packed), nil},
		"parameters":             {compressed(algorithm{oidZlib, smallInteger(9)}.encode(), data, packed), ErrUnsupported},
		"another algorithm":      {compressed(algorithm{oid: "1.2.3"}.encode(), data, packed), ErrUnsupported},
		"another structure":      {contentInfo(oidSignedData, sequence()), ErrUnsupported},
		"no content":             {contentInfo(oidCompressedData, sequence(smallInteger(0), zip, sequence(data))), ErrMalformed},
		"empty content":          {compressed(zip, data, nil), ErrMalformed},
		"no zlib":                {compressed(zip, data, content), ErrMalformed},
		"wrong checksum":         {compressed(zip, data, badSum), ErrMalformed},
		"a dictionary":           {compressed(zip, data, dictionary), ErrMalformed},
		"ends early":             {compressed(zip, data, packed[:len(packed)-5]), ErrMalformed},
		"damaged":                {compressed(zip, data, bytes.Replace(packed, packed[20:30], make([]byte, 10), 1)), ErrMalformed},
		"more behind":            {compressed(zip, data, append(packed[:len(packed):len(packed)], 0)), ErrMalformed},
		"twice":                  {compressed(zip, data, append(packed[:len(packed):len(packed)], packed...)), ErrMalformed},
		"more in the structure":  {contentInfo(oidCompressedData, sequence(smallInteger(0), zip, sequence(data, tlv(tagContextCons, octetString(packed))), null())), ErrMalformed},
		"nothing":                {nil, ErrMalformed},
	}
	for name, c := range cases {
		got, err := decompress(c.message, Limits{})
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got, content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := compressed(zip, data, packed)
	for n := range good {
		if _, err := decompress(good[:n], Limits{}); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d bytes of %d: %v", n, len(good), err)
		}
	}
	disk := errors.New("disk is gone")
	for _, n := range []int{0, 20, len(good) - 10} {
		d, err := NewDecompressor(failingReader{bytes.NewReader(good[:n]), disk}, Limits{})
		if err == nil {
			_, err = io.ReadAll(d)
		}
		if err != disk {
			t.Errorf("the source's error after %d bytes: %v", n, err)
		}
	}
}

// TestDecompressBomb stops what expands too far: at a size, and beyond what text does.
func TestDecompressBomb(t *testing.T) {
	zeros := make([]byte, 20<<20)
	bomb := zlibData(deflated(t, zeros))
	d, err := NewDecompressor(bytes.NewReader(bomb), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, d)
	if !errors.Is(err, ErrLimit) || n > 2<<20 {
		t.Errorf("%d bytes of %d expand to %d: %v", len(bomb), len(zeros), n, err)
	}
	if n, err := d.Read(make([]byte, 10)); n != 0 || !errors.Is(err, ErrLimit) {
		t.Errorf("behind it: %d, %v", n, err)
	}
	// A bomb within a bomb is one for each layer.
	outer, err := decompress(zlibData(deflated(t, bomb)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decompress(outer, Limits{}); !errors.Is(err, ErrLimit) {
		t.Errorf("a bomb within: %v", err)
	}
	if got, err := decompress(bomb, Limits{Expansion: 2000}); err != nil || len(got) != len(zeros) {
		t.Errorf("allowed: %d, %v", len(got), err)
	}
	if _, err := decompress(bomb, Limits{Expansion: 2000, Expanded: 20<<20 - 1}); !errors.Is(err, ErrLimit) {
		t.Errorf("size: %v", err)
	}
	if got, err := decompress(zlibData(deflated(t, zeros[:1<<20])), Limits{}); err != nil || len(got) != 1<<20 {
		t.Errorf("little content that repeats itself: %v", err)
	}
	if got, err := decompress(zlibData(deflated(t, text(20 << 20)[:3<<20])), Limits{Expansion: 1000}); err != nil || len(got) != 3<<20 {
		t.Errorf("text: %v", err)
	}
}

// FuzzCompressed reads anything, within the limits.
func FuzzCompressed(f *testing.F) {
	f.Add(zlibData(deflated(f, text(100))))
	f.Add(zlibData(deflated(f, make([]byte, 1<<16))))
	f.Add(zlibData(nil))
	for _, name := range []string{"bc-whole.bin", "bc-stream.bin"} {
		message, err := os.ReadFile(filepath.Join("testdata", "compressed", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decompress(data, Limits{Expanded: 1 << 20})
		known(t, err)
		if len(got) > 1<<20 {
			t.Fatalf("%d bytes of %d", len(got), len(data))
		}
	})
}
