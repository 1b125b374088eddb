package entity

import (
	"fmt"
	"mime"
	"strings"
)

const (
	foldAt  = 76  // columns after which a line is folded
	maxLine = 998 // RFC 5322, 2.1.1
)

// NewField makes a field of a name and a value; see Header.Add for what is refused.
func NewField(name, value string) (Field, error) {
	if !validName(name) {
		return Field{}, fmt.Errorf("%w: the name %.40q", ErrField, name)
	}
	value = strings.Trim(value, " \t")
	if strings.ContainsAny(value, "\r\n\x00") {
		return Field{}, fmt.Errorf("%w: %s has a line break in its value", ErrField, name)
	}
	if !isASCII(value) {
		value = mime.QEncoding.Encode("utf-8", value)
	}
	raw := strings.TrimRight(fold(name+": "+value), " ") + "\r\n"
	for line := range strings.Lines(raw) {
		if len(line) > maxLine+2 {
			return Field{}, fmt.Errorf("%w: %s has a word too long for a line", ErrField, name)
		}
	}
	return Field{Name: name, Raw: []byte(raw)}, nil
}

func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// fold breaks a line before single blanks so that its lines are at most foldAt columns where that can be.
func fold(s string) string {
	var b strings.Builder
	for len(s) > foldAt {
		at := foldPoint(s)
		if at < 0 {
			break
		}
		b.WriteString(s[:at])
		b.WriteString("\r\n")
		s = s[at:]
	}
	b.WriteString(s)
	return b.String()
}

// foldPoint is the last blank within foldAt columns, else the first one after; -1 where there is none. The
// blank after the colon is none, since a line of blanks only must not come out.
func foldPoint(s string) int {
	start := 1
	if i := strings.Index(s, ": "); i > 0 && s[0] != ' ' && s[0] != '\t' {
		start = i + 2
	}
	best := -1
	for i := start; i < len(s)-1; i++ {
		if !isBlank(s[i]) || isBlank(s[i-1]) || isBlank(s[i+1]) {
			continue
		}
		if i > foldAt {
			if best < 0 {
				best = i
			}
			break
		}
		best = i
	}
	return best
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
