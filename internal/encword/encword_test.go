package encword_test

import (
	"fmt"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/internal/encword"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, raw, text string
		unsure          bool
	}{
		{"plain", "a  b", "a  b", false},
		{"UTF-8", "=?utf-8?Q?=C3=A4_b?= c", "ä b c", false},
		{"Latin-1", "=?iso-8859-1?q?=E4?=", "ä", false},
		{"Windows", "=?windows-1252?B?gA==?=", "€", false},
		{"a name that only programs use", "=?cp1252?B?gA==?= =?x-sjis?B?g0E=?=", "€ア", false},
		{"a language", "=?us-ascii*en?Q?a?=", "a", false},
		{"words that touch text", "x=?utf-8?Q?a?=y", "xay", false},
		{"a blank between words means nothing", "=?utf-8?Q?a?=\r\n =?utf-8?Q?b?= c", "ab c", false},
		{"a blank within a word", "=?utf-8?Q?a b?=", "a b", false},
		{"a question mark within a word", "=?utf-8?Q?=5Ba=5D?b?=", "[a]?b", false},
		{"no padding", "=?utf-8?B?YQ?=", "a", false},
		{"too much padding", "=?utf-8?B?YQ======?=", "a", false},
		{"not base64", "=?utf-8?B?Y*?=", "=?utf-8?B?Y*?=", false},
		{"not hexadecimal", "=?utf-8?Q?=zz=?=", "=zz=", false},
		{"a charset nobody knows", "=?utf-7?Q?+AFs-?= =?x-none?Q?=FF?=", "+AFs-\xff", true},
		{"a form nobody knows", "=?utf-8?X?a?=", "=?utf-8?X?a?=", false},
	} {
		p := encword.Parse(c.raw)
		if p.String() != c.text || p.Sure() == c.unsure || p.Raw() != c.raw {
			t.Errorf("%s: %q says %q, sure %v, raw %q; want %q", c.name, c.raw, p.String(), p.Sure(), p.Raw(), c.text)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		raw         string
		front, back int
		want        string
	}{
		{"abc", 1, 1, "b"},
		{"=?utf-8?Q?=C3=A4bc?= d", 2, 3, "=?utf-8?Q?b?="},
		{"=?iso-8859-1?B?5GJj?=", 2, 1, "=?iso-8859-1?B?Yg==?="},
		{"=?utf-8?Q?a?= =?utf-8?Q?b?=", 1, 1, ""},
		{"abc", 0, 0, "abc"},
		{"=?iso-2022-jp?B?YRskQkZ8GyhC?=", 1, 0, "=?utf-8?B?5pel?="},
	} {
		p := encword.Parse(c.raw)
		if got := p.CutFront(c.front).CutBack(c.back).Raw(); got != c.want {
			t.Errorf("%q cut by %d and %d: %q, want %q", c.raw, c.front, c.back, got, c.want)
		}
		if p.Raw() != c.raw {
			t.Errorf("%q became %q by a cut", c.raw, p.Raw())
		}
	}
}

func TestEncode(t *testing.T) {
	long := strings.Repeat("größer ", 50)
	for _, s := range []string{"", "a", "=?utf-8?Q?[x]?=", long} {
		got := encword.Encode(s)
		if back, err := new(mime.WordDecoder).DecodeHeader(strings.ReplaceAll(got, "\r\n", "")); err != nil || back != s {
			t.Errorf("%q reads as %q, %v", s, back, err)
		}
		for line := range strings.SplitSeq(got, "\r\n ") {
			if len(line) > 75 {
				t.Errorf("a word of %d characters: %s", len(line), line)
			}
		}
	}
	if got := encword.Encode("a\xff"); encword.Parse(got).String() != "a\uFFFD" {
		t.Errorf("bytes that are no UTF-8: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a =?utf-8?Q?=C3=A4_b?= c", "=?iso-2022-jp?B?YRskQkZ8GyhC?=", "=?x?b??= =?=?=?Q?=", "=?utf-8?Q?a?b?="} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		p := encword.Parse(s)
		if p.Raw() != s {
			t.Fatalf("%q comes back as %q", s, p.Raw())
		}
		text := p.String()
		if n < 0 || n > len(text) || !utf8.RuneStart((text + " ")[n]) {
			return
		}
		if utf8.ValidString(text) {
			if got := p.CutFront(n).String(); got != text[n:] {
				t.Fatalf("%q without %d bytes in front says %q, want %q", s, n, got, text[n:])
			}
			if got := p.CutBack(len(text) - n).String(); got != text[:n] {
				t.Fatalf("%q without all but %d bytes says %q, want %q", s, n, got, text[:n])
			}
		}
	})
}

func ExampleParse() {
	t := encword.Parse("[plan] =?windows-1252?Q?Gr=FC=DFe?=")
	fmt.Println(t)
	fmt.Println(t.CutFront(len("[plan] ")).Raw())
	// Output:
	// [plan] Grüße
	// =?windows-1252?Q?Gr=FC=DFe?=
}
