package cms

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func reader(data []byte) *berReader {
	return newBERReader(bytes.NewReader(data), Limits{}.withDefaults())
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRaw makes definite lengths of every form BER has.
func TestRaw(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"DER":                        {"30 06 02 01 05 04 01 aa", "30 06 02 01 05 04 01 aa"},
		"empty":                      {"30 00", "30 00"},
		"primitive":                  {"04 02 aabb", "04 02 aabb"},
		"indefinite":                 {"30 80 02 01 05 00 00", "30 03 02 01 05"},
		"indefinite, empty":          {"30 80 00 00", "30 00"},
		"indefinite within":          {"30 07 31 80 05 00 00 00 05", ""},
		"indefinite within definite": {"30 06 31 80 05 00 00 00", "30 04 31 02 05 00"},
		"definite within":            {"30 80 31 02 05 00 00 00", "30 04 31 02 05 00"},
		"long length":                {"30 82 0003 02 01 05", "30 03 02 01 05"},
		"long length of primitive":   {"30 05 04 83 000001 aa", ""},
		"long primitive":             {"30 06 04 83 000001 aa", "30 03 04 01 aa"},
		"pieces":                     {"24 80 04 01 aa 04 02 bbcc 00 00", "04 03 aabbcc"},
		"pieces, definite":           {"24 07 04 01 aa 04 02 bbcc", "04 03 aabbcc"},
		"pieces of pieces":           {"24 80 24 80 04 01 aa 00 00 24 03 04 01 bb 00 00", "04 02 aabb"},
		"no pieces":                  {"24 80 00 00", "04 00"},
		"pieces within":              {"30 80 24 80 04 01 aa 00 00 05 00 00 00", "30 05 04 01 aa 05 00"},
		"piece of another kind":      {"24 80 02 01 05 00 00", ""},
		"high tag number":            {"30 05 9f 81 01 01 aa", "30 05 9f 81 01 01 aa"},
		"very high tag number":       {"9f ff ff ff ff 01 00", ""},
		"unterminated":               {"30 80 05 00", ""},
		"too long for its parent":    {"30 03 04 02 aa", ""},
		"indefinite primitive":       {"04 80 aa 00 00", ""},
		"end of contents":            {"00 00", ""},
		"end of contents within":     {"30 02 00 00", ""},
		"huge length":                {"30 89 010000000000000000", ""},
		"huge length, 8 octets":      {"30 88 ffffffffffffffff", ""},
		"reserved length":            {"30 ff", ""},
		"many zeros of length":       {"04 84 00000001 aa", "04 01 aa"},
	}
	for name, c := range cases {
		for _, one := range []bool{false, true} {
			r := reader(unhex(t, c.in))
			if one {
				r = newBERReader(iotest.OneByteReader(bytes.NewReader(unhex(t, c.in))), Limits{}.withDefaults())
			}
			got, err := r.raw(1000)
			if c.want == "" {
				if !errors.Is(err, ErrMalformed) {
					t.Errorf("%s: %x, %v", name, got, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("%s: %x, %v", name, got, err)
			}
			if len(r.frames) != 0 {
				t.Errorf("%s: %d elements open", name, len(r.frames))
			}
			s := reader(unhex(t, c.in))
			if err := s.skip(); err != nil || s.pos != r.pos {
				t.Errorf("%s: skip: %v at %d, not %d", name, err, s.pos, r.pos)
			}
		}
	}
}

func TestVerbatim(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"not even BER within": {"30 03 ff ff ff", "30 03 ff ff ff"},
		"indefinite":          {"30 80 05 00 30 80 00 00 00 00", "30 04 05 00 30 00"},
		"indefinite, empty":   {"30 80 00 00", "30 00"},
		"cut":                 {"30 03 ff", ""},
		"cut, indefinite":     {"30 80 05", ""},
	}
	for name, c := range cases {
		got, err := reader(unhex(t, c.in)).verbatim(100)
		if c.want == "" {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %x, %v", name, got, err)
			}
		} else if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

func TestLimitsOfRaw(t *testing.T) {
	element := octetString(make([]byte, 100))
	if _, err := reader(element).raw(102); err != nil {
		t.Error(err)
	}
	if _, err := reader(element).raw(99); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	many := tlv(tagSequence, bytes.Repeat(null(), 10000))
	if _, err := reader(many).raw(5000); !errors.Is(err, ErrLimit) {
		t.Error("many small elements:", err)
	}
	if _, err := reader(many).verbatim(5000); !errors.Is(err, ErrLimit) {
		t.Error("verbatim:", err)
	}
	l := Limits{HeaderBytes: 5000}.withDefaults()
	for name, f := range map[string]func(*berReader) error{
		"raw":      func(r *berReader) error { _, err := r.raw(1 << 20); return err },
		"verbatim": func(r *berReader) error { _, err := r.verbatim(1 << 20); return err },
		"skip":     func(r *berReader) error { return r.skip() },
	} {
		if err := f(newBERReader(bytes.NewReader(many), l)); !errors.Is(err, ErrLimit) {
			t.Errorf("%s over the budget: %v", name, err)
		}
	}
	huge := append([]byte{0x30, 0x85, 0xff, 0xff, 0xff, 0xff, 0xff}, make([]byte, 100)...)
	if err := reader(huge).skip(); !errors.Is(err, ErrLimit) {
		t.Error("a length no message has:", err)
	}
}

// TestOctets reads content in every form of pieces.
func TestOctets(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"primitive":        {"04 03 aabbcc", "aabbcc"},
		"empty":            {"04 00", ""},
		"pieces":           {"24 80 04 01 aa 04 00 04 02 bbcc 00 00", "aabbcc"},
		"definite pieces":  {"24 07 04 01 aa 04 02 bbcc", "aabbcc"},
		"pieces of pieces": {"24 80 24 80 04 01 aa 00 00 24 03 04 01 bb 00 00", "aabb"},
		"no piece":         {"24 80 00 00", ""},
	}
	for name, c := range cases {
		data := append(unhex(t, c.in), 0x05, 0x00)
		r := reader(data)
		o, err := r.octets(tagOctetString)
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := io.ReadAll(o); err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		if next, err := r.peek(); err != nil || next != tagNull {
			t.Errorf("%s: does not stand behind the string", name)
		}
		if n, err := o.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: Read after the end: %d, %v", name, n, err)
		}
	}
	for _, in := range []string{"24 80 02 01 05 00 00", "24 80 04 05 aa", "04 05 aa", "24 80 04 01 aa", "24 03 04 02 aa", "24 80 04 80 00 00"} {
		o, err := reader(unhex(t, in)).octets(tagOctetString)
		if err == nil {
			_, err = io.ReadAll(o)
		}
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, err := reader(unhex(t, "30 00")).octets(tagOctetString); !errors.Is(err, ErrMalformed) {
		t.Error("a SEQUENCE for content:", err)
	}
}

// deep is n constructed elements within each other, open.
func deep(n int, tag byte) []byte { return bytes.Repeat([]byte{tag, 0x80}, n) }

// TestNesting holds the depth, which killed the process elsewhere.
func TestNesting(t *testing.T) {
	for _, tag := range []byte{0x30, 0x24, 0xa0, 0x31} {
		data := deep(2<<20, tag)
		for name, f := range map[string]func() error{
			"raw":      func() error { _, err := reader(data).raw(1 << 30); return err },
			"verbatim": func() error { _, err := reader(data).verbatim(1 << 30); return err },
			"skip":     func() error { return reader(data).skip() },
			"sign":     func() error { _, err := NewVerifier(bytes.NewReader(data), Limits{}); return err },
			"detached": func() error { _, err := VerifyDetached(data, strings.NewReader(""), Limits{}); return err },
			"decrypt":  func() error { _, err := NewDecrypter(bytes.NewReader(data), DecryptOptions{}); return err },
			"octets": func() error {
				o, err := reader(data).octets(uint32(tag &^ tagConstructed))
				if err == nil {
					_, err = io.ReadAll(o)
				}
				return err
			},
		} {
			if err := f(); !errors.Is(err, ErrLimit) && !errors.Is(err, ErrMalformed) {
				t.Errorf("%#x, %s: %v", tag, name, err)
			}
		}
	}
	open := append(deep(maxDepth, 0x30), make([]byte, 2*maxDepth)...)
	if _, err := reader(open).raw(1000); err != nil {
		t.Errorf("%d deep: %v", maxDepth, err)
	}
	if _, err := newBERReader(bytes.NewReader(open), Limits{Depth: 1000}.withDefaults()).raw(1000); err != nil {
		t.Error(err)
	}
	if _, err := newBERReader(bytes.NewReader(open), Limits{Depth: maxDepth - 1}.withDefaults()).raw(1000); !errors.Is(err, ErrLimit) {
		t.Error("a lower depth is not held:", err)
	}
}

// TestLinear reads what took quadratic time elsewhere: much nesting, many pieces. Twice as much may take about
// twice as long; the test allows six times, and takes the best of some tries. It counts the time of the processor, which
// other work on the machine does not take.
func TestLinear(t *testing.T) {
	element := append(deep(30, 0x30), make([]byte, 60)...)
	pieces := bytes.Repeat([]byte{0x04, 0x01, 0xaa}, 1)
	shapes := map[string]func(n int) error{
		"nested": func(n int) error {
			_, err := newBERReader(bytes.NewReader(indefiniteSequence(bytes.Repeat(element, n))), Limits{HeaderBytes: 1 << 30}.withDefaults()).raw(1 << 30)
			if errors.Is(err, ErrLimit) {
				return nil // by depth: the time is what matters
			}
			return err
		},
		"pieces": func(n int) error {
			data := append(append([]byte{0x24, 0x80}, bytes.Repeat(pieces, 100*n)...), 0, 0)
			o, err := reader(data).octets(tagOctetString)
			if err == nil {
				_, err = io.Copy(io.Discard, o)
			}
			return err
		},
		"joined": func(n int) error {
			data := append(append([]byte{0x24, 0x80}, bytes.Repeat(pieces, 100*n)...), 0, 0)
			_, err := newBERReader(bytes.NewReader(data), Limits{HeaderBytes: 1 << 30}.withDefaults()).raw(1 << 30)
			return err
		},
	}
	for name, f := range shapes {
		best := func(n int) time.Duration {
			least := time.Hour
			for range 5 {
				start := processorTime(t)
				if err := f(n); err != nil {
					t.Fatal(name, err)
				}
				least = min(least, processorTime(t)-start)
			}
			return least
		}
		if one, two := best(400), best(800); two > 6*one+10*time.Millisecond {
			t.Errorf("%s: %v, and for twice as much %v", name, one, two)
		}
	}
}

// processorTime is what this process has computed so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func indefiniteSequence(content []byte) []byte {
	return append(append([]byte{0x30, 0x80}, content...), 0, 0)
}

