// Package safetext makes text from strangers safe to print on a terminal or in a log line; it does not judge what the text says.
package safetext

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "…"

// Line returns s as one line of printable text of at most limit bytes (limit below 1: no limit).
// Control characters, line ends, bidirectional and other invisible marks and bytes that are not UTF-8
// become Go escapes (\n, \x1b, \u202e), so that no text can move a cursor, forge a second line or
// read backwards. A text that is too long is cut between characters and ends with "…". Printable text
// comes back as it is. Line keeps nothing and may be called at once.
func Line(s string, limit int) string {
	if printable(s) && (limit < 1 || len(s) <= limit) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		piece := escaped(s[i:i+n], r)
		rest := len(s) - i - n
		if limit > 0 && !fits(b.Len(), len(piece), rest, limit) {
			b.WriteString(ellipsis)
			break
		}
		b.WriteString(piece)
		i += n
	}
	return b.String()
}

// fits reports whether a piece may be written and still leave room for the mark of a cut, where more follows.
func fits(have, piece, rest, limit int) bool {
	if rest == 0 {
		return have+piece <= limit
	}
	return have+piece+len(ellipsis) <= limit
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// escaped is one character as it may be printed: itself, or its Go escape.
func escaped(raw string, r rune) string {
	if r == utf8.RuneError && len(raw) == 1 {
		return `\x` + strconv.FormatUint(uint64(raw[0])+0x100, 16)[1:]
	}
	if strconv.IsPrint(r) {
		return raw
	}
	quoted := strconv.QuoteRune(r)
	return quoted[1 : len(quoted)-1]
}
