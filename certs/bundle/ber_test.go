package bundle

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestToDER(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"DER", "3006020101040142", "3006020101040142"},
		{"indefinite", "3080 020101 0000", "3003 020101"},
		{"nested indefinite", "3080 3080 0500 0000 0000", "3004 3002 0500"},
		{"empty indefinite", "3080 0000", "3000"},
		{"long form of a short length", "30820003 020101", "3003 020101"},
		{"octets in pieces", "2480 040142 04024344 0000", "0403 424344"},
		{"octets in pieces of pieces", "2480 2480 040142 0000 040143 0000", "0402 4243"},
		{"octets in pieces, definite", "2406 040142 040143", "0402 4243"},
		{"no pieces", "2480 0000", "0400"},
		{"encrypted content in pieces", "3080 060129 3000 a080 040142 040143 0000 0000", "3009 060129 3000 80024243"},
		{"encrypted content whole", "3009 060129 3000 80024243", "3009 060129 3000 80024243"},
		{"explicit octets stay", "3080 060129 a080 040142 0000 0000", "3008 060129 a003 040142"},
		{"what is in octets stays", "0404 30800000", "0404 30800000"},

		{"nothing", "", ""},
		{"no length", "30", ""},
		{"cut", "3003 0201", ""},
		{"no end", "3080 020101", ""},
		{"something after", "3000 00", ""},
		{"primitive and indefinite", "0480 0000", ""},
		{"long tag", "1f2001 00", ""},
		{"end of nothing", "0000", ""},
		{"length of five bytes", "30 8500000000 00", ""},
		{"a number among the octets", "2480 020101 0000", ""},
		{"encrypted content of numbers", "3080 060129 3000 a080 020101 0000 0000", ""},
		{"too deep", strings.Repeat("3080", 30) + strings.Repeat("0000", 30), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := hex.DecodeString(strings.ReplaceAll(c.in, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := toDER(in)
			if (err != nil) != (c.want == "") || err == nil && hex.EncodeToString(got) != strings.ReplaceAll(c.want, " ", "") {
				t.Errorf("got %x, %v, want %s", got, err, c.want)
			}
		})
	}
}

// openssl writes lengths of every size; toDER leaves them as they are.
func TestToDERLengths(t *testing.T) {
	for _, n := range []int{1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 1 << 20} {
		path := filepath.Join(t.TempDir(), "out")
		cmd := exec.Command("openssl", "asn1parse", "-genstr", "SEQUENCE:s", "-genconf", "/dev/stdin", "-noout", "-out", path)
		cmd.Stdin = strings.NewReader("[s]\na=FORMAT:ASCII,OCTETSTRING:" + strings.Repeat("x", min(n, 0xffff)) + "\nb=NULL\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		der, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := toDER(der); err != nil || !bytes.Equal(got, der) {
			t.Errorf("%d bytes: %v", n, err)
		}
		big := encode(tagOctets, make([]byte, n))
		if got, err := toDER(big); err != nil || !bytes.Equal(got, big) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// What comes out is as long at most as what came in, and stays as it is from then on.
func FuzzToDER(f *testing.F) {
	for _, name := range []string{"nss.p12", "gpgsm.p12"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x30, 0x80, 0x24, 0x80, 4, 1, 2, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := toDER(data)
		if err != nil {
			return
		}
		if len(der) > 2*len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(der))
		}
		if again, err := toDER(der); err != nil || !bytes.Equal(again, der) {
			t.Fatalf("%x became %x, %v", der, again, err)
		}
	})
}
