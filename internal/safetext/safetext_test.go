package safetext_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/internal/safetext"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"plain", "250 2.0.0 Ok", 0, "250 2.0.0 Ok"},
		{"umlauts stay", "Grüße aus München", 0, "Grüße aus München"},
		{"line ends", "a\r\nb", 0, `a\r\nb`},
		{"colour sequence", "\x1b[31mred", 0, `\x1b[31mred`},
		{"C1 control", "\u009b31m", 0, `\u009b31m`},
		{"reads backwards", "abc\u202etxt.exe", 0, `abc\u202etxt.exe`},
		{"invisible", "a\u200bb\ufeffc", 0, `a\u200bb\ufeffc`},
		{"NUL and tab", "a\x00b\tc", 0, `a\x00b\tc`},
		{"not UTF-8", "a\xffb\x80", 0, `a\xffb\x80`},
		{"replacement character itself", "a\uFFFDb", 0, "a\uFFFDb"},
		{"exactly at the limit", "abcdef", 6, "abcdef"},
		{"cut", "abcdefg", 6, "abc…"},
		{"cut between characters", "äöüäöü", 8, "äö…"},
		{"escape not cut in two", "ab\x1b\x1b\x1b", 8, `ab…`},
		{"empty", "", 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := safetext.Line(c.in, c.limit); got != c.want {
				t.Errorf("Line(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("plain", 3)
	f.Add("\x1b]0;title\x07", 10)
	f.Add("\xff\xfe\u202e", 0)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := safetext.Line(s, limit)
		if !utf8.ValidString(got) {
			t.Fatalf("not UTF-8: %q", got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u202e' || r == '\u200b' }) {
			t.Fatalf("unsafe character left: %q", got)
		}
		if limit >= 4 && len(got) > limit {
			t.Fatalf("%d bytes, limit %d", len(got), limit)
		}
		if again := safetext.Line(got, limit); again != got {
			t.Fatalf("not stable: %q then %q", got, again)
		}
	})
}

func ExampleLine() {
	fmt.Println(safetext.Line("550 no such user\r\n250 Ok \x1b[2J", 0))
	// Output: 550 no such user\r\n250 Ok \x1b[2J
}