// TestEndlessPieces reads empty pieces without end in constant memory and stops when the source does.
func TestEndlessPieces(t *testing.T) {
	endless := io.MultiReader(bytes.NewReader([]byte{0x24, 0x80}), io.LimitReader(repeat{0x04, 0x00}, 1<<20))
	o, err := newBERReader(endless, Limits{}.withDefaults()).octets(tagOctetString)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, o); n != 0 || !errors.Is(err, ErrMalformed) {
		t.Error(n, err)
	}
}

// repeat reads as its bytes, again and again; whole where there is room for them.
type repeat []byte

func (r repeat) Read(p []byte) (int, error) {
	if len(p) < len(r) {
		return copy(p, r), nil
	}
	p = p[:len(p)/len(r)*len(r)]
	for i := range p {
		p[i] = r[i%len(r)]
	}
	return len(p), nil
}

// TestDER compares the writer with encoding/asn1.
func TestDER(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20} {
		want, err := asn1.Marshal(make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(octetString(make([]byte, n)), want) || tlvSize(int64(n)) != int64(len(want)) {
			t.Errorf("OCTET STRING of %d bytes", n)
		}
	}
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 1 << 40} {
		want, _ := asn1.Marshal(big.NewInt(n))
		if !bytes.Equal(smallInteger(n), want) {
			t.Errorf("INTEGER %d", n)
		}
	}
	set, _ := asn1.MarshalWithParams([][]byte{{2}, {1}, {1, 0}}, "set")
	if got := setOf(octetString([]byte{2}), octetString([]byte{1}), octetString([]byte{1, 0})); !bytes.Equal(got, set) {
		t.Errorf("SET OF %x, not %x", got, set)
	}
	for _, year := range []int{1950, 2049, 2050, 1949} {
		at := time.Date(year, 2, 3, 4, 5, 6, 0, time.UTC)
		want, _ := asn1.Marshal(at)
		if got := timeValue(at); !bytes.Equal(got, want) {
			t.Errorf("%d: %x, not %x", year, got, want)
		}
	}
}

// TestOIDs holds that every object identifier is one.
func TestOIDs(t *testing.T) {
	for _, c := range cipherSpecs() {
		if got, err := parseOID(objectIdentifier(c.oid)); err != nil || got != c.oid {
			t.Error(c.name, got, err)
		}
	}
	for _, d := range digestSpecs() {
		if got, err := parseOID(objectIdentifier(d.oid)); err != nil || got != d.oid || !d.hash.Available() {
			t.Error(d.name, got, err)
		}
	}
	for _, bad := range []string{"", "06 00", "06 01 80", "02 01 01", "06 01 2a 00"} {
		if oid, err := parseOID(unhex(t, bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %s, %v", bad, oid, err)
		}
	}
}
