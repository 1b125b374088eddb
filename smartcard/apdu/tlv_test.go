package apdu

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, in string
		tag      Tag
		octets   int
		rest     int
	}{
		{"one octet", "5C 01 7E", 0x5C, 1, 0},
		{"two octets of tag", "5F2F 02 4000", 0x5F2F, 2, 0},
		{"three octets of tag", "5FC105 00", 0x5FC105, 0, 0},
		{"long length", "53 81 80" + strings.Repeat("00", 128), 0x53, 128, 0},
		{"longer than need be", "53 82 0001 AA BB", 0x53, 1, 1},
		{"three octets of length", "53 83 000002 AABB", 0x53, 2, 0},
		{"padding before", "0000FF00 53 01 AA", 0x53, 1, 0},
		{"padding only", "0000FFFF", 0, 0, 0},
		{"nothing", "", 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, rest, err := Read(unhex(t, c.in))
			if err != nil || o.Tag != c.tag || len(o.Value) != c.octets || len(rest) != c.rest {
				t.Errorf("%s, %d octets, %d left, %v", o.Tag, len(o.Value), len(rest), err)
			}
		})
	}
	for _, in := range []string{"5C", "5F", "5F81", "5F8181", "5F81818101", "53 02 AA", "53 80 0000", "53 81", "53 84 00000001 AA", "53 83 FFFFFF"} {
		if o, _, err := Read(unhex(t, in)); !errors.Is(err, ErrTLV) {
			t.Errorf("%q: %s, %v", in, o.Tag, err)
		}
	}
}

// The key description of a TCOS card and the certificate object of a PIV card.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		in   string
		path []Tag
		want string
		ok   bool
	}{
		{"7A 0C 93020001 A406 830181 830183", []Tag{0x7A, 0xA4, 0x83}, "81", true},
		{"7A 0C 93020001 A406 830181 830183", []Tag{0x7A, 0x93}, "0001", true},
		{"7A 0C 93020001 A406 830181 830183", []Tag{0x7A, 0xB6}, "", false},
		{"53 0A 70 03 010203 71 01 00 FE 00", []Tag{0x53, 0x70}, "010203", true},
		{"53 0A 70 03 010203 71 01 00 FE 00", []Tag{0x53, 0xFE}, "", true},
		{"53 00", []Tag{0x54}, "", false},
		{"", []Tag{0}, "", false},
		{"53 00", nil, "", false},
	} {
		v, ok, err := Find(unhex(t, c.in), c.path...)
		if err != nil || ok != c.ok || !bytes.Equal(v, unhex(t, c.want)) {
			t.Errorf("%v in %s: %x, %v, %v", c.path, c.in, v, ok, err)
		}
	}
	if _, _, err := Find(unhex(t, "53 03 70 05 01"), 0x53, 0x70); !errors.Is(err, ErrTLV) {
		t.Error(err)
	}
}

func TestWalk(t *testing.T) {
	var seen []string
	err := Walk(unhex(t, "61 0A 4F 02 0001 79 04 4F 02 A000 00 53 03 4F 01 00"), func(depth int, o Object) error {
		seen = append(seen, fmt.Sprint(depth, o.Tag, len(o.Value)))
		return nil
	})
	if want := []string{"0 61 10", "1 4F 2", "1 79 4", "2 4F 2", "0 53 3"}; err != nil || strings.Join(seen, ",") != strings.Join(want, ",") {
		t.Errorf("%q, %v", seen, err)
	}
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		in    []byte
		visit error
		want  error
	}{
		"deep": {nest(MaxDepth + 2), nil, ErrTLV},
		"many": {bytes.Repeat([]byte{0x53, 0}, MaxObjects+1), nil, ErrTLV},
		"stop": {nest(3), stop, stop},
		"torn": {[]byte{0x61, 2, 0x4F, 5}, nil, ErrTLV},
		"fits": {nest(MaxDepth + 1), nil, nil},
	} {
		if err := Walk(c.in, func(int, Object) error { return c.visit }); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Objects(bytes.Repeat([]byte{0x53, 0}, MaxObjects+1)); !errors.Is(err, ErrTLV) {
		t.Error(err)
	}
}

// nest is n objects in one another.
func nest(n int) []byte {
	var b []byte
	for range n {
		b = Encode(0x61, b)
	}
	return b
}

func TestAppend(t *testing.T) {
	for n, head := range map[int]string{0: "5C00", 1: "5C01", 127: "5C7F", 128: "5C8180", 255: "5C81FF", 256: "5C820100", 65536: "5C83010000"} {
		value := make([]byte, n)
		got := Append([]byte("x"), 0x5C, value[:n/2], value[n/2:])
		if want := append(append([]byte("x"), unhex(t, head)...), value...); !bytes.Equal(got, want) {
			t.Errorf("%d octets: %x", n, got[:min(len(got), 8)])
		}
	}
	if got := Encode(0x7F49, Encode(0x86, []byte{4})); !bytes.Equal(got, unhex(t, "7F49 03 86 01 04")) {
		t.Errorf("%x", got)
	}
}

// What is read and written again is read the same, and no input takes long or goes deep.
func FuzzTLV(f *testing.F) {
	f.Add(unhex(f, "610A4F020001790A4F02A00000530353014F"))
	f.Add(unhex(f, "7F49820003860104FFFF00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Walk(b, func(depth int, o Object) error {
			if depth > MaxDepth {
				t.Fatal(depth)
			}
			return nil
		})
		all, err := Objects(b)
		if err != nil {
			return
		}
		var again []byte
		for _, o := range all {
			again = Append(again, o.Tag, o.Value)
		}
		back, err := Objects(again)
		if err != nil || len(back) != len(all) {
			t.Fatalf("%d became %d, %v", len(all), len(back), err)
		}
		for i, o := range all {
			if back[i].Tag != o.Tag || !bytes.Equal(back[i].Value, o.Value) {
				t.Fatalf("%s became %s", o.Tag, back[i].Tag)
			}
			if v, ok, err := Find(b, o.Tag); err != nil || !ok || i == 0 && !bytes.Equal(v, o.Value) {
				t.Fatalf("%s not found: %v", o.Tag, err)
			}
		}
	})
}
