package policy

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/ianaindex"
)

// piece is a run of a subject: plain text, an encoded word (RFC 2047), or the blanks between two words,
// which mean nothing.
type piece struct {
	raw     string // as it stands in the field
	text    string // what it says; empty for blanks between words
	charset string // of an encoded word, as it is named there; empty for the other two
	coding  byte   // 'B' or 'Q'
	content string // of an encoded word, encoded
	bytes   string // of an encoded word, decoded, in its charset
}

type pieces []piece

// encodedWord finds what may be an encoded word. It is wider than RFC 2047, 2: words may touch other text,
// be longer than 75 characters and hold blanks, since mail programs decode such words too.
var encodedWord = regexp.MustCompile(`=\?([^?\s]+)\?([bBqQ])\?([^?\r\n]*)\?=`)

// parse takes a field body apart. A word that cannot be decoded is plain text.
func parse(body string) pieces {
	var ps pieces
	plain := 0 // where the text before the next word begins
	for _, m := range encodedWord.FindAllStringSubmatchIndex(body, -1) {
		w, ok := parseWord(body[m[0]:m[1]], body[m[2]:m[3]], body[m[4]], body[m[6]:m[7]])
		if !ok {
			continue
		}
		ps = ps.addPlain(body[plain:m[0]], true)
		ps = append(ps, w)
		plain = m[1]
	}
	return ps.addPlain(body[plain:], false)
}

// addPlain adds text, which is a gap where it is blank and stands between two encoded words (RFC 2047, 6.2).
func (ps pieces) addPlain(s string, wordFollows bool) pieces {
	if s == "" {
		return ps
	}
	p := piece{raw: s, text: s}
	if wordFollows && len(ps) > 0 && strings.Trim(s, blanks) == "" {
		p.text = ""
	}
	return append(ps, p)
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
	p.text = fromCharset(charset, p.bytes)
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
// cannot be decoded comes back as it is: most charsets have ASCII in its place, and so the tags.
func fromCharset(charset, s string) string {
	name, _, _ := strings.Cut(charset, "*")
	switch strings.ToLower(name) {
	case "utf-8", "us-ascii":
		return s
	}
	e, err := ianaindex.MIME.Encoding(name)
	if err != nil || e == nil {
		return s
	}
	text, err := e.NewDecoder().String(s)
	if err != nil {
		return s
	}
	return text
}

func (ps pieces) text() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String()
}

func (ps pieces) raw() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.raw)
	}
	return b.String()
}

// cutFront drops the first n bytes of the text; n is not negative.
func (ps pieces) cutFront(n int) pieces {
	if n == 0 {
		return ps
	}
	for len(ps) > 0 && len(ps[0].text) <= n {
		n -= len(ps[0].text)
		ps = ps[1:]
	}
	if n > 0 {
		ps[0] = ps[0].slice(n, len(ps[0].text))
	}
	return ps
}

// cutBack drops the last n bytes of the text; n is not negative.
func (ps pieces) cutBack(n int) pieces {
	if n == 0 {
		return ps
	}
	last := len(ps) - 1
	for last >= 0 && len(ps[last].text) <= n {
		n -= len(ps[last].text)
		last--
	}
	if n > 0 {
		ps[last] = ps[last].slice(0, len(ps[last].text)-n)
	}
	return ps[:last+1]
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
		return piece{raw: encodeWords(text), text: text}
	}
	content := base64.StdEncoding.EncodeToString([]byte(p.bytes[a:b]))
	if p.coding == 'Q' {
		content = p.content[qOffset(p.content, a):qOffset(p.content, b)]
	}
	raw := "=?" + p.charset + "?" + string(p.coding) + "?" + content + "?="
	return piece{raw: raw, text: text, charset: p.charset, coding: p.coding, content: content, bytes: p.bytes[a:b]}
}

// offset finds the byte of p.bytes where the text reached n. It cannot where characters of the charset
// differ in length.
func (p piece) offset(n int) (int, bool) {
	if p.text == p.bytes {
		return n, true
	}
	return utf8.RuneCountInString(p.text[:n]), utf8.RuneCountInString(p.text) == len(p.bytes)
}

// encodeWords is text as encoded words of at most 75 characters.
func encodeWords(text string) string {
	const most = 45 // bytes, which are 60 characters of base64
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
