// Package encword reads encoded words (RFC 2047) as widely as mail programs do, and cuts text without touching the rest; it knows no header fields.
package encword

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// Text is the body of an unstructured field, taken apart into encoded words and what stands between them.
// It is not changed after Parse.
type Text []piece

// piece is a run of a text: plain, an encoded word (RFC 2047), or the blanks between two words,
// which mean nothing.
type piece struct {
	raw     string // as it stands in the field
	text    string // what it says; empty for blanks between words
	charset string // of an encoded word, as it is named there; empty for the other two
	coding  byte   // 'B' or 'Q'
	content string // of an encoded word, encoded
	bytes   string // of an encoded word, decoded, in its charset
	unsure  bool   // the charset is not known: text is the bytes
}

// blanks are the characters of folding white space (RFC 5322, 3.2.2).
const blanks = " \t\r\n"

// encodedWord finds what may be an encoded word. It is wider than RFC 2047, 2: words may touch other text,
// be longer than 75 characters and hold blanks and question marks, since mail programs decode such words too.
var encodedWord = regexp.MustCompile(`=\?([^?\s]+)\?([bBqQ])\?([^\r\n]*?)\?=`)

// Parse takes a field body apart, folded or not. A word that cannot be decoded is plain text.
func Parse(body string) Text {
	var t Text
	plain := 0 // where the text before the next word begins
	for _, m := range encodedWord.FindAllStringSubmatchIndex(body, -1) {
		w, ok := parseWord(body[m[0]:m[1]], body[m[2]:m[3]], body[m[4]], body[m[6]:m[7]])
		if !ok {
			continue
		}
		t = t.addPlain(body[plain:m[0]], true)
		t = append(t, w)
		plain = m[1]
	}
	return t.addPlain(body[plain:], false)
}

// addPlain adds text, which is a gap where it is blank and stands between two encoded words (RFC 2047, 6.2).
func (t Text) addPlain(s string, wordFollows bool) Text {
	if s == "" {
		return t
	}
	p := piece{raw: s, text: s}
	if wordFollows && len(t) > 0 && strings.Trim(s, blanks) == "" {
		p.text = ""
	}
	return append(t, p)
}

func parseWord(raw, charset string, coding byte, content string) (piece, bool) {
	p := piece{raw: raw, charset: charset, coding: coding &^ 0x20, content: content}
	if p.coding == 'Q' {
		p.bytes = decodeQ(content)
	} else {
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(content, "="))
		if err != nil {
			return p, false
		}
		p.bytes = string(b)
	}
	p.text, p.unsure = fromCharset(charset, p.bytes)
	return p, true
}

func decodeQ(content string) string {
	var b strings.Builder
	for len(content) > 0 {
		c, n := nextQ(content)
		b.WriteByte(c)
		content = content[n:]
	}
	return b.String()
}

// nextQ decodes the first character of a Q encoding (RFC 2047, 4.2) and returns the bytes it takes. An
// equals sign that no two hexadecimal digits follow stands for itself.
func nextQ(s string) (c byte, n int) {
	if s[0] == '_' {
		return ' ', 1
	}
	if s[0] == '=' && len(s) >= 3 {
		if b, err := hex.DecodeString(s[1:3]); err == nil {
			return b[0], 3
		}
	}
	return s[0], 1
}

// fromCharset decodes text of a charset; a language after an asterisk (RFC 2231, 5) is ignored. What
// cannot be decoded comes back as it is: most charsets have ASCII in its place.
func fromCharset(charset, s string) (text string, unsure bool) {
	name, _, _ := strings.Cut(charset, "*")
	switch strings.ToLower(name) {
	case "utf-8", "us-ascii":
		return s, false
	}
	e := encodingOf(name)
	if e == nil {
		return s, true
	}
	text, err := e.NewDecoder().String(s)
	if err != nil {
		return s, true
	}
	return text, false
}

// encodingOf finds a charset by its registered name, or by one that programs give it; nil where it is not
// known.
func encodingOf(name string) encoding.Encoding {
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	return nil
}

// String is what the text says.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.text)
	}
	return b.String()
}

// Raw is the field body: what Parse was given, as far as it was not cut.
func (t Text) Raw() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.raw)
	}
	return b.String()
}

// Sure reports whether every encoded word is in a charset that is known here. Of any other one a program
// may show something else than String says.
func (t Text) Sure() bool {
	for _, p := range t {
		if p.unsure {
			return false
		}
	}
	return true
}

// CutFront drops the first n bytes of what the text says; n is from 0 to their number.
func (t Text) CutFront(n int) Text {
	if n == 0 {
		return t
	}
	for len(t) > 0 && len(t[0].text) <= n {
		n -= len(t[0].text)
		t = t[1:]
	}
	if n > 0 {
		t = append(Text{t[0].slice(n, len(t[0].text))}, t[1:]...)
	}
	return t
}

// CutBack drops the last n bytes of what the text says; n is from 0 to their number.
func (t Text) CutBack(n int) Text {
	if n == 0 {
		return t
	}
	last := len(t) - 1
	for last >= 0 && len(t[last].text) <= n {
		n -= len(t[last].text)
		last--
	}
	if n > 0 {
		return append(t[:last:last], t[last].slice(0, len(t[last].text)-n))
	}
	return t[:last+1]
}

// slice is the piece that says p.text[from:to], in the same charset and coding where that can be.
func (p piece) slice(from, to int) piece {
	text := p.text[from:to]
	if p.charset == "" {
		return piece{raw: text, text: text}
	}
	a, okA := p.offset(from)
	b, okB := p.offset(to)
	if !okA || !okB {
		return piece{raw: Encode(text), text: text}
	}
	content := base64.StdEncoding.EncodeToString([]byte(p.bytes[a:b]))
	if p.coding == 'Q' {
		content = p.content[qOffset(p.content, a):qOffset(p.content, b)]
	}
	raw := "=?" + p.charset + "?" + string(p.coding) + "?" + content + "?="
	return piece{raw: raw, text: text, charset: p.charset, coding: p.coding, content: content, bytes: p.bytes[a:b], unsure: p.unsure}
}

// offset finds the byte of p.bytes where the text reached n. It cannot where characters of the charset
// differ in length.
func (p piece) offset(n int) (int, bool) {
	if p.text == p.bytes {
		return n, true
	}
	return utf8.RuneCountInString(p.text[:n]), utf8.RuneCountInString(p.text) == len(p.bytes)
}

// Encode is text as encoded words of at most 75 characters, folded one to a line.
func Encode(text string) string {
	const most = 45 // bytes, which are 60 characters of base64
	text = strings.ToValidUTF8(text, "\uFFFD")
	var words []string
	for text != "" {
		n := 0
		for _, r := range text {
			if n+utf8.RuneLen(r) > most {
				break
			}
			n += utf8.RuneLen(r)
		}
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(text[:n]))+"?=")
		text = text[n:]
	}
	return strings.Join(words, "\r\n ")
}

// qOffset finds where byte n stands in a Q encoding.
func qOffset(content string, n int) (at int) {
	for range n {
		_, size := nextQ(content[at:])
		at += size
	}
	return at
}
