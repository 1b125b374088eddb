package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// blanks are the characters of folding white space (RFC 5322, 3.2.2).
const blanks = " \t\r\n"

// lineEnd is the line end that s ends with.
func lineEnd(s string) string {
	return s[len(strings.TrimRight(s, "\r\n")):]
}

// end is one of the two ends of a text.
type end bool

const (
	front end = false
	back  end = true
)

func (e end) trim(s string) string {
	if e == front {
		return strings.TrimLeft(s, blanks)
	}
	return strings.TrimRight(s, blanks)
}

func (e end) drop(s string, n int) string {
	if e == front {
		return s[n:]
	}
	return s[:len(s)-n]
}

// rune decodes the outermost character.
func (e end) rune(s string) (rune, int) {
	if e == front {
		return utf8.DecodeRuneInString(s)
	}
	return utf8.DecodeLastRuneInString(s)
}

// matchWord returns how many bytes of s a tag takes at this end; 0 where it does not stand there.
func (e end) matchWord(s string, w word) int {
	switch {
	case w.open: // only its bracket tells where it ends
		return 0
	case w.upper:
		rest, ok := strings.CutPrefix(s, w.text)
		if e == back || !ok || rest != "" && !strings.ContainsRune(blanks, rune(rest[0])) {
			return 0
		}
		return len(w.text)
	}
	return e.match(s, w.text)
}

// match is matchWord for a tag without regard to case.
func (e end) match(s, tag string) int {
	n := 0
	for range utf8.RuneCountInString(tag) {
		_, size := e.rune(e.drop(s, n))
		n += size
	}
	there := s[:n]
	if e == back {
		there = s[len(s)-n:]
	}
	if n == 0 || !strings.EqualFold(there, tag) {
		return 0
	}
	inner, _ := (!e).rune(tag)
	if next, _ := e.rune(e.drop(s, n)); isWord(inner) && isWord(next) {
		return 0 // the tag is only a part of a word
	}
	return n
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// bracketed is what stands in square brackets at this end of a text.
func (e end) bracketed(text string) (inner string, ok bool) {
	if e == front {
		inner, _, ok = strings.Cut(text[:min(len(text), maxBracket)], "]")
		inner, opened := strings.CutPrefix(inner, "[")
		return inner, ok && opened && !strings.Contains(inner, "[")
	}
	text = text[max(0, len(text)-maxBracket):]
	i := strings.LastIndexByte(text, '[')
	if i < 0 {
		return "", false
	}
	inner, ok = strings.CutSuffix(text[i+1:], "]")
	return inner, ok && !strings.Contains(inner, "]")
}

// plainWord is a word in lower case, composed, and without blanks.
func plainWord(s string) string { return strings.ReplaceAll(plain(s), " ", "") }

// plain is a text in which two that a reader takes for one are the same: in lower case, composed, with single blanks. Bytes that are no
// UTF-8 stand for what they mean to most programs that write such.
func plain(s string) string {
	if !utf8.ValidString(s) {
		if read, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
			s = read
		}
	}
	return strings.Join(strings.Fields(strings.ToLower(norm.NFC.String(s))), " ")
}
